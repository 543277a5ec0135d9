//! JSON text for people: where an error is, and a readable layout.

use crate::Failure;
use crate::text::truncate;

/// Says what is wrong in `text`, and in which field.
pub(crate) fn failure(code: &str, what: &str, text: &str, error: &serde_json::Error) -> Failure {
    // "… at line 1 column 20" means nothing to people who see a form or a single long line.
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let path = path_at(text, offset(text, error));
    let (path, message) = (truncate(&path, 200), truncate(message, 500));
    let sentence = if path.is_empty() {
        format!("{what} is not as expected: {message}.")
    } else {
        format!("{what} is not as expected at `{path}`: {message}.")
    };
    Failure::new(code, sentence)
}

fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    (lines.map(str::len).sum::<usize>() + error.column()).min(text.len())
}

/// The way to the value that ends at or holds this offset, for example `actions[1].title`.
fn path_at(text: &str, offset: usize) -> String {
    let mut path: Vec<Step<'_>> = Vec::new();
    for (start, token) in (Tokens { text, at: 0 }) {
        if start >= offset {
            break;
        }
        match (token, path.last_mut()) {
            ("{", _) => path.push(Step::Key(None)),
            ("[", _) => path.push(Step::Index(0)),
            ("}" | "]", _) => {
                path.pop();
            }
            (",", Some(Step::Index(index))) => *index += 1,
            (",", Some(Step::Key(key))) => *key = None,
            (token, Some(Step::Key(key @ None))) => *key = Some(token.trim_matches('"')),
            _ => {}
        }
    }
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(Some(key)) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(index) => {
                out.push('[');
                out.push_str(&index.to_string());
                out.push(']');
            }
            Step::Key(None) => {}
        }
    }
    out
}

enum Step<'a> {
    Key(Option<&'a str>),
    Index(usize),
}

/// JSON text laid out with two spaces a level, in its own order and with its numbers as written; none when
/// it is not JSON. Ends somewhere behind the first `max` UTF-16 units: a few brackets can make a layout of
/// many megabytes.
///
/// ```
/// assert_eq!(hookwright_sdk::json::pretty(r#"{"b":[1.0,{}]}"#, 100).unwrap(), "{\n  \"b\": [\n    1.0,\n    {}\n  ]\n}");
/// ```
pub fn pretty(text: &str, max: usize) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len().min(max) * 2);
    let mut depth = 0_usize;
    let mut previous = "";
    for (_, token) in (Tokens { text, at: 0 }) {
        // A unit is at most three bytes.
        if out.len() / 3 > max {
            break;
        }
        let closing = matches!(token, "}" | "]");
        if closing {
            depth = depth.saturating_sub(1);
        }
        let empty = closing && matches!(previous, "{" | "[");
        if (closing && !empty) || (matches!(previous, "{" | "[" | ",") && !closing) {
            out.push('\n');
            // Deeper than this, more indentation tells nobody anything and makes the text grow squarely.
            out.extend(std::iter::repeat_n("  ", depth.min(32)));
        } else if previous == ":" {
            out.push(' ');
        }
        out.push_str(token);
        if matches!(token, "{" | "[") {
            depth += 1;
        }
        previous = token;
    }
    Some(out)
}

/// Punctuation, strings and bare words, with where they start. Any text gives tokens; only JSON gives sense.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?.trim_ascii_start();
        let start = self.text.len() - rest.len();
        let bytes = rest.as_bytes();
        let length = match *bytes.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => string_length(bytes),
            _ => bytes.iter().position(|byte| b"{}[],:\" \t\r\n".contains(byte)).unwrap_or(bytes.len()),
        };
        self.at = start + length;
        Some((start, &rest[..length]))
    }
}

fn string_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::{failure, pretty};

    #[derive(Debug, serde::Deserialize)]
    struct Retro {
        #[expect(dead_code, reason = "only its form matters")]
        actions: Vec<Action>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Action {
        #[expect(dead_code, reason = "only its form matters")]
        title: String,
    }

    fn message(text: &str) -> String {
        let error = serde_json::from_str::<Retro>(text).expect_err("a bad payload");
        failure("payload.invalid", "The payload", text, &error).message().to_owned()
    }

    #[test]
    fn an_error_names_its_field() {
        let wrong = message(r#"{"x": {"y": [1, 2]}, "actions": [{"title": "a"}, {"title": 5}], "z": 1}"#);
        assert_eq!(
            wrong,
            "The payload is not as expected at `actions[1].title`: invalid type: integer `5`, expected a string."
        );
        assert!(message("{\n \"actions\": [\n{}]}").contains("at `actions[0]`: missing field `title`"));
        assert!(message("{\"actions\": {}}").contains("at `actions`: invalid type: map"));
        assert!(message("[1").contains("at `[0]`"));
        assert!(message("").contains("expected: EOF"));
        assert!(message("{\"acti\\\"ons\": \"unfinished").contains("at `acti\\\"ons`: EOF"));
    }

    #[test]
    fn a_layout_keeps_order_and_numbers() {
        let text = r#"{"b": 1.50, "a": [ ], "s": "x, {\"y\": [1]}", "n": {"t": true}}"#;
        let laid_out = pretty(text, 1000).expect("JSON");
        assert_eq!(
            laid_out,
            "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"s\": \"x, {\\\"y\\\": [1]}\",\n  \"n\": {\n    \"t\": true\n  }\n}"
        );
        assert_eq!(pretty("{]", 9), None);
        assert_eq!(pretty("5", 9).as_deref(), Some("5"));
    }
}

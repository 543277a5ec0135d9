//! JSON text for people: where an error is, and a readable layout.

mod deserializer;
mod error;
mod number;
mod reader;
#[cfg(test)]
mod tests;

pub use error::Error;
pub(crate) use number::plain;
pub(crate) use reader::{Kind, Reader};
use serde::Deserialize;

use crate::Failure;
use crate::text::{join, part, truncate};

/// Reads JSON. For plugins it is much smaller than that of `serde_json`.
///
/// ```
/// use hookwright_sdk::json;
///
/// assert_eq!(json::parse::<Vec<u8>>("[1, 2]").unwrap(), [1, 2]);
/// assert!(json::parse::<Vec<u8>>("[1, 256]").is_err());
/// ```
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Whether a text is JSON.
///
/// ```
/// use hookwright_sdk::json;
///
/// assert!(json::is_valid("{\"a\": [1.50]}"));
/// assert!(!json::is_valid("{'a': 1}"));
/// ```
pub fn is_valid(text: &str) -> bool {
    let mut reader = Reader::new(text);
    reader.skip().and_then(|()| reader.end()).is_ok()
}

/// Says what is wrong in `text`, and in which field.
pub(crate) fn failure(code: &str, what: &str, text: &str, error: &Error) -> Failure {
    let path = path_at(text, error.offset());
    let (path, message) = (truncate(&path, 200), truncate(error.message(), 500));
    let place = if path.is_empty() { String::new() } else { join(&[" at `", &path, "`"]) };
    Failure::new(code, join(&[what, " is not as expected", &place, ": ", &message, "."]))
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
    if !is_valid(text) {
        return None;
    }
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
        Some((start, part(rest, 0, length)))
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

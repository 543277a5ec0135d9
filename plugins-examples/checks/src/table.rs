//! A table of what a destination takes, one line for each place in the body:
//!
//! ```text
//! # Source: https://example.com/reference
//! cards              list 1..50
//! cards.*.title      line 1..255
//! cards.*.color      number 0..16777215
//! cards.*.kind       one task|bug
//! cards.*.url        url 2048
//! draft              flag
//! sum 6000           cards.*.title cards.*.text
//! size 20000
//! ```
//!
//! `text` has a length in UTF-16 units and no control characters but line breaks and tabs, `line` is text without line breaks and control characters, `sum` is
//! the length of all texts together, `size` the bytes of the whole body. What stands in a body and in no
//! line of the table is a mistake; `maybe` before a kind allows null.

use serde_json::Value;

/// What a destination takes.
#[derive(Debug)]
pub struct Table {
    rows: Vec<(Vec<String>, Vec<String>)>,
    sums: Vec<(usize, Vec<String>)>,
    size: Option<usize>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut table = Self { rows: Vec::new(), sums: Vec::new(), size: None };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match words[0].as_str() {
                "sum" => table.sums.push((words[1].parse().expect("a number"), words[2..].to_vec())),
                "size" => table.size = Some(words[1].parse().expect("a number")),
                path => table.rows.push((path.split('.').map(str::to_owned).collect(), words[1..].to_vec())),
            }
        }
        assert!(!table.rows.is_empty(), "a table has rows");
        table
    }

    /// Checks a body.
    ///
    /// # Panics
    /// When the destination would refuse it, with the place.
    pub fn check(&self, body: &Value) {
        let mut path = Vec::new();
        self.walk(&mut path, body);
        for (most, paths) in &self.sums {
            let sum: usize = paths.iter().map(|path| sum(body, &path.split('.').collect::<Vec<_>>())).sum();
            assert!(sum <= *most, "{sum} of {most} units in {paths:?}");
        }
        let size = body.to_string().len();
        assert!(self.size.is_none_or(|most| size <= most), "{size} bytes");
    }

    fn walk(&self, path: &mut Vec<String>, value: &Value) {
        let rule = self.rows.iter().find(|(row, _)| {
            row.len() == path.len() && row.iter().zip(path.iter()).all(|(wanted, name)| wanted == "*" || wanted == name)
        });
        if let Some((_, rule)) = rule {
            fits(path, rule, value);
        }
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                path.push(name.clone());
                self.walk(path, value);
                path.pop();
            }),
            Value::Array(items) => {
                assert!(rule.is_some() || path.is_empty(), "no list may stand at {path:?}");
                items.iter().enumerate().for_each(|(index, value)| {
                    path.push(index.to_string());
                    self.walk(path, value);
                    path.pop();
                });
            }
            leaf => assert!(rule.is_some(), "nothing may stand at {path:?}: {leaf}"),
        }
    }
}

fn fits(path: &[String], rule: &[String], value: &Value) {
    let rule = match rule.first().map(String::as_str) {
        Some("maybe") if value.is_null() => return,
        Some("maybe") => &rule[1..],
        _ => rule,
    };
    let text = || value.as_str().unwrap_or_else(|| panic!("no text at {path:?}: {value}"));
    let range = || {
        let (least, most) = rule[1].split_once("..").expect("MIN..MAX");
        least.parse::<usize>().expect("a number")..=most.parse::<usize>().expect("a number")
    };
    let within = |size: usize| assert!(range().contains(&size), "{size} at {path:?}, not {:?}: {value}", range());
    match rule[0].as_str() {
        "text" => {
            within(text().encode_utf16().count());
            let odd = text().chars().any(|c| c.is_control() && c != '\n' && c != '\t');
            assert!(!odd && !text().trim().is_empty(), "no text at {path:?}: {value}");
        }
        "line" => {
            within(text().encode_utf16().count());
            assert!(!text().chars().any(char::is_control) && text().trim() == text(), "no line at {path:?}: {value}");
        }
        "list" => within(value.as_array().unwrap_or_else(|| panic!("no list at {path:?}: {value}")).len()),
        "number" => within(
            value
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or_else(|| panic!("no number at {path:?}: {value}")),
        ),
        "one" => assert!(rule[1].split('|').any(|one| one == text()), "{value} at {path:?}"),
        "flag" => assert!(value.is_boolean(), "{value} at {path:?}"),
        "url" => {
            let most = rule[1].parse().expect("a number");
            let is_web = text().starts_with("https://") || text().starts_with("http://");
            assert!(is_web && text().len() <= most && !text().contains([' ', '\n', '"']), "{value} at {path:?}");
        }
        "time" => assert!(text().len() >= 10 && text().as_bytes()[4] == b'-', "no time at {path:?}: {value}"),
        other => panic!("no kind of value: {other}"),
    }
}

fn sum(value: &Value, path: &[&str]) -> usize {
    match (path, value) {
        ([], Value::String(text)) => text.encode_utf16().count(),
        (["*", rest @ ..], Value::Array(items)) => items.iter().map(|item| sum(item, rest)).sum(),
        ([name, rest @ ..], Value::Object(fields)) => fields.get(*name).map_or(0, |value| sum(value, rest)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Table;

    fn takes(body: &Value) -> bool {
        let table = "# a comment\n a list 1..2\na.*.t line 1..3\nn number 0..5\nu url 20\nf flag\no one x|y\nd maybe text 0..2\nsum 5 a.*.t\nsize 90";
        std::panic::catch_unwind(|| Table::new(table).check(body)).is_ok()
    }

    #[test]
    fn a_table_refuses_what_is_not_in_it() {
        assert!(takes(
            &json!({"a": [{"t": "abc"}, {"t": "ab"}], "n": 5, "u": "https://a.example", "f": true, "o": "y", "d": null})
        ));
        for bad in [
            json!({"a": []}),
            json!({"a": [{}, {}, {}]}),
            json!({"a": [{"t": ""}]}),
            json!({"a": [{"t": "abcd"}]}),
            json!({"a": [{"t": "a\nb"}]}),
            json!({"a": [{"t": " a"}]}),
            json!({"a": [{"t": "abc"}, {"t": "abc"}]}),
            json!({"a": [{"t": 5}]}),
            json!({"n": 6}),
            json!({"n": -1}),
            json!({"u": "ftp://a"}),
            json!({"f": 1}),
            json!({"o": "z"}),
            json!({"d": "abc"}),
            json!({"x": 1}),
            json!({"x": []}),
            json!({"d": "\u{1f600}\u{1f600}"}),
        ] {
            assert!(!takes(&bad), "{bad}");
        }
    }
}

//! Where two JSON values differ, for people: by JSON pointer, and no longer than somebody reads.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::pointer_token;

/// Most characters of a value that is shown on each side.
const SHOWN_CHARS: usize = 400;
/// How much of a text is shown before the place where it differs.
const BEFORE_CHARS: usize = 40;

/// One place that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// JSON Pointer (RFC 6901).
    pub at: String,
    /// What stood there; absent when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What stands there now; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
}

impl Difference {
    /// How much room it takes, about.
    fn bytes(&self) -> usize {
        let value = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.to_string().len());
        self.at.len() + value(&self.was) + value(&self.now) + 32
    }
}

/// The places where two values differ, until they take more than so many bytes; and whether that is all.
pub fn differences(was: &Value, now: &Value, most_bytes: usize) -> (Vec<Difference>, bool) {
    let (mut found, mut bytes, mut is_all) = (Vec::new(), 0, true);
    let mut note = |difference: Difference| {
        bytes += difference.bytes();
        is_all = bytes <= most_bytes;
        if is_all {
            found.push(difference);
        }
        is_all
    };
    walk(&mut String::new(), Some(was), Some(now), &mut note);
    (found, is_all)
}

/// The first of them with what stands there whole, if there is any.
pub fn first(was: &Value, now: &Value) -> Option<Difference> {
    let mut first = None;
    let mut at = String::new();
    visit(&mut at, Some(was), Some(now), &mut |at, was, now| {
        first = Some(Difference { at: at.to_owned(), was: was.cloned(), now: now.cloned() });
        false
    });
    first
}

fn walk(at: &mut String, was: Option<&Value>, now: Option<&Value>, note: &mut dyn FnMut(Difference) -> bool) {
    visit(at, was, now, &mut |at, was, now| {
        let (was, now) = match (was, now) {
            (Some(Value::String(was)), Some(Value::String(now))) => {
                let same = was.chars().zip(now.chars()).take_while(|(was, now)| was == now).count();
                (Some(cut_text(was, same)), Some(cut_text(now, same)))
            }
            (was, now) => (was.map(cut), now.map(cut)),
        };
        note(Difference { at: at.to_owned(), was, now })
    });
}

type Visitor<'v> = &'v mut dyn FnMut(&str, Option<&Value>, Option<&Value>) -> bool;

/// Visits each place that differs, until the visitor has had enough.
fn visit(at: &mut String, was: Option<&Value>, now: Option<&Value>, visitor: Visitor<'_>) -> bool {
    if was == now {
        return true;
    }
    let length = at.len();
    let mut inside = |name: &str, was: Option<&Value>, now: Option<&Value>| {
        at.push('/');
        at.push_str(&pointer_token(name));
        let goes_on = visit(at, was, now, visitor);
        at.truncate(length);
        goes_on
    };
    match (was, now) {
        (Some(Value::Object(was)), Some(Value::Object(now))) => {
            let names = was.keys().chain(now.keys().filter(|name| !was.contains_key(*name)));
            names.into_iter().all(|name| inside(name, was.get(name), now.get(name)))
        }
        (Some(Value::Array(was)), Some(Value::Array(now))) => {
            (0..was.len().max(now.len())).all(|index| inside(&index.to_string(), was.get(index), now.get(index)))
        }
        (was, now) => visitor(at, was, now),
    }
}

/// A text from shortly before the place where it differs.
fn cut_text(text: &str, same: usize) -> Value {
    if text.chars().count() <= SHOWN_CHARS {
        return Value::from(text);
    }
    let skipped = same.saturating_sub(BEFORE_CHARS);
    let mut rest = text.chars().skip(skipped);
    let shown: String = rest.by_ref().take(SHOWN_CHARS).collect();
    let (before, after) = (if skipped > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    Value::from(format!("{before}{shown}{after}"))
}

fn cut(value: &Value) -> Value {
    match value {
        Value::String(text) => cut_text(text, 0),
        Value::Object(_) | Value::Array(_) => {
            let text = value.to_string();
            if text.chars().count() <= SHOWN_CHARS { value.clone() } else { cut_text(&text, 0) }
        }
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(was: &Value, now: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        let (found, is_all) = differences(was, now, 10_000);
        assert!(is_all);
        found.into_iter().map(|one| (one.at, one.was, one.now)).collect()
    }

    #[test]
    fn each_place_is_named_with_what_stood_and_stands_there() {
        let was = json!({"a": 1, "b/c": [1, 2, {"x": null}], "gone": true});
        let now = json!({"a": 1, "b/c": [1, 3, {"x": 0}, 4], "new": "n"});
        let expected = [
            ("/b~1c/1".to_owned(), Some(json!(2)), Some(json!(3))),
            ("/b~1c/2/x".to_owned(), Some(Value::Null), Some(json!(0))),
            ("/b~1c/3".to_owned(), None, Some(json!(4))),
            ("/gone".to_owned(), Some(json!(true)), None),
            ("/new".to_owned(), None, Some(json!("n"))),
        ];
        assert_eq!(all(&was, &now), expected);
        assert_eq!(all(&was, &was), []);
        assert_eq!(first(&was, &now).map(|first| first.at).as_deref(), Some("/b~1c/1"));
        assert_eq!(all(&json!([]), &json!({})), [(String::new(), Some(json!([])), Some(json!({})))]);
    }

    #[test]
    fn long_texts_are_shown_from_where_they_differ() {
        let text = |end: &str| json!(format!("{}{end}{}", "ä".repeat(1000), "z".repeat(1000)));
        let found = all(&text("x"), &text("y"));
        let (was, now) =
            (found[0].1.as_ref().unwrap().as_str().unwrap(), found[0].2.as_ref().unwrap().as_str().unwrap());
        assert!(was.starts_with("…ää") && was.contains("xz") && was.ends_with("z…"), "{was}");
        assert!(now.contains("yz") && now.chars().count() == SHOWN_CHARS + 2, "{now}");
        assert_eq!(
            all(&json!("x".repeat(400)), &json!("y"))[0].1,
            Some(json!("x".repeat(400))),
            "at the edge all of it"
        );
    }

    #[test]
    fn no_more_is_told_than_asked_for() {
        let was: Value = (0..100).collect();
        let now: Value = (1..101).collect();
        let one = Difference { at: "/0".to_owned(), was: Some(json!(0)), now: Some(json!(1)) }.bytes();
        assert_eq!(differences(&was, &now, one), (vec![first(&was, &now).unwrap()], false));
        assert_eq!(differences(&was, &now, one - 1).0, []);
        assert_eq!(differences(&was, &now, 100_000).0.len(), 100);
    }
}

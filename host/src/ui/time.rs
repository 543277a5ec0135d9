//! Times as browsers send them.

use serde_json::Value;

use crate::domain::clock::Millis;

/// A time as the API reads it: `2026-01-31T12:00` of a browser's field is UTC. What is none stays as it is, so that the API
/// tells what is wrong with it.
pub(super) fn read(text: &str) -> Value {
    let text = text.trim();
    [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")]
        .iter()
        .find_map(|text| Millis::parse(text))
        .map_or_else(|| Value::from(text), |time| time.to_string().into())
}

/// A time as a browser's field takes it, in UTC.
pub(super) fn field(at: Millis) -> String {
    at.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_browsers_are_utc() {
        for text in ["2026-01-31T12:00", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00"] {
            assert_eq!(read(text), "2026-01-31T12:00:00.000Z", "{text}");
        }
        assert_eq!(read("2026-01-31"), "2026-01-31T00:00:00.000Z");
        assert_eq!(read(" soon "), "soon");
        assert_eq!(field(Millis(1_769_860_800_005)), "2026-01-31T12:00");
    }
}

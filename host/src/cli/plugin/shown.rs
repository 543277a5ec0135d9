//! What commands about deliveries have in common: differences and failures, in words.

use serde_json::Value;

use crate::domain::difference::Difference;

/// What scripts are told when requests are others than they were, or something newly fails.
pub(super) const DIFFERS: u8 = 3;
/// What scripts are told when a plugin fails.
pub(super) const FAILS: u8 = 4;

/// A difference, as people read it: what was and what is.
pub(super) fn lines(difference: &Difference) -> Vec<String> {
    let side = |sign: &str, value: &Option<Value>| value.as_ref().map(|value| format!("  {sign} {value}"));
    let place = if difference.at.is_empty() { "/" } else { &difference.at };
    let sides = [side("-", &difference.was), side("+", &difference.now)];
    std::iter::once(format!("at {place}")).chain(sides.into_iter().flatten()).collect()
}

/// What to do about a failure with this code.
pub(super) fn hint(code: &str) -> &'static str {
    match code {
        "plugin.timeout" => {
            "it used up its CPU time: look for work that grows with the payload; the webhook may have a lower limit of \
             its own (`plugin.limits.cpu_ms`)"
        }
        "plugin.out_of_memory" => "it used up its memory: keep less of the payload at once, or read only what you need",
        "plugin.crashed" => {
            "it gave up: the text and the functions above say where; `hookwright plugin replay DELIVERY --case cases/x.json` \
             makes a golden case of it, which your tests run natively"
        }
        "plugin.failed" => {
            "the plugin says so itself: the payload or the configuration is not as it expects; make what may be missing \
             an Option, or skip the event"
        }
        "plugin.bad_output" => {
            "a request breaks the rule whose name stands at the end; docs/SECURITY.md says what requests may be"
        }
        "plugin.output_too_large" => "what it returned is too large: send less, or cut texts (`hookwright_sdk::text`)",
        "plugin.too_many_recalls" => "it asked its memory too often: ask once for each key",
        "plugin.incompatible" => "it was built for another contract: build it with this program's SDK",
        _ => "docs/plugin-authors.md says more",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_shows_both_sides_where_there_are_any() {
        let difference = |was, now| Difference { at: "/requests/0/body/text".to_owned(), was, now };
        assert_eq!(
            lines(&difference(Some(json!("a")), Some(json!("b")))),
            ["at /requests/0/body/text", "  - \"a\"", "  + \"b\""]
        );
        assert_eq!(lines(&difference(None, Some(json!(1)))), ["at /requests/0/body/text", "  + 1"]);
    }
}

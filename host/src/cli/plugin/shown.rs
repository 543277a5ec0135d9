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

/// What to do about a failure with this code and message.
pub(super) fn hint(code: &str, message: &str) -> &'static str {
    match code {
        "plugin.timeout" => {
            "it used up its CPU time: look for work that grows with the payload, and for loops that may never end; a webhook may \
             have a lower limit of its own (`plugin.limits.cpu_ms`)"
        }
        "plugin.out_of_memory" => "it used up its memory: keep less of the payload at once, or read only what you need",
        "plugin.crashed" => {
            "it gave up: the text above says where; keep the event as a golden case in cases/ before you mend it \
             (`hookwright plugin replay DELIVERY --case cases/x.json` makes one of a delivery)"
        }
        "plugin.failed" if message.starts_with("request.invalid") => {
            "a request that the server would refuse: check what comes from a payload before it becomes part of one"
        }
        "plugin.failed" => {
            "the plugin says so itself: the payload or the configuration is not as it expects; make what may be missing \
             optional, or skip the event"
        }
        "plugin.bad_output" => rule_hint(message),
        "plugin.output_too_large" => "what it returned is too large: send less, or cut texts",
        "plugin.too_many_recalls" => "it asked its memory too often: ask once for each key",
        "plugin.incompatible" => "it was built for another contract: build it with this program's SDK",
        "plugin.case_failed" => {
            "the plugin makes something else than the golden case says: mend the plugin, or have \
             `hookwright plugin test --update` write the case"
        }
        "plugin.bad_manifest" => "plugin.toml or a file in cases/ says something that cannot be: mend it there",
        _ => "docs/plugin-authors.md says more",
    }
}

/// What to do about a broken rule, whose name stands at the end of the message.
fn rule_hint(message: &str) -> &'static str {
    let rule = message.rsplit_once('(').map_or("", |(_, rule)| rule.trim_end_matches(')'));
    match rule {
        "secret_unknown" => {
            "a secret that a request names must stand in plugin.toml, as [secrets.NAME], so that a webhook's \
                             owner is asked for it"
        }
        "path_segment" => "what comes from a payload may be anything: check it before it becomes part of a path",
        "header_authorization" => "name a secret instead: a credential with its place and the secret's name",
        "header_reserved" | "credential_header" => "leave the header out: the server sets it",
        "query_repeated" => "leave the parameter out: the webhook's URL, or another of the request, has it",
        "body_json" => "give the body as a value instead of text, and it is always JSON",
        _ => "a request breaks the rule whose name stands at the end; docs/SECURITY.md says what requests may be",
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

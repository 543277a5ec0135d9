//! What a plugin says that a receiver's answer means, and what it wants to remember of it.

use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::id::WebhookId;

/// Most bytes of a message for people; a longer one is cut.
const MESSAGE_MAX_BYTES: usize = 1024;
/// Most characters of an item's label; a longer one is cut.
const LABEL_MAX_CHARS: usize = 200;

/// How much a verdict may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictLimits {
    /// Facts of one verdict.
    pub facts: usize,
    /// Characters of a fact's key.
    pub fact_key_chars: usize,
    /// Bytes of a fact's value.
    pub fact_value_bytes: usize,
    /// Items of one verdict.
    pub items: usize,
    /// Bytes of a link.
    pub link_bytes: usize,
}

impl Default for VerdictLimits {
    fn default() -> Self {
        Self { facts: 32, fact_key_chars: 255, fact_value_bytes: 4096, items: 1000, link_bytes: 2048 }
    }
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// What the status says.
    ByStatus,
    /// It arrived.
    Delivered,
    /// It did not arrive; another attempt may.
    Retry,
    /// It did not arrive, and no attempt would.
    Rejected,
    /// It may have arrived.
    Uncertain,
    /// It did not arrive, and the webhook is of no use any more.
    Disable,
}

/// What became of one of several things that a request carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is called, for people.
    pub label: String,
    /// `delivered` or `rejected`.
    pub decision: Decision,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a person finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Something to be remembered, or forgotten when there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Under which name.
    pub key: String,
    /// What.
    pub value: Option<String>,
}

/// What a plugin makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it means.
    pub decision: Decision,
    /// One sentence for people.
    pub message: Option<String>,
    /// How long to wait before the next attempt, in milliseconds.
    pub wait_ms: Option<u64>,
    /// Where a person finds what was made.
    pub link: Option<String>,
    /// What to remember.
    pub facts: Vec<Fact>,
    /// What became of each item.
    pub items: Vec<Item>,
}

/// A rule that a verdict broke; its decision does not count then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("verdict: {message} ({rule})")]
pub struct BrokenVerdict {
    /// The rule's name, for programs.
    pub rule: &'static str,
    /// What is wrong, for the plugin's author.
    pub message: String,
    /// For limits: what was used and what is allowed.
    pub limit: Option<(u64, u64)>,
}

fn broken(rule: &'static str, message: impl Into<String>) -> BrokenVerdict {
    BrokenVerdict { rule, message: message.into(), limit: None }
}

fn at_most(rule: &'static str, what: &str, used: usize, allowed: usize) -> Result<(), BrokenVerdict> {
    if used <= allowed {
        return Ok(());
    }
    let limit = Some((used as u64, allowed as u64));
    Err(BrokenVerdict { limit, ..broken(rule, format!("{used} {what}; allowed are {allowed}")) })
}

impl Verdict {
    /// Checks a plugin's verdict. What is only for people is cut rather than refused.
    pub fn checked(mut self, limits: &VerdictLimits) -> Result<Self, BrokenVerdict> {
        at_most("facts", "facts", self.facts.len(), limits.facts)?;
        for Fact { key, value } in &self.facts {
            if key.is_empty() || key.contains('\0') {
                return Err(broken("fact_key", "a fact's key is empty or holds a NUL"));
            }
            at_most("fact_key_chars", "characters in a fact's key", key.chars().count(), limits.fact_key_chars)?;
            if let Some(value) = value {
                at_most("fact_value_bytes", "bytes in a fact's value", value.len(), limits.fact_value_bytes)?;
                if value.contains('\0') {
                    return Err(broken("fact_value", format!("the value of the fact `{key}` holds a NUL")));
                }
            }
        }
        at_most("items", "items", self.items.len(), limits.items)?;
        check_link(self.link.as_deref(), limits)?;
        cut(&mut self.message);
        for item in &mut self.items {
            if !matches!(item.decision, Decision::Delivered | Decision::Rejected) {
                return Err(broken(
                    "item_decision",
                    format!("the item `{}` is neither delivered nor rejected", item.label),
                ));
            }
            check_link(item.link.as_deref(), limits)?;
            cut(&mut item.message);
            item.label = item.label.chars().take(LABEL_MAX_CHARS).collect();
        }
        Ok(self)
    }
}

fn cut(message: &mut Option<String>) {
    if let Some(message) = message {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX_BYTES));
    }
}

/// A link is shown as one, so it must lead to a page and nowhere else.
fn check_link(link: Option<&str>, limits: &VerdictLimits) -> Result<(), BrokenVerdict> {
    let Some(link) = link else { return Ok(()) };
    at_most("link_bytes", "bytes in a link", link.len(), limits.link_bytes)?;
    let is_web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_web && !link.chars().any(char::is_control) { Ok(()) } else { Err(broken("link", "a link is http or https")) }
}

/// The id of a fact: made of what tells it from all others.
pub fn fact_id(webhook: WebhookId, plugin: &str, key: &str) -> Uuid {
    use sha2::{Digest as _, Sha256};
    let hash: [u8; 32] = Sha256::new_with_prefix(webhook.uuid().as_bytes())
        .chain_update(plugin)
        // No plugin's name holds one.
        .chain_update([0])
        .chain_update(key)
        .finalize()
        .into();
    uuid::Builder::from_custom_bytes(hash[..16].try_into().expect("a hash has 32 bytes")).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Millis;

    fn verdict() -> Verdict {
        Verdict {
            decision: Decision::Delivered,
            message: None,
            wait_ms: None,
            link: None,
            facts: vec![],
            items: vec![],
        }
    }

    fn fact(key: &str, value: &str) -> Fact {
        Fact { key: key.to_owned(), value: Some(value.to_owned()) }
    }

    fn item(decision: Decision) -> Item {
        Item { label: "one".to_owned(), decision, message: None, link: None }
    }

    fn rule(verdict: Verdict) -> Option<&'static str> {
        verdict.checked(&VerdictLimits::default()).err().map(|broken| broken.rule)
    }

    #[test]
    fn every_limit_holds_at_its_edge() {
        let facts = |count| Verdict { facts: vec![fact("k", "v"); count], ..verdict() };
        assert_eq!((rule(facts(32)), rule(facts(33))), (None, Some("facts")));
        let key = |chars: usize| Verdict { facts: vec![fact(&"é".repeat(chars), "v")], ..verdict() };
        assert_eq!((rule(key(255)), rule(key(256)), rule(key(0))), (None, Some("fact_key_chars"), Some("fact_key")));
        let value = |bytes: usize| Verdict { facts: vec![fact("k", &"v".repeat(bytes))], ..verdict() };
        assert_eq!((rule(value(4096)), rule(value(4097))), (None, Some("fact_value_bytes")));
        let items = |count| Verdict { items: vec![item(Decision::Rejected); count], ..verdict() };
        assert_eq!((rule(items(1000)), rule(items(1001))), (None, Some("items")));
        let link = |bytes: usize| {
            let link = format!("https://a.example/{}", "x".repeat(bytes - 18));
            Verdict { link: Some(link), ..verdict() }
        };
        assert_eq!((rule(link(2048)), rule(link(2049))), (None, Some("link_bytes")));
    }

    #[test]
    fn a_link_leads_to_a_page_and_nowhere_else() {
        for link in ["javascript:alert(1)", "data:text/html,x", "//a.example", "https:", "http://a.example/\n", ""] {
            assert_eq!(rule(Verdict { link: Some(link.to_owned()), ..verdict() }), Some("link"), "{link}");
            let items = vec![Item { link: Some(link.to_owned()), ..item(Decision::Delivered) }];
            assert_eq!(rule(Verdict { items, ..verdict() }), Some("link"), "{link}");
        }
        assert_eq!(rule(Verdict { link: Some("http://a.example/1".to_owned()), ..verdict() }), None);
    }

    #[test]
    fn an_item_is_delivered_or_rejected() {
        for decision in [Decision::ByStatus, Decision::Retry, Decision::Uncertain, Decision::Disable] {
            assert_eq!(rule(Verdict { items: vec![item(decision)], ..verdict() }), Some("item_decision"));
        }
    }

    #[test]
    fn what_is_only_for_people_is_cut() {
        let long = Item { label: "ä".repeat(300), message: Some("ö".repeat(600)), ..item(Decision::Delivered) };
        let message = Some(format!("x{}", "ö".repeat(600)));
        let checked = Verdict { message, items: vec![long], ..verdict() }.checked(&VerdictLimits::default()).unwrap();
        assert_eq!(checked.message.map(|message| message.len()), Some(1023), "never within a letter");
        assert_eq!(checked.items[0].label.chars().count(), 200);
        assert_eq!(checked.items[0].message.as_ref().map(String::len), Some(1024));
    }

    #[test]
    fn facts_of_other_webhooks_plugins_and_keys_have_other_ids() {
        let (one, other) = (WebhookId::new(Millis(1), 1), WebhookId::new(Millis(1), 2));
        let ids = [
            fact_id(one, "trello", "a"),
            fact_id(other, "trello", "a"),
            fact_id(one, "trell", "oa"),
            fact_id(one, "trello", "b"),
        ];
        assert!(ids.iter().enumerate().all(|(index, id)| !ids[..index].contains(id)), "{ids:?}");
        assert_eq!(ids[0], fact_id(one, "trello", "a"));
    }
}

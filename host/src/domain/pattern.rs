//! Event types and the patterns that choose among them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::described::{self, described};

/// Most characters of an event type.
pub const EVENT_TYPE_MAX_CHARS: usize = 128;

/// Types of the server's own events begin so; nobody else may post them.
pub const OPERATIONAL_PREFIX: &str = "hookwright.";

/// What a webhook has collected.
const DIGEST: &str = "digest";

/// Why a text is no event type or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEventType {
    /// Not of the right form.
    #[error(
        "an event type is 1 to 128 characters: letters, digits, `_` and `-` in parts joined by `.`, like `ticket.created`"
    )]
    Form,
    /// A pattern of another kind.
    #[error("a pattern is an event type like `ticket.created`, a prefix like `ticket.*`, or `*`")]
    Pattern,
    /// Begins with `hookwright.`, or is `digest`.
    #[error("`digest`, and event types that begin with `hookwright.`, are the server's own")]
    Reserved,
}

fn well_formed(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    !text.is_empty() && text.len() <= EVENT_TYPE_MAX_CHARS && text.split('.').all(part)
}

/// The type of an event, like `ticket.created` (Standard Webhooks: hierarchical, joined by full stops).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct EventType(String);

impl EventType {
    /// Any well-formed type, the server's own among them.
    pub fn parse(text: &str) -> Result<Self, InvalidEventType> {
        if well_formed(text) { Ok(Self(text.to_owned())) } else { Err(InvalidEventType::Form) }
    }

    /// A type that a provider may post.
    pub fn parse_from_provider(text: &str) -> Result<Self, InvalidEventType> {
        let event_type = Self::parse(text)?;
        if event_type.is_operational() || event_type.is_digest() {
            Err(InvalidEventType::Reserved)
        } else {
            Ok(event_type)
        }
    }

    /// Whether the server itself raises it.
    pub fn is_operational(&self) -> bool {
        self.0.starts_with(OPERATIONAL_PREFIX)
    }

    /// The type of the events in which a webhook gets what it has collected.
    pub fn digest() -> Self {
        Self(DIGEST.to_owned())
    }

    /// Whether it is that one. Such an event is for the webhook that collected it, and for no other.
    pub fn is_digest(&self) -> bool {
        self.0 == DIGEST
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

described!(
    EventType,
    described::text(
        "A type of events: at most 128 characters.",
        r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        "ticket.created"
    )
);

/// Which event types a webhook wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// `*`: every type of the provider, none of the server's own.
    All,
    /// `ticket.*`: every type below, at any depth.
    Below(String),
    /// `ticket.created`.
    Exactly(EventType),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidEventType> {
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(prefix) = text.strip_suffix(".*") {
            if !well_formed(prefix) {
                return Err(InvalidEventType::Pattern);
            }
            return Ok(Self::Below(format!("{prefix}.")));
        }
        EventType::parse(text).map(Self::Exactly).map_err(|_| InvalidEventType::Pattern)
    }

    /// Whether an event of this type is wanted.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            _ if event_type.is_digest() => false,
            Self::All => !event_type.is_operational(),
            Self::Below(prefix) => event_type.as_str().starts_with(prefix.as_str()),
            Self::Exactly(wanted) => wanted == event_type,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Exactly(event_type) => event_type.fmt(f),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

described!(
    Pattern,
    described::text(
        "A type like `ticket.created`, all below one like `ticket.*`, or all: `*`.",
        r"^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$",
        "ticket.*"
    )
);

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, event_type: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&EventType::parse(event_type).unwrap())
    }

    #[test]
    fn patterns_match_exactly_below_or_all() {
        assert!(matches("ticket.created", "ticket.created"));
        assert!(!matches("ticket.created", "ticket.created.now"));
        assert!(matches("ticket.*", "ticket.created"));
        assert!(matches("ticket.*", "ticket.comment.added"));
        assert!(!matches("ticket.*", "ticket"));
        assert!(!matches("ticket.*", "tickets.created"));
        assert!(matches("*", "anything"));
    }

    #[test]
    fn a_star_does_not_match_operational_events() {
        assert!(!matches("*", "hookwright.webhook.disabled"));
        assert!(matches("hookwright.*", "hookwright.webhook.disabled"));
        assert_eq!(EventType::parse_from_provider("hookwright.x"), Err(InvalidEventType::Reserved));
    }

    #[test]
    fn a_digest_is_for_the_webhook_that_collected_it() {
        assert!(!matches("*", "digest") && !matches("digest", "digest"));
        assert_eq!(EventType::parse_from_provider("digest"), Err(InvalidEventType::Reserved));
        assert!(EventType::parse_from_provider("digest.made").is_ok() && matches("digest.*", "digest.made"));
    }

    #[test]
    fn ill_formed_types_and_patterns_are_refused() {
        for text in ["", ".", "a..b", "a b", "a.*.b", "*.a", "**", "a*", &"x".repeat(129), "ticket.", "tickét"] {
            assert!(EventType::parse(text).is_err(), "{text}");
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(EventType::parse(&"x".repeat(128)).is_ok());
    }

    #[test]
    fn patterns_show_as_they_were_written() {
        for text in ["*", "ticket.*", "ticket.created"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
    }
}

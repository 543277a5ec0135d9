//! A version and a configuration that are tried on events that were delivered already: which, and what it came to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::clock::Millis;
use super::delivery::text_enum;
use super::described::{self, described};
use super::difference::Difference;
use super::id::{DeliveryId, EventId, PluginVersionId, WebhookId};
use super::outcome::OutcomeKind;
use super::pattern::{EventType, Pattern};
use super::plugin_limits::PluginLimits;

/// Events of a backtest that does not say how many.
pub const LAST_DEFAULT: u64 = 1000;

text_enum!(
    /// What a candidate does with an event, compared with what was done.
    Compared {
        /// The same bytes, or nothing as before.
        Same = "same",
        /// Other requests.
        Changed = "changed",
        /// Nothing, where something was sent.
        Skipped = "skipped",
        /// It fails as before.
        Failed = "failed",
        /// It fails, where it did not.
        NewlyFailing = "newly_failing",
        /// It does not fail any more.
        Mended = "mended",
    }
);

impl Compared {
    /// Compares; `is_same` says whether requests are the same bytes.
    pub const fn of(was: OutcomeKind, now: OutcomeKind, is_same: bool) -> Self {
        use OutcomeKind::{Failed, Requests, Skipped};
        match (was, now) {
            (Failed, Failed) => Self::Failed,
            (Failed, _) => Self::Mended,
            (_, Failed) => Self::NewlyFailing,
            (Skipped, Skipped) => Self::Same,
            (Requests, Skipped) => Self::Skipped,
            (Requests, Requests) if is_same => Self::Same,
            (Skipped | Requests, Requests) => Self::Changed,
        }
    }
}

/// A configuration: JSON text, byte for byte as the plugin gets it; in JSON it is what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigText(pub String);

impl Serialize for ConfigText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

described!(ConfigText, described::json(json!({ "description": "A configuration, as the plugin's schema says." })));

impl<'de> Deserialize<'de> for ConfigText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Box::<str>::from(raw).into_string()))
    }
}

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The same.
    pub version_id: PluginVersionId,
    /// The configuration.
    pub config: ConfigText,
    /// Limits of its runs that are lower than the server's: the webhook's own.
    pub limits: PluginLimits,
}

/// What is tried, and on which events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backtest {
    /// Events that this webhook had deliveries of.
    pub webhook_id: WebhookId,
    /// The webhook's configuration when it was asked for: what is promoted takes its place.
    pub revision: i64,
    /// What is tried.
    pub plugin: Candidate,
    /// At most so many events, newest first.
    pub last: u64,
    /// Delivered at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Delivered before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// Of these types; all when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Pattern>,
}

impl Backtest {
    /// Whether it is about events of this type.
    pub fn wants(&self, kind: &EventType) -> bool {
        self.types.is_empty() || self.types.iter().any(|pattern| pattern.matches(kind))
    }
}

/// What came of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacktestResult {
    /// The delivery that it is compared with.
    pub delivery: DeliveryId,
    /// Its event.
    pub event: EventId,
    /// In one word.
    pub compared: Compared,
    /// What is different; none when nothing is.
    pub detail: Option<Detail>,
}

/// What is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// What was made then, in short.
    pub was: Summary,
    /// What the candidate makes, in short.
    pub now: Summary,
    /// Where the requests differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Whether there are more differences than are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Keys that the candidate asked its memory for and the run of then did not: it got nothing for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_recorded: Vec<String>,
}

/// An outcome in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// So many requests.
    Requests(usize),
    /// Nothing, for this reason.
    Skipped(String),
    /// A failure: its code and what it says.
    Failed {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pair_of_outcomes_has_one_word() {
        use OutcomeKind::{Failed, Requests, Skipped};
        let of = |was, now| Compared::of(was, now, false);
        assert_eq!(Compared::of(Requests, Requests, true), Compared::Same);
        assert_eq!(of(Requests, Requests), Compared::Changed);
        assert_eq!((of(Requests, Skipped), of(Skipped, Requests)), (Compared::Skipped, Compared::Changed));
        assert_eq!(of(Skipped, Skipped), Compared::Same, "another reason sends nothing either");
        assert_eq!((of(Failed, Failed), of(Failed, Requests)), (Compared::Failed, Compared::Mended));
        assert_eq!((of(Failed, Skipped), of(Skipped, Failed)), (Compared::Mended, Compared::NewlyFailing));
        assert_eq!(of(Requests, Failed), Compared::NewlyFailing);
    }

    #[test]
    fn a_configuration_keeps_its_bytes() {
        let text = r#"{ "b":1,  "a": 1.0 }"#;
        let stored = serde_json::to_string(&ConfigText(text.to_owned())).unwrap();
        assert_eq!(stored, text);
        assert_eq!(serde_json::from_str::<ConfigText>(&stored).unwrap().0, text);
        assert_eq!(serde_json::to_value(ConfigText(text.to_owned())).unwrap(), json!({"a": 1.0, "b": 1}));
    }
}

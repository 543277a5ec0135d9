//! API tokens: shown once, stored hashed, and what they allow.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::id::{ProjectId, TokenId};

const TOKEN_PREFIX: &str = "hw_";

/// What a token allows. `admin` allows everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
    /// Post events.
    #[serde(rename = "events:publish")]
    EventsPublish,
    /// Read events, payloads and bodies.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Read webhooks.
    #[serde(rename = "webhooks:read")]
    WebhooksRead,
    /// Register, change and delete webhooks.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Read deliveries.
    #[serde(rename = "deliveries:read")]
    DeliveriesRead,
    /// Send deliveries again or give them up, reprocess, replay and recover, cancel the jobs that do so.
    #[serde(rename = "deliveries:retry")]
    DeliveriesRetry,
    /// Read plugins.
    #[serde(rename = "plugins:read")]
    PluginsRead,
    /// Upload and delete plugins.
    #[serde(rename = "plugins:write")]
    PluginsWrite,
    /// Trigger and test webhooks; includes reading webhooks, events and deliveries, but not what is in them.
    #[serde(rename = "can_trigger_integrations")]
    CanTriggerIntegrations,
}

impl Permission {
    /// Whether having this permission is enough for `wanted`.
    pub fn covers(self, wanted: Self) -> bool {
        self == wanted
            || self == Self::Admin
            || (self == Self::CanTriggerIntegrations
                && matches!(wanted, Self::WebhooksRead | Self::EventsRead | Self::DeliveriesRead))
    }

    /// Whether it shows payloads and bodies.
    pub const fn shows_payloads(self) -> bool {
        matches!(self, Self::Admin | Self::EventsRead)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Serialize::serialize(self, f)
    }
}

/// A token as its owner knows it.
#[derive(Debug, Clone)]
pub struct PlainToken(SecretString);

impl PlainToken {
    /// A token of 256 random bits.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
    }

    /// A token that a client sent.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned().into())
    }

    /// The text, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored. A token has enough entropy for a plain hash.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).into())
    }
}

/// SHA-256 of a token: the only thing stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// What is known of a token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The project it is confined to; none for all.
    pub project: Option<ProjectId>,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

impl Token {
    /// Whether it allows this.
    pub fn allows(&self, wanted: Permission) -> bool {
        self.permissions.iter().any(|permission| permission.covers(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggering_includes_reading_but_not_writing() {
        let trigger = Permission::CanTriggerIntegrations;
        assert!(trigger.covers(Permission::WebhooksRead) && trigger.covers(Permission::DeliveriesRead));
        assert!(!trigger.covers(Permission::WebhooksWrite) && !trigger.covers(Permission::Admin));
        assert!(!trigger.shows_payloads() && Permission::EventsRead.shows_payloads());
        assert!(Permission::Admin.covers(Permission::PluginsWrite) && Permission::Admin.shows_payloads());
        assert_eq!(trigger.to_string(), "can_trigger_integrations");
    }

    #[test]
    fn a_token_is_stored_as_its_hash() {
        let token = PlainToken::from_bytes([7; 32]);
        assert!(token.expose().starts_with("hw_"));
        assert_eq!(token.hash(), PlainToken::from_text(token.expose()).hash());
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}

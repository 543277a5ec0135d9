//! API tokens: shown once, stored hashed, and what they allow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::clock::Millis;
use super::id::{ProjectId, TokenId};
pub use super::permission::{Permission, Permissions};

const TOKEN_PREFIX: &str = "hw_";
/// How much of a token may be shown, so that people know which one it is: of 256 random bits, 42.
const SHOWN_CHARS: usize = TOKEN_PREFIX.len() + 7;
/// Most characters of a token's name.
pub const TOKEN_NAME_MAX_CHARS: usize = 255;

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

    /// Its first characters, by which people recognise it.
    pub fn shown(&self) -> String {
        self.expose().chars().take(SHOWN_CHARS).collect()
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The project it is confined to; none for all.
    pub project: Option<ProjectId>,
    /// What people call it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it allows.
    pub permissions: Permissions,
    /// Until then; none for ever.
    pub expires_at: Option<Millis>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Millis,
    /// When it was used last, within a minute or two.
    pub last_used_at: Option<Millis>,
    /// Grows with each change.
    pub version: i64,
}

impl Token {
    /// Whether it is accepted at this time.
    pub fn is_valid_at(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_stored_as_its_hash() {
        let token = PlainToken::from_bytes([7; 32]);
        assert!(token.expose().starts_with("hw_"));
        assert_eq!(token.hash(), PlainToken::from_text(token.expose()).hash());
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn little_of_a_token_is_shown() {
        let token = PlainToken::from_bytes([7; 32]);
        assert!(token.expose().starts_with(&token.shown()) && token.shown().len() == 10);
        assert!(token.expose().len() - token.shown().len() > 32, "what is hidden cannot be guessed");
    }
}

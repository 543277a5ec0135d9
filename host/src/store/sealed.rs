//! What is sealed of a webhook, as one value: it is read and written together.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{KeyRing, StoreError};
use crate::domain::entropy::Entropy;
use crate::domain::id::WebhookId;
use crate::domain::webhook::{Secrets, SigningKey};

#[derive(Serialize, Deserialize)]
struct Plain {
    url: Url,
    signing_keys: Vec<SigningKey>,
    bearer_token: Option<String>,
    body_token: Option<String>,
    headers: Vec<(String, String)>,
    plugin: BTreeMap<String, String>,
}

fn place(id: WebhookId) -> Vec<u8> {
    let mut place = b"webhooks/sealed/".to_vec();
    place.extend_from_slice(id.uuid().as_bytes());
    place
}

/// Seals a webhook's secrets for its row.
pub(super) fn seal(keys: &KeyRing, id: WebhookId, secrets: &Secrets, entropy: &Entropy) -> Vec<u8> {
    let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
    let plain = Plain {
        url: secrets.url.clone(),
        signing_keys: secrets.signing_keys.clone(),
        bearer_token: secrets.bearer_token.as_ref().map(exposed),
        body_token: secrets.body_token.as_ref().map(exposed),
        headers: secrets.headers.iter().map(|(name, value)| (name.clone(), exposed(value))).collect(),
        plugin: secrets.plugin.iter().map(|(name, value)| (name.clone(), exposed(value))).collect(),
    };
    let json = serde_json::to_vec(&plain).expect("secrets are plain data");
    keys.seal(&place(id), &json, entropy)
}

/// Seals what [`seal`] made once more, by the key that seals now.
pub(super) fn reseal(keys: &KeyRing, id: WebhookId, sealed: &[u8], entropy: &Entropy) -> Result<Vec<u8>, StoreError> {
    Ok(keys.seal(&place(id), &keys.open(&place(id), sealed)?, entropy))
}

/// Opens what [`seal`] made.
pub(super) fn open(keys: &KeyRing, id: WebhookId, sealed: &[u8]) -> Result<Secrets, StoreError> {
    let json = keys.open(&place(id), sealed)?;
    let plain: Plain = serde_json::from_slice(&json).map_err(|_| StoreError::Corrupt {
        table: "webhooks",
        column: "sealed",
        id: id.to_string(),
    })?;
    Ok(Secrets {
        url: plain.url,
        signing_keys: plain.signing_keys,
        bearer_token: plain.bearer_token.map(SecretString::from),
        body_token: plain.body_token.map(SecretString::from),
        headers: plain.headers.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect(),
        plugin: plain.plugin.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect(),
    })
}

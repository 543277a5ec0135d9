//! One request as it came over the wire.

use std::time::Instant;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Version};
use serde_json::Value;

/// A request, its body byte for byte.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// When the body was complete.
    pub at: Instant,
    pub version: Version,
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Recorded {
    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of ASCII"))
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a body of UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// Checks the signature as a consumer does, with the official library.
    pub fn verify(&self, secret: &str) -> Result<(), String> {
        let webhook = standardwebhooks::Webhook::new(secret).map_err(|error| error.to_string())?;
        webhook.verify(&self.body, &self.headers).map_err(|error| error.to_string())
    }

    /// For messages about requests that did not come.
    pub(super) fn line(&self) -> String {
        let start: String = String::from_utf8_lossy(&self.body).chars().take(120).collect();
        format!("{} {} {start}", self.method, self.path)
    }
}

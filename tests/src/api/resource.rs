//! What the API answers with, as far as tests read it.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub struct Webhook {
    pub id: String,
    /// In the answer to the registration only.
    pub signing_secret: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Plugin {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub status: String,
}

/// An event that is on disk.
#[derive(Debug, Clone, Deserialize)]
pub struct Accepted {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub duplicate: bool,
    pub deliveries: Vec<Ref>,
}

/// Which delivery goes to which webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Ref {
    pub id: String,
    pub webhook_id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    pub id: String,
    pub event_id: Option<String>,
    pub event_type: String,
    pub webhook_id: String,
    pub trigger: String,
    pub actor: Option<Value>,
    pub status: String,
    pub reason: Option<String>,
    pub plugin: Option<Run>,
    pub requests: Vec<Request>,
}

/// What a plugin's run used and said.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub name: String,
    pub version: String,
    pub cpu_us: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub logs: Vec<Line>,
    pub error: Option<Error>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub level: String,
    pub message: String,
}

/// Why a plugin's run gave nothing.
#[derive(Debug, Clone, Deserialize)]
pub struct Error {
    pub code: String,
    pub message: String,
    pub limit: Option<String>,
    pub used: Option<f64>,
    pub allowed: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    pub id: String,
    pub label: String,
    pub status: String,
    pub method: String,
    pub url: String,
    pub headers: Headers,
    pub body: Value,
    pub attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    pub number: u32,
    pub started_at: Value,
    pub duration_ms: f64,
    pub outcome: String,
    pub error_class: Option<String>,
    /// The same in words.
    pub error: Option<String>,
    pub status_code: Option<u16>,
    pub request_headers: Headers,
    pub response_headers: Option<Headers>,
    pub response_body: Option<String>,
    #[serde(default)]
    pub truncated: bool,
    /// What the plugin made of the answer.
    pub verdict: Option<Value>,
}

/// Headers as an object of names and values, or as a list of pairs.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Headers(pub Value);

impl Headers {
    pub fn get(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Value::Object(fields) => {
                fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
            }
            Value::Array(pairs) => pairs
                .iter()
                .map(|pair| match pair {
                    Value::Object(field) => (&field["name"], &field["value"]),
                    pair => (&pair[0], &pair[1]),
                })
                .find(|(key, _)| key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name)))
                .and_then(|(_, value)| value.as_str()),
            _ => None,
        }
    }
}

impl Delivery {
    pub fn is_settled(&self) -> bool {
        !matches!(self.status.as_str(), "pending" | "retrying")
    }

    /// The attempt of a delivery that was tried once.
    pub fn attempt(&self) -> &Attempt {
        assert_eq!(self.request().attempts.len(), 1, "{self:#?}");
        &self.request().attempts[0]
    }

    /// The request of a delivery that has one.
    pub fn request(&self) -> &Request {
        assert_eq!(self.requests.len(), 1, "{self:#?}");
        &self.requests[0]
    }
}

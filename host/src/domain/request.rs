//! Requests: as a plugin makes them, and frozen, as they are stored and sent.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::credential::Credential;
use super::event::Field;

/// The media types that bodies imply.
pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// Methods that a plugin may use.
pub const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A request as a plugin made it, before the rules were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRequest {
    /// A short name for people.
    pub label: String,
    /// HTTP method.
    pub method: String,
    /// Segments below the webhook's URL.
    pub path: Vec<String>,
    /// Query parameters behind those of the URL.
    pub query: Vec<Field>,
    /// Headers.
    pub headers: Vec<Field>,
    /// The body.
    pub body: Body,
    /// Where secrets go.
    pub credentials: Vec<Credential>,
    /// The key under which answers are remembered.
    pub correlation: Option<String>,
}

/// A body as a plugin made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None.
    None,
    /// JSON text.
    Json(String),
    /// Form fields.
    Form(Vec<Field>),
    /// Plain text.
    Text(String),
    /// Bytes.
    Bytes {
        /// Media type.
        content_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
}

/// What kind of body it is: credentials may be put into the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// No body.
    None,
    /// JSON text.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything else.
    Opaque,
}

/// Everything of a request but its body, URL and secrets; as stored, it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// A short name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// HTTP method.
    pub method: String,
    /// Segments below the webhook's URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Query parameters behind those of the URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<Field>,
    /// Headers, `Content-Type` not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Field>,
    /// What kind of body it has.
    pub body_kind: BodyKind,
    /// `Content-Type`; none without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Where secrets go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// The key under which answers are remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

/// A request as it is stored and sent: fixed when the event was transformed. Secrets, URL, webhook headers and
/// signature are taken at each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenRequest {
    /// All but the body.
    pub spec: RequestSpec,
    /// The body's exact bytes, without the credentials that go into it.
    pub body: Bytes,
}

impl FrozenRequest {
    /// The request as a plugin would make it to get this one.
    pub fn as_made(&self) -> PluginRequest {
        let Self { spec, body } = self;
        let text = || String::from_utf8_lossy(body).into_owned();
        let content_type = spec.content_type.as_deref().unwrap_or_default();
        let (body, implied) = match spec.body_kind {
            BodyKind::None => (Body::None, ""),
            BodyKind::Json => (Body::Json(text()), JSON),
            BodyKind::Form => {
                let pairs = url::form_urlencoded::parse(body);
                (Body::Form(pairs.map(|(name, value)| Field::new(&*name, &*value)).collect()), FORM)
            }
            BodyKind::Opaque if content_type == TEXT => (Body::Text(text()), TEXT),
            BodyKind::Opaque => {
                (Body::Bytes { content_type: content_type.to_owned(), data: body.to_vec() }, content_type)
            }
        };
        let mut headers = spec.headers.clone();
        if content_type != implied {
            headers.push(Field::new("content-type", content_type));
        }
        PluginRequest {
            label: spec.label.clone(),
            method: spec.method.clone(),
            path: spec.path.clone(),
            query: spec.query.clone(),
            headers,
            body,
            credentials: spec.credentials.clone(),
            correlation: spec.correlation.clone(),
        }
    }
}

/// Form fields as `application/x-www-form-urlencoded` (URL Standard).
pub fn encode_form(fields: &[Field]) -> String {
    let pairs = fields.iter().map(|field| (&field.name, &field.value));
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

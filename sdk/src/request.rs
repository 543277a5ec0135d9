use serde::Serialize;

use crate::bindings::types::{self, Body, Field};
use crate::{Credential, text};

/// One HTTP request for the host to send, below the webhook's URL.
///
/// ```
/// use hookwright_sdk::{Credential, Request};
///
/// let request = Request::post()
///     .label("card: Fix the build")
///     .segment("cards")
///     .json(&serde_json::json!({"name": "Fix the build"}))
///     .credential(Credential::bearer().secret("token"));
/// assert_eq!(request.path(), ["cards"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(pub(crate) types::Request);

impl Request {
    /// Any method that the host allows: `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub fn new(method: impl Into<String>) -> Self {
        Self(types::Request {
            label: String::new(),
            method: method.into(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            correlation: None,
            meta: Vec::new(),
        })
    }

    /// A `GET` request.
    pub fn get() -> Self {
        Self::new("GET")
    }

    /// A `POST` request.
    pub fn post() -> Self {
        Self::new("POST")
    }

    /// A `PUT` request.
    pub fn put() -> Self {
        Self::new("PUT")
    }

    /// A `PATCH` request.
    pub fn patch() -> Self {
        Self::new("PATCH")
    }

    /// A `DELETE` request.
    pub fn delete() -> Self {
        Self::new("DELETE")
    }

    /// A short name for people, shown in the delivery log. Made one line and cut at 200 characters.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.0.label = text::truncate(&text::one_line(label.as_ref()), 200).into_owned();
        self
    }

    /// Adds one path segment, percent-encoded by the host. Refused there: empty, `.`, `..`, or with `/`, `\`
    /// or a control character in it.
    #[must_use]
    pub fn segment(mut self, segment: impl Into<String>) -> Self {
        self.0.path.push(segment.into());
        self
    }

    /// Adds path segments, each like [`Request::segment`].
    #[must_use]
    pub fn segments(mut self, segments: impl IntoIterator<Item: Into<String>>) -> Self {
        self.0.path.extend(segments.into_iter().map(Into::into));
        self
    }

    /// Adds a query parameter, percent-encoded by the host.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.query.push(field(name, value));
        self
    }

    /// Adds a header. Visible ASCII, space and tab. `Authorization` only by [`Request::credential`].
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push(field(name, value));
        self
    }

    /// A JSON body.
    ///
    /// # Panics
    /// For a value that has no JSON form, such as a map with keys that are not text.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        self.json_text(serde_json::to_string(value).expect("a value with a JSON form"))
    }

    /// A JSON body that is text already. The host refuses what is not JSON.
    #[must_use]
    pub fn json_text(mut self, json: impl Into<String>) -> Self {
        self.0.body = Body::Json(json.into());
        self
    }

    /// A body of plain text in UTF-8.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.body = Body::Text(text.into());
        self
    }

    /// An `application/x-www-form-urlencoded` body, encoded by the host, in this order.
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        self.0.body = Body::Form(fields.into_iter().map(|(name, value)| field(name, value)).collect());
        self
    }

    /// A body of any media type.
    #[must_use]
    pub fn bytes(mut self, content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let content = types::Content { content_type: content_type.into(), data: data.into(), meta: Vec::new() };
        self.0.body = Body::Bytes(content);
        self
    }

    /// Says where a secret goes; at most 8, one in one place.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.0.credentials.push(credential.0);
        self
    }

    /// The key under which [`crate::Plugin::interpret`] may remember facts of the answer. At most 255
    /// characters.
    #[must_use]
    pub fn correlation(mut self, key: impl Into<String>) -> Self {
        self.0.correlation = Some(key.into());
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// The path segments.
    pub fn path(&self) -> &[String] {
        &self.0.path
    }

    /// The label.
    pub fn label_text(&self) -> &str {
        &self.0.label
    }

    /// The query parameters, as name and value.
    pub fn query_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.query.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The headers, as name and value; without credentials.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The key given with [`Request::correlation`].
    pub fn correlation_key(&self) -> Option<&str> {
        self.0.correlation.as_deref()
    }

    /// The fields of a form body; none of any other.
    pub fn form_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = if let Body::Form(fields) = &self.0.body { fields.as_slice() } else { &[] };
        fields.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The body if it is JSON or plain text.
    pub fn body_text(&self) -> Option<&str> {
        match &self.0.body {
            Body::Json(text) | Body::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn field(name: impl Into<String>, value: impl Into<String>) -> Field {
    Field { name: name.into(), value: value.into() }
}

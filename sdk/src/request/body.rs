use serde::Serialize;

use super::field;
use crate::bindings::types::{self, Body, Placement};
use crate::credential::Secret;

/// A body of JSON, with places for secrets in it.
///
/// ```
/// use hookwright_sdk::{JsonBody, Request, Secret};
///
/// let body = JsonBody::new(&serde_json::json!({"auth": {}, "name": "x"})).secret("/auth/token", Secret::named("token"));
/// assert_eq!(Request::post().body(body).body_text(), Some(r#"{"auth":{},"name":"x"}"#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonBody {
    text: String,
    secrets: Vec<types::Credential>,
}

impl JsonBody {
    /// A value as JSON.
    ///
    /// ```
    /// use hookwright_sdk::{JsonBody, Request};
    ///
    /// assert_eq!(Request::put().body(JsonBody::new(&[1, 2])).body_text(), Some("[1,2]"));
    /// ```
    ///
    /// # Panics
    /// For a value that has no JSON form, such as a map with keys that are not text.
    pub fn new(value: &impl Serialize) -> Self {
        // Not `expect`, which would have every plugin know how to show the error.
        let Ok(text) = serde_json::to_string(value) else { panic!("the value has no JSON form") };
        Self { text, secrets: Vec::new() }
    }

    /// Says where the host puts a secret, as a string: a JSON Pointer (RFC 6901). All but its last part must exist in the
    /// body, and the last must not.
    ///
    /// ```
    /// use hookwright_sdk::{JsonBody, Secret};
    ///
    /// let body = JsonBody::new(&serde_json::json!({"name": "x"})).secret("/token", Secret::named("token"));
    /// ```
    #[must_use]
    pub fn secret(mut self, pointer: impl Into<String>, secret: Secret) -> Self {
        self.secrets.push(secret.at(Placement::JsonBody(pointer.into())));
        self
    }
}

/// A body like a web form's, `application/x-www-form-urlencoded`, with places for secrets in it.
///
/// ```
/// use hookwright_sdk::{FormBody, Request, Secret};
///
/// let body = FormBody::new([("name", "x & y")]).secret("token", Secret::named("token"));
/// assert_eq!(Request::post().body(body).form_fields().next(), Some(("name", "x & y")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormBody {
    fields: Vec<types::Field>,
    secrets: Vec<types::Credential>,
}

impl FormBody {
    /// These fields in this order; the host encodes them.
    ///
    /// ```
    /// use hookwright_sdk::{FormBody, Request};
    ///
    /// let request = Request::post().body(FormBody::new([("a", "1"), ("a", "2")]));
    /// assert_eq!(request.form_fields().count(), 2);
    /// ```
    pub fn new<N: Into<String>, V: Into<String>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { fields: fields.into_iter().map(|(name, value)| field(name, value)).collect(), secrets: Vec::new() }
    }

    /// Adds a field with a secret, behind the others.
    ///
    /// ```
    /// use hookwright_sdk::{FormBody, Secret};
    ///
    /// let body = FormBody::new([("name", "x")]).secret("token", Secret::named("token"));
    /// ```
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, secret: Secret) -> Self {
        self.secrets.push(secret.at(Placement::FormBody(name.into())));
        self
    }
}

/// What a request may carry, with what goes into it.
///
/// ```
/// use hookwright_sdk::{IntoBody, JsonBody, Request};
///
/// fn send(body: impl IntoBody) -> Request {
///     Request::post().body(body)
/// }
///
/// assert_eq!(send(JsonBody::new(&true)).body_text(), Some("true"));
/// ```
pub trait IntoBody: sealed::Parts {}

pub(crate) mod sealed {
    use crate::bindings::types::{Body, Credential};

    /// Only bodies whose secrets fit are bodies.
    #[doc(hidden)]
    pub trait Parts {
        fn parts(self) -> (Body, Vec<Credential>);
    }
}

impl sealed::Parts for JsonBody {
    fn parts(self) -> (Body, Vec<types::Credential>) {
        (Body::Json(self.text), self.secrets)
    }
}

impl sealed::Parts for FormBody {
    fn parts(self) -> (Body, Vec<types::Credential>) {
        (Body::Form(self.fields), self.secrets)
    }
}

impl IntoBody for JsonBody {}
impl IntoBody for FormBody {}

//! What a plugin's requests would look like as they are sent, without sending them.

use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;
use utoipa::ToSchema;

use super::message::unsigned;
use crate::domain::credential::Credential;
use crate::domain::event::Field;
use crate::domain::request::FrozenRequest;
use crate::domain::webhook::Secrets;

/// A request as it would be sent, with the names of secrets in their places. The signature is missing: it is made anew for
/// each attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Previewed {
    /// A short name for people.
    pub label: String,
    /// HTTP method.
    pub method: String,
    /// Where it goes.
    pub url: String,
    /// Its headers: a list of names and values.
    #[schema(value_type = Vec<Field>)]
    pub headers: Box<RawValue>,
    /// Its body, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Its body in base64, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// Shows requests to a webhook with this URL; each secret is shown as `[secret:NAME]`.
pub fn preview(requests: &[FrozenRequest], url: &Url) -> Result<Vec<Previewed>, String> {
    requests.iter().map(|request| one(request, url)).collect()
}

fn one(request: &FrozenRequest, url: &Url) -> Result<Previewed, String> {
    use base64::Engine as _;
    let names = || request.spec.credentials.iter().flat_map(Credential::secret_names);
    let secrets = Secrets::placeholders(url.clone(), names());
    let made = unsigned(&secrets, request).map_err(|error| error.to_string())?;
    // Names are no secrets: people need not read them encoded.
    let readable = |text: String| {
        names().fold(text, |text, name| text.replace(&format!("%5Bsecret%3A{name}%5D"), &format!("[secret:{name}]")))
    };
    let (body, body_base64) = match String::from_utf8(made.body.to_vec()) {
        Ok(text) if text.is_empty() => (None, None),
        Ok(text) => (Some(readable(text)), None),
        Err(bytes) => (None, Some(base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()))),
    };
    Ok(Previewed {
        label: request.spec.label.clone(),
        method: request.spec.method.clone(),
        url: readable(made.url.into()),
        headers: RawValue::from_string(made.shown_headers).map_err(|error| error.to_string())?,
        body,
        body_base64,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::credential::{Part, Placement};
    use crate::domain::event::Field;
    use crate::domain::request::{Body, PluginRequest};
    use crate::domain::rules::{RequestLimits, freeze};

    fn credential(placement: Placement, secret: &str) -> Credential {
        Credential { placement, value: vec![Part::Secret(secret.to_owned())] }
    }

    #[test]
    fn a_preview_shows_everything_but_secrets_and_the_signature() {
        let pointer = "/token".to_owned();
        let request = PluginRequest {
            label: "card".to_owned(),
            method: "PUT".to_owned(),
            path: vec!["cards".to_owned(), "a b".to_owned()],
            query: vec![Field::new("x", "1")],
            headers: vec![Field::new("X-A", "b")],
            body: Body::Json(r#"{"a":1}"#.to_owned()),
            credentials: vec![
                credential(Placement::Bearer, "key"),
                credential(Placement::Query { name: "k".to_owned() }, "key"),
                credential(Placement::JsonBody { name: pointer }, "other"),
            ],
            correlation: None,
        };
        let frozen = freeze(vec![request], &RequestLimits::default(), &[], &|_| true).unwrap();
        let shown = preview(&frozen, &Url::parse("https://api.example.com/v1?room=2").unwrap()).unwrap();
        let expected = json!([{
            "label": "card",
            "method": "PUT",
            "url": "https://api.example.com/v1/cards/a%20b?room=2&x=1&k=[secret:key]",
            "headers": [
                { "name": "x-a", "value": "b" },
                { "name": "content-type", "value": "application/json" },
                { "name": "authorization", "value": "Bearer [secret:key]" },
            ],
            "body": r#"{"a":1,"token":"[secret:other]"}"#,
        }]);
        assert_eq!(serde_json::to_value(&shown).unwrap(), expected);
    }
}

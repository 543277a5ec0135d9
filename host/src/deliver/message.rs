//! The exact bytes of one attempt: URL, headers and body with credentials filled in, and last of all the signature.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::ExposeSecret;
use url::Url;

use crate::domain::clock::Millis;
use crate::domain::credential::{Credential, Placement};
use crate::domain::envelope::plain_body;
use crate::domain::event::{FieldRef, fields_json};
use crate::domain::id::RequestId;
use crate::domain::request::{FrozenRequest, RequestSpec};
use crate::domain::rotation::valid;
use crate::domain::rules::{insert_at, recheck};
use crate::domain::signature::github;
use crate::domain::webhook::{Configuration, Secrets, Webhook, mask_url};
use crate::store::{DeliveryHead, LoadedRequest};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Room for as many headers as most requests have, those of the connection included.
const HEADERS_MOSTLY: usize = 16;

const USER_AGENT: &str = concat!("Hookwright/", env!("CARGO_PKG_VERSION"));

/// What a path segment must not hold as it stands: all but `pchar` (RFC 3986 §3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Why a request cannot be made now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the secret `{0}` is not set at this webhook")]
    SecretMissing(String),
    #[error("{0}")]
    Rule(String),
}

/// One attempt's request.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: hyper::Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The URL as it may be shown.
    pub(super) shown_url: String,
    /// The headers as they may be shown: JSON.
    pub(super) shown_headers: String,
    /// Whether it goes to the webhook's own URL, not below it.
    pub(super) to_own_url: bool,
}

fn unsendable(header: &str) -> Unsendable {
    Unsendable::Rule(format!("the header `{header}` cannot be sent"))
}

/// The headers of a request, and what is shown of those that hold a secret.
#[derive(Default)]
struct Headers {
    values: HeaderMap,
    shown: Vec<(HeaderName, String)>,
}

impl Headers {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.shown.retain(|(shown, _)| *shown != name);
        self.values.insert(name, value);
    }

    fn set_text(&mut self, name: &str, value: &str) -> Result<(), Unsendable> {
        self.set_known(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable(name))?, value)
    }

    fn set_known(&mut self, name: HeaderName, value: &str) -> Result<(), Unsendable> {
        let value = HeaderValue::from_str(value).map_err(|_| unsendable(name.as_str()))?;
        self.set(name, value);
        Ok(())
    }

    fn set_secret(&mut self, name: &str, value: &str, shown: String) -> Result<(), Unsendable> {
        self.set_text(name, value)?;
        self.shown.extend(HeaderName::from_bytes(name.as_bytes()).map(|name| (name, shown)));
        Ok(())
    }

    fn set_of_plugin(&mut self, spec: &RequestSpec) -> Result<(), Unsendable> {
        for field in &spec.headers {
            self.set_text(&field.name, &field.value)?;
        }
        match &spec.content_type {
            Some(content_type) => self.set_text("content-type", content_type),
            None => Ok(()),
        }
    }

    fn shown(&self) -> String {
        let fields = self.values.iter().map(|(name, value)| {
            let shown = self.shown.iter().find(|(secret, _)| secret == name).map(|(_, shown)| shown.as_str());
            FieldRef { name: name.as_str(), value: shown.unwrap_or_else(|| value.to_str().unwrap_or_default()) }
        });
        fields_json(fields)
    }
}

/// Builds an attempt's request with what the webhook says now.
pub(super) fn build(
    webhook: &Webhook,
    head: &DeliveryHead,
    request: RequestId,
    content: &LoadedRequest,
    now: Millis,
) -> Result<Message, Unsendable> {
    let mut headers = Headers { values: HeaderMap::with_capacity(HEADERS_MOSTLY), shown: Vec::new() };
    headers.set(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let (spec, body) = match content {
        LoadedRequest::Plain => {
            let Configuration { envelope, content_type, body_token, .. } = *head.configuration;
            let token = webhook.secrets.body_token.as_ref().filter(|_| body_token).map(ExposeSecret::expose_secret);
            let (media_type, body) = plain_body(&head.event, envelope, content_type, token);
            if let Some(media_type) = media_type {
                headers.set_known(header::CONTENT_TYPE, &media_type)?;
            }
            (None, body)
        }
        LoadedRequest::Frozen(frozen) => {
            let FrozenRequest { spec, body } = &**frozen;
            headers.set_of_plugin(spec)?;
            (Some(spec), body.clone())
        }
    };
    let Address { url, shown_url, body } = address(&webhook.secrets, spec, body, &mut headers)?;
    sign(webhook, request, &body, now, &mut headers)?;
    let method = spec.map_or("POST", |spec| spec.method.as_str());
    Ok(Message {
        method: method.parse().map_err(|_| Unsendable::Rule(format!("{method} is no method")))?,
        url,
        shown_headers: headers.shown(),
        headers: headers.values,
        body,
        shown_url,
        to_own_url: spec.is_none_or(|spec| spec.path.is_empty()),
    })
}

/// Where a request goes, and its body with all credentials in it.
struct Address {
    url: Url,
    shown_url: String,
    body: Bytes,
}

/// Fills in what the webhook has now: its URL, headers and secrets.
fn address(
    secrets: &Secrets,
    spec: Option<&RequestSpec>,
    body: Bytes,
    headers: &mut Headers,
) -> Result<Address, Unsendable> {
    for (name, value) in &secrets.headers {
        headers.set_secret(name, value.expose_secret(), format!("[secret:header {name}]"))?;
    }
    if let Some(token) = &secrets.bearer_token {
        let value = format!("Bearer {}", token.expose_secret());
        headers.set_secret("authorization", &value, "Bearer [secret:bearer_token]".to_owned())?;
    }
    let mut url = secrets.url.clone();
    let mut shown_url = mask_url(&url);
    let mut body = body;
    if let Some(spec) = spec {
        let own_query: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        recheck(spec, &own_query).map_err(|broken| Unsendable::Rule(broken.message))?;
        extend_url(&mut url, &mut shown_url, spec);
        for credential in &spec.credentials {
            place(credential, secrets, headers, &mut url, &mut shown_url, &mut body)?;
        }
    }
    Ok(Address { url, shown_url, body })
}

/// A request as it would be sent with these secrets, but for what each attempt adds: its signature.
pub(super) fn unsigned(secrets: &Secrets, request: &FrozenRequest) -> Result<Unsigned, Unsendable> {
    let FrozenRequest { spec, body } = request;
    let mut headers = Headers::default();
    headers.set_of_plugin(spec)?;
    let Address { url, body, .. } = address(secrets, Some(spec), body.clone(), &mut headers)?;
    Ok(Unsigned { url, shown_headers: headers.shown(), body })
}

/// A request that is not sent.
#[derive(Debug)]
pub(super) struct Unsigned {
    pub(super) url: Url,
    /// JSON.
    pub(super) shown_headers: String,
    pub(super) body: Bytes,
}

/// Path segments go below the URL's path, parameters behind its query; neither can leave the origin.
fn extend_url(url: &mut Url, shown: &mut String, spec: &RequestSpec) {
    if !spec.path.is_empty() {
        let mut path = url.path().trim_end_matches('/').to_owned();
        for segment in &spec.path {
            let segment = utf8_percent_encode(segment, SEGMENT).to_string();
            path.push('/');
            path.push_str(&segment);
            if !shown.ends_with('/') {
                shown.push('/');
            }
            shown.push_str(&segment);
        }
        url.set_path(&path);
    }
    for field in &spec.query {
        add_query(url, shown, &field.name, &field.value, &field.value);
    }
}

fn add_query(url: &mut Url, shown: &mut String, name: &str, value: &str, shown_value: &str) {
    url.query_pairs_mut().append_pair(name, value);
    let pair = |value: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    shown.push(if shown.contains('?') { '&' } else { '?' });
    // The stand-in for a secret is for people, so it is not encoded.
    if value == shown_value {
        shown.push_str(&pair(value));
    } else {
        shown.extend([name, "=", shown_value]);
    }
}

fn place(
    credential: &Credential,
    secrets: &Secrets,
    headers: &mut Headers,
    url: &mut Url,
    shown_url: &mut String,
    body: &mut Bytes,
) -> Result<(), Unsendable> {
    use base64::Engine as _;
    let value = credential
        .resolve(|name| secrets.plugin.get(name).map(secrecy::ExposeSecret::expose_secret))
        .map_err(|name| Unsendable::SecretMissing(name.to_owned()))?;
    let shown = credential.shown();
    match &credential.placement {
        Placement::Bearer => {
            headers.set_secret("authorization", &format!("Bearer {value}"), format!("Bearer {shown}"))?;
        }
        Placement::Basic { name } => {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{value}"));
            headers.set_secret("authorization", &format!("Basic {pair}"), format!("Basic {name}:{shown}"))?;
        }
        Placement::Header { name } => headers.set_secret(name, &value, shown)?,
        Placement::Query { name } => add_query(url, shown_url, name, &value, &shown),
        Placement::JsonBody { name } => {
            let moved = || Unsendable::Rule(format!("the credential's place {name:?} is not in the body"));
            let mut json = serde_json::from_slice(body).map_err(|_| moved())?;
            insert_at(&mut json, name, value).ok_or_else(moved)?;
            *body = Bytes::from(serde_json::to_vec(&json).expect("JSON serialises"));
        }
        Placement::FormBody { name } => {
            let form = std::str::from_utf8(body).unwrap_or_default().to_owned();
            let mut form = url::form_urlencoded::Serializer::new(form);
            *body = Bytes::from(form.append_pair(name, &value).finish());
        }
    }
    Ok(())
}

/// Standard Webhooks: over the exact bytes, with this attempt's time and every key that is valid now. GitHub's header has room
/// for one signature, which is the newest key's.
fn sign(
    webhook: &Webhook,
    request: RequestId,
    body: &[u8],
    now: Millis,
    headers: &mut Headers,
) -> Result<(), Unsendable> {
    let (id, timestamp) = (request.to_string(), now.unix_seconds());
    let keys = || valid(&webhook.secrets.signing_keys, now);
    let signatures: Vec<String> = keys().map(|key| key.secret.sign(&id, timestamp, body)).collect();
    if let Some(newest) = keys().next().filter(|_| webhook.github_signature) {
        headers.set_text("x-hub-signature-256", &github(&newest.secret.to_text(), body))?;
    }
    headers.set_known(WEBHOOK_ID, &id)?;
    headers.set_known(WEBHOOK_TIMESTAMP, &timestamp.to_string())?;
    headers.set_known(WEBHOOK_SIGNATURE, &signatures.join(" "))
}

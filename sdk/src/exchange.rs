use serde::Deserialize;

use crate::bindings::types;
use crate::{Request, Webhook};

/// One request with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    webhook: Webhook,
    request: Request,
    response: Response,
    event_id: String,
    kind: String,
    subject: Option<String>,
    delivery_id: String,
    attempt: u32,
}

impl Exchange {
    pub(crate) fn new(raw: types::Exchange) -> Self {
        Self {
            webhook: Webhook(raw.subscription),
            request: Request(raw.request),
            response: Response(raw.response),
            event_id: raw.event_id,
            kind: raw.kind,
            subject: raw.subject,
            delivery_id: raw.delivery_id,
            attempt: raw.attempt,
        }
    }

    /// The webhook.
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// The request, as this plugin made it.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The answer.
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// `evt_…`.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The event type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the event is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `dlv_…`.
    pub fn delivery_id(&self) -> &str {
        &self.delivery_id
    }

    /// 1 for the first attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What the receiver answered. Secrets in it are replaced by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response(types::Response);

impl Response {
    /// HTTP status, 100 to 599.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// A header's first value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
    }

    /// The body if it is text, up to 256 KiB.
    pub fn text(&self) -> Option<&str> {
        match &self.0.body {
            types::Payload::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The body as JSON; none when it is not, or not of this type.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.text()?).ok()
    }

    /// True when the body was longer than what is here.
    pub fn truncated(&self) -> bool {
        self.0.truncated
    }

    /// Milliseconds from the first byte sent to the last byte read.
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed_ms
    }
}

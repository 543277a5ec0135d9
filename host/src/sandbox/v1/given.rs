//! What a plugin is given: our values as the contract has them.

use super::types;
use crate::domain::credential::{Credential, Part, Placement};
use crate::domain::event::Field;
use crate::domain::request::{Body, PluginRequest};
use crate::sandbox::{Answered, Input};

fn fields_in(fields: &[Field]) -> Vec<types::Field> {
    fields.iter().map(|field| types::Field { name: field.name.clone(), value: field.value.clone() }).collect()
}

fn payload(bytes: &[u8]) -> types::Payload {
    match std::str::from_utf8(bytes) {
        Ok(text) => types::Payload::Text(text.to_owned()),
        Err(_) => types::Payload::Binary(bytes.to_vec()),
    }
}

pub(super) fn event(input: &Input) -> types::Event {
    let event = &input.event;
    types::Event {
        id: event.id.to_string(),
        kind: event.event_type.as_str().to_owned(),
        occurred_at: event.occurred_at.to_string(),
        received_at: event.received_at.to_string(),
        project: event.project.to_string(),
        subject: event.subject.clone(),
        content_type: event.content_type.clone(),
        payload: event.payload.as_deref().map(payload),
        attributes: fields_in(&event.attributes),
        trigger: input.trigger.as_str().to_owned(),
        delivery_id: input.delivery.to_string(),
        meta: Vec::new(),
    }
}

pub(super) fn subscription(input: &Input) -> types::Subscription {
    types::Subscription {
        webhook_id: input.webhook.to_string(),
        name: input.webhook_name.clone(),
        configuration: input.configuration.clone(),
        meta: Vec::new(),
    }
}

/// The event and its delivery, with the answer to one of its requests.
pub(super) fn exchange(input: &Input, answered: &Answered) -> types::Exchange {
    types::Exchange {
        subscription: subscription(input),
        event_id: input.event.id.to_string(),
        kind: input.event.event_type.as_str().to_owned(),
        subject: input.event.subject.clone(),
        delivery_id: input.delivery.to_string(),
        request: request(&answered.request),
        attempt: answered.attempt,
        response: types::Response {
            status: answered.status,
            headers: fields_in(&answered.headers),
            body: payload(&answered.body),
            truncated: answered.truncated,
            elapsed_ms: answered.elapsed_ms,
            meta: Vec::new(),
        },
        meta: Vec::new(),
    }
}

fn request(request: &PluginRequest) -> types::Request {
    types::Request {
        label: request.label.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        query: fields_in(&request.query),
        headers: fields_in(&request.headers),
        body: match &request.body {
            Body::None => types::Body::None,
            Body::Json(text) => types::Body::Json(text.clone()),
            Body::Form(fields) => types::Body::Form(fields_in(fields)),
            Body::Text(text) => types::Body::Text(text.clone()),
            Body::Bytes { content_type, data } => {
                let (content_type, data) = (content_type.clone(), data.clone());
                types::Body::Bytes(types::Content { content_type, data, meta: Vec::new() })
            }
        },
        credentials: request.credentials.iter().map(credential).collect(),
        correlation: request.correlation.clone(),
        meta: Vec::new(),
    }
}

fn credential(credential: &Credential) -> types::Credential {
    let placement = match &credential.placement {
        Placement::Bearer => types::Placement::Bearer,
        Placement::Basic { name } => types::Placement::Basic(name.clone()),
        Placement::Header { name } => types::Placement::Header(name.clone()),
        Placement::Query { name } => types::Placement::Query(name.clone()),
        Placement::JsonBody { name } => types::Placement::JsonBody(name.clone()),
        Placement::FormBody { name } => types::Placement::FormBody(name.clone()),
    };
    let part = |part: &Part| match part {
        Part::Literal(text) => types::CredentialPart::Literal(text.clone()),
        Part::Secret(name) => types::CredentialPart::Secret(name.clone()),
    };
    types::Credential { placement, value: credential.value.iter().map(part).collect(), meta: Vec::new() }
}

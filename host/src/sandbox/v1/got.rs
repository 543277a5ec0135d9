//! What a plugin gives back: the contract's values as ours. What this server does not know is refused by name.

use super::types;
use crate::domain::credential::{Credential, Part, Placement};
use crate::domain::event::Field;
use crate::domain::plugin::PluginFailure;
use crate::domain::request::{Body, PluginRequest};
use crate::domain::verdict::{Decision, Fact, Item, Verdict};
use crate::sandbox::Transformed;

fn fields_out(fields: Vec<types::Field>) -> Vec<Field> {
    fields.into_iter().map(|field| Field { name: field.name, value: field.value }).collect()
}

fn unsupported(what: &str, fields: &[types::Field]) -> PluginFailure {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let message = format!("this server does not know the {what} `{}` that the plugin used", names.join(", "));
    PluginFailure::new("plugin.bad_output", message)
}

fn no_meta(what: &str, meta: &[types::Field]) -> Result<(), PluginFailure> {
    if meta.is_empty() { Ok(()) } else { Err(unsupported(&format!("meta of the {what}"), meta)) }
}

pub(super) fn transformed(outcome: types::Outcome) -> Result<Transformed, PluginFailure> {
    match outcome {
        types::Outcome::Deliver(requests) => {
            requests.into_iter().map(request).collect::<Result<_, _>>().map(Transformed::Deliver)
        }
        types::Outcome::Skip(reason) => Ok(Transformed::Skip(reason)),
        types::Outcome::Other(fields) => Err(unsupported("outcome", &fields)),
    }
}

fn request(request: types::Request) -> Result<PluginRequest, PluginFailure> {
    no_meta("request", &request.meta)?;
    let body = match request.body {
        types::Body::None => Body::None,
        types::Body::Json(text) => Body::Json(text),
        types::Body::Form(fields) => Body::Form(fields_out(fields)),
        types::Body::Text(text) => Body::Text(text),
        types::Body::Bytes(content) => {
            no_meta("body", &content.meta)?;
            Body::Bytes { content_type: content.content_type, data: content.data }
        }
        types::Body::Other(fields) => return Err(unsupported("body", &fields)),
    };
    Ok(PluginRequest {
        label: request.label,
        method: request.method,
        path: request.path,
        query: fields_out(request.query),
        headers: fields_out(request.headers),
        body,
        credentials: request.credentials.into_iter().map(credential).collect::<Result<_, _>>()?,
        correlation: request.correlation,
    })
}

fn credential(credential: types::Credential) -> Result<Credential, PluginFailure> {
    no_meta("credential", &credential.meta)?;
    let placement = match credential.placement {
        types::Placement::Bearer => Placement::Bearer,
        types::Placement::Basic(name) => Placement::Basic { name },
        types::Placement::Header(name) => Placement::Header { name },
        types::Placement::Query(name) => Placement::Query { name },
        types::Placement::JsonBody(name) => Placement::JsonBody { name },
        types::Placement::FormBody(name) => Placement::FormBody { name },
        types::Placement::Other(fields) => return Err(unsupported("placement", &fields)),
    };
    let part = |part| match part {
        types::CredentialPart::Literal(text) => Ok(Part::Literal(text)),
        types::CredentialPart::Secret(name) => Ok(Part::Secret(name)),
        types::CredentialPart::Other(fields) => Err(unsupported("part of a credential", &fields)),
    };
    Ok(Credential { placement, value: credential.value.into_iter().map(part).collect::<Result<_, _>>()? })
}

pub(super) fn verdict(verdict: types::Verdict) -> Result<Verdict, PluginFailure> {
    no_meta("verdict", &verdict.meta)?;
    let fact = |(key, value)| Fact { key, value };
    Ok(Verdict {
        decision: decision(verdict.decision)?,
        message: verdict.message,
        wait_ms: verdict.wait_ms,
        link: verdict.link,
        facts: verdict.facts.into_iter().map(fact).collect(),
        items: verdict.items.into_iter().map(item).collect::<Result<_, _>>()?,
    })
}

fn decision(decision: types::Decision) -> Result<Decision, PluginFailure> {
    Ok(match decision {
        types::Decision::ByStatus => Decision::ByStatus,
        types::Decision::Delivered => Decision::Delivered,
        types::Decision::Retry => Decision::Retry,
        types::Decision::Rejected => Decision::Rejected,
        types::Decision::Uncertain => Decision::Uncertain,
        types::Decision::Disable => Decision::Disable,
        types::Decision::Other(fields) => return Err(unsupported("decision", &fields)),
    })
}

fn item(item: types::Item) -> Result<Item, PluginFailure> {
    no_meta("item", &item.meta)?;
    Ok(Item { label: item.label, decision: decision(item.decision)?, message: item.message, link: item.link })
}

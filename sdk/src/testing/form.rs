//! A request as golden cases write it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bindings::types::{self, Body, CredentialPart, Field, Placement};
use crate::{Failure, Outcome};

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Expect {
    Requests(Vec<RequestForm>),
    Skip(String),
    Failure(FailureForm),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureForm {
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestForm {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
    method: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    path: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    query: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<BodyForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    credentials: Vec<CredentialForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyForm {
    Json(Value),
    Text(String),
    Form(Vec<(String, String)>),
    Bytes { content_type: String, base64: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialForm {
    r#in: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    value: Vec<PartForm>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartForm {
    Literal(String),
    Secret(String),
}

impl Expect {
    /// What the plugin returned, in the form of an expectation.
    pub(super) fn of(result: &Result<Outcome, Failure>) -> Self {
        match result {
            Ok(Outcome::Deliver(requests)) => {
                Self::Requests(requests.iter().map(|request| RequestForm::of(&request.raw)).collect())
            }
            Ok(Outcome::Skip(why)) => Self::Skip(why.clone()),
            Err(failure) => Self::Failure(FailureForm {
                code: failure.code().to_owned(),
                message: Some(failure.message().to_owned()),
            }),
        }
    }

    /// Leaves out of `self` what `expected` does not care about.
    pub(super) fn like(mut self, expected: &Self) -> Self {
        if let (Self::Failure(actual), Self::Failure(FailureForm { message: None, .. })) = (&mut self, expected) {
            actual.message = None;
        }
        self
    }
}

impl RequestForm {
    fn of(request: &types::Request) -> Self {
        Self {
            label: request.label.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: pairs(&request.query),
            headers: pairs(&request.headers),
            body: BodyForm::of(&request.body),
            credentials: request.credentials.iter().map(CredentialForm::of).collect(),
            correlation: request.correlation.clone(),
        }
    }
}

impl BodyForm {
    fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::None | Body::Other(_) => return None,
            // Not JSON: the host would refuse it; the comparison shows it.
            Body::Json(text) => serde_json::from_str(text).map_or_else(|_| Self::Text(text.clone()), Self::Json),
            Body::Text(text) => Self::Text(text.clone()),
            Body::Form(fields) => Self::Form(pairs(fields)),
            Body::Bytes(content) => {
                Self::Bytes { content_type: content.content_type.clone(), base64: STANDARD.encode(&content.data) }
            }
        })
    }
}

impl CredentialForm {
    fn of(credential: &types::Credential) -> Self {
        let (place, name) = match &credential.placement {
            Placement::Bearer => ("bearer", None),
            Placement::Basic(user) => ("basic", Some(user)),
            Placement::Header(name) => ("header", Some(name)),
            Placement::Query(name) => ("query", Some(name)),
            Placement::JsonBody(pointer) => ("json_body", Some(pointer)),
            Placement::FormBody(name) => ("form_body", Some(name)),
            Placement::Other(_) => ("other", None),
        };
        let part = |part: &CredentialPart| match part {
            CredentialPart::Literal(text) => Some(PartForm::Literal(text.clone())),
            CredentialPart::Secret(name) => Some(PartForm::Secret(name.clone())),
            CredentialPart::Other(_) => None,
        };
        Self { r#in: place.to_owned(), name: name.cloned(), value: credential.value.iter().filter_map(part).collect() }
    }
}

fn pairs(fields: &[Field]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect()
}

//! How what is posted and answered is told, where it has several forms.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::problem::Body;
use super::publish::{Publish, Published};
use crate::domain::clock::Millis;

/// One event, or an array of 1 to 1,000: stored whole or not at all.
#[derive(ToSchema)]
#[schema(as = PostedEvents)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read event by event")]
pub(super) enum Posted {
    One(Publish),
    Many(Vec<Publish>),
}

/// What became of one event, or of each.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedEvents)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is written as it is")]
pub(super) enum Accepted {
    One(Published),
    Many(Vec<Published>),
}

/// What became of the event of one line.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedLine)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is written line by line")]
pub(super) enum LineBody {
    Stored(Published),
    Refused { error: Body<'static> },
}

/// An event as CloudEvents 1.0 writes it in JSON. Other members are extension attributes: at most 64.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member")]
pub(super) struct CloudEvent {
    /// `1.0`.
    #[schema(pattern = r"^1\\.0$")]
    specversion: String,
    /// With `source` what makes a repeated post the same event.
    #[schema(min_length = 1)]
    id: String,
    #[schema(min_length = 1)]
    source: String,
    /// The type of the event.
    #[schema(min_length = 1)]
    r#type: String,
    time: Option<Millis>,
    #[schema(min_length = 1, max_length = 255)]
    subject: Option<String>,
    /// `application/json` when absent.
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    /// The payload.
    data: Option<Value>,
    /// The payload, where it is no JSON and no text.
    #[schema(content_encoding = "base64")]
    data_base64: Option<String>,
}

//! Which deliveries of a project: the same choice for the log, for its export, and for what is done to many of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Millis;
use super::delivery::{DeliveryStatus, Trigger};
use super::id::{EventId, WebhookId};

/// Most characters of a text that deliveries are chosen by: a code, a name, a version.
pub const SELECTION_MAX_CHARS: usize = 255;

/// Deliveries that are all of this. What is not named does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Selection {
    /// Of this webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Of this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Of an event of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// That stand so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DeliveryStatus>,
    /// Of which an attempt was answered so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// That pass through this plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// That pass through this version of a plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_version: Option<String>,
    /// Made for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// Made at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Made before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

/// Deliveries that are sent again by a person stand so before.
pub const RESENDABLE: [DeliveryStatus; 3] = [DeliveryStatus::Failed, DeliveryStatus::Held, DeliveryStatus::Cancelled];
/// Deliveries that a person gives up stand so before.
pub const CANCELLABLE: [DeliveryStatus; 5] = [
    DeliveryStatus::Pending,
    DeliveryStatus::Retrying,
    DeliveryStatus::Held,
    DeliveryStatus::Parked,
    DeliveryStatus::Collecting,
];

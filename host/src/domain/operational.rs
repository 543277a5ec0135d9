//! Events that the server itself raises, for whoever subscribes to them by name. Their own failures raise none, and URLs in
//! them are masked.

use bytes::Bytes;
use serde_json::{Value, json};

use super::clock::Millis;
use super::event::Event;
use super::id::{DeliveryId, EventId, ProjectId};
use super::pattern::{EventType, OPERATIONAL_PREFIX};
use super::plugin::{Pause, PluginFailure};
use super::webhook::{PluginUse, Webhook};

/// A version of a plugin was paused because it kept failing.
pub const PLUGIN_FAILING: &str = "hookwright.plugin.failing";
/// A delivery was parked because its plugin failed.
pub const DELIVERY_PARKED: &str = "hookwright.delivery.parked";
/// A delivery failed for good: all its attempts are used, or one was answered so that no other would help.
pub const DELIVERY_EXHAUSTED: &str = "hookwright.delivery.exhausted";
/// Something arrived at a webhook, the first time since one of its deliveries failed for good.
pub const DELIVERY_RECOVERED: &str = "hookwright.delivery.recovered";
/// A webhook was disabled because of what its receiver answers.
pub const WEBHOOK_DISABLED: &str = "hookwright.webhook.disabled";

/// The type of one of these events.
pub fn event_type(name: &'static str) -> EventType {
    debug_assert!(name.starts_with(OPERATIONAL_PREFIX));
    EventType::parse(name).expect("the server's own types are well formed")
}

fn event(id: EventId, project: ProjectId, name: &'static str, subject: String, now: Millis, payload: &Value) -> Event {
    Event {
        id,
        project,
        event_type: event_type(name),
        subject: Some(subject),
        occurred_at: now,
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(Bytes::from(payload.to_string())),
        request_id: None,
    }
}

fn webhook_json(webhook: &Webhook) -> Value {
    json!({ "id": webhook.id, "name": webhook.name, "url": webhook.masked_url() })
}

/// This version was paused.
pub fn plugin_failing(id: EventId, project: ProjectId, plugin: &PluginUse, pause: &Pause) -> Event {
    let PluginUse { name, version, .. } = plugin;
    let payload = json!({ "plugin": { "name": name, "version": version }, "reason": pause.reason });
    event(id, project, PLUGIN_FAILING, format!("{name} {version}"), pause.since, &payload)
}

/// This delivery of an event was parked.
pub fn delivery_parked(
    id: EventId,
    webhook: &Webhook,
    delivery: DeliveryId,
    of: &Event,
    plugin: &PluginUse,
    failure: Option<&PluginFailure>,
    now: Millis,
) -> Event {
    let payload = json!({
        "delivery": { "id": delivery },
        "event": { "id": of.id, "type": of.event_type },
        "webhook": webhook_json(webhook),
        "plugin": { "name": plugin.name, "version": plugin.version, "error": failure },
    });
    event(id, webhook.project, DELIVERY_PARKED, webhook.id.to_string(), now, &payload)
}

/// This delivery of an event failed for good.
pub fn delivery_exhausted(
    id: EventId,
    webhook: &Webhook,
    delivery: DeliveryId,
    of: &Event,
    reason: &str,
    now: Millis,
) -> Event {
    let payload = json!({
        "delivery": { "id": delivery, "reason": reason },
        "event": { "id": of.id, "type": of.event_type },
        "webhook": webhook_json(webhook),
    });
    event(id, webhook.project, DELIVERY_EXHAUSTED, webhook.id.to_string(), now, &payload)
}

/// This delivery of an event arrived after others had failed.
pub fn delivery_recovered(id: EventId, webhook: &Webhook, delivery: DeliveryId, of: &Event, now: Millis) -> Event {
    let payload = json!({
        "delivery": { "id": delivery },
        "event": { "id": of.id, "type": of.event_type },
        "webhook": webhook_json(webhook),
    });
    event(id, webhook.project, DELIVERY_RECOVERED, webhook.id.to_string(), now, &payload)
}

/// This webhook was disabled.
pub fn webhook_disabled(id: EventId, webhook: &Webhook, reason: &str, now: Millis) -> Event {
    let payload = json!({ "webhook": webhook_json(webhook), "reason": reason });
    event(id, webhook.project, WEBHOOK_DISABLED, webhook.id.to_string(), now, &payload)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn they_are_wanted_by_name_only_and_posted_by_nobody() {
        for name in [PLUGIN_FAILING, DELIVERY_PARKED, DELIVERY_EXHAUSTED, DELIVERY_RECOVERED, WEBHOOK_DISABLED] {
            let kind = event_type(name);
            assert!(kind.is_operational() && EventType::parse_from_provider(name).is_err());
            assert!(!Pattern::All.matches(&kind) && Pattern::parse(name).unwrap().matches(&kind));
        }
    }
}

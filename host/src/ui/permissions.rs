//! Permissions in words.

use super::form::Form;
use super::ticks::{Tick, Ticks};
use super::viewer::Viewer;
use crate::domain::permission::Permission;

/// What it lets somebody do.
pub(super) const fn words(permission: Permission) -> &'static str {
    match permission {
        Permission::Admin => "everything",
        Permission::EventsPublish => "post events",
        Permission::EventsRead => "see events, payloads and bodies",
        Permission::WebhooksRead => "see webhooks",
        Permission::WebhooksWrite => "register, change and delete webhooks; describe event types",
        Permission::DeliveriesRead => "see deliveries and jobs",
        Permission::DeliveriesRetry => "retry, resend, cancel, reprocess, recover and replay",
        Permission::PluginsRead => "see plugins and try them",
        Permission::PluginsWrite => "upload, delete and resume plugins",
        Permission::SchedulesWrite => "make, change and delete schedules",
        Permission::CanTriggerIntegrations => {
            "trigger and test webhooks; see webhooks and deliveries, not what is in them"
        }
        Permission::TokensWrite => "make, change and revoke tokens",
        Permission::AuditRead => "read the audit log",
    }
}

/// Boxes for those that somebody may give away.
pub(super) fn boxes(viewer: &Viewer, form: &Form) -> Ticks {
    let may_give = |permission: &&Permission| viewer.may(**permission);
    let tick = |permission: &Permission| Tick {
        value: permission.as_str().to_owned(),
        words: permission.as_str().to_owned(),
        help: words(*permission).to_owned(),
        ticked: false,
    };
    Ticks::new("/permissions", "Permissions", Permission::ALL.iter().filter(may_give).map(tick), form)
}

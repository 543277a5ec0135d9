//! What callers may do, by name.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::described::{self, described};

macro_rules! permissions {
    ($($(#[$doc:meta])* $case:ident = $name:tt),+ $(,)?) => {
        /// What a caller may do. `admin` is everything.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $name)] $case),+
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $name),+ }
            }
        }
    };
}

permissions! {
    /// Everything: also projects, users and roles, where it is held for all projects.
    Admin = "admin",
    /// Post events.
    EventsPublish = "events:publish",
    /// Read events, payloads and bodies.
    EventsRead = "events:read",
    /// Read webhooks.
    WebhooksRead = "webhooks:read",
    /// Register, change and delete webhooks.
    WebhooksWrite = "webhooks:write",
    /// Read deliveries.
    DeliveriesRead = "deliveries:read",
    /// Send deliveries again or give them up, reprocess, replay and recover, cancel the jobs that do so.
    DeliveriesRetry = "deliveries:retry",
    /// Read plugins.
    PluginsRead = "plugins:read",
    /// Upload and delete plugins.
    PluginsWrite = "plugins:write",
    /// Make, change and delete schedules.
    SchedulesWrite = "schedules:write",
    /// Trigger and test webhooks; includes reading webhooks, events and deliveries, but not what is in them.
    CanTriggerIntegrations = "can_trigger_integrations",
    /// Make, change and revoke tokens.
    TokensWrite = "tokens:write",
    /// Read the audit log.
    AuditRead = "audit:read",
}

impl Permission {
    /// The permission of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == name)
    }

    /// Whether having this permission is enough for `wanted`.
    pub fn covers(self, wanted: Self) -> bool {
        self.includes(wanted) || (self == Self::CanTriggerIntegrations && wanted == Self::EventsRead)
    }

    /// Whether whoever has this permission has all of `wanted` too, and may give it away. Reading events without what is in
    /// them is less than reading events.
    pub fn includes(self, wanted: Self) -> bool {
        self == wanted
            || self == Self::Admin
            || (self == Self::CanTriggerIntegrations && matches!(wanted, Self::WebhooksRead | Self::DeliveriesRead))
    }

    /// Whether it shows payloads and bodies.
    pub const fn shows_payloads(self) -> bool {
        matches!(self, Self::Admin | Self::EventsRead)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some permissions. Shown as a list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u32);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < permissions.len() {
            bits |= permissions[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.0 & permission.bit() != 0)
    }

    /// Whether they allow this.
    pub fn allow(self, wanted: Permission) -> bool {
        self.iter().any(|permission| permission.covers(wanted))
    }

    /// The first of these that whoever has no more than this must not give away.
    pub fn lacks(self, given: Self) -> Option<Permission> {
        given.iter().find(|wanted| !self.iter().any(|permission| permission.includes(*wanted)))
    }

    /// Whether they show payloads and bodies.
    pub fn show_payloads(self) -> bool {
        self.iter().any(Permission::shows_payloads)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |all, one| all.and(Self::of(&[one])))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

described!(
    Permissions,
    described::json(json!({ "type": "array", "items": { "$ref": "#/components/schemas/Permission" } }))
);

/// As it was stored. What clients send is read by name, so that each mistake is told with its place.
impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let parse = |name: &String| Permission::parse(name).ok_or_else(|| D::Error::custom("no such permission"));
        names.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggering_includes_reading_but_not_writing() {
        let trigger = Permission::CanTriggerIntegrations;
        assert!(trigger.covers(Permission::WebhooksRead) && trigger.covers(Permission::DeliveriesRead));
        assert!(trigger.covers(Permission::EventsRead) && !trigger.covers(Permission::WebhooksWrite));
        assert!(!trigger.covers(Permission::Admin) && !trigger.covers(Permission::DeliveriesRetry));
        assert!(!trigger.shows_payloads() && Permission::EventsRead.shows_payloads());
        assert!(Permission::Admin.covers(Permission::PluginsWrite) && Permission::Admin.shows_payloads());
        assert_eq!(trigger.to_string(), "can_trigger_integrations");
    }

    #[test]
    fn nobody_gives_away_what_they_do_not_have() {
        let of = |permissions: &[Permission]| Permissions::of(permissions);
        let trigger = of(&[Permission::CanTriggerIntegrations]);
        assert_eq!(trigger.lacks(of(&[Permission::WebhooksRead, Permission::DeliveriesRead])), None);
        assert_eq!(trigger.lacks(of(&[Permission::EventsRead])), Some(Permission::EventsRead), "it shows no payloads");
        assert_eq!(of(&[Permission::TokensWrite]).lacks(of(&[Permission::Admin])), Some(Permission::Admin));
        assert_eq!(of(&[Permission::Admin]).lacks(Permission::ALL.iter().copied().collect()), None);
        assert_eq!(Permissions::NONE.lacks(Permissions::NONE), None);
    }

    #[test]
    fn permissions_are_stored_by_name() {
        let all: Permissions = Permission::ALL.iter().copied().collect();
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), all);
        assert!(text.contains("\"events:publish\"") && serde_json::from_str::<Permissions>("[\"x\"]").is_err());
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
        }
    }
}

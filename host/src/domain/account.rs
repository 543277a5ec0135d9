//! People who use the server: users, and the roles that say what they may do in which project.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Millis;
use super::id::{ProjectId, SessionId, UserId};
use super::permission::{Permission, Permissions};

/// Most characters of a person's name.
pub const NAME_MAX_CHARS: usize = 255;
/// Most characters of an email address (RFC 5321 §4.5.3.1.3).
pub const EMAIL_MAX_CHARS: usize = 254;
/// Most characters of a role's name.
pub const ROLE_MAX_CHARS: usize = 64;
/// Most characters of a role's description.
pub const ROLE_DESCRIPTION_MAX_CHARS: usize = 2000;
/// Most roles that one user holds, over all projects.
pub const MEMBERSHIPS_MAX: usize = 200;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, by which they log in. Small letters, so that an address is there once.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// What they do where.
    pub memberships: Vec<Membership>,
    /// Whether they have a password; without one nobody logs in as them.
    pub has_password: bool,
    /// Since when they may do nothing.
    pub disabled_at: Option<Millis>,
    /// When they logged in last.
    pub last_login_at: Option<Millis>,
    /// Grows with each change.
    pub version: i64,
    /// When they were made.
    pub created_at: Millis,
    /// When they were changed.
    pub updated_at: Millis,
}

/// A role that a user has in a project, or in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The role's name.
    pub role: String,
    /// Where; everywhere when none.
    #[serde(default)]
    pub project: Option<ProjectId>,
}

/// An address as it is stored and looked for, or what is wrong with it.
pub fn checked_email(text: &str) -> Result<String, &'static str> {
    let text = text.trim().to_lowercase();
    let is_plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    let has_parts = text.rsplit_once('@').is_some_and(|(local, domain)| is_plain(local) && is_plain(domain));
    if has_parts && text.chars().count() <= EMAIL_MAX_CHARS { Ok(text) } else { Err("is an email address") }
}

/// Some permissions under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name: small letters, digits and hyphens. It stays.
    pub name: String,
    /// Whom it is for.
    pub description: String,
    /// What it allows.
    pub permissions: Permissions,
    /// Whether it comes with the server and cannot be changed.
    pub is_builtin: bool,
    /// Grows with each change.
    pub version: i64,
}

/// Whether a text can be a role's name.
pub fn is_role_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=ROLE_MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The role that may do everything.
pub const ADMIN_ROLE: &str = "admin";

/// The roles that every server has.
pub const BUILTIN_ROLES: [(&str, &str, Permissions); 5] = {
    use Permission::{
        Admin, AuditRead, CanTriggerIntegrations, DeliveriesRead, DeliveriesRetry, EventsPublish, EventsRead,
        PluginsRead, PluginsWrite, SchedulesWrite, TokensWrite, WebhooksRead, WebhooksWrite,
    };
    [
        (ADMIN_ROLE, "Everything; for all projects also users, roles and projects", Permissions::of(&[Admin])),
        (
            "operator",
            "Runs webhooks: registers, watches, retries, triggers",
            Permissions::of(&[
                WebhooksRead,
                WebhooksWrite,
                EventsRead,
                DeliveriesRead,
                DeliveriesRetry,
                PluginsRead,
                SchedulesWrite,
                CanTriggerIntegrations,
                AuditRead,
            ]),
        ),
        (
            "developer",
            "Builds integrations: webhooks, plugins, events, tokens",
            Permissions::of(&[
                WebhooksRead,
                WebhooksWrite,
                EventsPublish,
                EventsRead,
                DeliveriesRead,
                DeliveriesRetry,
                PluginsRead,
                PluginsWrite,
                SchedulesWrite,
                CanTriggerIntegrations,
                TokensWrite,
            ]),
        ),
        (
            "viewer",
            "Reads webhooks, events, deliveries and plugins",
            Permissions::of(&[WebhooksRead, EventsRead, DeliveriesRead, PluginsRead]),
        ),
        ("trigger", "Triggers and tests webhooks by hand", Permissions::of(&[CanTriggerIntegrations])),
    ]
};

/// The role of this name that every server has.
pub fn builtin_role(name: &str) -> Option<Role> {
    BUILTIN_ROLES.iter().find(|(builtin, ..)| *builtin == name).map(|(name, description, permissions)| Role {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        permissions: *permissions,
        is_builtin: true,
        version: 1,
    })
}

/// What somebody may do: everywhere, and in some projects besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// In every project.
    pub everywhere: Permissions,
    /// In single ones.
    pub of_projects: HashMap<ProjectId, Permissions>,
}

impl Grants {
    /// These permissions in one project, or in all.
    pub fn of(project: Option<ProjectId>, permissions: Permissions) -> Self {
        let mut grants = Self::default();
        grants.add(project, permissions);
        grants
    }

    /// More of them.
    pub fn add(&mut self, project: Option<ProjectId>, permissions: Permissions) {
        let there = match project {
            None => &mut self.everywhere,
            Some(project) => self.of_projects.entry(project).or_default(),
        };
        *there = there.and(permissions);
    }

    /// What is allowed in a project.
    pub fn within(&self, project: ProjectId) -> Permissions {
        self.of_projects.get(&project).copied().unwrap_or_default().and(self.everywhere)
    }

    /// Whether a project may be seen at all.
    pub fn knows(&self, project: ProjectId) -> bool {
        !self.within(project).is_empty()
    }

    /// What is allowed in a project, or in all when none is named.
    pub fn at(&self, project: Option<ProjectId>) -> Permissions {
        project.map_or(self.everywhere, |project| self.within(project))
    }
}

/// A login that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When they logged in.
    pub created_at: Millis,
    /// When it was used last, within a minute or two.
    pub seen_at: Millis,
    /// When it ends, however much it is used.
    pub expires_at: Millis,
    /// From where.
    pub address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_same_however_they_are_written() {
        assert_eq!(checked_email(" Ada@Example.COM ").as_deref(), Ok("ada@example.com"));
        for text in ["", "ada", "@example.com", "ada@", "a b@example.com", "ada@exa mple.com", "a\u{0}@b"] {
            assert!(checked_email(text).is_err(), "{text:?}");
        }
        let long = |n: usize| format!("{}@b.c", "a".repeat(n - 4));
        assert!(checked_email(&long(EMAIL_MAX_CHARS)).is_ok() && checked_email(&long(EMAIL_MAX_CHARS + 1)).is_err());
    }

    #[test]
    fn roles_are_named_plainly() {
        assert!(is_role_name("on-call-2") && is_role_name(&"a".repeat(ROLE_MAX_CHARS)));
        for text in ["", "On call", "a/b", "\u{fc}", &"a".repeat(ROLE_MAX_CHARS + 1)] {
            assert!(!is_role_name(text), "{text:?}");
        }
        assert!(BUILTIN_ROLES.iter().all(|(name, ..)| is_role_name(name)));
    }

    #[test]
    fn what_one_may_do_in_a_project_is_not_allowed_in_another() {
        let [one, other] = [1, 2].map(|n| ProjectId::new(Millis(1), n));
        let mut grants = Grants::of(Some(one), Permissions::of(&[Permission::WebhooksWrite]));
        assert!(grants.within(one).allow(Permission::WebhooksWrite) && grants.knows(one) && !grants.knows(other));
        assert!(grants.at(None).is_empty());
        grants.add(None, Permissions::of(&[Permission::EventsRead]));
        assert!(grants.within(other).allow(Permission::EventsRead));
        assert!(!grants.within(other).allow(Permission::WebhooksWrite));
        assert!(grants.within(one).allow(Permission::EventsRead));
    }

    #[test]
    fn only_the_admin_role_may_do_everything() {
        let admins = BUILTIN_ROLES.iter().filter(|(.., permissions)| permissions.allow(Permission::Admin));
        assert_eq!(admins.map(|(name, ..)| *name).collect::<Vec<_>>(), [ADMIN_ROLE]);
        assert!(!builtin_role("trigger").unwrap().permissions.show_payloads());
    }
}

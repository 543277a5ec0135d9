//! The audit log: who did what to what, from where, and what it changed.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::clock::Millis;
use super::id::{AuditId, ProjectId};

/// Most characters kept of what a client says it is.
pub const USER_AGENT_MAX_CHARS: usize = 256;
/// Most bytes of what is kept of before and after; beyond that only which fields changed.
pub const CHANGE_MAX_BYTES: usize = 64 * 1024;

/// What kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person who is logged in.
    User,
    /// A program with a token.
    Token,
    /// The server itself, or somebody on its command line.
    System,
    /// Somebody who was not let in.
    Nobody,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::User, Self::Token, Self::System, Self::Nobody];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
            Self::System => "system",
            Self::Nobody => "nobody",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Actor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Their id, where they have one.
    pub id: Option<String>,
    /// What they were called then.
    pub name: String,
}

impl Actor {
    /// The server itself.
    pub fn system(name: &str) -> Self {
        Self { kind: ActorKind::System, id: None, name: name.to_owned() }
    }

    /// Somebody who was not let in.
    pub fn nobody() -> Self {
        Self { kind: ActorKind::Nobody, id: None, name: String::new() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// From where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Origin {
    /// The address.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// What the client says it is, at most [`USER_AGENT_MAX_CHARS`].
    pub user_agent: Option<String>,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// What kind of thing: the word before the dot of most actions.
    pub kind: &'static str,
    /// Its id, or its name where that is how it is known.
    pub id: String,
}

impl Target {
    /// Something by its id.
    pub fn new(kind: &'static str, id: impl fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// One line of the log, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id, which says when.
    pub id: AuditId,
    /// In which project; none for what is the whole server's.
    pub project: Option<ProjectId>,
    /// By whom.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What was done: a word like `webhook.updated`.
    pub action: &'static str,
    /// To what.
    pub target: Target,
    /// What it was, of what has changed.
    pub before: Option<Value>,
    /// What it is, of what has changed.
    pub after: Option<Value>,
}

impl Entry {
    /// With what became of it.
    #[must_use]
    pub fn after(self, after: impl Serialize) -> Self {
        Self { after: Some(bounded(plain(after))), ..self }
    }

    /// With what was there.
    #[must_use]
    pub fn before(self, before: impl Serialize) -> Self {
        Self { before: Some(bounded(plain(before))), ..self }
    }

    /// With what has changed from one to the other.
    #[must_use]
    pub fn change(self, before: impl Serialize, after: impl Serialize) -> Self {
        let (before, after) = difference(plain(before), plain(after));
        Self { before: Some(bounded(before)), after: Some(bounded(after)), ..self }
    }

    /// When it was done.
    pub fn at(&self) -> Millis {
        self.id.made_at()
    }
}

fn plain(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("what is shown is plain data")
}

/// What is too large to keep is told by its fields.
fn bounded(value: Value) -> Value {
    if value.to_string().len() <= CHANGE_MAX_BYTES {
        return value;
    }
    let fields: Vec<String> = value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    serde_json::json!({ "too_large": fields })
}

/// What differs, as two merge patches (RFC 7396): the first makes the old one of the new one, the second the other way round.
fn difference(before: Value, after: Value) -> (Value, Value) {
    let (Value::Object(mut before), Value::Object(after)) = (before, after) else {
        return (Value::Null, Value::Null);
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for (name, after) in after {
        let before = before.remove(&name);
        if before.as_ref() == Some(&after) {
            continue;
        }
        match (before, after) {
            (Some(before @ Value::Object(_)), after @ Value::Object(_)) => {
                let (before, after) = difference(before, after);
                old.insert(name.clone(), before);
                new.insert(name, after);
            }
            (before, after) => {
                old.insert(name.clone(), before.unwrap_or(Value::Null));
                new.insert(name, after);
            }
        }
    }
    for (name, before) in before {
        old.insert(name.clone(), before);
        new.insert(name, Value::Null);
    }
    (old.into(), new.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_kept() {
        let before = json!({ "name": "a", "same": 1, "gone": true, "deep": { "x": 1, "y": 2 }, "list": [1] });
        let after = json!({ "name": "b", "same": 1, "new": null, "deep": { "x": 1, "y": 3 }, "list": [1, 2] });
        let (old, new) = difference(before, after);
        assert_eq!(old, json!({ "name": "a", "new": null, "deep": { "y": 2 }, "list": [1], "gone": true }));
        assert_eq!(new, json!({ "name": "b", "new": null, "deep": { "y": 3 }, "list": [1, 2], "gone": null }));
        assert_eq!(difference(json!({ "a": 1 }), json!({ "a": 1 })), (json!({}), json!({})));
    }

    #[test]
    fn what_is_too_large_is_told_by_its_fields() {
        let of = |bytes: usize| json!({ "text": "x".repeat(bytes - "{\"text\":\"\"}".len()) });
        assert_eq!(bounded(of(CHANGE_MAX_BYTES)), of(CHANGE_MAX_BYTES));
        assert_eq!(bounded(of(CHANGE_MAX_BYTES + 1)), json!({ "too_large": ["text"] }));
    }
}

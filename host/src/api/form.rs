//! What forms have in common: fields that may be absent, and all mistakes told at once.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::problem::Answer;
use crate::domain::clock::Millis;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{FieldError, Problem};

/// Tells an absent field (the outer none) from `null` (the inner none), for merge patches (RFC 7396).
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A password that a client sends. It is in no log, and in no error.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, format = Password)]
pub(super) struct Password(pub(super) SecretString);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// Collects what is wrong, so that a person sees all of it at once.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    pub(super) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError::new(pointer, detail));
    }

    /// Whether something is wrong there already.
    pub(super) fn tells_of(&self, pointer: &str) -> bool {
        self.0.iter().any(|error| error.pointer == pointer)
    }

    pub(super) fn at_most(&mut self, pointer: &str, text: &str, chars: usize) {
        if text.chars().count() > chars {
            self.add(pointer, format!("has at most {chars} characters"));
        }
    }

    /// A text that must not be empty.
    pub(super) fn named(&mut self, pointer: &str, text: &str, chars: usize) {
        if !(1..=chars).contains(&text.chars().count()) {
            self.add(pointer, format!("is 1 to {chars} characters"));
        }
    }

    /// A field that can be changed and not taken away.
    pub(super) fn kept<T>(&mut self, pointer: &str, change: Option<Option<T>>, kept: T) -> T {
        match change {
            None => kept,
            Some(Some(changed)) => changed,
            Some(None) => {
                self.add(pointer, "cannot be taken away");
                kept
            }
        }
    }

    /// Permissions by their names.
    pub(super) fn permissions(&mut self, names: &[String]) -> Permissions {
        if names.is_empty() {
            self.add("/permissions", "is not empty");
        }
        let mut permissions = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if let Some(permission) = Permission::parse(name) {
                permissions.push(permission);
            } else {
                let known: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
                self.add(format!("/permissions/{index}"), format!("is one of {}", known.join(", ")));
            }
        }
        permissions.into_iter().collect()
    }

    /// A time that is still to come.
    pub(super) fn in_future(&mut self, pointer: &str, at: Option<Millis>, now: Millis) {
        if at.is_some_and(|at| at <= now) {
            self.add(pointer, "is in the future");
        }
    }

    pub(super) fn check(self) -> Answer<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0).into()) }
    }
}

//! A page that is one form, and one that asks before something is destroyed.

use askama::Template;
use axum::response::Response;

use super::field::Field;
use super::form::Form;
use super::page::{Page, shown, shown_as};
use super::ticks::Ticks;

/// A part of a form.
#[derive(Debug)]
pub(super) enum Part {
    Field(Box<Field>),
    Ticks(Ticks),
    /// A heading with a sentence under it.
    Head(&'static str, &'static str),
    /// Fields side by side.
    Row(Vec<Field>),
}

impl From<Field> for Part {
    fn from(field: Field) -> Self {
        Self::Field(Box::new(field))
    }
}

impl From<Ticks> for Part {
    fn from(ticks: Ticks) -> Self {
        Self::Ticks(ticks)
    }
}

/// A page that is one form.
#[derive(Debug, Template)]
#[template(path = "form_page.html")]
pub(super) struct FormPage {
    pub(super) page: Page,
    pub(super) form: Form,
    pub(super) parts: Vec<Part>,
    /// Where it is sent to.
    pub(super) action: String,
    /// What its button says.
    pub(super) words: &'static str,
    pub(super) lead: String,
    /// What one can do instead: path and words.
    pub(super) danger: Option<(String, &'static str)>,
}

impl FormPage {
    pub(super) fn shown(&self) -> Response {
        shown_as(self.form.status(), self)
    }
}

/// Asks before something is destroyed.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) page: Page,
    /// What will be so afterwards, one sentence each.
    pub(super) effects: Vec<String>,
    /// Why it was refused.
    pub(super) form: Form,
    pub(super) action: String,
    pub(super) words: &'static str,
    pub(super) back: String,
}

impl Confirm {
    pub(super) fn shown(&self) -> Response {
        if self.form.problem.is_some() { shown_as(self.form.status(), self) } else { shown(self) }
    }
}

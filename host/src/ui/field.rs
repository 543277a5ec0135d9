//! One field of a form, with its label, its help and what is wrong with it.

use askama::Template;

use super::form::{Form, id_of};
use super::parts::{Icon, Words};

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// A line of this HTML input type.
    Line(&'static str),
    /// Several lines.
    Text { rows: u8 },
    /// One of these values, each with its words.
    Choice(Vec<(String, String)>),
    /// Yes or no.
    Tick,
    /// A secret that is never shown; whether one is set.
    Secret { is_set: bool },
}

/// One field.
#[derive(Debug, Clone, Template)]
#[template(path = "field.html")]
pub(super) struct Field {
    id: String,
    name: String,
    label: String,
    help: String,
    control: Control,
    value: String,
    ticked: bool,
    required: bool,
    error: Option<String>,
    deep: bool,
    placeholder: &'static str,
    autocomplete: &'static str,
    mono: bool,
    /// What is asked for as one types, and the part of the page that shows the answer.
    live: Option<(&'static str, &'static str)>,
    is_needed: bool,
    /// The page's list of values that are offered.
    list: Option<&'static str>,
}

impl askama::filters::HtmlSafe for Field {}

impl Field {
    fn new(name: &str, label: &str, control: Control) -> Self {
        Self {
            id: id_of(name),
            name: name.to_owned(),
            label: label.to_owned(),
            help: String::new(),
            control,
            value: String::new(),
            ticked: false,
            required: false,
            error: None,
            deep: false,
            placeholder: "",
            autocomplete: "off",
            mono: false,
            live: None,
            is_needed: false,
            list: None,
        }
    }

    /// A line of text.
    pub(super) fn line(name: &str, label: &str) -> Self {
        Self::new(name, label, Control::Line("text"))
    }

    /// A line of this HTML input type.
    pub(super) fn typed(name: &str, label: &str, kind: &'static str) -> Self {
        Self::new(name, label, Control::Line(kind))
    }

    /// Several lines.
    pub(super) fn text(name: &str, label: &str, rows: u8) -> Self {
        Self::new(name, label, Control::Text { rows })
    }

    /// One of several.
    pub(super) fn choice<V: Into<String>, W: Into<String>>(
        name: &str,
        label: &str,
        of: impl IntoIterator<Item = (V, W)>,
    ) -> Self {
        let of = of.into_iter().map(|(value, words)| (value.into(), words.into())).collect();
        Self::new(name, label, Control::Choice(of))
    }

    /// Yes or no.
    pub(super) fn tick(name: &str, label: &str) -> Self {
        Self::new(name, label, Control::Tick)
    }

    /// A secret, which is never shown.
    pub(super) fn secret(name: &str, label: &str, is_set: bool) -> Self {
        Self { autocomplete: "off", ..Self::new(name, label, Control::Secret { is_set }) }
    }

    /// Says what it is for.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// It must be filled in: the browser says so.
    #[must_use]
    pub(super) fn required(self) -> Self {
        Self { required: true, is_needed: true, ..self }
    }

    /// It must be filled in: the API says so, since the form has buttons that work without it.
    #[must_use]
    pub(super) fn needed(self) -> Self {
        Self { is_needed: true, ..self }
    }

    /// Values of this `datalist` of the page are offered.
    #[must_use]
    pub(super) fn suggested(self, list: &'static str) -> Self {
        Self { list: Some(list), ..self }
    }

    /// As one types, the form is sent with `do` of this name, and this part of the page is shown anew.
    #[must_use]
    pub(super) fn live(self, what: &'static str, part: &'static str) -> Self {
        Self { live: Some((what, part)), ..self }
    }

    /// An example, beside a label and never instead of one.
    #[must_use]
    pub(super) fn example(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    /// What a browser may fill in.
    #[must_use]
    pub(super) fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// In letters of one width.
    #[must_use]
    pub(super) fn mono(self) -> Self {
        Self { mono: true, ..self }
    }

    /// It also shows what is wrong inside of what it says.
    #[must_use]
    pub(super) fn deep(self) -> Self {
        Self { deep: true, ..self }
    }

    /// As a parameter of a URL, which has no `/` before its name.
    #[must_use]
    pub(super) fn in_url(self) -> Self {
        Self { name: self.name.trim_start_matches('/').to_owned(), ..self }
    }

    /// With the form's value and errors. Passwords and secrets are typed anew.
    #[must_use]
    pub(super) fn of(mut self, form: &Form) -> Self {
        self.error = form.error(&self.name, self.deep);
        match &self.control {
            Control::Line("password") | Control::Secret { .. } => {}
            Control::Tick => self.ticked = form.is_ticked(&self.name),
            _ => form.get(&self.name).unwrap_or_default().clone_into(&mut self.value),
        }
        self
    }

    fn described_by(&self) -> String {
        let parts = [(!self.help.is_empty(), "help"), (self.error.is_some(), "error")];
        let ids: Vec<String> =
            parts.iter().filter(|(is, _)| *is).map(|(_, what)| format!("{}-{what}", self.id)).collect();
        ids.join(" ")
    }
}

//! Several boxes that say one thing together.

use askama::Template;

use super::form::{Form, id_of};
use super::parts::Icon;

/// One box.
#[derive(Debug, Clone)]
pub(super) struct Tick {
    pub(super) value: String,
    pub(super) words: String,
    pub(super) help: String,
    pub(super) ticked: bool,
}

/// All of them.
#[derive(Debug, Clone, Template)]
#[template(path = "ticks.html")]
pub(super) struct Ticks {
    id: String,
    name: String,
    legend: String,
    boxes: Vec<Tick>,
    error: Option<String>,
}

impl askama::filters::HtmlSafe for Ticks {}

impl Ticks {
    /// With the form's values and errors.
    pub(super) fn new(name: &str, legend: &str, boxes: impl IntoIterator<Item = Tick>, form: &Form) -> Self {
        let ticked = |value: &str| form.all(name).any(|one| one == value);
        let boxes = boxes.into_iter().map(|tick| Tick { ticked: ticked(&tick.value), ..tick });
        Self {
            id: id_of(name),
            name: name.to_owned(),
            legend: legend.to_owned(),
            boxes: boxes.collect(),
            error: form.error(name, true),
        }
    }
}

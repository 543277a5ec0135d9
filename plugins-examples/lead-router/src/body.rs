//! What the department gets of a lead.

use std::collections::BTreeMap;

use hookwright_sdk::Event;
use hookwright_sdk::catalogue::LeadSubmitted;
use hookwright_sdk::text::{one_line, printable, truncate};
use serde::Deserialize;
use serde_json::Value;

use crate::{Config, Route};

const MAX_LINE: usize = 500;
const MAX_MESSAGE: usize = 10_000;
const MAX_PROGRAMS: usize = 50;

/// A part of a lead.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Id,
    Name,
    /// The first word of the name.
    FirstName,
    /// What stands behind it; the whole name when it is one word.
    LastName,
    Email,
    Phone,
    Company,
    Message,
    /// The chosen programs that are this department's.
    Programs,
    /// When it was submitted.
    SubmittedAt,
}

/// The fields as leads name them.
pub(crate) fn usual() -> BTreeMap<String, Part> {
    let usual = [
        ("id", Part::Id),
        ("name", Part::Name),
        ("email", Part::Email),
        ("phone", Part::Phone),
        ("company", Part::Company),
        ("message", Part::Message),
        ("programs", Part::Programs),
    ];
    usual.into_iter().map(|(name, part)| (name.to_owned(), part)).collect()
}

/// By name; what the lead does not say is left out.
pub(crate) fn fields<'a>(
    event: &Event,
    it: &LeadSubmitted,
    route: &'a Route,
    programs: &[&str],
    config: &'a Config,
) -> BTreeMap<&'a str, Value> {
    let taken =
        config.fields.iter().filter_map(|(name, part)| Some((name.as_str(), value(*part, event, it, programs)?)));
    let fixed = route.fields.iter().map(|(name, value)| (name.as_str(), value.clone()));
    taken.chain(fixed).collect()
}

fn value(part: Part, event: &Event, it: &LeadSubmitted, programs: &[&str]) -> Option<Value> {
    let lead = &it.lead;
    let name = one_line(&lead.name);
    let (first, last) = name.split_once(' ').unwrap_or(("", &name));
    let text = match part {
        Part::Id => line(&lead.id),
        Part::Name => line(&name),
        Part::FirstName => line(first),
        Part::LastName => line(last),
        Part::Email => line(lead.email.as_deref()?),
        Part::Phone => line(lead.phone.as_deref()?),
        Part::Company => line(lead.company.as_deref()?),
        Part::Message => truncate(printable(lead.message.as_deref()?).trim(), MAX_MESSAGE).into_owned(),
        Part::SubmittedAt => event.occurred_at().to_owned(),
        Part::Programs => {
            let programs: Vec<Value> =
                programs.iter().take(MAX_PROGRAMS).map(|program| Value::from(line(program))).collect();
            return (!programs.is_empty()).then(|| programs.into());
        }
    };
    (!text.is_empty()).then(|| text.into())
}

fn line(text: &str) -> String {
    truncate(&one_line(text), MAX_LINE).into_owned()
}

/// A list becomes a field for each of its items.
pub(crate) fn as_form<'a>(name: &'a str, value: &Value) -> Vec<(&'a str, String)> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| as_form(name, item)).collect(),
        Value::String(text) => vec![(name, text.clone())],
        Value::Null => Vec::new(),
        other => vec![(name, other.to_string())],
    }
}

//! A card as Trello takes it: <https://developer.atlassian.com/cloud/trello/rest/api-group-cards>.

use hookwright_sdk::text::{one_line, truncate, web_link};
use serde::Serialize;

use crate::{Config, Position};

/// Of name and description. Trello's reference does not state it; longer ones are known to be refused.
const MAX_TEXT: usize = 16_384;

/// What a card says, before the configuration adds where it goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Card {
    /// What it is about, for example `ticket:42`.
    pub(crate) about: String,
    pub(crate) name: String,
    /// Paragraphs in Markdown.
    pub(crate) description: Vec<String>,
    /// A date, or an RFC 3339 time.
    pub(crate) due: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body<'a> {
    id_list: &'a str,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    desc: String,
    pos: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    id_labels: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    id_members: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url_source: Option<&'a str>,
}

/// What an edit changes: what the event says, and not what people arrange on the board.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changes<'a> {
    name: String,
    desc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    id_members: Vec<&'a str>,
}

impl Card {
    /// The key under which the card is remembered; the host takes 255 characters.
    pub(crate) fn correlation(&self) -> String {
        truncate(&one_line(&self.about), 255).into_owned()
    }

    pub(crate) fn changes<'a>(&'a self, config: &'a Config) -> Changes<'a> {
        let Body { name, desc, due, id_members, .. } = self.body(config);
        Changes { name, desc, due, id_members }
    }

    pub(crate) fn body<'a>(&'a self, config: &'a Config) -> Body<'a> {
        let member = self.owner.as_ref().and_then(|owner| config.members.get(owner));
        let unassigned = self.owner.as_ref().filter(|_| member.is_none()).map(|owner| format!("Owner: {owner}"));
        let paragraphs = self.description.iter().chain(&unassigned).map(|text| text.trim());
        let desc = paragraphs.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
        let name = one_line(&self.name);
        Body {
            id_list: &config.list_id,
            name: if name.is_empty() { "(no title)".to_owned() } else { truncate(&name, MAX_TEXT).into_owned() },
            desc: truncate(&desc, MAX_TEXT).into_owned(),
            pos: config.position,
            due: self.due.as_deref().and_then(due),
            id_labels: &config.label_ids,
            id_members: member.map(String::as_str).into_iter().collect(),
            url_source: self.url.as_deref().and_then(web_link),
        }
    }
}

/// A bare date would be midnight in UTC, which is the day before in America: noon is the same day nearly
/// everywhere. What is neither a date nor a time is left out, because Trello would refuse the card.
fn due(text: &str) -> Option<String> {
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    match shape.as_str() {
        "0000-00-00" => Some(format!("{text}T12:00:00.000Z")),
        shape if shape.starts_with("0000-00-00T00:00") => Some(text.to_owned()),
        _ => None,
    }
}

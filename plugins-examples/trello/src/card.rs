//! A card as Trello takes it: <https://developer.atlassian.com/cloud/trello/rest/api-group-cards>.

use hookwright_sdk::brief::{Brief, Kind, Markdown};
use hookwright_sdk::text::{lines_within, truncate};
use serde::Serialize;

use crate::{Config, Position};

/// Of name and description. Trello's reference does not state it; longer ones are known to be refused.
const MAX_TEXT: usize = 16_384;
const MAX_LABELS: usize = 100;
const MAX_URL: usize = 2000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Card<'a> {
    id_list: &'a str,
    #[serde(flatten)]
    edit: Edit<'a>,
    pos: Position,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    id_labels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url_source: Option<String>,
}

/// What an edit changes: what the event says, and not what people arrange on the board.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Edit<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    id_members: Vec<&'a str>,
    /// The list to which a new status moves it.
    #[serde(rename = "idList", skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct Comment {
    text: String,
}

pub(crate) fn card(task: Brief, config: &Config) -> Card<'_> {
    let mut id_labels = task.labels_by(&config.label_ids, &config.label_map);
    id_labels.truncate(MAX_LABELS);
    Card {
        id_list: task.status.as_ref().and_then(|status| config.lists.get(status)).unwrap_or(&config.list_id),
        pos: config.position,
        id_labels,
        url_source: task.url.clone().filter(|url| url.len() <= MAX_URL),
        edit: Edit { to: None, ..content(task, config) },
    }
}

/// An update without a description leaves the one that is there.
pub(crate) fn edit(news: Brief, config: &Config) -> Edit<'_> {
    let to = news.status.as_ref().filter(|_| news.kind == Kind::Moved).and_then(|status| config.lists.get(status));
    let is_whole = news.is_whole();
    let content = content(news, config);
    Edit { desc: content.desc.filter(|_| is_whole), to: to.map(String::as_str), ..content }
}

/// What happened to the thing that the card is about.
pub(crate) fn comment(news: &Brief) -> Comment {
    let markdown = Markdown::within(MAX_TEXT);
    let headline = format!("**{}**", markdown.line(&news.headline));
    let by = news.fact("by").map(|by| format!("by {}", markdown.line(by))).unwrap_or_default();
    let changes = lines_within(news.changes.iter().map(|change| markdown.bullet(change)), MAX_TEXT / 2);
    let parts = [headline, changes, by].into_iter().filter(|part| !part.is_empty());
    Comment { text: parts.collect::<Vec<_>>().join("\n\n") }
}

fn content(mut task: Brief, config: &Config) -> Edit<'_> {
    let member = task.take_owner(&config.members);
    let due = task.due.as_deref().and_then(due);
    if due.is_some() {
        task.forget("due");
    }
    let fields = config.fields.as_deref();
    // The address is an attachment of the card.
    let markdown = Markdown { fields, is_markdown: config.markdown, link: false, ..Markdown::within(MAX_TEXT) };
    Edit {
        name: truncate(&task.fill(&config.title), MAX_TEXT).into_owned(),
        desc: Some(markdown.description(&task)).filter(|text| !text.is_empty()),
        due,
        id_members: member.into_iter().collect(),
        to: None,
    }
}

/// A bare date would be midnight in UTC, which is the day before in America: noon is the same day nearly
/// everywhere. What is neither a date nor a time is left out, because Trello would refuse the card.
fn due(text: &str) -> Option<String> {
    let day = hookwright_sdk::text::day(text)?;
    let is_time =
        text.len() >= "2026-01-31T12:00Z".len() && text.bytes().all(|byte| b"0123456789-+:.TZ".contains(&byte));
    Some(if is_time { text.to_owned() } else { format!("{day}T12:00:00.000Z") })
}

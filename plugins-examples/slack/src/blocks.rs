//! A Block Kit message that keeps Slack's limits: <https://api.slack.com/reference/block-kit/blocks>.
//! Slack refuses the whole message for one text that is too long or empty.

use hookwright_sdk::brief::Fact;
use hookwright_sdk::text::{join, one_line, truncate};
use serde::Serialize;

use crate::markup::{bold, line};

const MAX_BLOCKS: usize = 50;
const MAX_HEADER: usize = 150;
const MAX_FIELDS: usize = 10;
pub(crate) const MAX_SECTION: usize = 3000;

#[derive(Serialize)]
pub(crate) struct Message {
    /// What notifications and screen readers say.
    text: String,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Header { text: Text },
    Section(Section),
}

#[derive(Serialize)]
struct Section {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Text>,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "text", rename_all = "snake_case")]
enum Text {
    /// Shown as it is: markup in it does nothing.
    PlainText(String),
    Mrkdwn(String),
}

impl Message {
    pub(crate) fn new(title: &str, who: Option<&str>) -> Self {
        let mention = who.map(mention);
        let header = Text::PlainText(truncate(&one_line(title), MAX_HEADER).into_owned());
        let message = Self {
            text: match &mention {
                Some(mention) => join(&[mention, " ", &line(title)]),
                None => line(title),
            },
            blocks: vec![Block::Header { text: header }],
        };
        message.section(mention)
    }

    /// A paragraph of mrkdwn of at most `MAX_SECTION` units; nothing if it is empty or there is no room.
    pub(crate) fn section(mut self, text: Option<String>) -> Self {
        if let Some(text) = text.filter(|text| !text.trim().is_empty())
            && self.blocks.len() < MAX_BLOCKS
        {
            self.blocks.push(Block::Section(Section { text: Some(Text::Mrkdwn(text)), fields: Vec::new() }));
        }
        self
    }

    /// Names with their values in two columns.
    pub(crate) fn fields(mut self, facts: &[&Fact]) -> Self {
        let field = |fact: &&Fact| Text::Mrkdwn(join(&[&bold(fact.name), "\n", &line(&fact.value)]));
        let fields: Vec<Text> = facts.iter().take(MAX_FIELDS).map(field).collect();
        if !fields.is_empty() && self.blocks.len() < MAX_BLOCKS {
            self.blocks.push(Block::Section(Section { text: None, fields }));
        }
        self
    }

    /// A section for each item, as many as there is room for, and how many more there are.
    pub(crate) fn list<T>(mut self, items: &[T], section: impl Fn(&T) -> String) -> Self {
        let room = MAX_BLOCKS - self.blocks.len();
        let shown = if items.len() > room { room.saturating_sub(1) } else { items.len() };
        for item in &items[..shown] {
            self = self.section(Some(section(item)));
        }
        let more = items.len() - shown;
        self.section((more > 0).then(|| format!("_and {more} more_")))
    }
}

/// <https://api.slack.com/reference/surfaces/formatting#advanced>
fn mention(who: &str) -> String {
    match who {
        "here" | "channel" => join(&["<!", who, ">"]),
        group if group.starts_with('S') => join(&["<!subteam^", &line(group), ">"]),
        user => join(&["<@", &line(user), ">"]),
    }
}

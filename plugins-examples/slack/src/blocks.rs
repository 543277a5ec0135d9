//! A Block Kit message that keeps Slack's limits: <https://api.slack.com/reference/block-kit/blocks>.
//! Slack refuses the whole message for one text that is too long or empty.

use hookwright_sdk::text::{one_line, truncate};
use serde::Serialize;

use crate::Config;
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
    #[serde(skip)]
    show_fields: bool,
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
    pub(crate) fn new(title: &str, config: &Config) -> Self {
        let title = format!("{}{title}", config.title_prefix);
        let mention = config.mention.as_deref().map(mention);
        let header = Text::PlainText(truncate(&one_line(&title), MAX_HEADER).into_owned());
        let message = Self {
            text: match &mention {
                Some(mention) => format!("{mention} {}", line(&title)),
                None => line(&title),
            },
            blocks: vec![Block::Header { text: header }],
            show_fields: config.show_fields,
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

    /// Names with their values, those that have one, in two columns.
    pub(crate) fn fields(mut self, fields: &[(&str, Option<&str>)]) -> Self {
        let shown = fields.iter().filter_map(|(name, value)| {
            let value = value.map(line).filter(|value| !value.is_empty())?;
            Some(Text::Mrkdwn(format!("{}\n{value}", bold(name))))
        });
        let fields: Vec<Text> = shown.take(MAX_FIELDS).collect();
        if self.show_fields && !fields.is_empty() && self.blocks.len() < MAX_BLOCKS {
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
        "here" | "channel" => format!("<!{who}>"),
        group if group.starts_with('S') => format!("<!subteam^{}>", line(group)),
        user => format!("<@{}>", line(user)),
    }
}

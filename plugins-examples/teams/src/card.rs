//! An Adaptive Card in a message as Teams takes it: <https://adaptivecards.io/explorer/AdaptiveCard.html>.
//!
//! All texts are runs of a `RichTextBlock`, because a `TextBlock` would read Markdown in them: anybody's text
//! could hold a link that says it leads elsewhere.

use hookwright_sdk::brief::{Brief, Line, Tone};
use hookwright_sdk::text::{one_line, truncate};
use serde::Serialize;

use crate::Config;

/// Teams takes 28 kB for a message, of which the workflow adds some.
const MAX_BYTES: usize = 18_000;
const MAX_LINE: usize = 250;
const MAX_TEXT: usize = 2000;
const MAX_URL: usize = 2000;

#[derive(Serialize)]
pub(crate) struct Message<'a> {
    r#type: &'static str,
    attachments: [Attachment<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment<'a> {
    content_type: &'static str,
    content_url: Option<&'a str>,
    content: Card<'a>,
}

#[derive(Serialize)]
struct Card<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    r#type: &'static str,
    version: &'static str,
    body: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<OpenUrl<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msteams: Option<Width>,
}

#[derive(Serialize)]
struct Width {
    width: &'static str,
}

/// A line.
#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    spacing: &'static str,
    inlines: Vec<Run<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    r#type: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    font_type: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strikethrough: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    select_action: Option<OpenUrl<'a>>,
}

#[derive(Serialize)]
struct OpenUrl<'a> {
    r#type: &'static str,
    title: &'static str,
    url: &'a str,
}

pub(crate) fn message<'a>(brief: &'a Brief, config: &Config) -> Message<'a> {
    let title = Run {
        size: Some("Large"),
        color: match brief.tone {
            Tone::Plain => None,
            Tone::Good => Some("Good"),
            Tone::Bad => Some("Attention"),
        },
        ..bold(&brief.fill(&config.title))
    };
    let mut body = Body { blocks: Vec::new(), bytes: 0, left_out: 0 };
    body.push("Default", || vec![title]);
    for fact in brief.message_facts(config.fields.as_deref()) {
        body.push("None", || vec![bold(&format!("{}: ", fact.name)), run(&fact.value)]);
    }
    let text = brief.message_text().map(|text| truncate(text.trim(), MAX_TEXT)).unwrap_or_default();
    for (index, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        body.push(if index == 0 { "Medium" } else { "None" }, || vec![run(line)]);
    }
    brief.message_lines().for_each(|line| body.push("Small", || bullet(line)));
    brief.items.iter().for_each(|item| body.push("Small", || action(item)));
    for line in brief.code.iter().flat_map(|code| code.lines()) {
        body.push("None", || vec![Run { font_type: Some("Monospace"), ..run_indented(line) }]);
    }
    Message {
        r#type: "message",
        attachments: [Attachment {
            content_type: "application/vnd.microsoft.card.adaptive",
            content_url: None,
            content: Card {
                schema: "http://adaptivecards.io/schemas/adaptive-card.json",
                r#type: "AdaptiveCard",
                version: "1.4",
                body: body.finish(),
                actions: open(brief.url.as_deref(), brief.link_label).into_iter().collect(),
                msteams: config.full_width.then_some(Width { width: "Full" }),
            },
        }],
    }
}

/// As many lines as there is room for.
struct Body<'a> {
    blocks: Vec<Block<'a>>,
    bytes: usize,
    left_out: usize,
}

impl<'a> Body<'a> {
    /// A line that there is no room for is not even made.
    fn push(&mut self, spacing: &'static str, line: impl FnOnce() -> Vec<Run<'a>>) {
        if self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        let inlines: Vec<Run<'a>> = line().into_iter().filter(|run| !run.text.is_empty()).collect();
        let url = |run: &Run<'_>| run.select_action.as_ref().map_or(0, |it| 80 + it.url.len());
        let bytes = 60 + inlines.iter().map(|run| 130 + json_bytes(&run.text) + url(run)).sum::<usize>();
        if self.bytes + bytes > MAX_BYTES - MAX_URL {
            self.left_out = 1;
        } else if !inlines.is_empty() {
            self.bytes += bytes;
            self.blocks.push(Block { r#type: "RichTextBlock", spacing, inlines });
        }
    }

    fn finish(mut self) -> Vec<Block<'a>> {
        if self.left_out > 0 {
            let inlines = vec![run(&format!("…and {} more", self.left_out))];
            self.blocks.push(Block { r#type: "RichTextBlock", spacing: "Small", inlines });
        }
        self.blocks
    }
}

fn bullet(it: &Line) -> Vec<Run<'_>> {
    let name = Run { strikethrough: it.done == Some(true), ..run(&it.name) };
    match &it.note {
        Some(note) => vec![run("• "), bold(&it.name), run(": "), run(note)],
        None => vec![run("• "), name],
    }
}

/// An action of a retro.
fn action(it: &Brief) -> Vec<Run<'_>> {
    let title = Run { select_action: open(it.url.as_deref(), "Open"), ..bold(&it.name()) };
    let owner = it.owner.as_ref().map(|owner| run(&format!(" · {owner}")));
    let due = it.due.as_ref().map(|due| run(&format!(" · due {due}")));
    [Some(run("• ")), Some(title), owner, due].into_iter().flatten().collect()
}

fn open<'a>(url: Option<&'a str>, title: &'static str) -> Option<OpenUrl<'a>> {
    let url = url.filter(|url| url.len() <= MAX_URL / 2)?;
    Some(OpenUrl { r#type: "Action.OpenUrl", title, url })
}

fn bold(text: &str) -> Run<'static> {
    Run { weight: Some("Bolder"), ..run(text) }
}

/// One line, with the spaces at its ends, which part it from its neighbours.
fn run(text: &str) -> Run<'static> {
    let line = truncate(&one_line(text), MAX_LINE).into_owned();
    let space = |is: bool| if is && !line.is_empty() { " " } else { "" };
    let text = format!("{}{line}{}", space(text.starts_with(' ')), space(text.ends_with(' ')));
    Run { r#type: "TextRun", text, ..Run::default() }
}

/// Keeps the spaces in front, which a card would swallow.
fn run_indented(text: &str) -> Run<'static> {
    let line = text.trim_start_matches(' ');
    let spaces = "\u{a0}".repeat((text.len() - line.len()).min(40));
    Run { text: format!("{spaces}{}", run(line).text), ..run("") }
}

/// The most that a text can take in JSON.
fn json_bytes(text: &str) -> usize {
    text.chars()
        .map(|letter| if letter.is_ascii_control() || "\"\\".contains(letter) { 2 } else { letter.len_utf8() })
        .sum()
}

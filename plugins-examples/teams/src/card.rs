//! An Adaptive Card in a message as Teams takes it: <https://adaptivecards.io/explorer/AdaptiveCard.html>.
//!
//! Only elements that every Teams client shows, also when a workflow posts them: `TextBlock`, `FactSet`,
//! `Action.OpenUrl`. The first two read Markdown, so nobody's text may hold a link.

use hookwright_sdk::brief::{Brief, Kind, Line, Tone};
use hookwright_sdk::text::{escape_within, one_line, truncate};
use serde::Serialize;

use crate::Config;

/// Teams takes 28 kB for a message, of which the workflow adds some.
const MAX_BYTES: usize = 18_000;
const MAX_LINE: usize = 250;
const MAX_TEXT: usize = 2000;
const MAX_FACTS: usize = 12;
const MAX_URL: usize = 1000;

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
    body: Vec<Element>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<OpenUrl<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msteams: Option<Width>,
}

#[derive(Serialize)]
struct Width {
    width: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Element {
    TextBlock(Block),
    FactSet { facts: Vec<Fact> },
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    text: String,
    wrap: bool,
    spacing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    font_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Fact {
    title: &'static str,
    value: String,
}

#[derive(Serialize)]
struct OpenUrl<'a> {
    r#type: &'static str,
    title: &'static str,
    url: &'a str,
}

pub(crate) fn message<'a>(brief: &'a Brief, config: &Config) -> Message<'a> {
    let color = match brief.tone {
        Tone::Plain => None,
        Tone::Good => Some("Good"),
        Tone::Bad => Some("Attention"),
    };
    let title = line(&brief.fill(&config.title));
    let mut body = Body { elements: Vec::new(), bytes: 0, left_out: 0 };
    body.push(|| Block { size: Some("Large"), weight: Some("Bolder"), color, ..text("Default", title) });
    let facts = brief.message_facts(config.fields.as_deref());
    let facts = facts.iter().take(MAX_FACTS).map(|fact| Fact { title: fact.name, value: line(&fact.value) });
    body.facts(facts.collect());

    let paragraph = brief.message_text().map(|text| truncate(text.trim(), MAX_TEXT)).unwrap_or_default();
    for (index, it) in paragraph.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        body.push(|| text(if index == 0 { "Medium" } else { "None" }, line(it)));
    }
    brief.message_lines().for_each(|it| body.push(|| text("Small", bullet(it))));
    let item = if brief.kind == Kind::Digest { news } else { action };
    brief.items.iter().for_each(|it| body.push(|| text("Small", item(it))));
    for it in brief.code.iter().flat_map(|code| code.lines()) {
        body.push(|| Block { font_type: Some("Monospace"), ..text("None", indented(it)) });
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
                actions: open(brief).into_iter().collect(),
                msteams: config.full_width.then_some(Width { width: "Full" }),
            },
        }],
    }
}

/// As many lines as there is room for.
struct Body {
    elements: Vec<Element>,
    bytes: usize,
    left_out: usize,
}

impl Body {
    /// A line that there is no room for is not even made.
    fn push(&mut self, line: impl FnOnce() -> Block) {
        if self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        let line = line();
        let bytes = 160 + json_bytes(&line.text);
        if self.bytes + bytes > MAX_BYTES {
            self.left_out = 1;
        } else if !line.text.is_empty() {
            self.bytes += bytes;
            self.elements.push(Element::TextBlock(line));
        }
    }

    fn facts(&mut self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            self.bytes += facts.iter().map(|fact| 60 + json_bytes(&fact.value)).sum::<usize>();
            self.elements.push(Element::FactSet { facts });
        }
    }

    fn finish(mut self) -> Vec<Element> {
        if self.left_out > 0 {
            self.elements.push(Element::TextBlock(text("Small", format!("…and {} more", self.left_out))));
        }
        self.elements
    }
}

fn text(spacing: &'static str, text: String) -> Block {
    Block { text, wrap: true, spacing, ..Block::default() }
}

fn bullet(it: &Line) -> String {
    match (it.done, &it.note) {
        (Some(done), _) => format!("{} {}", if done { '☑' } else { '☐' }, line(&it.name)),
        (None, Some(note)) => format!("• **{}**: {}", line(&it.name), line(note)),
        (None, None) => format!("• {}", line(&it.name)),
    }
}

/// An event of a digest.
fn news(it: &Brief) -> String {
    let url = it.url.as_deref().filter(|url| url.len() <= MAX_URL / 2 && !url.contains(['(', ')', ']']));
    let headline = format!("• {}", line(&it.headline));
    [Some(headline), url.map(|url| format!("[Open]({url})"))].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// An action of a retro.
fn action(it: &Brief) -> String {
    let due = it.due.as_deref().map(|due| format!("due {}", line(due)));
    let url = it.url.as_deref().filter(|url| url.len() <= MAX_URL / 2 && !url.contains(['(', ')', ']']));
    let parts = [it.owner.as_deref().map(line), due, url.map(|url| format!("[Open]({url})"))];
    let title = format!("• **{}**", line(&it.name()));
    [Some(title)].into_iter().chain(parts).flatten().collect::<Vec<_>>().join(" · ")
}

fn open(brief: &Brief) -> Option<OpenUrl<'_>> {
    let url = brief.url.as_deref().filter(|url| url.len() <= MAX_URL)?;
    Some(OpenUrl { r#type: "Action.OpenUrl", title: brief.link_label, url })
}

/// Text in one line. A space without width keeps `]` and `(` apart, so that the two make no link: backslashes
/// would be shown by some clients.
fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE, |letter| (letter == ']').then_some("]\u{200b}"))
}

/// Keeps the spaces in front, which a card would swallow.
fn indented(text: &str) -> String {
    let rest = text.trim_start_matches(' ');
    format!("{}{}", "\u{a0}".repeat((text.len() - rest.len()).min(40)), line(rest))
}

/// The most that a text can take in JSON.
fn json_bytes(text: &str) -> usize {
    let bytes = |letter: char| if "\"\\".contains(letter) { 2 } else { letter.len_utf8() };
    text.chars().map(bytes).sum()
}

//! The Atlassian Document Format: <https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/>.
//! Jira refuses the whole issue for an empty text, or for text outside of a paragraph.

use hookwright_sdk::brief::{Brief, Line};
use hookwright_sdk::text::{one_line, truncate, web_link};
use serde::Serialize;

/// Jira takes 32,767 characters for a description or comment, counted as it keeps them: layout and escapes count as well.
const MAX_DOCUMENT: usize = 28_000;
const MAX_LINE: usize = 250;
const MAX_URL: usize = 1000;

#[derive(Serialize)]
pub(crate) struct Document {
    r#type: &'static str,
    version: u8,
    content: Vec<Node>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Node {
    Paragraph {
        content: Vec<Node>,
    },
    BulletList {
        content: Vec<Node>,
    },
    ListItem {
        content: Vec<Node>,
    },
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        marks: Option<[Mark; 1]>,
    },
    HardBreak,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Mark {
    Strong,
    Strike,
    Link { attrs: Address },
}

#[derive(Serialize)]
struct Address {
    href: String,
}

/// None for nothing to say.
pub(crate) fn description(task: &Brief, fields: Option<&[String]>) -> Option<Document> {
    let fact = |name: &str, value: &str| vec![marked(&format!("{name}: "), Mark::Strong), text(value)];
    let facts: Vec<_> = task.picked(fields).iter().map(|it| fact(it.name, &it.value)).collect();
    let from = task.from.as_ref().map(|from| vec![text("From "), linked(from.url.as_deref(), &from.text)]);
    let open = task.url.as_deref().map(|url| vec![linked(Some(url), task.link_label)]);
    // What stands below the text has its room first.
    let mut room = MAX_DOCUMENT;
    let facts = list(facts.into_iter(), &mut room);
    let pointers: Vec<Node> =
        [from, open].into_iter().flatten().filter_map(|line| paragraph(line, &mut room)).collect();
    let mut half = room / 2;
    room -= half;
    let lines = list(task.lines.iter().map(bullet), &mut half);
    let above = body(task.text.as_deref().unwrap_or_default(), room + half);
    let content: Vec<Node> = above.into_iter().chain(lines).chain(facts).chain(pointers).collect();
    (!content.is_empty()).then_some(Document { r#type: "doc", version: 1, content })
}

/// What happened to the thing that the issue is about.
pub(crate) fn comment(news: &Brief) -> Document {
    let mut room = MAX_DOCUMENT;
    let headline = paragraph(vec![marked(&news.headline, Mark::Strong)], &mut room);
    let by = news.fact("by").and_then(|by| paragraph(vec![text(&format!("by {by}"))], &mut room));
    let changes = list(news.changes.iter().map(bullet), &mut room);
    Document { r#type: "doc", version: 1, content: headline.into_iter().chain(changes).chain(by).collect() }
}

fn bullet(it: &Line) -> Vec<Node> {
    match (it.done, &it.note) {
        (Some(true), _) => vec![marked(&it.name, Mark::Strike)],
        (_, Some(note)) => vec![marked(&format!("{}: ", it.name), Mark::Strong), text(note)],
        (_, None) => vec![text(&it.name)],
    }
}

/// Text of several lines, as much as fits.
fn body(text: &str, mut room: usize) -> Option<Node> {
    /// A text node with the break before it.
    const LAYOUT: usize = 50;
    let mut content = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !content.is_empty() {
            content.push(Node::HardBreak);
        }
        if room < 4 * LAYOUT {
            content.push(Node::Text { text: "…".to_owned(), marks: None });
            break;
        }
        let most = room - 2 * LAYOUT;
        // A text of nothing but quotes is twice as long in JSON.
        let cut = truncate(line, if json_units(line) > most { most / 2 } else { most }).into_owned();
        room -= LAYOUT + json_units(&cut);
        if !cut.is_empty() {
            content.push(Node::Text { text: cut, marks: None });
        }
    }
    (!content.is_empty()).then_some(Node::Paragraph { content })
}

fn paragraph(line: Vec<Node>, room: &mut usize) -> Option<Node> {
    let content = full(line);
    let cost = cost(&content);
    let fits = !content.is_empty() && cost <= *room;
    *room -= if fits { cost } else { 0 };
    fits.then_some(Node::Paragraph { content })
}

/// As many lines as fit, and how many more there are.
fn list(lines: impl ExactSizeIterator<Item = Vec<Node>>, room: &mut usize) -> Option<Node> {
    let total = lines.len();
    let item = |content| Node::ListItem { content: vec![content] };
    let mut content = Vec::new();
    // Room for saying how many more there are.
    let mut left = room.saturating_sub(300);
    for (shown, line) in lines.enumerate() {
        if cost(&line) > left {
            content.extend(paragraph(vec![text(&format!("…and {} more", total - shown))], room).map(item));
            break;
        }
        content.extend(paragraph(line, &mut left).map(item));
    }
    *room = (*room).min(left + 300);
    (!content.is_empty()).then_some(Node::BulletList { content })
}

/// Without the texts that are empty.
fn full(line: Vec<Node>) -> Vec<Node> {
    line.into_iter().filter(|node| !matches!(node, Node::Text { text, .. } if text.is_empty())).collect()
}

/// At least the characters of the line in JSON, with the layout around it.
fn cost(line: &[Node]) -> usize {
    let node = |node: &Node| match node {
        Node::Text { text, marks: Some([Mark::Link { attrs }]) } => 120 + json_units(text) + json_units(&attrs.href),
        Node::Text { text, .. } => 70 + json_units(text),
        _ => 30,
    };
    120 + line.iter().map(node).sum::<usize>()
}

fn json_units(text: &str) -> usize {
    text.chars().map(|letter| if "\"\\\t".contains(letter) { 2 } else { letter.len_utf16() }).sum()
}

fn text(text: &str) -> Node {
    Node::Text { text: line(text), marks: None }
}

fn marked(text: &str, mark: Mark) -> Node {
    Node::Text { text: line(text), marks: Some([mark]) }
}

fn linked(url: Option<&str>, label: &str) -> Node {
    match url.and_then(web_link).filter(|url| url.len() <= MAX_URL) {
        Some(url) => marked(label, Mark::Link { attrs: Address { href: url.to_owned() } }),
        None => text(label),
    }
}

/// One line, with the space at its end that parts it from the next text.
fn line(text: &str) -> String {
    let line = truncate(&one_line(text), MAX_LINE).into_owned();
    if text.ends_with(' ') && !line.is_empty() { line + " " } else { line }
}

//! Pieces of Slack's mrkdwn. Every piece is escaped and bounded, so that a few of them fit into a section.

use hookwright_sdk::text::escape::mrkdwn;
use hookwright_sdk::text::{escape_within, one_line, web_link};

use crate::blocks::MAX_SECTION;

const MAX_LINE: usize = 250;
const MAX_PARAGRAPH: usize = 1500;
const MAX_URL: usize = 1000;
const MAX_BULLETS: usize = 10;

pub(crate) fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE, mrkdwn)
}

pub(crate) fn bold(text: &str) -> String {
    format!("*{}*", line(text))
}

pub(crate) fn paragraph(text: &str) -> String {
    escape_within(text.trim(), MAX_PARAGRAPH, mrkdwn)
}

/// A link, if the address is one that a person may be sent to. A cut address would lead nowhere, so one
/// that is too long is left out.
pub(crate) fn link(url: Option<&str>, label: &str) -> Option<String> {
    let url = escape_within(url.and_then(web_link)?, usize::MAX, mrkdwn);
    (url.len() <= MAX_URL).then(|| format!("<{url}|{}>", line(label)))
}

/// The first lines of a list, and how many more there are; none for an empty list.
pub(crate) fn bullets(lines: impl ExactSizeIterator<Item = String>) -> Option<String> {
    let more = lines.len().saturating_sub(MAX_BULLETS);
    let mut shown: Vec<String> = lines.take(MAX_BULLETS).map(|line| format!("• {line}")).collect();
    if more > 0 {
        shown.push(format!("_and {more} more_"));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// Text as it stands, in a fixed width.
pub(crate) fn code(text: &str) -> Option<String> {
    const FENCE: &str = "```";
    // A fence in the text would end the block.
    let text = text.replace(FENCE, "'''");
    let inner = escape_within(text.trim(), MAX_SECTION - 2 * FENCE.len() - 2, mrkdwn);
    (!inner.is_empty()).then(|| format!("{FENCE}\n{inner}\n{FENCE}"))
}

/// The parts that there are, with a dot between them.
pub(crate) fn dotted<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// A line of which two or three stand side by side.
pub(crate) fn short(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE / 3, mrkdwn)
}

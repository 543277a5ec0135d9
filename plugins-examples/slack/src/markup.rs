//! Pieces of Slack's mrkdwn. Every piece is escaped and bounded, so that a few of them fit into a section.

use hookwright_sdk::text::escape::mrkdwn;
use hookwright_sdk::text::{escape_within, join, one_line, separated, web_link};

use crate::blocks::MAX_SECTION;

const MAX_LINE: usize = 250;
const MAX_PARAGRAPH: usize = 1500;
const MAX_URL: usize = 1000;
const MAX_BULLETS: usize = 10;
const FENCE: &str = "```";

// Once, and not where it is used: that would be a kilobyte each.
#[inline(never)]
pub(crate) fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE, mrkdwn)
}

pub(crate) fn bold(text: &str) -> String {
    join(&["*", &line(text), "*"])
}

pub(crate) fn paragraph(text: &str) -> String {
    escape_within(text.trim(), MAX_PARAGRAPH, mrkdwn)
}

/// A link, if the address is one that a person may be sent to. A cut address would lead nowhere, so one
/// that is too long is left out.
pub(crate) fn link(url: Option<&str>, label: &str) -> Option<String> {
    let url = escape_within(url.and_then(web_link)?, usize::MAX, mrkdwn);
    (url.len() <= MAX_URL).then(|| join(&["<", &url, "|", &line(label), ">"]))
}

/// The first lines of a list, and how many more there are; none for an empty list.
pub(crate) fn bullets(lines: impl ExactSizeIterator<Item = String>) -> Option<String> {
    let more = lines.len().saturating_sub(MAX_BULLETS);
    let mut shown: Vec<String> = lines.take(MAX_BULLETS).map(|line| join(&["• ", &line])).collect();
    if more > 0 {
        shown.push(format!("_and {more} more_"));
    }
    (!shown.is_empty()).then(|| separated(&shown, "\n"))
}

/// Text as it stands, in a fixed width.
pub(crate) fn code(text: &str) -> Option<String> {
    let text = without_fences(text);
    let inner = escape_within(text.trim(), MAX_SECTION - 2 * FENCE.len() - 2, mrkdwn);
    (!inner.is_empty()).then(|| join(&[FENCE, "\n", &inner, "\n", FENCE]))
}

/// A fence in the text would end the block.
fn without_fences(text: &str) -> String {
    let (mut out, mut ticks) = (String::with_capacity(text.len()), 0);
    for letter in text.chars() {
        ticks = if letter == '`' { ticks + 1 } else { 0 };
        out.push(letter);
        if ticks == FENCE.len() {
            out.truncate(out.len() - FENCE.len());
            out.push_str("'''");
            ticks = 0;
        }
    }
    out
}

/// The parts that there are, with a dot between them.
pub(crate) fn dotted<const N: usize>(parts: [Option<String>; N]) -> String {
    separated(&parts.into_iter().flatten().collect::<Vec<_>>(), " · ")
}

/// A line of which two or three stand side by side.
pub(crate) fn short(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE / 3, mrkdwn)
}

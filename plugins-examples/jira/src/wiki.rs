//! Plain text for Server and Data Center, which read wiki markup in it.

use hookwright_sdk::brief::{Brief, Line};
use hookwright_sdk::text::{escape_within, lines_within, one_line, web_link};

/// Jira's default limit is 32,767.
const MAX_TEXT: usize = 20_000;
const MAX_LINES: usize = 6000;
const MAX_LINE: usize = 250;
const MAX_URL: usize = 1000;

/// None for nothing to say.
pub(crate) fn description(task: &Brief, fields: Option<&[String]>) -> Option<String> {
    let text = escape_within(task.text.as_deref().unwrap_or_default(), MAX_TEXT, wiki);
    let facts = task.picked(fields);
    let facts: Vec<String> = facts.iter().map(|fact| format!("{}: {}", fact.name, line(&fact.value))).collect();
    let from =
        task.from.as_ref().map(|from| format!("From {}{}", line(&from.text), address(from.url.as_deref(), ": ")));
    let open = address(task.url.as_deref(), "");
    let parts = [
        text,
        lines_within(task.lines.iter().map(bullet), MAX_LINES),
        facts.join("\n"),
        from.unwrap_or_default(),
        open,
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// What happened to the thing that the issue is about.
pub(crate) fn comment(news: &Brief) -> String {
    let by = news.fact("by").map(|by| format!("by {}", line(by))).unwrap_or_default();
    let parts = [line(&news.headline), lines_within(news.changes.iter().map(bullet), MAX_LINES), by];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn bullet(it: &Line) -> String {
    match (it.done, &it.note) {
        (Some(done), _) => format!("{} {}", if done { '☑' } else { '☐' }, line(&it.name)),
        (None, Some(note)) => format!("* {}: {}", line(&it.name), line(note)),
        (None, None) => format!("* {}", line(&it.name)),
    }
}

/// An address becomes a link by itself.
fn address(url: Option<&str>, before: &str) -> String {
    let url = url.and_then(web_link).filter(|url| url.len() <= MAX_URL);
    url.map(|url| format!("{before}{url}")).unwrap_or_default()
}

fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE, wiki)
}

/// What could mention people, load a picture, or make a macro or a link.
/// <https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=texteffects>
fn wiki(letter: char) -> Option<&'static str> {
    match letter {
        '\\' => Some("&#92;"),
        '{' => Some("\\{"),
        '}' => Some("\\}"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '!' => Some("\\!"),
        '|' => Some("\\|"),
        _ => None,
    }
}

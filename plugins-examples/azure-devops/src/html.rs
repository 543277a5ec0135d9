//! A description in HTML, everything in it escaped.

use hookwright_sdk::brief::{Brief, Line};
use hookwright_sdk::text::escape::html;
use hookwright_sdk::text::{escape_within, lines_within, one_line};

const MAX_TEXT: usize = 30_000;
const MAX_LINES: usize = 20_000;
const MAX_LINE: usize = 300;
const MAX_URL: usize = 2000;

pub(crate) fn description(task: &Brief, fields: Option<&[String]>) -> String {
    let text = escape_within(task.text.as_deref().unwrap_or_default().trim(), MAX_TEXT, html);
    let facts = task.picked(fields);
    let facts: Vec<String> = facts.iter().map(|fact| format!("<b>{}:</b> {}", fact.name, line(&fact.value))).collect();
    let from = task.from.as_ref().map(|from| match &from.url {
        Some(url) if url.len() <= MAX_URL => {
            format!("From <a href=\"{}\">{}</a>", escape_within(url, usize::MAX, html), line(&from.text))
        }
        _ => format!("From {}", line(&from.text)),
    });
    let parts =
        [text, lines_within(task.lines.iter().map(bullet), MAX_LINES), facts.join("\n"), from.unwrap_or_default()];
    let paragraph = |part: String| format!("<p>{}</p>", part.replace('\n', "<br>"));
    parts.into_iter().filter(|part| !part.is_empty()).map(paragraph).collect::<Vec<_>>().concat()
}

fn bullet(it: &Line) -> String {
    match (it.done, &it.note) {
        (Some(true), _) => format!("☑ {}", line(&it.name)),
        (Some(false), _) => format!("☐ {}", line(&it.name)),
        (None, Some(note)) => format!("• <b>{}</b>: {}", line(&it.name), line(note)),
        (None, None) => format!("• {}", line(&it.name)),
    }
}

fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_LINE, html)
}

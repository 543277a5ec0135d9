//! What an event looks like.

use hookwright_sdk::brief::{Brief, Kind, Line};
use hookwright_sdk::text::{join, separated};

use crate::Config;
use crate::blocks::Message;
use crate::markup::{bold, bullets, code, dotted, line, link, paragraph, short};

pub(crate) fn message(brief: &Brief, config: &Config) -> Message {
    let lines: Vec<&Line> = brief.message_lines().collect();
    Message::new(&brief.fill(&config.title), config.mention.as_deref())
        .fields(&brief.message_facts(config.fields.as_deref()))
        .section(brief.message_text().map(paragraph))
        .section(bullets(lines.into_iter().map(bullet)))
        .section(link(brief.url.as_deref(), brief.link_label))
        .list(&brief.items, if brief.kind == Kind::Digest { news } else { action })
        .section(brief.code.as_deref().and_then(code))
}

fn bullet(it: &Line) -> String {
    match (it.done, &it.note) {
        (Some(true), _) => join(&["~", &line(&it.name), "~"]),
        (_, Some(note)) => join(&["*", &short(&it.name), "*: ", &short(note)]),
        (_, None) => line(&it.name),
    }
}

/// An event of a digest.
fn news(it: &Brief) -> String {
    let details = dotted([it.fact("status").map(line), link(it.url.as_deref(), "Open")]);
    let parts = [bold(&it.headline), details].into_iter().filter(|part| !part.is_empty());
    separated(&parts.collect::<Vec<_>>(), "\n")
}

/// An action of a retro.
fn action(it: &Brief) -> String {
    let due = it.due.as_deref().map(|due| join(&["due ", &line(due)]));
    let details = dotted([it.owner.as_deref().map(line), due, link(it.url.as_deref(), "Open")]);
    let description = it.text.as_deref().map(line).unwrap_or_default();
    let parts = [bold(&it.name()), details, description].into_iter().filter(|part| !part.is_empty());
    separated(&parts.collect::<Vec<_>>(), "\n")
}

//! A message as Discord takes it: <https://docs.discord.com/developers/resources/webhook#execute-webhook>.
//! Discord refuses the whole message for one text that is too long or empty.

use hookwright_sdk::brief::{Brief, Kind, Line, Tone};
use hookwright_sdk::text::escape::markdown;
use hookwright_sdk::text::{escape_within, lines_within, one_line, truncate};
use serde::Serialize;

use crate::Config;

const MAX_TITLE: usize = 256;
const MAX_FIELDS: usize = 10;
const MAX_FIELD: usize = 250;
const MAX_URL: usize = 2000;
/// Title, description and fields together may have 6000; a description alone 4096.
const MAX_DESCRIPTION: usize = 3000;
const MAX_TEXT: usize = 1500;

#[derive(Serialize)]
pub(crate) struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    embeds: [Embed<'a>; 1],
    allowed_mentions: Mentions<'a>,
}

#[derive(Serialize)]
struct Embed<'a> {
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    color: u32,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: &'static str,
    value: String,
    inline: bool,
}

/// Nobody is called but whom the configuration names, whatever stands in the texts.
#[derive(Default, Serialize)]
struct Mentions<'a> {
    parse: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
}

pub(crate) fn message<'a>(brief: &'a Brief, time: &'a str, config: &'a Config) -> Message<'a> {
    let facts = brief.message_facts(config.fields.as_deref());
    let field = |fact: &&hookwright_sdk::brief::Fact| Field { name: fact.name, value: line(&fact.value), inline: true };
    let (content, allowed_mentions) = match config.mention.as_deref() {
        None => (None, Mentions::default()),
        Some(all @ ("here" | "everyone")) => {
            (Some(format!("@{all}")), Mentions { parse: vec!["everyone"], roles: Vec::new() })
        }
        Some(role) => (Some(format!("<@&{role}>")), Mentions { parse: Vec::new(), roles: vec![role] }),
    };
    Message {
        content,
        username: config.username.as_deref(),
        embeds: [Embed {
            title: truncate(&brief.fill(&config.title), MAX_TITLE).into_owned(),
            description: description(brief),
            url: brief.url.as_deref().filter(|url| url.len() <= MAX_URL),
            color: match brief.tone {
                Tone::Plain => 0x58_65f2,
                Tone::Good => 0x2e_cc71,
                Tone::Bad => 0xe7_4c3c,
            },
            timestamp: time,
            fields: facts.iter().take(MAX_FIELDS).map(field).collect(),
        }],
        allowed_mentions,
    }
}

/// Text, then lines, as much as fits.
fn description(brief: &Brief) -> String {
    let text = brief.message_text().map(|text| escape_within(text.trim(), MAX_TEXT, markdown)).unwrap_or_default();
    let lines: Vec<&Line> = brief.message_lines().collect();
    let lines = lines_within(lines.into_iter().map(bullet), MAX_DESCRIPTION - MAX_TEXT - 4);
    let items = lines_within(
        brief.items.iter().map(if brief.kind == Kind::Digest { news } else { item }),
        MAX_DESCRIPTION - 50,
    );
    let code = brief.code.as_deref().map(code).unwrap_or_default();
    let parts = [text, lines, items, code].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n")
}

fn bullet(it: &Line) -> String {
    match (it.done, &it.note) {
        (Some(true), _) => format!("- ~~{}~~", line(&it.name)),
        (_, Some(note)) => format!("- **{}**: {}", line(&it.name), line(note)),
        (_, None) => format!("- {}", line(&it.name)),
    }
}

/// An event of a digest.
fn news(it: &Brief) -> String {
    let open = it.url.as_deref().filter(|url| url.len() <= 300 && !url.contains(['(', ')']));
    let headline = format!("- {}", line(&it.headline));
    [Some(headline), open.map(|url| format!("[open]({url})"))].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// An action of a retro.
fn item(it: &Brief) -> String {
    let due = it.due.as_deref().map(|due| format!("due {}", line(due)));
    let open = it.url.as_deref().filter(|url| url.len() <= 300 && !url.contains(['(', ')']));
    let parts = [it.owner.as_deref().map(line), due, open.map(|url| format!("[open]({url})"))];
    let title = format!("- **{}**", line(&it.name()));
    [Some(title)].into_iter().chain(parts).flatten().collect::<Vec<_>>().join(" · ")
}

fn code(text: &str) -> String {
    // A fence in the text would end the block.
    let text = text.replace("```", "'''");
    format!("```json\n{}\n```", truncate(text.trim(), MAX_DESCRIPTION - 20))
}

fn line(text: &str) -> String {
    escape_within(&one_line(text), MAX_FIELD, markdown)
}

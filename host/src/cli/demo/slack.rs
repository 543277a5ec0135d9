//! Slack's incoming webhook, as strict about a message as the real one.

use axum::http::HeaderMap;
use serde_json::Value;

use super::receiver::{Answer, Received, is_json};

pub(super) const PATH: &str = "/services/T000/B000/XXXX";

const BLOCKS: usize = 50;
const HEADER_TEXT: usize = 150;
const SECTION_TEXT: usize = 3_000;
const SECTION_FIELDS: usize = 10;
const FIELD_TEXT: usize = 2_000;
const CONTEXT_ELEMENTS: usize = 10;
const ACTION_ELEMENTS: usize = 25;

pub(super) fn answer(headers: &HeaderMap, body: &[u8]) -> Answer {
    match check(headers, body) {
        Ok(()) => Answer::text(200, "ok"),
        Err(word) => Answer::text(400, word),
    }
}

fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let message: Value = serde_json::from_slice(body).map_err(|_| "invalid_payload")?;
    if !is_json(headers) || !message.is_object() {
        return Err("invalid_payload");
    }
    let has_text = message["text"].as_str().is_some_and(|text| !text.is_empty());
    match &message["blocks"] {
        Value::Null if has_text => Ok(()),
        Value::Null => Err("no_text"),
        Value::Array(blocks) if (1..=BLOCKS).contains(&blocks.len()) && blocks.iter().all(is_block) => Ok(()),
        _ => Err("invalid_blocks"),
    }
}

fn is_block(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("header") => block["text"]["type"] == "plain_text" && is_text(&block["text"], HEADER_TEXT),
        Some("section") => {
            let fields = &block["fields"];
            let text_fits = is_text(&block["text"], SECTION_TEXT) || (block["text"].is_null() && fields.is_array());
            let fields_fit = fields.is_null()
                || elements(fields, SECTION_FIELDS).is_some_and(|mut all| all.all(|field| is_text(field, FIELD_TEXT)));
            text_fits && fields_fit
        }
        Some("context") => elements(&block["elements"], CONTEXT_ELEMENTS)
            .is_some_and(|mut all| all.all(|element| element["type"] == "image" || is_text(element, SECTION_TEXT))),
        Some("actions") => {
            elements(&block["elements"], ACTION_ELEMENTS).is_some_and(|mut all| all.all(|one| one["type"].is_string()))
        }
        Some("divider" | "image" | "markdown" | "rich_text") => true,
        _ => false,
    }
}

fn is_text(text: &Value, longest: usize) -> bool {
    let known = matches!(text["type"].as_str(), Some("plain_text" | "mrkdwn"));
    known && text["text"].as_str().is_some_and(|text| (1..=longest).contains(&text.chars().count()))
}

fn elements(value: &Value, most: usize) -> Option<impl Iterator<Item = &Value>> {
    value.as_array().filter(|all| (1..=most).contains(&all.len())).map(|all| all.iter())
}

/// What people see in the channel: titles, and the text of the sections without its markup.
pub(super) fn shows(received: &Received) -> Vec<String> {
    let message = received.json();
    let blocks = message["blocks"].as_array().into_iter().flatten();
    let texts = blocks.flat_map(|block| {
        let fields = block["fields"].as_array().into_iter().flatten();
        // Name and value stand in two lines.
        let fields = fields.map(|field| read(&field["text"]).replacen('\n', ": ", 1));
        [read(&block["text"]["text"])].into_iter().chain(fields)
    });
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).filter(|line| !line.is_empty()).collect()
}

/// Links as their labels, letters as themselves.
fn read(text: &Value) -> String {
    let mut out = String::new();
    for part in text.as_str().unwrap_or_default().split('<') {
        match part.split_once('>') {
            Some((link, rest)) => {
                out.push_str(link.split_once('|').map_or(link, |(_, label)| label));
                out.push_str(rest);
            }
            None => out.push_str(part),
        }
    }
    out.replace('*', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::{Value, json};

    use super::{check, read};

    fn checked(message: &Value) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        check(&headers, message.to_string().as_bytes())
    }

    #[test]
    fn is_read_as_people_do() {
        let text = "*Split: &lt;fast&gt; &amp; &lt;slow&gt;*\nMei · <https://retro.example/3|Open>";
        assert_eq!(read(&json!(text)), "Split: <fast> & <slow>\nMei · Open");
    }

    #[test]
    fn takes_text_or_blocks() {
        assert_eq!(checked(&json!({"text": "hello"})), Ok(()));
        let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}});
        assert_eq!(checked(&json!({"blocks": [section, {"type": "divider"}]})), Ok(()));
    }

    #[test]
    fn refuses_what_the_real_one_refuses() {
        assert_eq!(checked(&json!({})), Err("no_text"));
        assert_eq!(checked(&json!(["text"])), Err("invalid_payload"));
        assert_eq!(check(&HeaderMap::new(), br#"{"text":"hello"}"#), Err("invalid_payload"));
        let long = json!({"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}});
        assert_eq!(checked(&json!({"text": "t", "blocks": [long]})), Err("invalid_blocks"));
        let many = vec![json!({"type": "divider"}); 51];
        assert_eq!(checked(&json!({"text": "t", "blocks": many})), Err("invalid_blocks"));
        assert_eq!(checked(&json!({"text": "t", "blocks": [{"type": "section"}]})), Err("invalid_blocks"));
    }
}

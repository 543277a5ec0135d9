//! Trello's calls that make a card and change it: checks who calls, and what a card needs.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::page::day;
use super::receiver::{Answer, Received, is_json};

/// What is registered as the webhook's URL; the plugin adds the rest.
pub(super) const BASE: &str = "/1";
pub(super) const CARDS: &str = "/1/cards";

pub(super) const LIST_ID: &str = "5f0c0ffee0ddba11cafe0001";
pub(super) const REVIEW_LIST_ID: &str = "5f0c0ffee0ddba11cafe0002";
const LISTS: [(&str, &str); 2] = [(LIST_ID, "To do"), (REVIEW_LIST_ID, "In review")];
pub(super) const KEY: &str = "the-demo-key";
pub(super) const TOKEN: &str = "the-demo-token";

/// What the ids of cards begin with; their numbers stand behind it.
const CARD_ID: &str = "65000000000000000000";

/// `number` numbers the cards.
pub(super) fn create(number: impl FnOnce() -> u64, headers: &HeaderMap, body: &[u8]) -> Answer {
    if let Some(refusal) = stranger(headers) {
        return refusal;
    }
    let card = read(headers, body);
    if list(&card["idList"]).is_none() {
        return Answer::text(400, "invalid value for idList");
    }
    let Some(name) = card["name"].as_str().filter(|name| !name.is_empty()) else {
        return Answer::text(400, "invalid value for name");
    };
    let number = number();
    Answer::json(
        200,
        &json!({
            "shortUrl": format!("https://trello.com/c/demo{number:04}"),
            "id": format!("{CARD_ID}{number:04x}"),
            "name": name,
            "idList": card["idList"],
        }),
    )
}

/// `path` begins with [`CARDS`].
pub(super) fn edit(path: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    if let Some(refusal) = stranger(headers) {
        return refusal;
    }
    let id = path.strip_prefix(CARDS).and_then(|rest| rest.strip_prefix('/')).filter(|id| id.starts_with(CARD_ID));
    let Some(id) = id else {
        return Answer::text(404, "The requested resource was not found.");
    };
    let card = read(headers, body);
    if !card["idList"].is_null() && list(&card["idList"]).is_none() {
        return Answer::text(400, "invalid value for idList");
    }
    Answer::json(200, &json!({"id": id, "name": card["name"], "idList": card["idList"]}))
}

fn stranger(headers: &HeaderMap) -> Option<Answer> {
    let (key, token) = credentials(headers);
    if key.as_deref() != Some(KEY) {
        return Some(Answer::text(401, "invalid key"));
    }
    (token.as_deref() != Some(TOKEN)).then(|| Answer::text(401, "invalid token"))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Value {
    if is_json(headers) { serde_json::from_slice(body).unwrap_or_default() } else { form(body) }
}

/// The name of a list of the board.
fn list(id: &Value) -> Option<&'static str> {
    LISTS.iter().find(|(known, _)| id == known).map(|(_, name)| *name)
}

/// What people see on the board.
pub(super) fn shows(received: &Received) -> Vec<String> {
    let card = received.json();
    let mut lines = vec![format!("▢ {}", card["name"].as_str().unwrap_or_default())];
    lines.extend(card["due"].as_str().and_then(day).map(|day| format!("  due {day}")));
    let moved = list(&card["idList"]).filter(|_| received.path != CARDS);
    lines.extend(moved.map(|list| format!("  → {list}")));
    lines
}

/// Key and token of `Authorization: OAuth oauth_consumer_key="…", oauth_token="…"`.
fn credentials(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parameters = header.strip_prefix("OAuth ").unwrap_or_default();
    let value = |name: &str| {
        parameters.split(',').find_map(|parameter| {
            let (found, value) = parameter.trim().split_once('=')?;
            (found == name).then(|| value.trim_matches('"').to_owned())
        })
    };
    (value("oauth_consumer_key"), value("oauth_token"))
}

fn form(body: &[u8]) -> Value {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Value::from(value))).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::{CARDS, KEY, LIST_ID, REVIEW_LIST_ID, TOKEN, create, edit};

    fn headers(key: &str, token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let oauth = format!(r#"OAuth oauth_consumer_key="{key}", oauth_token="{token}""#);
        headers.insert("authorization", oauth.parse().unwrap());
        headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
        headers
    }

    #[test]
    fn makes_a_card_for_who_may() {
        let body = json!({"idList": LIST_ID, "name": "Write it down"}).to_string();
        let made = create(|| 7, &headers(KEY, TOKEN), body.as_bytes());
        assert_eq!(made.status, 200);
        assert!(made.body.contains("https://trello.com/c/demo0007"));
        assert_eq!(create(|| 1, &headers("other", TOKEN), body.as_bytes()).body, "invalid key");
        assert_eq!(create(|| 1, &headers(KEY, "other"), body.as_bytes()).body, "invalid token");
        assert_eq!(create(|| 1, &HeaderMap::new(), body.as_bytes()).status, 401);
    }

    #[test]
    fn refuses_a_card_without_list_or_name() {
        let refused = |body: serde_json::Value| create(|| 1, &headers(KEY, TOKEN), body.to_string().as_bytes()).body;
        assert_eq!(refused(json!({"name": "x"})), "invalid value for idList");
        assert_eq!(refused(json!({"idList": "xyz", "name": "x"})), "invalid value for idList");
        assert_eq!(refused(json!({"idList": LIST_ID, "name": ""})), "invalid value for name");
    }

    #[test]
    fn changes_a_card_that_is_there() {
        let edited = |id: &str, body: serde_json::Value| {
            edit(&format!("{CARDS}/{id}"), &headers(KEY, TOKEN), body.to_string().as_bytes()).status
        };
        let id = "650000000000000000000007";
        assert_eq!(edited(id, json!({"name": "x", "idList": REVIEW_LIST_ID})), 200);
        assert_eq!(edited(id, json!({"name": "x"})), 200);
        assert_eq!(edited(id, json!({"idList": "xyz"})), 400);
        assert_eq!(edited("1", json!({"name": "x"})), 404);
        assert_eq!(edit(&format!("{CARDS}/{id}"), &HeaderMap::new(), b"{}").status, 401);
    }

    #[test]
    fn reads_forms_too() {
        let mut headers = headers(KEY, TOKEN);
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        assert_eq!(create(|| 1, &headers, format!("idList={LIST_ID}&name=a+b").as_bytes()).status, 200);
    }
}

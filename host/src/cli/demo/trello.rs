//! Trello's call that makes a card: checks who calls, and what a card needs.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::receiver::{Answer, is_json};

/// What is registered as the webhook's URL; the plugin adds the rest.
pub(super) const BASE: &str = "/1";
pub(super) const CARDS: &str = "/1/cards";

pub(super) const LIST_ID: &str = "5f0c0ffee0ddba11cafe0001";
pub(super) const KEY: &str = "the-demo-key";
pub(super) const TOKEN: &str = "the-demo-token";

/// `number` counts the requests, so that every card has an id of its own.
pub(super) fn answer(number: u64, headers: &HeaderMap, body: &[u8]) -> Answer {
    let (key, token) = credentials(headers);
    if key.as_deref() != Some(KEY) {
        return Answer::text(401, "invalid key");
    }
    if token.as_deref() != Some(TOKEN) {
        return Answer::text(401, "invalid token");
    }
    let card: Value = if is_json(headers) { serde_json::from_slice(body).unwrap_or_default() } else { form(body) };
    let is_id = |id: &str| id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !card["idList"].as_str().is_some_and(is_id) {
        return Answer::text(400, "invalid value for idList");
    }
    let Some(name) = card["name"].as_str().filter(|name| !name.is_empty()) else {
        return Answer::text(400, "invalid value for name");
    };
    Answer::json(
        200,
        &json!({
            "shortUrl": format!("https://trello.com/c/demo{number:04}"),
            "id": format!("{:024x}", 0x6500_0000_0000_0000 + number),
            "name": name,
            "idList": card["idList"],
        }),
    )
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

    use super::{KEY, LIST_ID, TOKEN, answer};

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
        let made = answer(7, &headers(KEY, TOKEN), body.as_bytes());
        assert_eq!(made.status, 200);
        assert!(made.body.contains("https://trello.com/c/demo0007"));
        assert_eq!(answer(1, &headers("other", TOKEN), body.as_bytes()).body, "invalid key");
        assert_eq!(answer(1, &headers(KEY, "other"), body.as_bytes()).body, "invalid token");
        assert_eq!(answer(1, &HeaderMap::new(), body.as_bytes()).status, 401);
    }

    #[test]
    fn refuses_a_card_without_list_or_name() {
        let refused = |body: serde_json::Value| answer(1, &headers(KEY, TOKEN), body.to_string().as_bytes()).body;
        assert_eq!(refused(json!({"name": "x"})), "invalid value for idList");
        assert_eq!(refused(json!({"idList": "xyz", "name": "x"})), "invalid value for idList");
        assert_eq!(refused(json!({"idList": LIST_ID, "name": ""})), "invalid value for name");
    }

    #[test]
    fn reads_forms_too() {
        let mut headers = headers(KEY, TOKEN);
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        assert_eq!(answer(1, &headers, format!("idList={LIST_ID}&name=a+b").as_bytes()).status, 200);
    }
}

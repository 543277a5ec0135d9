use hookwright_sdk::{Plugin, Request, Verdict, testing};
use serde_json::Value;

/// Has a plugin read answers of every status with bodies of every kind, of which it must make a verdict
/// that the host takes.
///
/// # Panics
/// When it panics, or makes one that the host does not take.
pub fn understood<P: Plugin>(config: &Value, requests: &[Request]) {
    let bodies = [
        "",
        " ",
        "ok",
        "null",
        "[]",
        "{}",
        "5",
        "\"text\"",
        "<html><body>Sign in</body></html>",
        "{\"id\":",
        "{\"id\":null}",
        r#"{"id":"","key":"","url":"javascript:alert(1)","html_url":"x","shortUrl":"ftp://x","self":"x"}"#,
        r#"{"id":[1,{"a":"b"}],"url":{"href":5},"errors":"text","message":["a",{}],"errorMessages":{"a":1}}"#,
        r#"{"message":"","error":"","errors":{},"errorMessages":[],"retry_after":-5}"#,
        r#"{"retry_after":1e300,"errors":[null,{"message":null}],"code":"x"}"#,
    ];
    let long = format!("{{\"message\":{:?},\"id\":{:?}}}", "\u{1f600}x\n".repeat(20_000), "9".repeat(20_000));
    let headers = [
        ("retry-after", "soon"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "99999999999999999999"),
        ("date", "x"),
    ];
    for request in requests {
        for status in [200, 201, 202, 203, 204, 302, 400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503] {
            for body in bodies.into_iter().chain([long.as_str()]) {
                let mut exchange = testing::exchange(request.clone()).status(status).body(body);
                for (name, value) in headers {
                    exchange = exchange.header(name, value);
                }
                let verdict = testing::interpret::<P>(exchange.attempt(u32::MAX), config.clone());
                check(&verdict);
            }
        }
    }
    testing::set_facts::<String, String>([]);
}

fn check(verdict: &Verdict) {
    let is_web = |url: &str| (url.starts_with("https://") || url.starts_with("http://")) && url.len() <= 2048;
    assert!(verdict.link_url().is_none_or(is_web), "{verdict:?}");
    assert!(verdict.message_text().is_none_or(|text| (1..=1024).contains(&text.len())), "{verdict:?}");
    assert!(verdict.facts().count() <= 32);
    for (key, value) in verdict.facts() {
        assert!((1..=255).contains(&key.chars().count()) && !key.contains('\0'), "{verdict:?}");
        assert!(value.is_none_or(|value| (1..=4096).contains(&value.len()) && !value.contains('\0')), "{verdict:?}");
    }
}

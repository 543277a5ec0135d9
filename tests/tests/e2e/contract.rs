//! What tests hold answers against: the description that the server gives of itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hookwright_tests::{
    api::contract::{Answered, Contract},
    server::Installation,
};
use reqwest::{
    Client, Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::json;

#[test]
fn an_answer_that_is_not_as_described_is_noticed() {
    let answer = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Whole" } } });
    let contract = Contract::new(json!({
        "openapi": "3.1.0",
        "paths": { "/things/{id}": { "get": { "responses": { "200": { "content": answer }, "204": {} } } } },
        "components": { "schemas": {
            "Part": { "type": "object", "required": ["a"], "properties": { "a": { "type": "integer" } } },
            "Whole": { "allOf": [{ "$ref": "#/components/schemas/Part" }, { "properties": { "b": {} } }] },
        } },
    }));
    let is_noticed = |path: &str, status, media_type: &'static str, body: &str| {
        let mut headers = HeaderMap::from_iter([("x-request-id".parse().unwrap(), HeaderValue::from_static("x"))]);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let answered = Answered { method: &Method::GET, path, status, headers: &headers, body: body.as_bytes() };
        catch_unwind(AssertUnwindSafe(|| contract.check(&answered))).is_err()
    };
    let json = "application/json";
    assert!(!is_noticed("/things/1", 200, json, r#"{"a":1,"b":null}"#));
    assert!(!is_noticed("/things/1", 204, json, ""));
    assert!(is_noticed("/things/1", 200, json, r#"{"a":"1"}"#), "another type");
    assert!(is_noticed("/things/1", 200, json, r#"{"b":1}"#), "a field that is missing");
    assert!(is_noticed("/things/1", 200, json, r#"{"a":1,"c":3}"#), "a field that is not described");
    assert!(is_noticed("/things/1", 200, "text/plain", r#"{"a":1}"#), "another media type");
    assert!(is_noticed("/things/1", 201, json, r#"{"a":1}"#), "another status");
    assert!(is_noticed("/things/1", 204, json, r#"{"a":1}"#), "a body where there is none");
    assert!(is_noticed("/things/1/more", 200, json, r#"{"a":1}"#), "another path");
}

/// The reference is one page that needs nothing from elsewhere.
#[tokio::test]
async fn the_reference_works_without_the_internet() {
    let server = Installation::new().start().await;
    let client = Client::builder().no_proxy().build().expect("a client");
    let get = async |path: &str| client.get(format!("{}/api/v1{path}", server.url())).send().await.expect("an answer");
    let page = get("/docs").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let page = page.text().await.expect("a page");
    let operations = server.api().get("/openapi.json").await.expect("the description").body;
    for (path, _) in operations["paths"].as_object().expect("paths") {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
    }
    assert_eq!(get("/docs/style.css").await.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
}

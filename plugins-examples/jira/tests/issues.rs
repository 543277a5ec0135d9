//! What the cases in `cases/` do not show: limits, the document format, and what answers mean.

use std::sync::LazyLock;

use checks::{Table, body, published};
use hookwright_sdk::testing::{self, ExchangeBuilder};
use hookwright_sdk::{Request, Verdict, memory};
use jira::Jira;
use serde_json::{Value, json};

const TEXT: &str = "Export fails for empty projects";

fn cloud() -> Value {
    json!({"email": "robot@example.com", "project_key": "QA"})
}

#[test]
fn cases() {
    testing::golden::<Jira>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<Jira>(include_str!("../plugin.toml"), &cloud());
}

#[test]
fn whatever_happens_is_an_issue_that_jira_takes() {
    let full = json!({"email": "robot@example.com", "project_key": "QA", "issue_types": {"ticket": "Bug"}, "labels": ["retro"],
        "title": "[{retro}] {title}", "label_map": {TEXT: "export"}, "assignees": {TEXT: "5b10ac8d82e05b22cc7d4ef5"},
        "priorities": {TEXT: "High"}, "extra": {"customfield_10011": "Retro", "summary": "not this"}, "updates": "create"});
    let server = json!({"api": "server", "project_key": "QA", "assignees": {TEXT: "ada"}, "due_date": false});
    let comment =
        json!({"email": "robot@example.com", "project_key": "QA", "updates": "comment", "transitions": {TEXT: "31"}});
    for config in [cloud(), full, server, comment] {
        // Of most of the events this is what they are about.
        testing::set_facts([(format!("ticket:{TEXT}"), "QA-1"), (format!("story:{TEXT}"), "QA-2")]);
        checks::holds::<Jira>(&config, takes);
        let requests = [
            Request::post().correlation("ticket:1"),
            Request::put().segments(["a", "b", "c", "d", "QA-1"]).correlation("x"),
        ];
        checks::understood::<Jira>(&config, &requests);
    }
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("jira", request);
    let mut body = body(request);
    for place in ["/fields/description", "/body"] {
        if let Some(document) = body.pointer_mut(place).filter(|it| it.is_object()) {
            check_document(document);
            *document = json!("a document");
        }
    }
    TABLE.check(&body);
}

/// What the published schema does not say: how long a document may be, what stands in its texts, and where its links lead.
fn check_document(document: &Value) {
    assert_eq!((&document["type"], &document["version"]), (&json!("doc"), &json!(1)));
    let size = document.to_string().encode_utf16().count();
    assert!(size <= 32_767, "{size}");
    check_nodes(document, &["paragraph", "bulletList"]);
}

fn check_nodes(node: &Value, allowed: &[&str]) {
    let content = node["content"].as_array().unwrap_or_else(|| panic!("no content: {node}"));
    assert!(!content.is_empty(), "{node}");
    for child in content {
        let kind = child["type"].as_str().expect("a type");
        assert!(allowed.contains(&kind), "{kind} in {node}");
        match kind {
            "paragraph" => check_nodes(child, &["text", "hardBreak"]),
            "bulletList" => check_nodes(child, &["listItem"]),
            "listItem" => {
                assert_eq!(child["content"][0]["type"], "paragraph");
                check_nodes(child, &["paragraph"]);
            }
            "text" => check_text(child),
            _ => assert_eq!(child, &json!({"type": "hardBreak"})),
        }
    }
}

fn check_text(node: &Value) {
    assert!(node["text"].as_str().is_some_and(|text| !text.is_empty() && !text.contains(['\n', '\r'])), "{node}");
    for mark in node["marks"].as_array().into_iter().flatten() {
        let href = mark["attrs"]["href"].as_str();
        match mark["type"].as_str() {
            Some("link") => assert!(href.is_some_and(|href| href.starts_with("https://")), "{node}"),
            Some("strong" | "strike") => assert_eq!(href, None),
            _ => panic!("an unknown mark: {node}"),
        }
    }
}

#[test]
fn a_long_description_keeps_what_stands_below_it() {
    let long = "A line of \"text\".\n".repeat(5000);
    let ticket = json!({"ticket": {"id": 1, "title": "t", "description": long, "status": "open", "url": "https://example.com/1"}});
    let event = testing::event("ticket.created").payload(ticket).build();
    let document = testing::run::<Jira>(&event, cloud()).body()["fields"]["description"].clone();
    check_document(&document);
    let text = document.to_string();
    assert!(
        text.len() > 20_000 && text.contains("Status: ") && text.contains("https://example.com/1"),
        "{}",
        text.len()
    );
}

#[test]
fn cloud_needs_the_address_of_the_token() {
    let run = testing::run::<Jira>(&testing::event("x").build(), json!({"project_key": "QA"}));
    assert!(run.failure().message().contains("`email` is missing"));
    assert_eq!(run.failure().code(), "config.invalid");
}

fn answer(exchange: ExchangeBuilder) -> Verdict {
    testing::interpret::<Jira>(exchange, cloud())
}

fn created(status: u16) -> ExchangeBuilder {
    testing::exchange(Request::post().segments(["rest", "api", "3", "issue"]).correlation("ticket:42")).status(status)
}

fn changed(status: u16) -> ExchangeBuilder {
    let path = ["rest", "api", "3", "issue", "QA-7", "transitions"];
    testing::exchange(Request::post().segments(path).correlation("ticket:42")).status(status)
}

#[test]
fn what_was_made_is_remembered_until_it_is_gone() {
    let made = r#"{"id":"10001","key":"QA-7","self":"https://octo.atlassian.net/rest/api/3/issue/10001"}"#;
    let link = "https://octo.atlassian.net/browse/QA-7";
    assert_eq!(answer(created(201).body(made)), Verdict::delivered().link(link).remember("ticket:42", "QA-7"));
    assert_eq!(memory::recall("ticket:42").as_deref(), Some("QA-7"));
    assert_eq!(answer(changed(204)), Verdict::delivered());
    let gone = answer(changed(404));
    assert_eq!(gone.facts().collect::<Vec<_>>(), [("ticket:42", None)]);
    assert_eq!(memory::recall("ticket:42"), None);
    assert_eq!(answer(created(404)).facts().count(), 0);
    // A key that would lead elsewhere is none.
    assert_eq!(answer(created(201).body(r#"{"key":"../x","self":"https://a.example/rest/1"}"#)), Verdict::delivered());
}

#[test]
fn answers_are_understood() {
    let errors =
        r#"{"errorMessages":["Bad."],"errors":{"duedate":"Field 'duedate' cannot be set.","summary":"Too long."}}"#;
    let refused = "Jira refused it: Bad.; duedate: Field 'duedate' cannot be set.; summary: Too long.";
    assert_eq!(answer(created(400).body(errors)), Verdict::rejected().message(refused));
    assert_eq!(answer(created(400).body("<html>")), Verdict::rejected().message("Jira refused it: <html>"));
    assert!(answer(created(403)).message_text().is_some_and(|why| why.contains("may not")));
    let dead = Verdict::disable().message("Jira does not accept the token: Client must be authenticated");
    assert_eq!(answer(created(401).body("Client must be authenticated")), dead);
    let wait = Verdict::retry().message("Jira asks to wait: jira-burst-based");
    assert_eq!(answer(created(429).header("ratelimit-reason", "jira-burst-based").header("retry-after", "7")), wait);
    assert_eq!(answer(created(502)), Verdict::by_status());
}

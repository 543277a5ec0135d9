//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;

use azure_devops::AzureDevops;
use checks::{Table, body};
use hookwright_sdk::{Request, Verdict, testing};
use serde_json::{Map, Value, json};

fn config() -> Value {
    let text = "Export fails for empty projects";
    json!({"type": "User Story", "types": {"ticket": "Bug"}, "title": "[{retro}] {title}", "tags": ["retro"], "updates": "create",
        "tag_map": {text: "export"}, "assignees": {text: "ada@example.com"}, "priorities": {text: 2},
        "area_path": "Fabrikam\\Web", "due_field": "Microsoft.VSTS.Scheduling.DueDate"})
}

#[test]
fn cases() {
    testing::golden::<AzureDevops>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::schema_agrees::<AzureDevops>(include_str!("configuration.json"), &json!({}));
}

#[test]
fn whatever_happens_is_a_work_item_that_azure_takes() {
    for config in [config(), json!({}), json!({"fields": ["status"]})] {
        checks::holds::<AzureDevops>(&config, takes);
    }
    checks::understood::<AzureDevops>(&json!({}), &[Request::post()]);
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    assert!(request.headers().any(|header| header == ("Content-Type", "application/json-patch+json")));
    let mut item = Map::new();
    for operation in body(request).as_array().expect("operations") {
        assert_eq!(operation["op"], "add");
        // The table parts its paths by dots.
        let path = operation["path"].as_str().expect("a path").replace('.', "_");
        assert!(item.insert(path, operation["value"].clone()).is_none(), "twice: {operation}");
    }
    assert!(item.contains_key("/fields/System_Title"));
    check_html(item.get("/fields/System_Description").and_then(Value::as_str).unwrap_or_default());
    TABLE.check(&Value::Object(item));
}

/// Only our own tags, each closed.
fn check_html(html: &str) {
    let mut open = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a whole tag");
        match tag.split(' ').next().expect("a name") {
            "br" => {}
            name @ ("p" | "b" | "a") => open.push(name),
            name => assert_eq!(Some(name), open.pop().map(|tag| format!("/{tag}")).as_deref(), "{html}"),
        }
    }
    assert!(open.is_empty(), "{html}");
}

#[test]
fn only_good_dates_are_sent() {
    let due = |due: &str| {
        let action = json!({"id": 1, "title": "t", "due_on": due});
        let event =
            testing::event("retro.completed").payload(json!({"retro": {"id": 1, "name": "r"}, "actions": [action]}));
        let body = testing::run::<AzureDevops>(&event.build(), config()).body();
        let field = body
            .as_array()
            .expect("operations")
            .iter()
            .find(|it| it["path"].as_str().is_some_and(|path| path.ends_with("DueDate")));
        field.map(|field| field["value"].as_str().expect("text").to_owned())
    };
    assert_eq!(due("2026-02-06").as_deref(), Some("2026-02-06T00:00:00Z"));
    assert_eq!(due("2026-02-06T09:00:00+01:00").as_deref(), Some("2026-02-06T00:00:00Z"));
    assert_eq!((due("next week"), due("06.02.2026"), due("2026-02-066"), due("ääääää")), (None, None, None, None));
}

fn answer(status: u16, body: &str) -> Verdict {
    testing::interpret::<AzureDevops>(testing::exchange(Request::post()).status(status).body(body), json!({}))
}

#[test]
fn answers_are_understood() {
    let url = "https://dev.azure.com/fabrikam/web/_workitems/edit/297";
    let made = json!({"id": 297, "rev": 1, "_links": {"html": {"href": url}}}).to_string();
    assert_eq!(answer(200, &made), Verdict::delivered().link(url));
    assert_eq!(answer(200, "{}"), Verdict::delivered());
    let strange = "Azure DevOps asks to sign in: the personal access token is wrong, expired or revoked.";
    for (status, body) in [(200, "\n<!DOCTYPE html>"), (203, "<html>"), (302, ""), (401, "")] {
        assert_eq!(answer(status, body), Verdict::disable().message(strange), "{status}");
    }
    let rule = r#"{"$id":"1","message":"TF401320: Rule Error for field Area.","typeKey":"RuleValidationException"}"#;
    let refused = "Azure DevOps refused the work item: TF401320: Rule Error for field Area.";
    assert_eq!(answer(400, rule), Verdict::rejected().message(refused));
    assert!(answer(404, "").message_text().is_some_and(|why| why.contains("no such organization")));
    assert_eq!(answer(503, ""), Verdict::by_status());
}

//! What strangers write is shown as text, wherever it stands.

use hookwright_tests::{receiver::Reply, stage::Stage, visitor::Visitor};
use serde_json::json;

const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

#[tokio::test]
async fn planted_scripts_are_text() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    let answer = Reply::status(500).header("x-evil", "<script>alert(2)</script>").body(SCRIPT);
    stage.receiver.on("/hook", [answer]);
    let hook = json!({
        "name": SCRIPT, "description": SCRIPT, "url": stage.receiver.url("/hook"), "events": ["evil.*"], "retry": [0],
        "filter": "type != \"</textarea><script>alert(3)</script>\"",
    });
    let id = stage.api.register(&hook).await.id;
    let event = json!({ "type": "evil.one", "payload": { SCRIPT: SCRIPT }, "subject": SCRIPT });
    let event = stage.api.post("/events", &event).await.expect("accepted").body;
    let delivery = event["deliveries"][0]["id"].as_str().expect("a delivery").to_owned();
    stage.api.settled(&delivery).await;
    stage.api.post("/projects", &json!({ "name": SCRIPT })).await.expect("a project");
    let pages = [
        "/".to_owned(),
        "/webhooks".to_owned(),
        format!("/webhooks/{id}"),
        format!("/webhooks/{id}/edit"),
        "/deliveries".to_owned(),
        format!("/deliveries/{delivery}"),
        format!("/deliveries/{delivery}?as=raw"),
        "/events".to_owned(),
        format!("/events/{}", event["id"].as_str().expect("an id")),
        format!("/deliveries?event_type={}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        "/webhooks/new?/name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ];
    for page in pages {
        let seen = ada.page(&page).await;
        let scripts = seen.html.matches("<script").count();
        assert_eq!(
            scripts,
            seen.html.matches("<script type=\"module\" src=\"/assets/").count(),
            "{page}: {}",
            seen.html
        );
        assert!(!seen.has("<img"), "{page}: {}", seen.html);
    }
    let tried = ada.submit("/webhooks", &format!("/webhooks/{id}/test"), &[]).await;
    assert!(!tried.has("<script>") && tried.has("&#60;script&#62;"), "{}", tried.html);
    let missing = ada.get("/%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(missing.status == 404 && !missing.has("<script>"));
}

//! Whoever may only trigger finds that, in both modes and with the result in place, and nothing else (E2, E3, E4, E7).

use hookwright_tests::{receiver::Reply, stage::Stage, visitor::Visitor};
use serde_json::json;

#[tokio::test]
async fn whoever_may_only_trigger_triggers_and_finds_no_other_action() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::ok(), Reply::status(500), Reply::ok()]);
    let hook = json!({ "name": "Portal", "url": stage.receiver.url("/hook"), "events": ["never.sent"] });
    let id = stage.api.register(&hook).await.id;
    let event = stage.api.publish("lead.submitted", json!({ "lead": "s3cr3t-payload" })).await;
    let tim = Visitor::allowed(stage.server.url(), &stage.api, "tim", &["can_trigger_integrations"]).await;
    let (webhook, detail) = (format!("/webhooks/{id}"), format!("/events/{}", event.id));
    let pages = ["/", "/webhooks", &webhook, "/events", &detail, "/deliveries"];
    for page in pages {
        let seen = tim.page(page).await;
        assert!(!seen.has("s3cr3t-payload"), "{page} shows a payload");
        for target in seen.targets() {
            let own = ["/sign-out", "/account"].contains(&target.as_str());
            let acts = [
                "/new",
                "/edit",
                "/enabled",
                "/retry",
                "/cancel",
                "/remake",
                "/replay",
                "/rotate",
                "/delete",
                "/recover",
                "/chosen",
                "/forget",
                "/reprocess",
                "/users",
                "/tokens",
                "/audit",
                "/plugins",
                "/settings",
                "/projects",
                "/roles",
                "/schedules",
            ];
            let other = acts.iter().any(|act| target.ends_with(act));
            assert!(own || !other, "{page} leads to {target}");
        }
        assert!(!seen.has("Give up") && !seen.has("Send again"), "{page}");
    }
    for page in ["/webhooks", webhook.as_str(), "/events", detail.as_str()] {
        assert!(
            tim.page(page).await.has(">Trigger") || tim.page(page).await.has("With this event"),
            "{page} has no button"
        );
    }
    // Default mode: no payload.
    let seen = tim.submit("/webhooks", &format!("{webhook}/trigger"), &[("mode", "default")]).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.text().contains("Delivered: the receiver answered 200"), "{}", seen.text());
    assert!(stage.receiver.all()[0].body.is_empty());
    // With an event; the error stands there, with a button to try again.
    let fields = [("webhook", id.as_str()), ("event_id", event.id.as_str())];
    let seen = tim.submit("/events", "/events/trigger", &fields).await;
    assert!(seen.text().contains("Failed: the receiver answered 500"), "{}", seen.text());
    assert!(seen.has("Try again") && seen.has(&format!("name=\"event_id\" value=\"{}\"", event.id)), "{}", seen.html);
    let again = tim.submit("/events", &format!("{webhook}/trigger"), &[("event_id", event.id.as_str())]).await;
    assert!(again.text().contains("Delivered: the receiver answered 200"), "{}", again.text());
    assert!(String::from_utf8_lossy(&stage.receiver.all()[2].body).contains("s3cr3t-payload"));
    // What is not theirs is refused by the API, whatever a page shows.
    for (path, fields) in [
        (format!("{webhook}/enabled"), vec![("enabled", "false")]),
        (format!("{webhook}/delete"), vec![("sure", "true")]),
        (format!("{webhook}/rotate"), vec![]),
        ("/events/new".to_owned(), vec![("/type", "a.b"), ("/payload", "{}")]),
        ("/deliveries/all".to_owned(), vec![("filters", "status=failed&since=2020-01-01T00:00")]),
    ] {
        let seen = tim.submit("/webhooks", &path, &fields).await;
        assert_eq!(seen.status, 403, "{path}: {}", seen.text());
        assert!(seen.has("can give you a role that allows it"), "{path}: {}", seen.text());
    }
    // A disabled webhook is not triggered, and it says so.
    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "enabled": false })).await.expect("disabled");
    let seen = tim.submit("/events", &format!("{webhook}/trigger"), &[("mode", "default")]).await;
    assert_eq!(seen.status, 409);
    assert!(seen.text().contains("the webhook is disabled") && seen.has("Try again"), "{}", seen.text());
}

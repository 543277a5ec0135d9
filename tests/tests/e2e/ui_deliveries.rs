//! The log by page: found, read, sent again, given up, exported; and events.

use std::time::Duration;

use hookwright_tests::{eventually::eventually, receiver::Reply, stage::Stage, visitor::Visitor};
use serde_json::json;

async fn failed(stage: &Stage) -> String {
    let delivery = stage.api.deliver_once(&stage.receiver.url("/broken"), json!({ "name": "Broken" })).await;
    assert_eq!(delivery.status, "failed");
    delivery.id
}

#[tokio::test]
async fn a_failed_delivery_is_found_understood_and_sent_again() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    assert!(ada.page("/deliveries").await.has("No delivery yet"));
    stage.receiver.on("/broken", [Reply::status(503).body("out of <order>"), Reply::ok()]);
    let id = failed(&stage).await;
    let overview = ada.page("/").await;
    assert!(overview.text().contains("1 delivery failed and not sent again by themselves"), "{}", overview.text());
    let list = ada.page("/deliveries?status=failed").await;
    assert!(list.has(&id) && list.has("Broken"));
    assert!(ada.page("/deliveries?status=succeeded").await.has("No delivery is like that"));
    let wrong = ada.get("/deliveries?status_code=many").await;
    assert!(wrong.status == 400 && wrong.has("is an HTTP status like 503"), "{}", wrong.text());
    let path = format!("/deliveries/{id}");
    let seen = ada.page(&path).await;
    assert!(
        seen.text().contains("Failed: the receiver answered 503. After 1 attempt it is not sent again by itself."),
        "{}",
        seen.text()
    );
    for part in [
        "out of &#60;order&#62;",
        "curl -X POST",
        "Event and request line by line",
        "webhook-signature",
        "&#34;n&#34;: 1",
    ] {
        assert!(seen.has(part), "{part} in {}", seen.html);
    }
    let seen = ada.submit(&path, &format!("{path}/retry"), &[]).await;
    assert!(ada.follow(&seen).await.has("It is sent again now"));
    assert_eq!(stage.api.settled(&id).await.status, "succeeded");
    let seen = ada.page(&path).await;
    assert!(seen.text().contains("Delivered: the receiver answered 200, at attempt 2."), "{}", seen.text());
    let (first, second) = (&stage.receiver.all()[0], &stage.receiver.all()[1]);
    assert_eq!(first.body, second.body, "the same bytes");
    // Transformed again: a new delivery in its place.
    let delivery = stage.api.delivery(&id).await;
    let fields = [
        ("status", "succeeded"),
        ("event", delivery.event_id.as_deref().expect("an event")),
        ("webhook", delivery.webhook_id.as_str()),
    ];
    let seen = ada.submit(&path, &format!("{path}/remake"), &fields).await;
    let new = ada.follow(&seen).await;
    assert!(new.has("This is the new delivery") && !new.has(&format!("action=\"{path}/retry\"")), "{}", new.text());
}

#[tokio::test]
async fn many_are_chosen_sent_again_and_given_up() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    stage.receiver.on("/broken", [Reply::status(500), Reply::status(500), Reply::status(500), Reply::ok()]);
    let ids = [failed(&stage).await, failed(&stage).await, failed(&stage).await];
    let list = "/deliveries?status=failed";
    let filters = ("filters", "status=failed");
    let seen = ada.submit(list, "/deliveries/chosen", &[filters, ("do", "retry")]).await;
    assert!(ada.follow(&seen).await.has("Nothing is ticked"));
    let seen = ada.submit(list, "/deliveries/chosen", &[filters, ("do", "retry"), ("delivery", &ids[0])]).await;
    assert!(ada.follow(&seen).await.has("1 delivery is sent again now."));
    assert_eq!(stage.api.settled(&ids[0]).await.status, "succeeded");
    let ticked = [filters, ("do", "cancel"), ("delivery", ids[0].as_str())];
    let seen = ada.submit("/deliveries", "/deliveries/chosen", &ticked).await;
    assert!(ada.follow(&seen).await.has("1 could not be"), "what has arrived is not given up");
    // All of them, after a look at how many that are.
    let sure = ada.submit(list, "/deliveries/chosen", &[filters, ("do", "retry"), ("all", "true")]).await;
    assert!(sure.text().contains("2 deliveries are sent again"), "{}", sure.text());
    let (_, rest) = sure.html.split_once("name=\"filters\" value=\"").expect("the filters");
    let kept = rest.split('"').next().expect("a value").replace("&#38;", "&");
    let seen = ada.submit(list, "/deliveries/all", &[("filters", &kept), ("do", "retry")]).await;
    let job = ada.follow(&seen).await;
    assert!(job.has("Send deliveries again"), "{}", job.text());
    for id in &ids[1..] {
        let arrived = async || (stage.api.delivery(id).await.status == "succeeded").then_some(());
        eventually(Duration::from_secs(30), "the job sends it again", arrived).await;
    }
    assert!(ada.page("/jobs").await.has("Send deliveries again"));
    let export = ada.get("/deliveries/export?status=succeeded").await;
    assert_eq!(export.html.lines().count(), 3);
    assert_eq!(export.headers["content-disposition"], "attachment; filename=\"deliveries.ndjson\"");
}

#[tokio::test]
async fn an_event_is_sent_by_hand_and_says_who_got_it_and_who_not() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    assert!(ada.page("/events").await.has("No event yet"));
    stage.receiver.on("/hook", [Reply::ok()]);
    let hook =
        |name: &str, events: &str| json!({ "name": name, "url": stage.receiver.url("/hook"), "events": [events] });
    stage.api.register(&hook("Wants it", "ticket.*")).await;
    stage.api.register(&hook("Wants others", "retro.completed")).await;
    let filled = ada.submit("/events/new", "/events/new", &[("/type", "ticket.created"), ("do", "example")]).await;
    assert!(filled.status == 200 && filled.has("&#34;ticket&#34;"), "{}", filled.html);
    let wrong = ada.submit("/events/new", "/events/new", &[("/type", "ticket.created"), ("/payload", "{")]).await;
    assert!(wrong.status == 422 && wrong.has("f-payload-error") && wrong.has("is not JSON"), "{}", wrong.text());
    let sent = ada
        .submit(
            "/events/new",
            "/events/new",
            &[("/type", "ticket.created"), ("/payload", "{\"a\": \"<i>\"}"), ("/subject", "ticket:1")],
        )
        .await;
    let seen = ada.follow(&sent).await;
    assert!(seen.has("is on its way to 1 webhook") && seen.has("Wants it") && seen.has("ticket:1"), "{}", seen.text());
    assert!(
        seen.text().contains("Wants others : no pattern matches")
            || seen.text().contains("Wants others: no pattern matches"),
        "{}",
        seen.text()
    );
    assert!(seen.has("&#60;i&#62;") && !seen.has("<i>"));
    stage.api.all_settled().await;
    let path = sent.location.expect("the event").clone();
    let seen = ada.submit(&path, &format!("{path}/replay"), &[]).await;
    assert!(ada.follow(&seen).await.has("It is sent anew: 1 delivery."));
    assert!(ada.page("/events?type=ticket.created").await.has("ticket.created"));
}

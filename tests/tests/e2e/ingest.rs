//! The forms in which events come, and what makes a repeated post the same event.

use hookwright_tests::{api::Failure, receiver::Reply, stage::Stage};
use serde_json::{Value, json};

async fn stage() -> Stage {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::ok()]);
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    stage
}

fn code(answer: Result<hookwright_tests::api::Answer, Failure>) -> (u16, String) {
    match answer {
        Err(Failure::Problem(problem)) => (problem.status, problem.code),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn an_array_is_stored_whole_or_not_at_all() {
    let stage = stage().await;
    let event = |n: usize| json!({ "type": "ticket.created", "payload": { "n": n } });
    let good: Vec<Value> = (0..3).map(event).collect();
    let answer = stage.api.post("/events", &json!(good)).await.expect("accepted");
    assert_eq!((answer.status, answer.body.as_array().map(Vec::len)), (202, Some(3)));
    stage.receiver.wait("/hook", 3).await;

    let mut bad = good.clone();
    bad.push(json!({ "type": "not a type", "payload": {} }));
    let refused = stage.api.post("/events", &json!(bad)).await;
    let Err(Failure::Problem(problem)) = refused else { panic!("{refused:?}") };
    assert_eq!((problem.status, problem.errors[0].pointer.as_str()), (422, "/3/type"));
    assert_eq!(stage.api.list("/events").await.len(), 3, "nothing of it was stored");

    let many: Vec<Value> = (0..1000).map(event).collect();
    assert_eq!(stage.api.post("/events", &json!(many)).await.expect("1,000 are allowed").status, 202);
    let more: Vec<Value> = (0..1001).map(event).collect();
    assert_eq!(code(stage.api.post("/events", &json!(more)).await).0, 422);
    assert_eq!(code(stage.api.post("/events", &json!([])).await).0, 422);
}

#[tokio::test]
async fn lines_are_answered_line_for_line() {
    let stage = stage().await;
    let lines: Vec<String> = (0..1203)
        .map(|n| match n {
            7 => "{ not json".to_owned(),
            600 => json!({ "type": "bad type", "payload": {} }).to_string(),
            n => json!({ "type": "ticket.created", "payload": { "n": n } }).to_string(),
        })
        .collect();
    let answers = stage.api.post_lines("/events", &lines).await;
    assert_eq!(answers.len(), lines.len());
    for (n, answer) in answers.iter().enumerate() {
        match n {
            7 => assert_eq!(answer["error"]["code"], "malformed_body"),
            600 => assert_eq!(answer["error"]["errors"][0]["pointer"], "/type"),
            _ => assert_eq!(answer["deliveries"].as_array().map(Vec::len), Some(1), "{answer}"),
        }
    }
    stage.receiver.wait("/hook", 1201).await;
}

#[tokio::test]
async fn cloudevents_come_structured_binary_and_in_batches() {
    let stage = stage().await;
    let event = |id: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "/shop", "type": "com.example.ticket.created",
            "subject": "PAY-17", "time": "2026-01-31T12:00:00Z", "tenant": "a", "data": { "n": 1.50 }
        })
    };
    let structured = "application/cloudevents+json";
    let answer =
        stage.api.post_bytes("/events", structured, event("1").to_string().into_bytes()).await.expect("accepted");
    assert_eq!(answer.body["type"], "com.example.ticket.created");
    let read =
        stage.api.get(&format!("/events/{}", answer.body["id"].as_str().expect("an id"))).await.expect("it is there");
    assert_eq!(read.body["payload"], json!({ "n": 1.5 }));
    assert_eq!(
        (&read.body["subject"], &read.body["occurred_at"]),
        (&json!("PAY-17"), &json!("2026-01-31T12:00:00.000Z"))
    );
    let attributes = read.body["attributes"].as_array().expect("attributes");
    assert!(attributes.contains(&json!({ "name": "tenant", "value": "a" })), "{attributes:?}");

    // `source` and `id` make it the same event.
    let again =
        stage.api.post_bytes("/events", structured, event("1").to_string().into_bytes()).await.expect("accepted");
    assert_eq!((&again.body["duplicate"], &again.body["id"]), (&json!(true), &answer.body["id"]));

    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/shop"),
        ("ce-type", "ticket.created"),
        ("ce-subject", "caf%C3%A9"),
        ("content-type", "text/plain"),
    ];
    let binary = stage.api.post_with("/events", &headers, b"plain text".to_vec()).await.expect("accepted");
    let read =
        stage.api.get(&format!("/events/{}", binary.body["id"].as_str().expect("an id"))).await.expect("it is there");
    assert_eq!((&read.body["payload"], &read.body["subject"]), (&json!("plain text"), &json!("café")));

    let batch = json!([event("3"), event("4")]).to_string().into_bytes();
    let answer = stage.api.post_bytes("/events", "application/cloudevents-batch+json", batch).await.expect("accepted");
    assert_eq!(answer.body.as_array().map(Vec::len), Some(2));
    stage.receiver.wait("/hook", 4).await;

    let mut wrong = event("5");
    wrong["specversion"] = json!("0.3");
    wrong["id"] = json!("");
    let refused = stage.api.post_bytes("/events", structured, wrong.to_string().into_bytes()).await;
    let Err(Failure::Problem(problem)) = refused else { panic!("{refused:?}") };
    let pointers: Vec<&str> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/specversion", "/id"]);
}

#[tokio::test]
async fn a_repeated_post_is_one_event() {
    let stage = stage().await;
    let body = |n: u32| json!({ "type": "ticket.created", "payload": { "n": n } }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-1")];
    let first = stage.api.post_with("/events", &headers, body(1)).await.expect("accepted");
    let again = stage.api.post_with("/events", &headers, body(1)).await.expect("accepted");
    assert_eq!((&first.body["duplicate"], &again.body["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!((&again.body["id"], &again.body["deliveries"]), (&first.body["id"], &first.body["deliveries"]));
    let other = stage.api.post_with("/events", &headers, body(2)).await;
    assert_eq!(code(other), (422, "idempotency_key_reused".to_owned()));

    // The field, and the provider's own id, do the same and are keys of their own.
    for field in ["idempotency_key", "id"] {
        let event = json!({ "type": "ticket.created", "payload": {}, field: "order-2" });
        let first = stage.api.post("/events", &event).await.expect("accepted");
        let again = stage.api.post("/events", &event).await.expect("accepted");
        assert_eq!((&first.body["duplicate"], &again.body["duplicate"]), (&json!(false), &json!(true)), "{field}");
    }
    let sent = stage.receiver.wait_for(3, |request| request.path == "/hook").await;
    assert_eq!(sent.len(), 3);
    assert_eq!(stage.receiver.count("/hook"), 3);
}

//! Registering, changing and trying out webhooks by page, with scripts off (C2, D5, E1).

use hookwright_tests::{example, receiver::Reply, stage::Stage, visitor::Visitor};
use serde_json::json;

async fn signed_in(stage: &Stage) -> Visitor {
    Visitor::first(stage.server.url(), &stage.api).await
}

#[tokio::test]
async fn a_webhook_is_registered_shown_and_switched() {
    let stage = Stage::open().await;
    let ada = signed_in(&stage).await;
    assert!(ada.page("/webhooks").await.has("No webhook yet"));
    let form = ada.page("/webhooks/new").await;
    for part in ["ticket.created", "value=\"retro.*\"", "Retries", "Bearer token", "Filter"] {
        assert!(form.has(part), "{part}");
    }
    stage.receiver.on("/private-path", [Reply::ok()]);
    let url = stage.receiver.url("/private-path");
    let fields = [
        ("/name", "Tickets"),
        ("/url", url.as_str()),
        ("/events", "ticket.created"),
        ("more-events", "invoice.*"),
        ("/filter", "payload.n == 1"),
        ("/bearer_token", "t0k3n-of-hers"),
        ("/headers", "X-Team: seven"),
        ("/retry", "at once, 5 s"),
        ("/content_type", "json"),
    ];
    let seen = ada.submit("/webhooks/new", "/webhooks/new", &fields).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.has("whsec_") && seen.has("It is shown this once"), "{}", seen.text());
    let webhook = stage.api.list("/webhooks").await.remove(0);
    assert_eq!(webhook["events"], json!(["ticket.created", "invoice.*"]));
    assert_eq!((&webhook["retry"], &webhook["filter"]), (&json!([0, 5000]), &json!("payload.n == 1")));
    let id = webhook["id"].as_str().expect("an id");
    let path = format!("/webhooks/{id}");
    let detail = ada.page(&path).await;
    for part in ["Tickets", "2 attempts (at once, 5 s)", "X-Team", "a bearer token", "Verify a signature"] {
        assert!(detail.has(part), "{part} in {}", detail.text());
    }
    for secret in ["t0k3n-of-hers", "seven", "private-path"] {
        assert!(!detail.text().contains(secret), "{secret} in {}", detail.text());
    }
    assert!(ada.page("/webhooks").await.has("Tickets"));
    let seen = ada.submit(&path, &format!("{path}/enabled"), &[("enabled", "false"), ("back", &path)]).await;
    assert_eq!(seen.location.as_deref(), Some(path.as_str()));
    assert!(ada.follow(&seen).await.has("Disabled: disabled by hand"));
    ada.submit(&path, &format!("{path}/enabled"), &[("enabled", "true")]).await;
    assert_eq!(stage.api.get(&format!("/webhooks/{id}")).await.expect("it").body["enabled"], true);
    // Nothing that stands open is deleted by a slip.
    ada.submit(&path, &format!("{path}/delete"), &[]).await;
    assert_eq!(stage.api.list("/webhooks").await.len(), 1);
    let seen = ada.submit(&path, &format!("{path}/delete"), &[("sure", "true")]).await;
    assert!(ada.follow(&seen).await.has("The webhook is deleted"));
    assert!(stage.api.list("/webhooks").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_nothing_is_lost() {
    let stage = Stage::open().await;
    let ada = signed_in(&stage).await;
    let fields = [
        ("/name", "Mine <b>"),
        ("/url", "http://10.0.0.1/x"),
        ("/events", "ticket.created"),
        ("more-events", "not..a pattern"),
        ("/filter", "payload.("),
        ("/headers", "Host: evil"),
        ("/rate_limit/requests", "many"),
        ("/bearer_token", "s3cr3t-token"),
    ];
    let seen = ada.submit("/webhooks/new", "/webhooks/new", &fields).await;
    assert_eq!(seen.status, 422);
    // A number that is none is told first, since nothing else can be read then.
    assert!(seen.has("rate_limit/requests"), "{}", seen.text());
    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !name.starts_with("/rate")).collect();
    let seen = ada.submit("/webhooks/new", "/webhooks/new", &fields).await;
    assert_eq!(seen.status, 422);
    for id in ["f-url-error", "f-events-error", "f-filter-error", "f-headers-error"] {
        assert!(seen.has(&format!("id=\"{id}\"")), "{id} in {}", seen.html);
    }
    assert!(seen.has("href=\"#f-url\"") && seen.has("aria-invalid=\"true\"") && seen.has("role=\"alert\""));
    assert!(seen.has("value=\"Mine &#60;b&#62;\"") && seen.has("not..a") && seen.has("Host: evil"));
    assert!(!seen.has("s3cr3t-token"), "secrets are typed anew");
    assert!(stage.api.list("/webhooks").await.is_empty());
}

#[tokio::test]
async fn a_form_that_nobody_touched_changes_nothing_and_secrets_stay() {
    let stage = Stage::open().await;
    let ada = signed_in(&stage).await;
    stage.receiver.on("/x", [Reply::ok()]);
    let webhook = json!({
        "name": "Old", "url": stage.receiver.url("/x"), "events": ["a.b"], "bearer_token": "kept", "headers": { "X-A": "1", "X-B": "2" },
        "order": "subject", "rate_limit": { "requests": 7, "per_ms": 500 }, "envelope": "raw", "on_uncertain": "hold",
    });
    let id = stage.api.register(&webhook).await.id;
    let before = stage.api.get(&format!("/webhooks/{id}")).await.expect("it").body;
    let path = format!("/webhooks/{id}/edit");
    let form = ada.page(&path).await;
    // As a browser sends what stands in the form.
    let unchanged = [
        ("/name", "Old"),
        ("/events", "a.b"),
        ("/order", "subject"),
        ("/rate_limit/requests", "7"),
        ("/rate_limit/per_ms", "500"),
        ("/envelope", "raw"),
        ("/content_type", "json"),
        ("/on_uncertain", "hold"),
        ("/on_plugin_failure", "park"),
        ("/url", ""),
        ("/bearer_token", ""),
        ("/headers", ""),
    ];
    for (name, value) in unchanged.iter().filter(|(name, value)| !value.is_empty() && *name != "/events") {
        assert!(form.has(&format!("name=\"{name}\"")) && form.has(value), "{name}");
    }
    ada.submit(&path, &path, &unchanged).await;
    let after = stage.api.get(&format!("/webhooks/{id}")).await.expect("it").body;
    let without_time = |mut body: serde_json::Value| {
        body["updated_at"].take();
        body
    };
    assert_eq!(without_time(before), without_time(after.clone()));
    let changed: Vec<_> = unchanged
        .iter()
        .copied()
        .filter(|(name, _)| !matches!(*name, "/name" | "/headers"))
        .chain([("/name", "New"), ("forget-header", "X-A"), ("/headers", "X-C: 3")])
        .collect();
    let seen = ada.submit(&path, &path, &changed).await;
    assert!(ada.follow(&seen).await.has("The webhook is changed"));
    let after = stage.api.get(&format!("/webhooks/{id}")).await.expect("it").body;
    assert_eq!(after["name"], "New");
    assert_eq!(after["headers"].as_object().expect("headers").keys().collect::<Vec<_>>(), ["X-B", "X-C"]);
    assert!(!after["bearer_token"].is_null(), "it was left as it is");
}

#[tokio::test]
async fn a_plugin_s_settings_are_a_form_and_a_test_is_sent_before_anything_is_saved() {
    let stage = Stage::open().await;
    let ada = signed_in(&stage).await;
    let plugin = stage.api.install(example::example("slack")).await;
    let chosen = format!("{}@{}", plugin.name, plugin.version);
    let form = ada.page("/webhooks/new").await;
    assert!(form.has(&format!("value=\"{chosen}\"")), "{}", form.text());
    stage.receiver.on("/slack", [Reply::ok().body("ok")]);
    let url = stage.receiver.url("/slack");
    let basic = [("/url", url.as_str()), ("/events", "retro.completed"), ("/plugin/version", chosen.as_str())];
    let with = |extra: &[(&'static str, &'static str)]| [&basic[..], extra].concat();
    let shown = ada.submit("/webhooks/new", "/webhooks/new", &with(&[("do", "plugin")])).await;
    assert_eq!(shown.status, 200);
    assert!(shown.has("name=\"/plugin/config/"), "{}", shown.html);
    assert!(stage.api.list("/webhooks").await.is_empty(), "nothing is saved");
    let tried =
        ada.submit("/webhooks/new", "/webhooks/new", &with(&[("do", "test"), ("test-type", "retro.completed")])).await;
    assert_eq!(tried.status, 200, "{}", tried.text());
    assert!(tried.has("Delivered: the receiver answered 200"), "{}", tried.text());
    let requests = stage.receiver.count("/slack");
    assert_eq!(requests, 1);
    assert!(stage.api.list("/webhooks").await.is_empty() && stage.api.list("/deliveries").await.is_empty());
    assert!(stage.api.list("/events").await.is_empty(), "nothing is stored");
    let audit = stage.api.list("/audit?action=webhook.tried_out").await;
    assert_eq!(audit.len(), 1, "but a line of the audit log");
    let counted =
        ada.submit("/webhooks/new", "/webhooks/new", &with(&[("do", "count"), ("/filter", "payload.(")])).await;
    assert!(counted.has("said bad"), "{}", counted.text());
    stage.api.publish("retro.completed", json!({ "n": 1 })).await;
    let counted =
        ada.submit("/webhooks/new", "/webhooks/new", &with(&[("do", "count"), ("/filter", "payload.n == 1")])).await;
    assert!(
        counted.text().contains("Of the last 1 events 1 are of these types, and 1 would be sent."),
        "{}",
        counted.text()
    );
    let checked = ada.submit("/webhooks/new", "/webhooks/new", &[("/url", "http://10.1.2.3/"), ("do", "check")]).await;
    assert!(checked.has("id=\"url-verdict\"") && checked.has("said bad"), "{}", checked.text());
}

//! Whatever comes from outside is shown as text: script in payloads, headers, names, log lines, URLs and errors.

use hookwright_tests::{
    browser::Browser,
    company::{ADA, PASSWORD},
    guest::{Field, Forge, Output, Request},
    receiver::Reply,
    site::sign_in,
    stage::Stage,
};
use serde_json::{Value, json};

/// Each would show itself: by a dialog, by an error, by a report of the policy, or by this name on the page's window.
const PAYLOADS: [&str; 6] = [
    "<script>window.pwned = 1; alert(1)</script>",
    "\"><img src=x onerror=\"window.pwned = 1; alert(2)\">",
    "'><svg onload=alert(3)><style>*{display:none}</style>",
    "javascript:alert(4)//<a href=javascript:alert(5)>click</a>",
    "</textarea></pre></title></select><script>alert(6)</script>",
    "{{7*7}} ${window.pwned=1} <iframe srcdoc='<script>parent.pwned=1</script>'></iframe><base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
];

fn planted() -> String {
    PAYLOADS.join(" ")
}

async fn plant(stage: &Stage) -> Vec<String> {
    let (api, receiver) = (&stage.api, &stage.receiver);
    let evil = planted();
    let short: String = evil.chars().take(240).collect();
    let request = Request {
        label: PAYLOADS[1].as_bytes().to_vec(),
        path: vec!["a<b>".to_owned(), PAYLOADS[0].replace('/', "|")],
        query: vec![Field::new("q", PAYLOADS[1])],
        headers: vec![Field::new("x-evil", PAYLOADS[1])],
        json: json!({ "text": evil, PAYLOADS[0]: PAYLOADS[4] }).to_string(),
        ..Request::default()
    };
    let forge = |name: &str| {
        Forge::new(name)
            .manifest("summary", json!(evil))
            .manifest("homepage", json!("javascript:alert(8)"))
            .manifest("config", json!({ "type": "object", "properties": { PAYLOADS[1]: { "type": "string", "title": evil, "description": evil } } }))
            .manifest("secrets", json!({ "token": { "description": evil, "required": false } }))
    };
    api.install(forge("evil").returns(&Output::Deliver(vec![request])).component()).await;
    let failure = Output::Failure { code: "evil".to_owned(), message: evil.clone() };
    api.install(forge("failing").returns(&failure).component()).await;
    let refused = forge("refused").manifest("cases", json!([{ "name": evil, "event": { "type": "a.b" }, "config": {}, "expect": { "requests": [{ "method": "POST", "json": {} }] } }]));
    let _ = api.upload(refused.returns(&failure).component()).await;

    let answer =
        Reply::status(500).header("x-evil", PAYLOADS[1]).header("content-type", "text/html").body(evil.clone());
    receiver.when(|_| true, [answer]);
    let mut paths = Vec::new();
    for plugin in [None, Some("evil"), Some("failing")] {
        let mut webhook = json!({
            "name": short, "description": evil, "url": receiver.url(&format!("/{}", "x?y=<script>alert(9)</script>")),
            "events": ["*"], "retry": [0], "labels": { "team": short },
        });
        if let Some(name) = plugin {
            webhook["plugin"] = json!({ "name": name, "version": "0.1.0", "config": {} });
        }
        if webhook["url"].as_str().is_some_and(|url| url.contains('?')) && plugin.is_some() {
            webhook["url"] = json!(receiver.url("/x"));
        }
        let id = api.register(&webhook).await.id;
        paths.extend([format!("/webhooks/{id}"), format!("/webhooks/{id}/edit"), format!("/webhooks/{id}/backtest")]);
        let _ = api.post(&format!("/webhooks/{id}/trigger"), &json!({})).await;
    }
    let event = json!({ "type": "ticket.created", "subject": short, "payload": { "ticket": { "title": evil, PAYLOADS[0]: PAYLOADS[1] } } });
    let accepted = api.post("/events", &event).await.expect("accepted");
    api.all_settled().await;
    paths.push(format!("/events/{}", accepted.body["id"].as_str().expect("an id")));
    for delivery in api.list("/deliveries").await {
        let id = delivery["id"].as_str().expect("an id").to_owned();
        paths.extend([format!("/deliveries/{id}"), format!("/deliveries/{id}?as=raw")]);
    }
    let form = json!({ "name": "evil.type", "description": evil, "example": { "x": evil }, "schema": { "type": "object", "title": evil } });
    api.post("/event-types", &form).await.expect("a type");
    let project = json!({ "name": short, "description": evil });
    let project = api.post("/projects", &project).await.expect("a project").body;
    let role = json!({ "name": "evil", "description": evil, "permissions": ["webhooks:read"] });
    api.post("/roles", &role).await.expect("a role");
    let user = json!({ "email": "\"><b>x@example.com", "name": short, "password": PASSWORD, "roles": [] });
    let user = api.post("/users", &user).await.map_or(Value::Null, |made| made.body);
    let token = json!({ "name": PAYLOADS[1], "permissions": ["webhooks:read"] });
    let token = api.post("/tokens", &token).await.expect("a token").body;
    for (list, one) in [("projects", project), ("users", user), ("tokens", token)] {
        if let Some(id) = one["id"].as_str() {
            paths.push(format!("/{list}/{id}"));
        }
    }
    paths
}

#[tokio::test]
async fn nothing_that_is_planted_anywhere_runs() {
    let stage = Stage::open().await;
    ADA.arrive(&stage.api).await;
    let mut paths = plant(&stage).await;
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;
    sign_in(&tab, ADA).await;
    paths.extend(
        [
            "/",
            "/webhooks",
            "/webhooks/new?%2Fplugin%2Fversion=evil%400.1.0",
            "/events",
            "/deliveries",
            "/plugins",
            "/plugins/evil/versions/0.1.0",
            "/plugins/evil/versions/0.1.0/playground",
            "/plugins/failing/versions/0.1.0/playground",
            "/plugins/evil/versions/0.1.0/delete",
            "/event-types",
            "/event-types/evil.type",
            "/event-types/evil.type/edit",
            "/projects",
            "/users",
            "/users/new",
            "/roles",
            "/roles/evil",
            "/tokens",
            "/audit",
            "/audit?all_projects=true",
            "/settings",
            "/jobs",
            "/account",
            "/%3Cscript%3Ealert(1)%3C/script%3E",
            "/webhooks/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            "/deliveries?webhook_id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
            "/audit?action=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
            "/sign-in?next=javascript:alert(1)",
        ]
        .map(str::to_owned),
    );
    let mut seen = 0;
    for path in &paths {
        tab.goto(path).await;
        let pwned = tab.evaluate("window.pwned ?? null").await;
        assert_eq!(pwned, Value::Null, "{path}");
        // Nothing of it became an element, and no link leads to a script.
        let made = tab.evaluate("document.querySelectorAll('img, iframe, base, meta[http-equiv], style, [onerror], [onload], a[href^=\"javascript:\" i], script:not([src])').length").await;
        assert_eq!(made, 0, "{path}: {}", tab.evaluate("document.querySelector('img, iframe, base, style, [onerror], [onload], a[href^=\"javascript:\" i], script:not([src])')?.outerHTML").await);
        assert!(
            tab.evaluate("location.href").await.as_str().is_some_and(|url| url.starts_with(stage.server.url())),
            "{path}"
        );
        seen += usize::from(tab.text().await.contains("alert("));
        tab.is_clean().await;
    }
    assert!(seen > paths.len() / 3, "it is shown as text on {seen} of {} pages", paths.len());
}

//! What the API refuses, and how it says so.

use std::time::Duration;

use hookwright_tests::{
    api::{Api, Problem},
    server::{Installation, Server},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const URL: &str = "http://127.0.0.1:9/hook";

async fn start() -> (Server, Api) {
    let server = Installation::new().start().await;
    let api = server.api();
    (server, api)
}

/// A webhook that is fine but for what a test changes.
fn webhook(changes: Value) -> Value {
    let mut webhook = json!({ "url": URL, "events": ["ticket.*"] });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    webhook.as_object_mut().expect("an object").extend(changes);
    webhook
}

async fn refused(api: &Api, path: &str, body: Value) -> Problem {
    match api.post(path, &body).await {
        Ok(answer) => panic!("{body} was accepted: {:#}", answer.body),
        Err(failure) => failure.problem(),
    }
}

#[tokio::test]
async fn unknown_fields_are_named() {
    let (_server, api) = start().await;
    let nested = json!({ "plugin": { "name": "x", "version": "1.0.0", "config": {}, "secrets": {}, "colour": 1 } });
    let retry = json!({ "retry": { "initial_ms": 1, "factor": 2, "max_ms": 9, "attempts": 3, "colour": 1 } });
    for (path, body, pointer) in [
        ("/webhooks", webhook(json!({ "colour": "red" })), "/colour"),
        ("/webhooks", webhook(nested), "/plugin/colour"),
        ("/webhooks", webhook(retry), "/retry/colour"),
        ("/events", json!({ "type": "a.b", "payload": {}, "colour": "red" }), "/colour"),
    ] {
        let problem = refused(&api, path, body.clone()).await;
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}: {problem:?}");
    }
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let (_server, api) = start().await;
    for (body, pointer) in [
        (webhook(json!({ "url": "not a url" })), "/url"),
        (webhook(json!({ "url": "ftp://127.0.0.1/hook" })), "/url"),
        (webhook(json!({ "url": "http://user:word@127.0.0.1/hook" })), "/url"),
        (webhook(json!({ "url": 7 })), "/url"),
        (webhook(json!({ "url": "https://[fe80::1%25eth0]/hook" })), "/url"),
        (webhook(json!({ "url": "https://127.0.0.1.1/hook" })), "/url"),
        (webhook(json!({ "url": "http://8.8.8.8/hook" })), "/url"),
        (webhook(json!({ "url": "https://8.8.8.8:25/hook" })), "/url"),
        (webhook(json!({ "events": ["ticket.**"] })), "/events/0"),
        (webhook(json!({ "events": ["ticket.*", "tic ket"] })), "/events/1"),
        (webhook(json!({ "events": ["*.created"] })), "/events/0"),
        (webhook(json!({ "events": [] })), "/events"),
        (webhook(json!({ "content_type": "xml" })), "/content_type"),
        (webhook(json!({ "signing_secret": "whsec_not-base64!" })), "/signing_secret"),
        (webhook(json!({ "retry": [] })), "/retry"),
        (webhook(json!({ "timeout_ms": 0 })), "/timeout_ms"),
    ] {
        let problem = refused(&api, "/webhooks", body.clone()).await;
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}: {problem:?}");
    }
    let problem = refused(&api, "/webhooks", json!({ "events": ["*"] })).await;
    assert_eq!(problem.status, 422, "the URL is missing: {problem:?}");
    for (body, pointer) in [
        (json!({ "type": "", "payload": {} }), "/type"),
        (json!({ "type": "a b", "payload": {} }), "/type"),
        (json!({ "type": "a.b", "payload": {}, "occurred_at": "yesterday" }), "/occurred_at"),
        (json!({ "type": "hookwright.webhook.disabled", "payload": {} }), "/type"),
    ] {
        let problem = refused(&api, "/events", body.clone()).await;
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}: {problem:?}");
    }
    assert_eq!(api.list("/webhooks").await, [] as [Value; 0]);
    assert_eq!(api.list("/events").await, [] as [Value; 0]);
}

#[tokio::test]
async fn addresses_inside_are_refused_unless_allowed() {
    let closed = Installation::new().closed().start().await;
    let open = Installation::new().start().await;
    // A webhook that is there already goes nowhere else either.
    let moved = open.api().register(&webhook(json!({}))).await;
    for (host, class) in [
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"),
        ("168.63.129.16", "cloud platform"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("0.0.0.0", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("198.18.0.1", "reserved"),
        ("203.0.113.1", "documentation"),
        ("[fe80::1]", "link-local"),
        ("[fc00::1]", "unique-local"),
        ("[::ffff:10.0.0.1]", "private"),
        ("[64:ff9b::a00:1]", "private"),
        ("[2002:a00:1::]", "private"),
        ("[2001::1]", "reserved"),
        ("0x0a000001", "private"),
        ("10.1", "private"),
        ("%31%30.0.0.1", "private"),
        ("１０.０.０.１", "private"),
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/hook");
            for server in [&closed, &open] {
                address_refused(server, &url, class).await;
            }
            let change = open.api().patch(&format!("/webhooks/{}", moved.id), &json!({ "url": url })).await;
            names_class(&change.expect_err("refused").problem(), class);
        }
    }
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"] {
        for scheme in ["http", "https"] {
            address_refused(&closed, &format!("{scheme}://{host}/hook"), "loopback").await;
        }
    }
}

async fn address_refused(server: &Server, url: &str, class: &str) {
    names_class(&refused(&server.api(), "/webhooks", webhook(json!({ "url": url }))).await, class);
}

fn names_class(problem: &Problem, class: &str) {
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/url"]), "{problem:?}");
    assert!(problem.errors[0].detail.contains(&format!("({class})")), "{problem:?}");
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let (_server, api) = start().await;
    for (media_type, body, status) in [
        ("application/json", r#"{"type": "a.b", "payload": "#, 400),
        ("application/json", "", 400),
        ("application/json", r#"{"type": "a.b", "payload": {}} trailing"#, 400),
        ("text/plain", r#"{"type": "a.b", "payload": {}}"#, 415),
    ] {
        let problem = api.post_bytes("/events", media_type, body.into()).await.expect_err("refused").problem();
        assert_eq!(problem.status, status, "{media_type} {body:?}: {problem:?}");
    }
    assert_eq!(api.list("/events").await, [] as [Value; 0]);
}

/// By hand, because a client may see the connection reset before it has read the answer.
#[tokio::test]
async fn too_large_a_body_is_refused() {
    let (server, api) = start().await;
    let address = server.url().strip_prefix("http://").expect("an http URL");
    let (mut read, mut write) = TcpStream::connect(address).await.expect("a connection").into_split();
    let body = json!({ "type": "a.b", "payload": "x".repeat(2 << 20) }).to_string();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.admin_token(),
        body.len()
    );
    let sending = async {
        write.write_all(head.as_bytes()).await.expect("the head is read");
        // The server may stop reading at any time.
        let _ = write.write_all(body.as_bytes()).await;
    };
    let reading = async {
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = read.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..length]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let limit = Duration::from_secs(30);
    let ((), answer) = timeout(limit, async { tokio::join!(sending, reading) }).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert_eq!(api.list("/events").await, [] as [Value; 0]);
}

//! Receivers that are slow, endless, or talk nonsense: each attempt ends in time, in bounds, and says what happened.

use std::{future, time::Duration};

use hookwright_tests::{
    api::{Api, Attempt},
    receiver::{
        Receiver, Reply,
        raw::{Raw, drain, flood, read_request},
    },
    server::Installation,
    stage::Stage,
};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{interval, timeout},
};

const MIB: u64 = 1 << 20;
const TIMEOUT_MS: u64 = 500;
/// How late an attempt may be noticed to be over, on a machine that runs other tests as well.
const LATE_MS: u64 = 3000;

/// How an attempt ended: outcome, error class, status.
type Ending = (&'static str, Option<&'static str>, Option<u16>);

const TIMED_OUT: Ending = ("uncertain", Some("timeout"), None);
const OK: Ending = ("succeeded", None, Some(200));
const NONSENSE: Ending = ("uncertain", Some("invalid_response"), None);

fn ending(attempt: &Attempt) -> (&str, Option<&str>, Option<u16>) {
    (&attempt.outcome, attempt.error_class.as_deref(), attempt.status_code)
}

/// One attempt, which ends at its time; its connection is closed.
async fn times_out(api: &Api, what: &str, receiver: Raw, scheme: &str, expected: Ending) {
    let delivery = api.deliver_once(&receiver.url(scheme), json!({ "timeout_ms": TIMEOUT_MS })).await;
    let attempt = delivery.attempt();
    assert_eq!(ending(attempt), expected, "{what}: {attempt:#?}");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some milliseconds")]
    let duration_ms = attempt.duration_ms as u64;
    assert!((TIMEOUT_MS..TIMEOUT_MS + LATE_MS).contains(&duration_ms), "{what}: {duration_ms} ms");
    timeout(Duration::from_secs(30), receiver.ended(1)).await.unwrap_or_else(|_| panic!("{what}: it is kept open"));
    assert_eq!(receiver.connections(), 1, "{what}");
}

/// Sends this at once, and then a byte now and then.
async fn trickling(start: &'static str, byte: u8) -> Raw {
    Raw::start(move |mut stream| async move {
        read_request(&mut stream).await?;
        stream.write_all(start.as_bytes()).await?;
        let mut pause = interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            stream.write_u8(byte).await?;
        }
    })
    .await
}

#[tokio::test]
async fn the_time_is_for_the_whole_exchange() {
    let server = Installation::new().start().await;
    let api = server.api();
    let silent = || Raw::start(async |mut stream: TcpStream| drain(&mut stream).await);
    let status = trickling("HTTP/1.1 200 O", b'K');
    let header = trickling("HTTP/1.1 200 OK\r\nx-slow: ", b'x');
    let headers = trickling("HTTP/1.1 200 OK\r\na: b\r\n", b'a');
    let body = trickling("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b'x');
    let chunk = trickling("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n", b'x');
    let error = trickling("HTTP/1.1 503 No\r\ncontent-length: 100000\r\n\r\n", b'x');
    let until_end = trickling("HTTP/1.0 200 OK\r\n\r\n", b'x');
    let continued = Raw::start(async |mut stream: TcpStream| {
        read_request(&mut stream).await?;
        flood(&mut stream, b"HTTP/1.1 100 Continue\r\n\r\n").await
    });
    tokio::join!(
        times_out(&api, "silent", silent().await, "http", TIMED_OUT),
        // Nothing was sent, so nothing can have arrived.
        times_out(&api, "slow handshake", silent().await, "https", ("failed", Some("timeout"), None)),
        times_out(&api, "status line", status.await, "http", TIMED_OUT),
        times_out(&api, "one header", header.await, "http", TIMED_OUT),
        times_out(&api, "headers", headers.await, "http", TIMED_OUT),
        times_out(&api, "flood of 1xx", continued.await, "http", TIMED_OUT),
        // The status has arrived, and it says all that matters.
        times_out(&api, "body", body.await, "http", ("succeeded", None, Some(200))),
        times_out(&api, "chunk", chunk.await, "http", ("succeeded", None, Some(200))),
        times_out(&api, "body until the end", until_end.await, "http", ("succeeded", None, Some(200))),
        times_out(&api, "body of an error", error.await, "http", ("failed", Some("status"), Some(503))),
    );
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_in_time() {
    let server = Installation::new().start().await;
    let api = server.api();
    let receiver = Raw::start(async |stream: TcpStream| {
        let _open = stream;
        future::pending().await
    })
    .await;
    let kind = "large.payload";
    let webhook = json!({ "url": receiver.url("http"), "events": [kind], "retry": [0], "timeout_ms": TIMEOUT_MS });
    api.register(&webhook).await;
    let delivery = api.publish_one(kind, json!({ "text": "x".repeat(900_000) })).await;
    let settled = api.settled(&delivery.id).await;
    assert_eq!(ending(settled.attempt()), TIMED_OUT, "{settled:#?}");
}

/// The answer, and how the attempt ends that it is given to.
async fn answered(api: &Api, answer: impl Into<Vec<u8>>) -> Attempt {
    let receiver = Raw::says(answer).await;
    let delivery = api.deliver_once(&receiver.url("http"), json!({ "timeout_ms": 5000 })).await;
    timeout(Duration::from_secs(30), receiver.ended(1)).await.expect("the connection is closed");
    delivery.attempt().clone()
}

#[tokio::test]
async fn what_is_no_http_is_called_so() {
    let server = Installation::new().start().await;
    let api = server.api();
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n\r\n").into_bytes();
    for (what, answer) in [
        ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("zeroes", vec![0; 4096]),
        ("bytes", vec![0xff; 4096]),
        ("TLS", b"\x15\x03\x01\0\x02\x02\x46".to_vec()),
        ("a version to come", b"HTTP/9.9 200 OK\r\n\r\n".to_vec()),
        ("another name", b"ICY 200 OK\r\n\r\n".to_vec()),
        ("no status", b"HTTP/1.1 \r\n\r\n".to_vec()),
        ("a short status", b"HTTP/1.1 20 OK\r\n\r\n".to_vec()),
        ("a long status", b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()),
        ("a word as status", b"HTTP/1.1 two OK\r\n\r\n".to_vec()),
        ("a negative status", b"HTTP/1.1 -20 OK\r\n\r\n".to_vec()),
        ("status 099", b"HTTP/1.1 099 Low\r\n\r\n".to_vec()),
        ("a header without a name", head(": x")),
        ("a header without a colon", head("x")),
        ("a folded header", head("a: b\r\n c")),
        ("a header with a zero", head("a: \0")),
        ("two lengths", head("content-length: 1\r\ncontent-length: 2")),
        ("a negative length", head("content-length: -1")),
        ("a length in words", head("content-length: many")),
        ("a length without end", head(&format!("content-length: 1{}", "0".repeat(40)))),
        ("a header of 1 MB", head(&format!("a: {}", "x".repeat(1 << 20)))),
        ("10,000 headers", head(&"a: b\r\n".repeat(10_000))),
        ("10,000 names", head(&(0..10_000).map(|n| format!("a{n}: b")).collect::<Vec<_>>().join("\r\n"))),
        ("101 headers", head("a: b\r\n".repeat(101).trim_end())),
    ] {
        let attempt = answered(&api, answer).await;
        assert_eq!(ending(&attempt), NONSENSE, "{what}: {attempt:#?}");
        let error = attempt.error.expect("a reason");
        assert!(error.starts_with("the answer is no HTTP") && error.len() < 200, "{what}: {error}");
    }
}

#[tokio::test]
async fn what_is_still_http_is_understood() {
    let server = Installation::new().start().await;
    let api = server.api();
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n\r\n").into_bytes();
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}").into_bytes();
    for (what, answer, expected, body, truncated) in [
        ("100 headers", head("a: b\r\n".repeat(100).trim_end()), OK, "", false),
        (
            "hints first",
            [b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(5), head("a: b")].concat(),
            OK,
            "",
            false,
        ),
        ("no reason", b"HTTP/1.1 200\r\n\r\nhello".to_vec(), OK, "hello", false),
        ("an unknown status", b"HTTP/1.1 999 X\r\n\r\n".to_vec(), ("failed", Some("status"), Some(999)), "", false),
        // Nobody asked for another protocol.
        (
            "an upgrade",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
            ("failed", Some("status"), Some(101)),
            "",
            false,
        ),
        // Of what breaks off the end is not shown: a secret may have begun in it.
        ("a body that breaks off", [head("content-length: 10"), b"hello".to_vec()].concat(), OK, "", true),
        ("chunks", chunked("5\r\nhello\r\n0\r\n\r\n"), OK, "hello", false),
        ("a chunk that breaks off", chunked("ff\r\nhello"), OK, "", true),
        ("a chunk of no size", chunked("5\r\nhello\r\nzz\r\n"), OK, "", true),
        ("a chunk too large to be", chunked("ffffffffffffffffff\r\nhello"), OK, "", true),
        (
            "both lengths",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .to_vec(),
            OK,
            "hello",
            false,
        ),
        ("trailers", chunked("5\r\nhello\r\n0\r\na: b\r\n\r\n"), OK, "hello", false),
        (
            "a coding that nobody knows",
            [head("transfer-encoding: nonsense"), b"hello".to_vec()].concat(),
            OK,
            "hello",
            false,
        ),
    ] {
        let attempt = answered(&api, answer).await;
        assert_eq!(ending(&attempt), expected, "{what}: {attempt:#?}");
        assert_eq!((attempt.response_body.as_deref(), attempt.truncated), (Some(body), truncated), "{what}");
    }
}

#[tokio::test]
async fn how_large_the_headers_may_be_is_a_setting() {
    let headers = |bytes: usize| format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(bytes));
    let usual = Installation::new().start().await;
    assert_eq!(ending(&answered(&usual.api(), headers(60 * 1024)).await), OK);
    assert_eq!(ending(&answered(&usual.api(), headers(256 * 1024)).await), NONSENSE);
    let strict = Installation::new().env("HOOKWRIGHT_NETWORK_RESPONSE_HEADERS_BYTES", "8192").start().await;
    assert_eq!(ending(&answered(&strict.api(), headers(7 * 1024)).await), OK);
    assert_eq!(ending(&answered(&strict.api(), headers(32 * 1024)).await), NONSENSE);
}

/// A gzip file of 1 MiB that unpacks to 1.08 GB: a Huffman code of one bit each for "258 bytes, as the last one".
fn bomb() -> Vec<u8> {
    const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    const CODES: [u8; 14] = [0xed, 0xc0, 0x81, 0, 0, 0, 0, 0x80, 0xa0, 0xfd, 0xa9, 0x17, 0xa9, 0];
    [&GZIP[..], &CODES, &vec![0; 1 << 20]].concat()
}

#[tokio::test]
async fn large_answers_cost_little_memory() {
    // One of the receivers always fails, and each attempt is to be made at once.
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "0")).await;
    let receiver = &stage.receiver;
    let gzip = |name: &'static str| Reply::ok().header("content-encoding", name).body(bomb());
    receiver.on("/endless", [Reply::endless()]);
    for (path, coding) in [("/gzip", "gzip"), ("/deflate", "deflate"), ("/nested", "gzip, gzip, gzip"), ("/br", "br")] {
        receiver.on(path, [gzip(coding)]);
    }
    let kinds = ["/endless", "/gzip", "/deflate", "/nested", "/br"];
    for path in kinds {
        let webhook = json!({ "url": receiver.url(path), "events": ["large"], "timeout_ms": 5000 });
        stage.api.register(&webhook).await;
    }
    let huge = Raw::start(async |mut stream: TcpStream| {
        read_request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        flood(&mut stream, b"x: y\r\n").await
    })
    .await;
    stage.api.register(&json!({ "url": huge.url("http"), "events": ["large"], "retry": [0] })).await;

    // Whatever the first one loads.
    let first = stage.api.publish("large", json!({})).await;
    for delivery in &first.deliveries {
        stage.api.settled(&delivery.id).await;
    }
    let before = stage.server.resident_bytes();
    let mut deliveries = Vec::new();
    for _ in 0..40 {
        deliveries.extend(stage.api.publish("large", json!({})).await.deliveries);
    }
    let mut most = before;
    for delivery in &deliveries {
        let delivery = stage.api.settled(&delivery.id).await;
        most = most.max(stage.server.resident_bytes());
        let attempt = delivery.attempt();
        if let Some(body) = &attempt.response_body {
            assert_eq!((delivery.status.as_str(), attempt.truncated), ("succeeded", true));
            assert!((1..=16 * 1024).contains(&body.chars().count()), "{}", body.len());
        } else {
            assert_eq!(ending(attempt), NONSENSE, "{attempt:#?}");
        }
    }
    let grown = (most - before) / MIB;
    assert!(grown < 32, "{grown} MiB more for {} answers", deliveries.len());
    // Nothing was unpacked, and nothing was asked to be packed.
    for request in receiver.all() {
        assert_eq!((request.header("accept-encoding"), request.header("content-encoding")), ("", ""));
    }
}

#[tokio::test]
async fn the_log_keeps_what_was_packed_as_it_came() {
    let receiver = Receiver::start().await;
    let packed =
        [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0]].concat();
    receiver.on("/hook", [Reply::ok().header("content-encoding", "gzip").body(packed.clone())]);
    let server = Installation::new().start().await;
    let delivery = server.api().deliver_once(&receiver.url("/hook"), json!({})).await;
    let attempt = delivery.attempt();
    let encoding = attempt.response_headers.as_ref().and_then(|headers| headers.get("content-encoding"));
    assert_eq!((delivery.status.as_str(), encoding, attempt.truncated), ("succeeded", Some("gzip"), false));
    assert_eq!(attempt.response_body.as_deref(), Some(String::from_utf8_lossy(&packed).as_ref()));
}

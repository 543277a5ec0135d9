//! Where requests go, and over which connections.

use std::time::Duration;

use hookwright_tests::{
    receiver::{
        Authority, Receiver, Reply,
        raw::{Raw, drain, read_request},
    },
    server::Installation,
    stage::Stage,
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// Answers every request of a connection until the client closes it.
async fn patient() -> Raw {
    Raw::start(async |mut stream: TcpStream| {
        loop {
            read_request(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
    })
    .await
}

/// What was open when the webhook was saved is checked again on the address that is called.
#[tokio::test]
async fn an_address_that_was_closed_since_is_not_called() {
    let receiver = Receiver::start().await;
    let server = Installation::new().allow("::1/128").start().await;
    for host in ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/hook", receiver.port());
        server.api().register(&json!({ "url": url, "events": ["*"], "retry": [0, 10] })).await;
    }
    let mut installation = server.stop().await;
    // Another network being open changes nothing.
    for open in ["192.0.2.0/24", "10.0.0.0/8"] {
        let server = installation.closed().allow(open).start().await;
        let api = server.api();
        let accepted = api.publish("ticket.created", json!({})).await;
        assert_eq!(accepted.deliveries.len(), 4);
        for delivery in &accepted.deliveries {
            let settled = api.settled(&delivery.id).await;
            assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("failed", 2), "{settled:#?}");
            for attempt in &settled.request().attempts {
                let (class, outcome) = (attempt.error_class.as_deref(), attempt.outcome.as_str());
                assert_eq!((class, outcome, attempt.status_code), (Some("address_refused"), "failed", None));
                assert!(attempt.error.as_deref().is_some_and(|error| error.contains("loopback")), "{attempt:#?}");
            }
        }
        installation = server.stop().await;
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let stage = Stage::open().await;
    for status in [301, 302, 303, 307, 308] {
        for (n, inside) in
            [stage.receiver.url("/inside"), "http://169.254.169.254/latest/meta-data/".to_owned()].iter().enumerate()
        {
            let path = format!("/{status}/{n}");
            stage.receiver.on(&path, [Reply::status(status).header("location", inside)]);
            let delivery = stage.api.deliver_once(&stage.receiver.url(&path), json!({})).await;
            assert_eq!(delivery.status, "failed", "{delivery:#?}");
            assert_eq!(delivery.attempt().status_code, Some(status));
            assert_eq!(stage.receiver.count(&path), 1);
        }
    }
    assert_eq!(stage.receiver.count("/inside"), 0);
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let trap = Raw::start(async |mut stream: TcpStream| drain(&mut stream).await).await;
    let authority = Authority::new();
    let secure = Receiver::over_tls(&authority.certify(&["127.0.0.1"]), &["h2", "http/1.1"]).await;
    let plain = Receiver::start().await;
    let mut installation = Installation::new().env_file("HOOKWRIGHT_NETWORK_CA_FILE", "ca.pem", &authority.pem());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let proxy = format!("http://127.0.0.1:{}", trap.port());
        installation = installation.env(name, &proxy).env(&name.to_lowercase(), &proxy);
    }
    let server = installation.env("NO_PROXY", "").env("no_proxy", "").start().await;
    for url in [plain.url("/hook"), secure.url("/hook")] {
        assert_eq!(server.api().deliver_once(&url, json!({})).await.status, "succeeded");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn deliveries_share_connections() {
    let stage = Stage::open().await;
    for n in 1..=20 {
        let path = format!("/hook/{}", n % 4);
        let delivery = stage.api.deliver_once(&stage.receiver.url(&path), json!({})).await;
        assert_eq!(delivery.status, "succeeded");
    }
    assert_eq!(stage.receiver.connections(), 1);
    // A burst opens no more than one for each request in hand.
    stage.api.register(&json!({ "url": stage.receiver.url("/burst"), "events": ["burst"] })).await;
    for n in 0..500 {
        stage.api.publish("burst", json!({ "n": n })).await;
    }
    stage.receiver.wait("/burst", 500).await;
    assert!(stage.receiver.connections() <= 256, "{}", stage.receiver.connections());
}

#[tokio::test]
async fn unused_connections_are_closed_after_a_while() {
    let receiver = patient().await;
    let server = Installation::new().env("HOOKWRIGHT_NETWORK_IDLE_TIMEOUT_MS", "100").start().await;
    let api = server.api();
    for n in 1..=2 {
        assert_eq!(api.deliver_once(&receiver.url("http"), json!({})).await.status, "succeeded");
        // By the server: the receiver would keep it.
        timeout(Duration::from_secs(30), receiver.ended(1)).await.expect("it is closed");
        assert_eq!(receiver.connections(), n);
    }
}

#[tokio::test]
async fn how_many_unused_connections_are_kept_is_a_setting() {
    let receiver = patient().await;
    let server = Installation::new().env("HOOKWRIGHT_NETWORK_IDLE_PER_HOST", "0").start().await;
    for n in 1..=3 {
        assert_eq!(server.api().deliver_once(&receiver.url("http"), json!({})).await.status, "succeeded");
        assert_eq!(receiver.connections(), n);
    }
}

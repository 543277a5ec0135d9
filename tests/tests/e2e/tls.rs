//! Receivers over TLS: which certificates are trusted, and which HTTP is spoken.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hookwright_tests::{
    api::{Attempt, Delivery},
    receiver::{
        Authority, Receiver, Reply,
        raw::{Raw, read_request},
    },
    server::{Installation, Server},
};
use hyper::{Response, StatusCode, Version};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const HERE: &str = "127.0.0.1";

/// A server that trusts this authority.
fn trusting(authority: &Authority) -> Installation {
    Installation::new().env_file("HOOKWRIGHT_NETWORK_CA_FILE", "ca.pem", &authority.pem())
}

async fn deliver(server: &Server, url: &str) -> Delivery {
    server.api().deliver_once(url, json!({})).await
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let authority = Authority::new();
    let identity = authority.certify(&[HERE]);
    let server = trusting(&authority).start().await;
    for (offered, spoken) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        // The receiver has the choice.
        (&["http/1.1", "h2"], Version::HTTP_11),
        (&["h2"], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let receiver = Receiver::over_tls(&identity, offered).await;
        receiver.on("/hook", [Reply::status(202).header("x-answer", "yes").body("taken")]);
        let delivery = deliver(&server, &receiver.url("/hook?a=b")).await;
        assert_eq!(delivery.status, "succeeded", "{offered:?}: {delivery:#?}");
        let attempt = delivery.attempt();
        assert_eq!((attempt.status_code, attempt.response_body.as_deref()), (Some(202), Some("taken")));
        assert_eq!(attempt.response_headers.as_ref().and_then(|headers| headers.get("x-answer")), Some("yes"));
        let sent = receiver.wait("/hook", 1).await;
        assert_eq!((sent.version, sent.method.as_str(), sent.query.as_deref()), (spoken, "POST", Some("a=b")));
        assert_eq!(sent.json()["data"], json!({ "n": 1 }));
        assert_eq!(sent.header("webhook-id"), delivery.request().id);
    }
}

#[tokio::test]
async fn over_http_2_many_requests_share_a_connection() {
    let authority = Authority::new();
    let receiver = Receiver::over_tls(&authority.certify(&[HERE]), &["h2"]).await;
    let server = trusting(&authority).start().await;
    let api = server.api();
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["*"] })).await;
    api.publish("ticket.created", json!({})).await;
    receiver.wait("/hook", 1).await;
    api.all_settled().await;
    for _ in 0..100 {
        api.publish("ticket.created", json!({})).await;
    }
    receiver.wait("/hook", 101).await;
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn over_http_2_a_hostile_answer_ends_alone() {
    let authority = Authority::new();
    let receiver = Receiver::over_tls(&authority.certify(&[HERE]), &["h2"]).await;
    let header = "x".repeat(200 * 1024);
    receiver.on("/endless", [Reply::endless()]);
    receiver.on("/headers", [Reply::ok().header("x-large", &header)]);
    receiver.on("/hang", [Reply::hang()]);
    let server = trusting(&authority).start().await;
    let api = server.api();
    let deliver = async |path: &str| {
        let delivery = api.deliver_once(&receiver.url(path), json!({ "timeout_ms": 1000 })).await;
        let Attempt { error_class, status_code, truncated, .. } = delivery.attempt().clone();
        (error_class, status_code, truncated)
    };
    for _ in 0..3 {
        assert_eq!(deliver("/endless").await, (None, Some(200), true));
        assert_eq!(deliver("/headers").await, (Some("invalid_response".to_owned()), None, false));
        assert_eq!(deliver("/hang").await, (Some("timeout".to_owned()), None, false));
        assert_eq!(deliver("/hook").await, (None, Some(200), false));
    }
    // Headers without end take the connection with them, three times; all else leaves it as it was.
    assert_eq!(receiver.connections(), 4);
}

/// What cannot be secured is not sent, and everybody can see why.
fn unsecured(delivery: &Delivery, said: &str) {
    assert_eq!(delivery.status, "failed", "{delivery:#?}");
    let Attempt { outcome, error_class, status_code, error, .. } = delivery.attempt();
    assert_eq!((outcome.as_str(), error_class.as_deref(), *status_code), ("failed", Some("tls"), None));
    assert!(error.as_deref().is_some_and(|error| error.contains(said)), "{said}: {error:?}");
}

#[tokio::test]
async fn what_nobody_vouches_for_is_not_trusted() {
    let authority = Authority::new();
    let server = trusting(&authority).start().await;
    for (identity, said) in [
        (Authority::new().certify(&[HERE]), "UnknownIssuer"),
        (authority.certify_long_ago(&[HERE]), "expired"),
        (authority.certify(&["127.0.0.2"]), "not valid for name"),
        (authority.certify(&["localhost"]), "not valid for name"),
    ] {
        let receiver = Receiver::over_tls(&identity, &["h2", "http/1.1"]).await;
        unsecured(&deliver(&server, &receiver.url("/hook")).await, said);
        assert_eq!((receiver.connections(), receiver.all().len()), (1, 0));
    }
    // The operating system's authorities alone do not do.
    let receiver = Receiver::over_tls(&authority.certify(&[HERE]), &["h2"]).await;
    let plain = Installation::new().start().await;
    unsecured(&deliver(&plain, &receiver.url("/hook")).await, "UnknownIssuer");
    assert_eq!(receiver.all().len(), 0);
    assert_eq!(deliver(&server, &receiver.url("/hook")).await.status, "succeeded");
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_spoken_to() {
    let server = Installation::new().start().await;
    let plain = Receiver::start().await;
    unsecured(&deliver(&server, &plain.url("/hook").replace("http:", "https:")).await, "");
    assert_eq!(plain.all().len(), 0);
    let gone = Raw::start(async |stream: TcpStream| {
        drop(stream);
        Ok(())
    })
    .await;
    unsecured(&deliver(&server, &gone.url("https")).await, "");
    let rude = Raw::start(async |mut stream: TcpStream| stream.write_all(&[0xff; 4096]).await).await;
    unsecured(&deliver(&server, &rude.url("https")).await, "");
}

#[tokio::test]
async fn a_name_is_looked_for_in_the_certificate() {
    let authority = Authority::new();
    // Where the name has both addresses, both must be open.
    let server = trusting(&authority).allow("::1/128").start().await;
    for (names, trusted) in [(&["localhost"][..], true), (&["other.example", "LOCALHOST"], true), (&[HERE], false)] {
        let receiver = Receiver::over_tls(&authority.certify(names), &["h2"]).await;
        for host in ["localhost", "LocalHost"] {
            let delivery = deliver(&server, &format!("https://{host}:{}/hook", receiver.port())).await;
            assert_eq!(delivery.status == "succeeded", trusted, "{host} in {names:?}: {delivery:#?}");
        }
    }
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_at_the_start() {
    for content in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let said = Installation::new().env_file("HOOKWRIGHT_NETWORK_CA_FILE", "ca.pem", content).fails_to_start().await;
        assert!(said.contains("network.ca_file") && said.contains("ca.pem"), "{said}");
    }
    let said = Installation::new().env("HOOKWRIGHT_NETWORK_CA_FILE", "/nowhere/ca.pem").fails_to_start().await;
    assert!(said.contains("network.ca_file") && said.contains("/nowhere/ca.pem"), "{said}");
}

/// An HTTP/2 receiver that does not look at its first request, in one way or the other, and answers all others.
async fn reluctant(authority: &Authority, refuse: bool) -> Raw {
    let acceptor = authority.certify(&[HERE]).acceptor(&["h2"]);
    let first = Arc::new(AtomicBool::new(true));
    Raw::start(move |stream| {
        let (acceptor, first) = (acceptor.clone(), Arc::clone(&first));
        async move {
            let mut connection =
                h2::server::handshake(acceptor.accept(stream).await?).await.map_err(io::Error::other)?;
            while let Some(request) = connection.accept().await {
                let (_, mut respond) = request.map_err(io::Error::other)?;
                if first.swap(false, Ordering::SeqCst) {
                    if refuse {
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                    } else {
                        // Says that it did not look at any stream.
                        connection.abrupt_shutdown(h2::Reason::NO_ERROR);
                    }
                    continue;
                }
                let answer = Response::builder().status(StatusCode::NO_CONTENT).body(()).expect("an answer");
                respond.send_response(answer, true).map_err(io::Error::other)?;
            }
            Ok(())
        }
    })
    .await
}

#[tokio::test]
async fn what_an_http_2_receiver_did_not_look_at_is_sent_again_at_once() {
    let authority = Authority::new();
    let server = trusting(&authority).start().await;
    let refusing = reluctant(&authority, true).await;
    let delivery = deliver(&server, &refusing.url("https")).await;
    assert_eq!((delivery.status.as_str(), delivery.attempt().status_code), ("succeeded", Some(204)), "{delivery:#?}");
    assert_eq!(refusing.connections(), 1);
}

#[tokio::test]
async fn an_http_2_receiver_may_end_a_connection_and_gets_a_new_one() {
    let authority = Authority::new();
    let server = trusting(&authority).start().await;
    let api = server.api();
    let acceptor = authority.certify(&[HERE]).acceptor(&["h2"]);
    // As servers do after so many requests: this one is the connection's last.
    let receiver = Raw::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut connection =
                h2::server::handshake(acceptor.accept(stream).await?).await.map_err(io::Error::other)?;
            while let Some(request) = connection.accept().await {
                let (_, mut respond) = request.map_err(io::Error::other)?;
                let answer = Response::builder().status(StatusCode::NO_CONTENT).body(()).expect("an answer");
                respond.send_response(answer, true).map_err(io::Error::other)?;
                connection.graceful_shutdown();
            }
            Ok(())
        }
    })
    .await;
    for n in 1..=5 {
        let delivery = api.deliver_once(&receiver.url("https"), json!({})).await;
        assert_eq!((delivery.status.as_str(), delivery.attempt().status_code), ("succeeded", Some(204)), "{n}");
    }
    assert!(receiver.connections() >= 2);
}

/// A proxy that stands in for the world outside: whatever is asked for, behind the tunnel is the receiver at this port.
async fn world(port: u16) -> (Raw, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = Arc::clone(&asked);
    let proxy = Raw::start(move |mut stream| {
        let asks = Arc::clone(&asks);
        async move {
            let head = read_request(&mut stream).await?;
            asks.lock().push(head);
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            let mut inside = TcpStream::connect((HERE, port)).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut inside).await.map(drop)
        }
    })
    .await;
    (proxy, asked)
}

#[tokio::test]
async fn public_addresses_are_called_through_the_proxy() {
    let authority = Authority::new();
    let receiver = Receiver::over_tls(&authority.certify(&["8.8.8.8"]), &["h2"]).await;
    let (proxy, asked) = world(receiver.port()).await;
    let url = format!("http://us%20er:s3cret@{HERE}:{}", proxy.port());
    let server = trusting(&authority).env("HOOKWRIGHT_NETWORK_PROXY", &url).start().await;
    let delivery = deliver(&server, "https://8.8.8.8/hook").await;
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    assert_eq!(receiver.wait("/hook", 1).await.version, Version::HTTP_2);
    let asked = asked.lock().clone();
    // `us er:s3cret`
    let credentials = "Proxy-Authorization: Basic dXMgZXI6czNjcmV0\r\n";
    assert!(asked.len() == 1 && asked[0].starts_with("CONNECT 8.8.8.8:443 HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains(credentials), "{asked:?}");
    // What the administrator opened is called directly.
    let near = Receiver::start().await;
    assert_eq!(deliver(&server, &near.url("/hook")).await.status, "succeeded");
    assert_eq!(proxy.connections(), 1);
    assert!(!server.log().contains("s3cret"));
}

#[tokio::test]
async fn a_proxy_may_look_names_up() {
    let authority = Authority::new();
    let receiver = Receiver::over_tls(&authority.certify(&["hook.invalid"]), &["h2"]).await;
    let (proxy, asked) = world(receiver.port()).await;
    let server = trusting(&authority)
        .env("HOOKWRIGHT_NETWORK_PROXY", &format!("http://{HERE}:{}", proxy.port()))
        .env("HOOKWRIGHT_NETWORK_PROXY_RESOLVES", "true")
        .start()
        .await;
    // The second one's dot is part of the name, but of no certificate.
    for host in ["hook.invalid", "hook.invalid."] {
        let delivery = deliver(&server, &format!("https://{host}/hook")).await;
        assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
        let asked = asked.lock().pop().expect("a tunnel");
        assert!(asked.starts_with(&format!("CONNECT {host}:443 ")), "{asked}");
    }
}

#[tokio::test]
async fn a_wrong_proxy_is_refused_at_the_start_without_its_password() {
    for url in ["ftp://u:s3cret@proxy.example", "proxy.example:3128", "http://u:s3cret@proxy.example/path", "http://"] {
        let said = Installation::new().env("HOOKWRIGHT_NETWORK_PROXY", url).fails_to_start().await;
        assert!(said.contains("network.proxy") && !said.contains("s3cret"), "{said}");
    }
}

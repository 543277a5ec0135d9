//! What reaches whom, over which connection.

use std::future::Future;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use url::Url;

use super::super::stage::{PUBLIC, Stage, stage};
use super::*;

const SHORT: Duration = Duration::from_millis(100);

/// A listener on loopback that does this with each connection.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (u16, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connected, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = connected.send(());
            tokio::spawn(serve(stream));
        }
    });
    (port, connections)
}

/// The head of a request; its body is read as well.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    if head.contains("content-length: 2\r\n") {
        stream.read_exact(&mut [0; 2]).await.ok()?;
    }
    Some(head)
}

async fn answer_all(mut stream: TcpStream) {
    while read_request(&mut stream).await.is_some() {
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    }
}

fn broken(class: ErrorClass, body_sent: bool) -> Ending {
    Ending::Broken { class, body_sent }
}

const ANSWERED: Ending = Ending::Answered { status: 204, retry_after_ms: None };

#[tokio::test]
async fn a_kept_connection_leads_where_it_was_checked_and_a_new_one_is_checked_again() {
    let stage = stage(&["127.0.0.0/8"], false);
    let (port, mut connections) = listen(|mut stream| async move {
        for last in [false, false, true] {
            read_request(&mut stream).await;
            let end = if last { "Connection: close\r\n\r\n" } else { "\r\n" };
            stream.write_all(format!("HTTP/1.1 204 No Content\r\n{end}").as_bytes()).await.unwrap();
        }
    })
    .await;
    // Asked once for each connection: the second answer is for the second connection.
    stage.name("moving.example", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let url = format!("http://moving.example:{port}/");
    for _ in 0..3 {
        assert_eq!(stage.called(&url).await.ending, ANSWERED);
    }
    // The receiver has closed it, so the name is looked up again.
    stage.refused(&url).await;
    assert_eq!((connections.recv().await, connections.try_recv().is_err()), (Some(()), true));
}

#[tokio::test]
async fn a_kept_connection_serves_only_its_own_host_port_and_scheme() {
    let stage = stage(&["127.0.0.0/8"], false);
    let (port, mut connections) = listen(answer_all).await;
    stage.name("a.example", &[&["127.0.0.1"]]);
    stage.name("b.example", &[&["127.0.0.1"]]);
    for host in ["a.example", "b.example", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/");
        for _ in 0..2 {
            assert_eq!(stage.called(&url).await.ending, ANSWERED);
        }
        assert_eq!((connections.try_recv(), connections.try_recv().is_err()), (Ok(()), true), "one for {host}");
    }
    // b.example is no longer open, and a.example's connection is not taken for it.
    stage.name("c.example", &[&["10.0.0.1"]]);
    stage.refused(&format!("http://c.example:{port}/")).await;
}

#[tokio::test]
async fn what_no_connection_took_was_not_sent() {
    let stage = stage(&["127.0.0.0/8"], false);
    let (silent, _connections) = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    // TLS does not begin.
    let handshake = stage.called_within(&format!("https://127.0.0.1:{silent}/"), SHORT).await;
    assert_eq!(handshake.ending, broken(ErrorClass::Timeout, false));
    assert_eq!(handshake.error.unwrap(), "no connection within 100 ms");
    // The request is written, and nobody answers.
    let answer = stage.called_within(&format!("http://127.0.0.1:{silent}/"), SHORT).await;
    assert_eq!(answer.ending, broken(ErrorClass::Timeout, true));
    assert_eq!(answer.error.unwrap(), "no answer within 100 ms");
    assert!(answer.duration_ms >= 100, "{}", answer.duration_ms);

    let (rude, _connections) = listen(|stream| async move { drop(stream) }).await;
    let dropped = stage.called(&format!("https://127.0.0.1:{rude}/")).await;
    assert_eq!(dropped.ending, broken(ErrorClass::Tls, false), "{dropped:?}");
    // Bound and released: nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = stage.called(&format!("http://127.0.0.1:{nobody}/")).await;
    assert_eq!(refused.ending, broken(ErrorClass::Connect, false));
}

#[tokio::test]
async fn the_time_to_connect_has_a_limit_of_its_own() {
    let network = NetworkConfig { connect_timeout_ms: 100, ..NetworkConfig::default() };
    let stage = Stage::new(&["127.0.0.0/8"], false, &network);
    let (silent, _connections) = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let exchange = stage.called(&format!("https://127.0.0.1:{silent}/")).await;
    assert_eq!(exchange.ending, broken(ErrorClass::Timeout, false));
    assert_eq!(exchange.error.unwrap(), "no connection within 100 ms");
    assert!((100..9000).contains(&exchange.duration_ms), "{}", exchange.duration_ms);
}

#[tokio::test]
async fn of_several_addresses_the_one_that_answers_is_taken() {
    let stage = stage(&["127.0.0.0/8"], false);
    let (port, mut connections) = listen(answer_all).await;
    // The listener has only the last of them; the others refuse.
    stage.name("several.example", &[&["127.0.0.3", "127.0.0.2", "127.0.0.1"]]);
    assert_eq!(stage.called(&format!("http://several.example:{port}/")).await.ending, ANSWERED);
    assert!(connections.recv().await.is_some());
}

/// One name may not have a whole network called.
#[tokio::test]
async fn a_name_with_many_addresses_has_only_the_first_of_them_called() {
    let stage = stage(&["127.0.0.0/8"], false);
    let (port, mut connections) = listen(answer_all).await;
    let many: Vec<String> = (2..200).map(|n| format!("127.0.1.{n}")).collect();
    let mut answer: Vec<&str> = many.iter().map(String::as_str).collect();
    answer.push("127.0.0.1");
    stage.name("many.example", &[&answer]);
    let exchange = stage.called(&format!("http://many.example:{port}/")).await;
    assert_eq!(exchange.ending, broken(ErrorClass::Connect, false));
    assert!(connections.try_recv().is_err());
}

/// A proxy that does as it is told, with a receiver behind every tunnel.
async fn proxy() -> (String, mpsc::UnboundedReceiver<String>) {
    let (asked, asks) = mpsc::unbounded_channel();
    let (port, _) = listen(move |mut stream| {
        let asked = asked.clone();
        async move {
            let Some(head) = read_request(&mut stream).await else { return };
            let _ = asked.send(head.lines().next().unwrap().to_owned());
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            answer_all(stream).await;
        }
    })
    .await;
    (format!("http://127.0.0.1:{port}"), asks)
}

#[tokio::test]
async fn a_proxy_is_told_the_address_that_was_checked() {
    let (url, mut asks) = proxy().await;
    let network = NetworkConfig { proxy: Some(url), ..NetworkConfig::default() };
    let stage = Stage::new(&["127.0.0.0/8"], true, &network);
    stage.name("public.example", &[&[PUBLIC]]);
    assert_eq!(stage.called("http://public.example/").await.ending, ANSWERED);
    assert_eq!(asks.recv().await.unwrap(), "CONNECT 8.8.8.8:80 HTTP/1.1");
    assert_eq!(stage.called("http://[2606:4700::1]:8080/").await.ending, ANSWERED);
    assert_eq!(asks.recv().await.unwrap(), "CONNECT [2606:4700::1]:8080 HTTP/1.1");
    // What is refused is refused before the proxy hears of it.
    stage.name("inside.example", &[&["10.0.0.1"]]);
    stage.name("mixed.example", &[&[PUBLIC, "10.0.0.1"]]);
    for url in ["http://inside.example/", "http://mixed.example/", "http://10.0.0.1/", "http://8.8.8.8:25/"] {
        stage.refused(url).await;
    }
    let unknown = stage.called("http://unknown.example/").await;
    assert_eq!(unknown.ending, broken(ErrorClass::Dns, false));
    // What was opened is near, and needs no proxy.
    let (port, mut connections) = listen(answer_all).await;
    assert_eq!(stage.called(&format!("http://127.0.0.1:{port}/")).await.ending, ANSWERED);
    assert!(connections.recv().await.is_some());
    assert!(asks.try_recv().is_err());
}

#[tokio::test]
async fn a_proxy_that_looks_names_up_is_told_the_name() {
    let (url, mut asks) = proxy().await;
    let network = NetworkConfig { proxy: Some(url), proxy_resolves: true, ..NetworkConfig::default() };
    let stage = Stage::new(&["127.0.0.0/8"], true, &network);
    stage.name("public.example", &[&[PUBLIC]]);
    for host in ["public.example", "unknown.example"] {
        assert_eq!(stage.called(&format!("http://{host}/")).await.ending, ANSWERED);
        assert_eq!(asks.recv().await.unwrap(), format!("CONNECT {host}:80 HTTP/1.1"));
    }
    // What is known to lead inside is refused as ever.
    stage.name("inside.example", &[&["10.0.0.1"]]);
    for url in ["http://inside.example/", "http://10.0.0.1/", "http://unknown.example:25/"] {
        stage.refused(url).await;
    }
    assert!(asks.try_recv().is_err());
}

#[tokio::test]
async fn a_proxy_that_is_away_or_refuses_is_no_connection() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (refusing, _connections) = listen(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    for (port, said) in [(nobody, "no connection: "), (refusing, "no connection: the proxy answered 403")] {
        let proxy = Some(format!("http://user:s3cret@127.0.0.1:{port}"));
        let stage = Stage::new(&[], true, &NetworkConfig { proxy, ..NetworkConfig::default() });
        let exchange = stage.called("http://8.8.8.8/").await;
        assert_eq!(exchange.ending, broken(ErrorClass::Connect, false));
        let error = exchange.error.unwrap();
        assert!(error.starts_with(said) && !error.contains("s3cret"), "{error}");
    }
    let stage = Stage::new(
        &[],
        true,
        &NetworkConfig { proxy: Some("http://proxy.example".to_owned()), ..NetworkConfig::default() },
    );
    let exchange = stage.called("http://8.8.8.8/").await;
    assert_eq!(exchange.ending, broken(ErrorClass::Connect, false));
    assert!(exchange.error.unwrap().contains("the proxy's name does not resolve"));
}

proptest! {
    /// The two parsers that a URL goes through agree on where it leads.
    #[test]
    fn what_was_checked_and_what_is_called_is_the_same_host(
        url in r"https?://([ -~]{0,6}[@/\\])?([a-z0-9.\-]{1,20}|\[[0-9a-f:.]{2,20}\]|[0-9.x]{1,15})(:[0-9]{1,5})?[ -~]{0,30}"
    ) {
        let Ok(url) = Url::parse(&url) else { return Ok(()) };
        let Ok(uri) = Uri::try_from(url.as_str()) else { return Ok(()) };
        prop_assert_eq!(url.host_str(), uri.host());
        let default = if url.scheme() == "http" { 80 } else { 443 };
        prop_assert_eq!(url.port_or_known_default(), Some(uri.port_u16().unwrap_or(default)));
        prop_assert_eq!(Some(url.scheme()), uri.scheme_str());
    }

    /// What may be saved can be sent.
    #[test]
    fn a_url_with_any_path_and_query_can_be_sent(path in r"[ -~é✓]{0,40}", query in r"[ -~é✓]{0,40}") {
        let mut url: Url = "https://hook.example/".parse().unwrap();
        url.set_path(&path);
        url.set_query(Some(&query));
        prop_assert!(Uri::try_from(url.as_str()).is_ok(), "{}", url);
    }
}

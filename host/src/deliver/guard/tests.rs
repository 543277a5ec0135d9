//! Every class of address at both times: when a webhook is saved, and when it is called.

use std::net::TcpListener;

use super::super::stage::{PUBLIC, stage};
use super::*;
use crate::domain::delivery::ErrorClass;
use crate::domain::retry::Ending;

fn in_url(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Each address as a literal, behind a name, among good ones, and behind a name that changes: nothing gets there, and it is
/// said why.
async fn nothing_gets_to(class: &str, addresses: &[&str]) {
    assert!(addresses.len() >= 4);
    let stage = stage(&[], true);
    let because = format!("({class})");
    for address in addresses {
        for scheme in ["https", "http"] {
            let literal = format!("{scheme}://{}/hook", in_url(address));
            let said = stage.saved(&literal).await.unwrap_err();
            assert!(said.contains(&because), "{literal} when saved: {said}");
            let said = stage.refused(&literal).await;
            assert!(said.contains(&because), "{literal} when called: {said}");

            let url = format!("{scheme}://hook.example/hook");
            for answer in [&[*address][..], &[PUBLIC, address], &[address, PUBLIC], &[PUBLIC, PUBLIC, address]] {
                stage.name("hook.example", &[answer]);
                let said = stage.saved(&url).await.unwrap_err();
                assert!(said.contains(&because), "{answer:?} when saved: {said}");

                stage.name("hook.example", &[&[PUBLIC], answer]);
                assert_eq!(stage.saved(&url).await, Ok(()));
                let said = stage.refused(&url).await;
                assert!(said.contains(&because), "{answer:?} when called: {said}");
            }
        }
    }
}

#[tokio::test]
async fn private_networks() {
    nothing_gets_to(
        "private",
        &["10.0.0.1", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    )
    .await;
}

#[tokio::test]
async fn loopback() {
    nothing_gets_to("loopback", &["127.0.0.1", "127.0.0.53", "127.255.255.254", "::1"]).await;
}

#[tokio::test]
async fn link_local_and_metadata_services() {
    nothing_gets_to(
        "link-local",
        &[
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.255.255",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
        ],
    )
    .await;
    nothing_gets_to("unique-local", &["fd00:ec2::254", "fd20:ce::254", "fd00:42::42", "fd00:c1::a9fe:a9fe"]).await;
    nothing_gets_to(
        "cloud platform",
        &["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "2002:a83f:8110::"],
    )
    .await;
}

#[tokio::test]
async fn carrier_grade_nat() {
    nothing_gets_to("carrier-grade NAT", &["100.64.0.0", "100.100.100.200", "100.96.1.1", "100.127.255.255"]).await;
}

#[tokio::test]
async fn multicast_and_broadcast() {
    nothing_gets_to(
        "multicast",
        &["224.0.0.1", "239.255.255.255", "232.1.1.1", "ff02::1", "ff0e::1", "ffff::1", "ff05::1:3"],
    )
    .await;
    nothing_gets_to(
        "broadcast",
        &["255.255.255.255", "::ffff:255.255.255.255", "64:ff9b::255.255.255.255", "2002:ffff:ffff::"],
    )
    .await;
}

#[tokio::test]
async fn unspecified_and_this_network() {
    nothing_gets_to("unspecified", &["0.0.0.0", "0.0.0.1", "0.255.255.255", "::", "::ffff:0.0.0.0"]).await;
}

#[tokio::test]
async fn documentation_networks() {
    nothing_gets_to(
        "documentation",
        &["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "2001:db8:ffff::", "3fff::1", "3fff:fff::1"],
    )
    .await;
}

#[tokio::test]
async fn unique_local() {
    nothing_gets_to("unique-local", &["fc00::", "fc00::1", "fd12:3456:789a::1", "fdff:ffff:ffff::1"]).await;
}

#[tokio::test]
async fn addresses_that_carry_others() {
    // v4-mapped
    nothing_gets_to("private", &["::ffff:10.0.0.1", "::ffff:c0a8:101", "::ffff:172.16.0.1", "::ffff:192.168.1.1"])
        .await;
    nothing_gets_to("loopback", &["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:127.1.2.3", "::ffff:7fff:ffff"]).await;
    // NAT64: the well-known prefix, and the local one
    nothing_gets_to("private", &["64:ff9b::10.0.0.1", "64:ff9b::a00:1", "64:ff9b::192.168.1.1", "64:ff9b::ac10:1"])
        .await;
    nothing_gets_to("loopback", &["64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:7f00:1::1"]).await;
    nothing_gets_to("reserved", &["64:ff9b:1::1", "64:ff9b:1::10.0.0.1", "64:ff9b:1:ffff::8.8.8.8", "64:ff9b:2::1"])
        .await;
    nothing_gets_to(
        "link-local",
        &["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"],
    )
    .await;
    // 6to4
    nothing_gets_to("private", &["2002:a00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:ac10:1:ffff::1"]).await;
    // Teredo
    nothing_gets_to("reserved", &["2001::1", "2001:0:4136:e378::1", "2001:0:a00:1::1", "2001:0:808:808:0:0:f5ff:fffe"])
        .await;
    // v4-compatible and v4-translated
    nothing_gets_to("reserved", &["::8.8.8.8", "::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8", "::ffff:0:127.0.0.1"]).await;
}

#[tokio::test]
async fn reserved_networks() {
    // IETF protocol assignments, benchmarking, class E, the former 6to4 relays.
    nothing_gets_to("reserved", &["192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.0.255"]).await;
    nothing_gets_to("reserved", &["198.18.0.0", "198.18.0.1", "198.19.0.1", "198.19.255.255"]).await;
    nothing_gets_to("reserved", &["240.0.0.0", "240.0.0.1", "250.1.2.3", "255.255.255.254"]).await;
    nothing_gets_to("reserved", &["192.88.99.0", "192.88.99.1", "192.88.99.2", "192.88.99.255"]).await;
    // Discard-only, dummy prefix, ORCHID and ORCHIDv2, benchmarking, site-local, SRv6, not assigned.
    nothing_gets_to("reserved", &["100::", "100::1", "100::ffff:ffff:ffff:ffff", "100:0:0:1::1"]).await;
    nothing_gets_to("reserved", &["2001:10::1", "2001:1f:ffff::1", "2001:20::1", "2001:2f:ffff::1", "2001:2::1"]).await;
    nothing_gets_to("reserved", &["fec0::", "fec0::1", "fec0:0:0:ffff::1", "feff:ffff::1"]).await;
    nothing_gets_to("reserved", &["5f00::", "5f00::1", "5f00:1:2:3::", "5f00:ffff::1"]).await;
    nothing_gets_to("reserved", &["1::1", "200::1", "400::1", "4000::1", "8000::1", "e000::1", "fe00::1"]).await;
}

#[tokio::test]
async fn public_addresses_are_let_through() {
    let stage = stage(&[], false);
    for address in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.0", "2606:4700::1", "2001:4860:4860::8888"] {
        assert_eq!(stage.saved(&format!("https://{}/", in_url(address))).await, Ok(()));
        stage.name("hook.example", &[&[PUBLIC, address]]);
        assert_eq!(stage.saved("https://hook.example/").await, Ok(()));
    }
}

#[tokio::test]
async fn odd_forms_of_forbidden_addresses_are_refused() {
    let stage = stage(&[], true);
    for name in ["localhost", "localhost.", "local.example", "local.example."] {
        stage.name(name, &[&["127.0.0.1"]]);
    }
    for host in [
        // Trailing dots.
        "127.0.0.1.",
        "127.1.",
        "0x7f000001.",
        "localhost.",
        "local.example.",
        // Decimal, octal, hexadecimal, mixed and short.
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0X7F000001",
        "0x7F.1",
        "0x7f.0.0x0.01",
        "127.1",
        "127.0.1",
        "127.65535",
        // Brackets, and ways to write the same address.
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000::0001]",
        "[::FFFF:127.0.0.1]",
        "[::ffff:7f00:1]",
        // Upper case.
        "LOCALHOST",
        "LocalHost",
        "LOCAL.Example",
        // Percent-encoded.
        "%31%32%37.0.0.1",
        "127%2e0%2E0%2e1",
        "%6cocalhost",
        "%30x7f.1",
        // What IDNA maps to ASCII: full-width digits and letters, circled digits, other dots, a soft hyphen.
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "127．0．0．1",
        "ｌｏｃａｌｈｏｓｔ",
        "ⓛocalhost",
        "local\u{ad}host",
        "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1",
    ] {
        for scheme in ["http", "https", "HTTPS"] {
            let url = format!("{scheme}://{host}/hook");
            let said = stage.saved(&url).await.unwrap_err();
            assert!(said.contains("(loopback)"), "{url} when saved: {said}");
            let said = stage.refused(&url).await;
            assert!(said.contains("(loopback)"), "{url} when called: {said}");
        }
    }
}

#[tokio::test]
async fn what_only_looks_like_an_address_is_no_url() {
    let stage = stage(&["0.0.0.0/0", "::/0"], true);
    for host in [
        // Zone ids.
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%25lo]",
        "[::1%lo]",
        "256.0.0.1",
        "127.0.0.1.1",
        "127.0.0.0x1ffffffff",
        "4294967296",
        "08.8.8.8",
        "1.2.3.4.",
        "[::1",
        "::1",
        "[::ffff:127.0.0.256]",
        "[127.0.0.1]",
        "a b.example",
        "%00.example",
        "exa%2Fmple",
    ] {
        let url = format!("https://{host}/hook");
        let verdict = stage.saved(&url).await;
        if host == "1.2.3.4." {
            assert_eq!(verdict, Ok(()), "with one dot at its end it is an address");
        } else {
            assert!(verdict.as_ref().is_err_and(|said| said.starts_with("no URL")), "{url}: {verdict:?}");
        }
    }
}

#[tokio::test]
async fn an_opened_network_opens_itself_and_nothing_else() {
    let stage = stage(&["10.1.0.0/16", "fd00:1::/32", "169.254.7.7/32", "::ffff:192.168.7.0/120"], false);
    for (open, scheme) in [
        ("10.1.0.0", "http"),
        ("10.1.255.255", "https"),
        ("::ffff:10.1.2.3", "http"),
        ("fd00:1::1", "http"),
        ("169.254.7.7", "http"),
        ("192.168.7.255", "http"),
        ("::ffff:192.168.7.1", "http"),
    ] {
        assert_eq!(stage.saved(&format!("{scheme}://{}/", in_url(open))).await, Ok(()));
        stage.name("hook.example", &[&[open]]);
        assert_eq!(stage.saved(&format!("{scheme}://hook.example/")).await, Ok(()));
    }
    for closed in [
        "10.0.255.255",
        "10.2.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "169.254.7.8",
        "192.168.6.255",
        "192.168.8.0",
        "::1",
        "fd00:2::1",
        "fe80::1",
        "::ffff:10.2.0.0",
        // Others than the gateway that is meant may carry these.
        "64:ff9b::10.1.0.1",
        "2002:a01:1::",
        "::10.1.0.1",
    ] {
        let literal = format!("https://{}/", in_url(closed));
        assert!(stage.saved(&literal).await.is_err(), "{closed}");
        stage.refused(&literal).await;
        // Behind a name, also where its other address is open.
        stage.name("hook.example", &[&["10.1.0.1", closed]]);
        assert!(stage.saved("https://hook.example/").await.is_err(), "{closed}");
        stage.name("hook.example", &[&["10.1.0.1"], &["10.1.0.1", closed]]);
        assert_eq!(stage.saved("https://hook.example/").await, Ok(()));
        stage.refused("https://hook.example/").await;
    }
}

#[tokio::test]
async fn plain_http_needs_an_opened_network() {
    let plain = "plain http";
    let closed = stage(&["127.0.0.0/8"], false);
    closed.name("local.example", &[&["127.0.0.1"]]);
    closed.name("public.example", &[&[PUBLIC]]);
    for open in
        ["http://127.0.0.1:9/", "http://[::ffff:127.0.0.1]/", "http://local.example/", "https://public.example/"]
    {
        assert_eq!(closed.saved(open).await, Ok(()), "{open}");
    }
    for url in ["http://8.8.8.8/", "http://[2606:4700::1]/", "http://public.example/", "http://not-made-yet.example/"] {
        let said = closed.saved(url).await.unwrap_err();
        assert!(said.contains(plain), "{url}: {said}");
    }
    for url in ["http://8.8.8.8/", "http://[2606:4700::1]/", "http://public.example/"] {
        let said = closed.refused(url).await;
        assert!(said.contains(plain), "{url}: {said}");
    }
    // Open when it was saved, public when it is called, and both at once.
    for answer in [&[PUBLIC][..], &["127.0.0.1", PUBLIC]] {
        closed.name("moving.example", &[&["127.0.0.1"], answer]);
        assert_eq!(closed.saved("http://moving.example/").await, Ok(()));
        let said = closed.refused("http://moving.example/").await;
        assert!(said.contains(plain), "{said}");
    }
    let open = stage(&[], true);
    open.name("public.example", &[&[PUBLIC]]);
    for url in ["http://8.8.8.8/", "http://public.example/", "http://not-made-yet.example/"] {
        assert_eq!(open.saved(url).await, Ok(()));
    }
}

#[tokio::test]
async fn ports_of_other_protocols_need_an_opened_network() {
    let stage = stage(&["10.1.0.0/16"], true);
    stage.name("public.example", &[&[PUBLIC]]);
    for port in [0, 22, 25, 587, 6667] {
        for host in ["8.8.8.8", "[2606:4700::1]", "public.example"] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:{port}/");
                let (saved, called) = (stage.saved(&url).await.unwrap_err(), stage.refused(&url).await);
                let said = format!("port {port} belongs");
                assert!(saved.starts_with(&said) && called.starts_with(&said), "{url}: {saved}, {called}");
            }
        }
        let unknown = stage.saved(&format!("https://not-made-yet.example:{port}/")).await;
        assert!(unknown.unwrap_err().contains("port"));
        assert_eq!(stage.saved(&format!("http://10.1.0.1:{port}/")).await, Ok(()));
    }
    for url in ["https://8.8.8.8:8443/", "http://8.8.8.8:80/", "https://public.example:65535/"] {
        assert_eq!(stage.saved(url).await, Ok(()));
    }
}

#[tokio::test]
async fn user_info_fragments_and_other_schemes_are_refused() {
    let stage = stage(&["127.0.0.0/8"], true);
    stage.name("public.example", &[&[PUBLIC]]);
    for (url, said) in [
        ("https://user@public.example/", "user or password"),
        ("https://:pw@public.example/", "user or password"),
        ("https://user:pw@127.0.0.1/", "user or password"),
        ("https://public.example@127.0.0.1/", "user or password"),
        ("https://public.example%40127.0.0.1@x.example/", "user or password"),
        ("https://public.example/#x", "fragment"),
        ("ftp://public.example/", "scheme"),
        ("ws://public.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("unix:/run/x.sock", "scheme"),
        ("data:text/plain,x", "scheme"),
    ] {
        let saved = stage.saved(url).await.unwrap_err();
        assert!(saved.contains(said), "{url}: {saved}");
        let called = stage.refused(url).await;
        assert!(called.contains(said), "{url}: {called}");
    }
    let long = |length: usize| {
        let start = "https://public.example/";
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    assert_eq!(stage.saved(&long(URL_MAX_BYTES)).await, Ok(()));
    assert!(stage.saved(&long(URL_MAX_BYTES + 1)).await.unwrap_err().contains("4096"));
}

#[tokio::test]
async fn a_name_without_an_address_is_let_through_and_judged_later() {
    let stage = stage(&[], true);
    assert_eq!(stage.saved("https://not-made-yet.example/").await, Ok(()));
    stage.name("empty.example", &[&[]]);
    assert_eq!(stage.saved("https://empty.example/").await, Ok(()));
    for host in ["not-made-yet", "empty"] {
        let exchange = stage.called(&format!("https://{host}.example/")).await;
        assert_eq!(exchange.ending, Ending::Broken { class: ErrorClass::Dns, body_sent: false });
    }
    stage.name("not-made-yet.example", &[&["127.0.0.1"]]);
    stage.refused("https://not-made-yet.example/").await;
}

/// A name that changes between check and connection, and again: nobody ever knocks.
#[tokio::test]
async fn nothing_is_connected_when_an_address_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let stage = stage(&["10.1.0.0/16"], true);
    for address in ["127.0.0.1", "::ffff:127.0.0.1"] {
        let flapping: &[&[&str]] = &[&["10.1.0.1"], &[address], &[PUBLIC, address], &[address, PUBLIC], &[address]];
        stage.name("flapping.example", flapping);
        let url = format!("http://flapping.example:{port}/");
        assert_eq!(stage.saved(&url).await, Ok(()));
        for _ in 0..5 {
            stage.refused(&url).await;
        }
        stage.refused(&format!("http://{}:{port}/", in_url(address))).await;
    }
    let knocked = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(knocked, Err(std::io::ErrorKind::WouldBlock));
}

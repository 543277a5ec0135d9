//! What surrounds every request: its id, from where it came, and the headers that every answer has.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::Api;
use super::rates::RateStatus;
use crate::config::ServerConfig;
use crate::domain::audit::{Origin, USER_AGENT_MAX_CHARS};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Most characters of a request id that a client brings.
const REQUEST_ID_MAX_CHARS: usize = 128;

/// One request, but for what it asks for.
#[derive(Debug)]
pub(super) struct Context {
    /// What it is called in logs, answers and the audit log.
    pub(super) id: Arc<str>,
    /// From where it came.
    pub(super) address: Option<IpAddr>,
    /// Whether it came over https, at least to the proxy in front.
    pub(super) is_https: bool,
    user_agent: Option<HeaderValue>,
    /// How much its caller may still ask for.
    pub(super) rate: OnceLock<RateStatus>,
}

impl Context {
    fn of(request: &Request, config: &ServerConfig, new_id: impl FnOnce() -> Arc<str>) -> Self {
        let headers = request.headers();
        let peer = peer(request.extensions());
        let is_trusted = |address: IpAddr| config.trusted_proxies.iter().any(|network| network.contains(&address));
        let through_proxy = peer.is_some_and(is_trusted);
        let forwarded_https =
            || text(headers, FORWARDED_PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let public_https = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        Self {
            id: brought_id(headers).unwrap_or_else(new_id),
            address: if through_proxy { forwarded_for(headers, is_trusted).or(peer) } else { peer },
            is_https: public_https || (through_proxy && forwarded_https()),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            rate: OnceLock::new(),
        }
    }

    /// The request of these parts.
    pub(super) fn from(extensions: &Extensions) -> Arc<Self> {
        let context = extensions.get::<Arc<Self>>();
        context.expect("every route stands inside of `around`").clone()
    }

    /// For the audit log.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            address: self.address.map(|address| address.to_string()),
            request_id: Some(self.id.as_ref().to_owned()),
            user_agent: self.user_agent(),
        }
    }

    /// What the client says it is, without what would spoil a page or a log.
    pub(super) fn user_agent(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.user_agent.as_ref()?.as_bytes());
        Some(text.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX_CHARS).collect())
    }
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The nearest address that is none of our own proxies'. What stands before it may have been written by anybody.
fn forwarded_for(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut nearest = None;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { return nearest };
        nearest = Some(address.to_canonical());
        if !is_trusted(address.to_canonical()) {
            return nearest;
        }
    }
    nearest
}

/// The id that the client, or a proxy before us, has given the request.
fn brought_id(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let is_well_formed = (1..=REQUEST_ID_MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain);
    is_well_formed.then(|| text.into())
}

/// What every answer says unless it says something else itself. Nothing that this server gives is to be run, framed, guessed
/// at or kept by a browser.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Surrounds every request.
pub(super) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let new_id = || Uuid::from_u128(api.entropy.id()).simple().encode_lower(&mut [0; Simple::LENGTH]).into();
    let context = Arc::new(Context::of(&request, &api.config.server, new_id));
    request.extensions_mut().insert(context.clone());
    // What a page asks the API for is one request with the page.
    let id = HeaderValue::from_str(&context.id).expect("a request id is plain ASCII");
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = request_id::within(context.id.clone(), next.run(request)).await;
    METRICS.answers.one(usize::from(response.status().as_u16() / 100));
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    headers.insert(REQUEST_ID, id);
    if let Some(rate) = context.rate.get() {
        rate.tell(headers);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(peer: &str, headers: &[(&str, &str)], trusted: &str, public: &str) -> Context {
        let mut request = Request::new(axum::body::Body::empty());
        let peer: IpAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 1)));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let config = ServerConfig {
            trusted_proxies: if trusted.is_empty() { Vec::new() } else { vec![trusted.parse().unwrap()] },
            public_url: (!public.is_empty()).then(|| public.parse().unwrap()),
            ..ServerConfig::default()
        };
        Context::of(&request, &config, || "made".into())
    }

    #[test]
    fn a_request_id_is_taken_if_it_is_well_formed() {
        let id = |id: &str| context("192.0.2.1", &[("x-request-id", id)], "", "").id.to_string();
        assert_eq!(id("7f3c-A_b.c:9"), "7f3c-A_b.c:9");
        assert_eq!(id(&"x".repeat(REQUEST_ID_MAX_CHARS)).len(), REQUEST_ID_MAX_CHARS);
        for text in ["", "a b", "a\"b", "<script>", &"x".repeat(REQUEST_ID_MAX_CHARS + 1)] {
            assert_eq!(id(text), "made", "{text:?}");
        }
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let from = |peer, forwarded| {
            let headers = [("x-forwarded-for", forwarded), ("x-forwarded-proto", "https")];
            let context = context(peer, &headers, "10.0.0.0/8", "");
            (context.address.unwrap().to_string(), context.is_https)
        };
        assert_eq!(from("192.0.2.1", "198.51.100.7"), ("192.0.2.1".to_owned(), false), "anybody can write that");
        assert_eq!(from("10.0.0.1", "198.51.100.7"), ("198.51.100.7".to_owned(), true));
        assert_eq!(
            from("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2").0,
            "198.51.100.7",
            "what stands before is hearsay"
        );
        assert_eq!(from("10.0.0.1", "nonsense").0, "10.0.0.1");
        assert_eq!(from("::ffff:10.0.0.1", "198.51.100.7").0, "198.51.100.7");
    }

    #[test]
    fn https_is_what_people_use_to_get_here() {
        assert!(!context("192.0.2.1", &[], "", "").is_https);
        assert!(context("192.0.2.1", &[], "", "https://hooks.example").is_https);
        assert!(!context("192.0.2.1", &[], "", "http://hooks.example").is_https);
    }

    #[test]
    fn what_a_client_says_it_is_is_bounded() {
        let agent = |text: &str| context("192.0.2.1", &[("user-agent", text)], "", "").user_agent().unwrap();
        assert_eq!(agent(&"x".repeat(USER_AGENT_MAX_CHARS + 1)).len(), USER_AGENT_MAX_CHARS);
        assert_eq!(agent("curl/8"), "curl/8");
    }
}

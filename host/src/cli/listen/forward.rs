//! One recorded request, sent from here exactly as it was signed.

use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use url::Url;

use crate::cli::Failure;
use crate::cli::asking::text;
use crate::cli::ink::{Pen, clean, shorten};
use crate::domain::signature::SigningSecret;

/// What belongs to the connection, which is another one here.
const OF_CONNECTION: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];
/// What stands for a secret in what is recorded.
const STAND_IN: &str = "[secret:";
/// How much of an error is shown.
const ERROR_CHARS: usize = 200;

/// Where to forward to: a place on this machine, or one that it reaches.
pub(super) fn local(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("it is a URL like http://localhost:3000".to_owned());
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("it has no `#…`, and no user or password".to_owned());
    }
    Ok(url)
}

/// Sends recorded requests.
#[derive(Debug, Clone)]
pub(super) struct Forwarder {
    http: reqwest::Client,
    to: Url,
    secret: SigningSecret,
}

/// What came of one.
#[derive(Debug)]
pub(super) struct Forwarded {
    event_type: String,
    event_id: String,
    delivery_id: String,
    request_id: String,
    attempt: u64,
    method: String,
    url: String,
    duration_ms: u64,
    answer: Result<u16, String>,
    /// What the developer should know of the request.
    warnings: Vec<String>,
}

impl Forwarder {
    pub(super) fn new(to: Url, secret: SigningSecret, timeout: Duration) -> Result<Self, Failure> {
        // Redirects are not followed, as the server does not follow them; no proxy stands before one's own machine.
        let http = reqwest::Client::builder().timeout(timeout).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { http, to, secret })
    }

    /// The recorded address below the one to forward to: its path and query come after those.
    fn address(&self, recorded: &str) -> Result<Url, String> {
        let recorded = Url::parse(recorded).map_err(|error| error.to_string())?;
        let mut url = self.to.clone();
        if recorded.path() != "/" {
            url.set_path(&format!("{}{}", self.to.path().trim_end_matches('/'), recorded.path()));
        }
        if let Some(query) = recorded.query() {
            let query = url.query().map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"));
            url.set_query(Some(&query));
        }
        Ok(url)
    }

    fn warnings(&self, attempt: &Value, body: &str) -> Vec<String> {
        let header = |name: &str| {
            let headers = attempt["request_headers"].as_array().into_iter().flatten();
            headers.into_iter().find(|header| text(header, "name") == name).map_or("", |header| text(header, "value"))
        };
        let mut warnings = Vec::new();
        let timestamp = header("webhook-timestamp").parse().unwrap_or(0);
        if !self.secret.verify(header("webhook-id"), timestamp, body.as_bytes(), header("webhook-signature")) {
            warnings.push(
                "the signature will not verify: a secret in the body, or bytes that are no text, are not recorded"
                    .to_owned(),
            );
        }
        if attempt["request_headers"].to_string().contains(STAND_IN) || text(attempt, "url").contains(STAND_IN) {
            warnings.push("it holds the name of a secret in its place".to_owned());
        }
        warnings
    }

    /// Sends one attempt of a request.
    pub(super) async fn forward(&self, delivery: &Value, request: &Value, attempt: &Value) -> Forwarded {
        let body = text(request, "body");
        let mut forwarded = Forwarded {
            event_type: text(delivery, "event_type").to_owned(),
            event_id: text(delivery, "event_id").to_owned(),
            delivery_id: text(delivery, "id").to_owned(),
            request_id: text(request, "id").to_owned(),
            attempt: attempt["number"].as_u64().unwrap_or(0),
            method: text(request, "method").to_owned(),
            url: self.to.to_string(),
            duration_ms: 0,
            answer: Err(String::new()),
            warnings: Vec::new(),
        };
        if text(attempt, "outcome") != "succeeded" {
            // The server could not even make it.
            forwarded.answer = Err(attempt["error"].as_str().unwrap_or("it could not be made").to_owned());
            return forwarded;
        }
        forwarded.warnings = self.warnings(attempt, body);
        let begun = Instant::now();
        forwarded.answer = match self.address(text(attempt, "url")) {
            Err(error) => Err(error),
            Ok(url) => {
                forwarded.url = url.to_string();
                self.send(url, text(request, "method"), &attempt["request_headers"], body.to_owned()).await
            }
        };
        forwarded.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        forwarded
    }

    async fn send(&self, url: Url, method: &str, headers: &Value, body: String) -> Result<u16, String> {
        let method = method.parse().map_err(|_| format!("{method} is no method"))?;
        let response = self.http.request(method, url).headers(header_map(headers)).body(body).send().await;
        let told = |error: &reqwest::Error| {
            let mut cause: &dyn std::error::Error = error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
        };
        let response = response.map_err(|error| told(&error))?;
        let status = response.status().as_u16();
        // Read to its end, so that the other side is not interrupted.
        response.bytes().await.map_err(|error| told(&error))?;
        Ok(status)
    }
}

fn header_map(headers: &Value) -> HeaderMap {
    let mut map = HeaderMap::new();
    for header in headers.as_array().into_iter().flatten() {
        let (name, value) = (text(header, "name"), text(header, "value"));
        if OF_CONNECTION.contains(&name) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    }
    map
}

impl Forwarded {
    /// Whether the developer's machine said yes.
    pub(super) fn is_fine(&self) -> bool {
        self.answer.as_ref().is_ok_and(|status| (200..300).contains(status))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "type": "forwarded",
            "event_type": self.event_type,
            "event_id": self.event_id,
            "delivery_id": self.delivery_id,
            "request_id": self.request_id,
            "attempt": self.attempt,
            "method": self.method,
            "url": self.url,
            "status": self.answer.as_ref().ok(),
            "error": self.answer.as_ref().err(),
            "duration_ms": self.duration_ms,
            "warnings": self.warnings,
        })
    }

    pub(super) fn line(&self, pen: Pen) -> String {
        let answer = match &self.answer {
            Ok(status) => status.to_string(),
            Err(error) => shorten(error, ERROR_CHARS),
        };
        let head = format!("{} {} {}", self.event_type, self.method, clean(&self.url));
        let mut line = format!(
            "{} {} ms  {}",
            pen.mark(self.is_fine(), &format!("{head}: {answer},")),
            self.duration_ms,
            self.delivery_id
        );
        for warning in &self.warnings {
            line = format!("{line}\n  {warning}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarder(to: &str) -> Forwarder {
        let secret = SigningSecret::from_bytes(&[7; 32]).unwrap();
        Forwarder::new(local(to).unwrap(), secret, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn what_a_plugin_adds_to_the_address_stands_below_it() {
        let address = |to: &str, recorded: &str| forwarder(to).address(recorded).unwrap().to_string();
        assert_eq!(address("http://localhost:3000", "http://localhost:3000/"), "http://localhost:3000/");
        assert_eq!(address("http://localhost:3000/hooks/", "http://localhost:3000/"), "http://localhost:3000/hooks/");
        let recorded = "http://localhost:3000/cards/1?a=b";
        assert_eq!(address("http://localhost:3000/hooks?k=v", recorded), "http://localhost:3000/hooks/cards/1?k=v&a=b");
    }

    #[test]
    fn what_the_developer_could_not_verify_is_told() {
        let forwarder = forwarder("http://localhost:3000");
        let signature = forwarder.secret.sign("req_1", 5, b"{}");
        let attempt = |signature: &str, other: &str| {
            json!({ "url": "http://localhost:3000/", "request_headers": [
                { "name": "webhook-id", "value": "req_1" }, { "name": "webhook-timestamp", "value": "5" },
                { "name": "webhook-signature", "value": signature }, { "name": "x", "value": other },
            ] })
        };
        assert!(forwarder.warnings(&attempt(&signature, ""), "{}").is_empty());
        assert_eq!(forwarder.warnings(&attempt(&signature, ""), "{ }").len(), 1);
        assert_eq!(forwarder.warnings(&attempt(&signature, "Bearer [secret:token]"), "{}").len(), 1);
    }

    #[test]
    fn places_are_web_addresses() {
        assert!(local("http://localhost:3000").is_ok() && local("https://[::1]:3000/a?b").is_ok());
        for wrong in ["localhost:3000", "ftp://localhost", "http://a@localhost", "http://localhost/#a"] {
            assert!(local(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_left_to_it() {
        let headers = json!([{ "name": "host", "value": "a" }, { "name": "x", "value": "1" }, { "name": "webhook-id", "value": "r" }]);
        let map = header_map(&headers);
        assert_eq!((map.len(), map["x"].as_bytes()), (2, &b"1"[..]));
    }
}

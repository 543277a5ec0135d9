use serde::Deserialize;

use crate::bindings::types;
use crate::catalogue::Node;
use crate::text::{one_line, truncate};
use crate::{Request, Webhook, json};

/// One request with its answer.
///
/// ```
/// use hookwright_sdk::{Exchange, Verdict};
///
/// fn verdict(exchange: &Exchange) -> Verdict {
///     match exchange.response().status() {
///         409 => Verdict::delivered().message("It was there already."),
///         _ => Verdict::by_status(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    webhook: Webhook,
    request: Request,
    response: Response,
    event_id: String,
    kind: String,
    subject: Option<String>,
    delivery_id: String,
    attempt: u32,
}

impl Exchange {
    pub(crate) fn new(raw: types::Exchange) -> Self {
        Self {
            webhook: Webhook(raw.subscription),
            request: Request::of(raw.request),
            response: Response(raw.response),
            event_id: raw.event_id,
            kind: raw.kind,
            subject: raw.subject,
            delivery_id: raw.delivery_id,
            attempt: raw.attempt,
        }
    }

    /// The webhook.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert_eq!(exchange.webhook().configuration(), "{}");
    /// ```
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// The request, as this plugin made it.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::put()).build();
    /// assert_eq!(exchange.request().method(), "PUT");
    /// ```
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The answer.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).status(201).build();
    /// assert_eq!(exchange.response().status(), 201);
    /// ```
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// `evt_…`.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert!(exchange.event_id().starts_with("evt_"));
    /// ```
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The event type.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).kind("ticket.created").build();
    /// assert_eq!(exchange.kind(), "ticket.created");
    /// ```
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the event is about.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).subject("42").build();
    /// assert_eq!(exchange.subject(), Some("42"));
    /// ```
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `dlv_…`.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert!(exchange.delivery_id().starts_with("dlv_"));
    /// ```
    pub fn delivery_id(&self) -> &str {
        &self.delivery_id
    }

    /// 1 for the first attempt.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).attempt(3).build();
    /// assert_eq!(exchange.attempt(), 3);
    /// ```
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What the receiver answered. Secrets in it are replaced by their names.
///
/// ```
/// use hookwright_sdk::{Request, testing};
///
/// let exchange = testing::exchange(Request::post()).status(422).body("no").build();
/// let response = exchange.response();
/// assert_eq!((response.status(), response.text()), (422, Some("no")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response(types::Response);

impl Response {
    /// HTTP status, 100 to 599.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).status(429).build();
    /// assert_eq!(exchange.response().status(), 429);
    /// ```
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// A header's first value, whatever the case of its name.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).header("retry-after", "5").build();
    /// assert_eq!(exchange.response().header("Retry-After"), Some("5"));
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
    }

    /// The body if it is text, up to 256 KiB.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).body("ok").build();
    /// assert_eq!(exchange.response().text(), Some("ok"));
    /// ```
    pub fn text(&self) -> Option<&str> {
        match &self.0.body {
            types::Payload::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The body as JSON; none when it is not, or not of this type.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Issue {
    ///     id: u64,
    /// }
    ///
    /// let exchange = testing::exchange(Request::post()).body(r#"{"id": 7}"#).build();
    /// assert_eq!(exchange.response().json::<Issue>().map(|issue| issue.id), Some(7));
    /// ```
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        json::parse(self.text()?).ok()
    }

    /// What the receiver says went wrong, for a message: the first of these fields that the JSON body has as
    /// text (`message`, `error.message`), else the body as it is. One line of at most 300 UTF-16 units.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).status(400).body(r#"{"error": {"message": "no such list"}}"#).build();
    /// assert_eq!(exchange.response().reason(&["message", "error.message"]), "no such list");
    /// ```
    pub fn reason(&self, fields: &[&str]) -> String {
        let named = self.text().and_then(|text| Node::parse(text).ok()).and_then(|body| {
            let inside = |path: &&str| path.split('.').try_fold(&body, |node, name| node.field(name))?.label();
            fields.iter().find_map(inside)
        });
        let text = named.as_deref().or(self.text()).map(one_line).unwrap_or_default();
        if text.is_empty() { "no reason given".to_owned() } else { truncate(&text, 300).into_owned() }
    }

    /// How long after the answer a time of the receiver's clock is, in seconds: for headers that give a Unix
    /// time. None without a `Date` header. The plugin itself has no clock.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let limited = testing::exchange(Request::post()).header("date", "Sat, 31 Jan 2026 12:00:00 GMT").build();
    /// assert_eq!(limited.response().seconds_until(1_769_860_860), Some(60));
    /// ```
    pub fn seconds_until(&self, unix_time: u64) -> Option<u64> {
        Some(unix_time.saturating_sub(unix_seconds(self.header("date")?)?))
    }

    /// True when the body was longer than what is here.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert!(!exchange.response().truncated());
    /// ```
    pub fn truncated(&self) -> bool {
        self.0.truncated
    }

    /// Milliseconds from the first byte sent to the last byte read.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert_eq!(exchange.response().elapsed_ms(), 1);
    /// ```
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed_ms
    }
}

/// Of an HTTP date in its usual form: `Sat, 31 Jan 2026 12:00:00 GMT` (RFC 9110 §5.6.7).
fn unix_seconds(date: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = date.split([' ', ':']).skip(1);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next().filter(|month| month.len() == 3).and_then(|month| MONTHS.find(month))? as u64 / 3;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;
    use crate::{Request, testing};

    #[test]
    fn dates_are_read() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(unix_seconds("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for bad in
            ["", "tomorrow", "Sun, 06 Nov 1994", "Sun, 40 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"]
        {
            assert_eq!(unix_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reason_is_found() {
        let reason = |body: &str, fields: &[&str]| {
            testing::exchange(Request::post()).body(body).build().response().reason(fields)
        };
        let body = r#"{"error": {"message": "no\nlist"}, "message": null, "errors": ["a", {"message": 5}]}"#;
        assert_eq!(reason(body, &["message", "error.message"]), "no list");
        assert_eq!(reason(r#"{"errors": ["a", "b"]}"#, &["errors"]), "a, b");
        assert_eq!(reason("invalid id", &["message"]), "invalid id");
        assert_eq!(reason(r#"{"x": 1}"#, &["message"]), r#"{"x": 1}"#);
        assert_eq!(reason(" ", &["message"]), "no reason given");
    }
}

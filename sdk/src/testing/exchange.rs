use crate::bindings::types::{self, Field, Payload};
use crate::testing::event::{DELIVERY_ID, EVENT_ID};
use crate::testing::run::webhook;
use crate::{Exchange, Request};

/// A request with its answer: status 200, no headers, an empty body, the first attempt.
///
/// ```
/// use hookwright_sdk::{Request, testing};
///
/// let exchange = testing::exchange(Request::post()).status(429).header("retry-after", "5").build();
/// assert_eq!(exchange.response().header("Retry-After"), Some("5"));
/// ```
pub fn exchange(request: Request) -> ExchangeBuilder {
    ExchangeBuilder(types::Exchange {
        subscription: webhook("{}".into()).0,
        event_id: EVENT_ID.into(),
        kind: "test".into(),
        subject: None,
        delivery_id: DELIVERY_ID.into(),
        request: request.raw,
        attempt: 1,
        response: types::Response {
            status: 200,
            headers: Vec::new(),
            body: Payload::Text(String::new()),
            truncated: false,
            elapsed_ms: 1,
            meta: Vec::new(),
        },
        meta: Vec::new(),
    })
}

/// An exchange in the making; see [`exchange`].
///
/// ```
/// use hookwright_sdk::{Request, testing::{ExchangeBuilder, exchange}};
///
/// fn busy() -> ExchangeBuilder {
///     exchange(Request::post()).status(429)
/// }
///
/// assert_eq!(busy().build().response().status(), 429);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ExchangeBuilder(pub(super) types::Exchange);

impl ExchangeBuilder {
    /// The HTTP status.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).status(500).build();
    /// assert_eq!(exchange.response().status(), 500);
    /// ```
    pub fn status(mut self, status: u16) -> Self {
        self.0.response.status = status;
        self
    }

    /// Adds a header to the answer; the name in lower case, as the host gives it.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).header("retry-after", "5").build();
    /// assert_eq!(exchange.response().header("retry-after"), Some("5"));
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.response.headers.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// The answer's body.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).body("ok").build();
    /// assert_eq!(exchange.response().text(), Some("ok"));
    /// ```
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.0.response.body = Payload::Text(text.into());
        self
    }

    /// The event's type.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).kind("ticket.created").build();
    /// assert_eq!(exchange.kind(), "ticket.created");
    /// ```
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.0.kind = kind.into();
        self
    }

    /// What the event is about.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).subject("42").build();
    /// assert_eq!(exchange.subject(), Some("42"));
    /// ```
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Which attempt it was, from 1.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).attempt(2).build();
    /// assert_eq!(exchange.attempt(), 2);
    /// ```
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// The exchange.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert_eq!(exchange.response().status(), 200);
    /// ```
    #[must_use]
    pub fn build(self) -> Exchange {
        Exchange::new(self.0)
    }
}

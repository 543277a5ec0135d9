mod body;
mod method;
mod rules;

use serde::Serialize;

pub use body::{FormBody, IntoBody, JsonBody};
pub use method::Method;

use crate::bindings::types::{self, Body, Field, Placement};
use crate::{Credential, Failure, json, memory, text};

/// One HTTP request for the host to send, below the webhook's URL.
///
/// ```
/// use hookwright_sdk::{Credential, Request, Secret};
///
/// let request = Request::post()
///     .label("card: Fix the build")
///     .segment("cards")
///     .json(&serde_json::json!({"name": "Fix the build"}))
///     .credential(Credential::bearer(Secret::named("token")));
/// assert_eq!(request.path(), ["cards"]);
/// ```
///
/// A request that the host would refuse never reaches it: what is wrong, for example a path segment `..` from a payload,
/// is remembered, and the plugin's outcome is the failure `request.invalid` that says so.
///
/// ```
/// # use hookwright_sdk::{Event, Failure, Outcome, Plugin, Request, Webhook, testing};
/// # struct Climbs;
/// # impl Plugin for Climbs {
/// #     type Config = serde_json::Value;
/// #     fn transform(_: &Event, _: &Self::Config, _: &Webhook) -> Result<Outcome, Failure> {
/// Ok(Outcome::deliver([Request::post().label("card").segment("..")]))
/// #     }
/// # }
/// # let run = testing::run::<Climbs>(&testing::event("ticket.created").build(), serde_json::json!({}));
/// # assert_eq!(run.failure().code(), "request.invalid");
/// # assert_eq!(run.failure().message(), "The request `card`: the path segment \"..\" is empty or leads elsewhere.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) raw: types::Request,
    /// The first thing that the host would refuse.
    broken: Option<String>,
}

impl Request {
    /// A request with this method.
    ///
    /// ```
    /// use hookwright_sdk::{Method, Request};
    ///
    /// assert_eq!(Request::new(Method::Patch).method(), "PATCH");
    /// ```
    pub fn new(method: Method) -> Self {
        Self::of(types::Request {
            label: String::new(),
            method: method.as_str().to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            correlation: None,
            meta: Vec::new(),
        })
    }

    pub(crate) fn of(raw: types::Request) -> Self {
        Self { raw, broken: None }
    }

    /// A `GET` request.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::get().method(), "GET");
    /// ```
    pub fn get() -> Self {
        Self::new(Method::Get)
    }

    /// A `POST` request.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().method(), "POST");
    /// ```
    pub fn post() -> Self {
        Self::new(Method::Post)
    }

    /// A `PUT` request.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::put().method(), "PUT");
    /// ```
    pub fn put() -> Self {
        Self::new(Method::Put)
    }

    /// A `PATCH` request.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::patch().method(), "PATCH");
    /// ```
    pub fn patch() -> Self {
        Self::new(Method::Patch)
    }

    /// A `DELETE` request.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::delete().method(), "DELETE");
    /// ```
    pub fn delete() -> Self {
        Self::new(Method::Delete)
    }

    /// A short name for people, shown in the delivery log. Made one line and cut at 200 characters.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().label("card:\nFix").label_text(), "card: Fix");
    /// ```
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.raw.label = text::truncate(&text::one_line(label.as_ref()), 200).into_owned();
        self
    }

    /// Adds one path segment, percent-encoded by the host. None is: what is empty, `.`, `..`, encoded already, longer than
    /// 1,024 bytes, or has `/`, `\` or a control character in it. At most 32 of them.
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// assert_eq!(Request::put().segment("cards").segment("a b").path(), ["cards", "a b"]);
    /// ```
    #[must_use]
    pub fn segment(mut self, segment: impl Into<String>) -> Self {
        let segment = segment.into();
        if let Some(why) = rules::segment(&segment) {
            self.breaks("the path segment ", &segment, why);
        }
        self.raw.path.push(segment);
        self
    }

    /// Adds path segments, each like [`Request::segment`].
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// assert_eq!(Request::put().segments(["cards", "42"]).path(), ["cards", "42"]);
    /// ```
    #[must_use]
    pub fn segments(self, segments: impl IntoIterator<Item: Into<String>>) -> Self {
        segments.into_iter().fold(self, Self::segment)
    }

    /// Adds a query parameter, percent-encoded by the host; its name is not empty, and none that the webhook's URL has.
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// let request = Request::get().query("wait", "true");
    /// assert_eq!(request.query_parameters().next(), Some(("wait", "true")));
    /// ```
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let field = field(name, value);
        if field.name.is_empty() {
            self.breaks("the query parameter ", &field.name, "has no name");
        }
        self.raw.query.push(field);
        self
    }

    /// Sets a header: visible ASCII, space and tab. `Authorization` only by [`Request::credential`]; what belongs to the
    /// connection or to the server's signature is the server's to set.
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// let request = Request::post().header("Accept", "text/html").header("accept", "application/json");
    /// assert_eq!(request.headers().collect::<Vec<_>>(), [("accept", "application/json")]);
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let field = field(name, value);
        if let Some(why) = rules::header(&field.name, &field.value) {
            self.breaks("the header ", &field.name, why);
        }
        match self.raw.headers.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&field.name)) {
            Some(known) => *known = field,
            None => self.raw.headers.push(field),
        }
        self
    }

    /// A body with secrets in it: [`JsonBody`] or [`FormBody`].
    ///
    /// ```
    /// use hookwright_sdk::{JsonBody, Request, Secret};
    ///
    /// let body = JsonBody::new(&serde_json::json!({})).secret("/token", Secret::named("token"));
    /// assert_eq!(Request::post().body(body).body_text(), Some("{}"));
    /// ```
    #[must_use]
    pub fn body(self, body: impl IntoBody) -> Self {
        let (body, secrets) = body.parts();
        self.carries(body, secrets)
    }

    /// A JSON body.
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// assert_eq!(Request::post().json(&serde_json::json!({"a": 1})).body_text(), Some(r#"{"a":1}"#));
    /// ```
    ///
    /// # Panics
    /// For a value that has no JSON form, such as a map with keys that are not text.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        self.body(JsonBody::new(value))
    }

    /// A JSON body that is text already.
    ///
    /// ```
    /// use hookwright_sdk::Request;
    ///
    /// assert_eq!(Request::post().json_text("[1.50]").body_text(), Some("[1.50]"));
    /// ```
    #[must_use]
    pub fn json_text(mut self, json: impl Into<String>) -> Self {
        let json = json.into();
        if !json::is_valid(&json) {
            self.breaks("the body ", &text::truncate(&json, 100), "is not JSON");
        }
        self.carries(Body::Json(json), Vec::new())
    }

    /// A body of plain text in UTF-8.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().text("Hello").body_text(), Some("Hello"));
    /// ```
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.carries(Body::Text(text.into()), Vec::new())
    }

    /// An `application/x-www-form-urlencoded` body, encoded by the host, in this order.
    ///
    /// ```
    /// let request = hookwright_sdk::Request::post().form([("a", "1 & 2")]);
    /// assert_eq!(request.form_fields().next(), Some(("a", "1 & 2")));
    /// ```
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        self.body(FormBody::new(fields))
    }

    /// A body of any media type.
    ///
    /// ```
    /// let request = hookwright_sdk::Request::post().bytes("image/png", [0x89, 0x50]);
    /// assert_eq!(request.body_text(), None);
    /// ```
    #[must_use]
    pub fn bytes(mut self, content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let content = types::Content { content_type: content_type.into(), data: data.into(), meta: Vec::new() };
        if content.content_type.is_empty() || rules::header("content-type", &content.content_type).is_some() {
            self.breaks("the body's media type ", &content.content_type, "is none");
        }
        self.carries(Body::Bytes(content), Vec::new())
    }

    /// Says where a secret goes; at most 8. What stood in that place before is replaced.
    ///
    /// ```
    /// use hookwright_sdk::{Credential, Request, Secret};
    ///
    /// Request::post().credential(Credential::bearer(Secret::named("token")));
    /// ```
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        let Credential(credential) = credential;
        if let Some(name) = header_of(&credential) {
            // A header is where it may be said freely.
            let why = if name.eq_ignore_ascii_case("authorization") { None } else { rules::header(name, "") };
            if let Some(why) = why.or_else(|| name.eq_ignore_ascii_case("content-type").then_some("takes no secret")) {
                self.breaks("the header ", name, why);
            }
            self.raw.headers.retain(|field| !field.name.eq_ignore_ascii_case(name));
            self.raw.credentials.retain(|other| header_of(other).is_none_or(|other| !other.eq_ignore_ascii_case(name)));
        }
        if let Placement::Query(name) = &credential.placement {
            if name.is_empty() {
                self.breaks("the query parameter ", name, "has no name");
            }
            self.raw.query.retain(|field| field.name != *name);
            self.raw.credentials.retain(|other| !matches!(&other.placement, Placement::Query(other) if other == name));
        }
        self.raw.credentials.push(credential);
        self
    }

    /// The key under which [`crate::Plugin::interpret`] may remember facts of the answer. Cut at 255 characters, as
    /// [`crate::memory::recall`] cuts it.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().correlation("ticket:42").correlation_key(), Some("ticket:42"));
    /// ```
    #[must_use]
    pub fn correlation(mut self, key: impl AsRef<str>) -> Self {
        self.raw.correlation = Some(memory::key(key.as_ref()).into_owned());
        self
    }

    /// The method.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::put().method(), "PUT");
    /// ```
    pub fn method(&self) -> &str {
        &self.raw.method
    }

    /// The path segments.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::put().segment("cards").path(), ["cards"]);
    /// ```
    pub fn path(&self) -> &[String] {
        &self.raw.path
    }

    /// The label.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::put().label("card").label_text(), "card");
    /// ```
    pub fn label_text(&self) -> &str {
        &self.raw.label
    }

    /// The query parameters, as name and value.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::get().query("a", "1").query_parameters().count(), 1);
    /// ```
    pub fn query_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.raw.query.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The headers, as name and value; without credentials.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::get().header("X-A", "1").headers().next(), Some(("X-A", "1")));
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.raw.headers.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The key given with [`Request::correlation`].
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::get().correlation_key(), None);
    /// ```
    pub fn correlation_key(&self) -> Option<&str> {
        self.raw.correlation.as_deref()
    }

    /// The fields of a form body; none of any other.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().form([("a", "1")]).form_fields().count(), 1);
    /// ```
    pub fn form_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = if let Body::Form(fields) = &self.raw.body { fields.as_slice() } else { &[] };
        fields.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// The body if it is JSON or plain text.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Request::post().text("Hello").body_text(), Some("Hello"));
    /// ```
    pub fn body_text(&self) -> Option<&str> {
        match &self.raw.body {
            Body::Json(text) | Body::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The request for the host; the failure that says what it would refuse.
    pub(crate) fn checked(self) -> Result<types::Request, Failure> {
        match self.broken {
            None => Ok(self.raw),
            Some(what) => {
                let message = text::join(&["The request `", &self.raw.label, "`: ", &what, "."]);
                Err(Failure::new("request.invalid", message))
            }
        }
    }

    /// Sets the body, and what goes into it in place of what went into the one before.
    fn carries(mut self, body: Body, secrets: Vec<types::Credential>) -> Self {
        let is_elsewhere =
            |other: &types::Credential| !matches!(other.placement, Placement::JsonBody(_) | Placement::FormBody(_));
        self.raw.credentials.retain(is_elsewhere);
        self.raw.credentials.extend(secrets);
        self.raw.body = body;
        self
    }

    fn breaks(&mut self, what: &str, which: &str, why: &str) {
        if self.broken.is_none() {
            let shown = printable_line(which);
            self.broken = Some(text::join(&[what, "\"", &shown, "\" ", why]));
        }
    }
}

/// As a message shows it: on one line, whatever is in it.
fn printable_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// The header that a credential is put into.
fn header_of(credential: &types::Credential) -> Option<&str> {
    match &credential.placement {
        Placement::Bearer | Placement::Basic(_) => Some("Authorization"),
        Placement::Header(name) => Some(name),
        _ => None,
    }
}

fn field(name: impl Into<String>, value: impl Into<String>) -> Field {
    Field { name: name.into(), value: value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn refused(request: Request) -> String {
        request.checked().unwrap_err().message().to_owned()
    }

    #[test]
    fn what_the_host_would_refuse_does_not_leave_the_plugin() {
        for (request, why) in [
            (Request::post().segments(["a", ".."]), "the path segment \"..\" is empty or leads elsewhere"),
            (Request::post().segment("a\nb"), "the path segment \"a\\nb\" holds a slash or a control character"),
            (Request::post().query("", "x"), "the query parameter \"\" has no name"),
            (Request::post().header("Host", "x"), "the header \"Host\" is set by the server"),
            (Request::post().header("Authorization", "x"), "the header \"Authorization\" is set by a credential only"),
            (Request::post().json_text("{"), "the body \"{\" is not JSON"),
            (Request::post().bytes("a\r\nb", []), "the body's media type \"a\\r\\nb\" is none"),
            (
                Request::post().credential(Credential::header("webhook-id", Secret::named("x"))),
                "the header \"webhook-id\" is set by the server",
            ),
        ] {
            assert_eq!(refused(request.label("card")), format!("The request `card`: {why}."));
        }
        // The first is told.
        assert!(refused(Request::post().segment("").header("Host", "x")).contains("segment"));
    }

    #[test]
    fn each_place_is_taken_once() {
        let bearer = || Credential::bearer(Secret::named("token"));
        let header = Credential::header("authorization", Secret::after("Key ", "key"));
        let request = Request::post().header("X-Key", "1").credential(bearer()).credential(header);
        let request = request.credential(Credential::header("x-key", Secret::named("key"))).checked().unwrap();
        assert!(request.headers.is_empty());
        let places: Vec<_> = request.credentials.iter().filter_map(header_of).collect();
        assert_eq!(places, ["authorization", "x-key"]);
        let query = || Credential::query("key", Secret::named("key"));
        let request = Request::post().query("key", "1").credential(query()).credential(query()).checked().unwrap();
        assert_eq!((request.query.len(), request.credentials.len()), (0, 1));
    }

    #[test]
    fn what_goes_into_a_body_goes_with_it() {
        let body = JsonBody::new(&1).secret("/token", Secret::named("token"));
        let request = Request::post().credential(Credential::bearer(Secret::named("token"))).body(body);
        assert_eq!(request.raw.credentials.len(), 2);
        assert_eq!(request.text("x").raw.credentials.len(), 1);
    }
}

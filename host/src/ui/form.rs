//! Forms. **A field's name is the JSON Pointer of what it says**, so what the API says of a pointer stands at the field.

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use serde_json::Value;

use super::refusal::{Answer, FieldError, Problem, Refusal};

/// What a form holds, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// Why it was refused.
    pub(super) problem: Option<Problem>,
}

/// A field's `id` in the page.
pub(super) fn id_of(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("f{}", name.chars().map(plain).collect::<String>())
}

impl Form {
    /// The body of a request, as a browser sends a form.
    pub(super) async fn read(request: Request) -> Answer<Self> {
        let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
            let detail = "what was sent is larger than this server takes".to_owned();
            Refusal::from(Problem { detail, ..Problem::unknown(rejection.status()) })
        })?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(bytes);
        // Browsers send line ends as CR LF, whatever was typed.
        let fields = pairs.map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n"))).collect();
        Self { fields, problem: None }
    }

    /// The first value of this name, as it was sent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of this name.
    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All of it.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value without space around it, if there is one.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false")
    }

    /// Fills in a field.
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.fields.push((name.into(), value.into()));
    }

    /// Fills in a field anew.
    pub(super) fn replace(&mut self, name: &str, value: impl Into<String>) {
        self.fields.retain(|(field, _)| field != name);
        self.set(name, value);
    }

    /// The same, refused.
    #[must_use]
    pub(super) fn refused(self, problem: Problem) -> Self {
        Self { problem: Some(problem), ..self }
    }

    /// The status of the page that shows it.
    pub(super) fn status(&self) -> StatusCode {
        self.problem.as_ref().map_or(StatusCode::OK, Problem::status)
    }

    /// What is wrong with the field of this name, or with an entry of its list; with `deep` also with anything inside of it.
    pub(super) fn error(&self, name: &str, deep: bool) -> Option<String> {
        let is_about = |error: &&FieldError| {
            let Some(rest) = error.pointer.strip_prefix(name) else { return false };
            let entry = rest.strip_prefix('/');
            let is_index = |entry: &str| !entry.is_empty() && entry.bytes().all(|byte| byte.is_ascii_digit());
            rest.is_empty() || entry.is_some_and(|entry| deep || is_index(entry))
        };
        let told = |error: &FieldError| match error.pointer.strip_prefix(name) {
            Some("") | None => error.detail.clone(),
            Some(rest) => format!("{}: {}", rest.trim_start_matches('/'), error.detail),
        };
        let all: Vec<String> = self.errors().iter().filter(is_about).map(told).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The `id` of the field that a pointer is about: its own, or that of the list that it stands in.
    #[expect(clippy::unused_self, reason = "templates ask their form")]
    pub(super) fn anchor(&self, pointer: &str) -> String {
        match pointer.rsplit_once('/') {
            Some((list, index)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => id_of(list),
            _ => id_of(pointer),
        }
    }

    /// Everything that is wrong with its fields.
    pub(super) fn errors(&self) -> &[FieldError] {
        self.problem.as_ref().map_or(&[], |problem| &problem.errors)
    }

    /// A text, or null when there is none.
    pub(super) fn text_or_null(&self, name: &str) -> Value {
        self.filled(name).map_or(Value::Null, Value::from)
    }

    /// A whole number, null when there is none; what is no number stays a text, so that the API tells what is wrong with it.
    pub(super) fn number_or_null(&self, name: &str) -> Value {
        self.filled(name).map_or(Value::Null, |text| text.parse::<u64>().map_or_else(|_| text.into(), Value::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errors: &[(&str, &str)]) -> Form {
        let error =
            |(pointer, detail): &(&str, &str)| FieldError { pointer: (*pointer).into(), detail: (*detail).into() };
        let problem = Problem { errors: errors.iter().map(error).collect(), ..Problem::default() };
        Form::default().refused(problem)
    }

    #[test]
    fn errors_stand_at_their_fields() {
        let form =
            refused(&[("/events/0", "is no pattern"), ("/url", "is not a URL"), ("/plugin/config/a/b", "is needed")]);
        assert_eq!(form.error("/url", false).as_deref(), Some("is not a URL"));
        assert_eq!(form.error("/events", false).as_deref(), Some("0: is no pattern"));
        assert_eq!(form.error("/plugin/config", false), None);
        assert_eq!(form.error("/plugin/config", true).as_deref(), Some("a/b: is needed"));
        assert_eq!(form.error("/u", true), None);
    }

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        let form = Form::parse(b"%2Fname=+a%26b+&%2Fevents=x&%2Fevents=y&%2Ftext=1%0D%0A2&on=on");
        assert_eq!((form.get("/name"), form.filled("/name")), (Some(" a&b "), Some("a&b")));
        assert_eq!(form.all("/events").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(form.get("/text"), Some("1\n2"));
        assert!(form.is_ticked("on") && !form.is_ticked("off"));
    }
}

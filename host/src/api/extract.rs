//! Bodies, paths and queries, with errors that point at the field.

use std::marker::PhantomData;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Api;
use super::events::header_key;
use super::problem::{Answer, Refused};
use crate::domain::event::Idempotency;
use crate::domain::id::ProjectId;
use crate::domain::page::{Cursor, Key, LIMIT_DEFAULT, LIMIT_MAX, PageRequest, SortedRequest};
use crate::domain::problem::{FieldError, Problem, ProblemCode, pointer_token};

/// A JSON body that is still to be read: whoever may not do something is told that, and not what is wrong with what they sent.
#[derive(Debug)]
pub(super) struct Json<T>(Request, PhantomData<fn() -> T>);

impl<T, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(request, PhantomData))
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Reads it. Unknown fields are refused, so that a typing mistake is not silently ignored.
    pub(super) async fn read(self) -> Answer<T> {
        check_media_type(self.0.headers(), "application/json")?;
        read(&body(self.0, &()).await?)
    }
}

/// The bytes of a body, up to the limit of its route.
pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Answer<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(ProblemCode::TooLarge, "the body is larger than this server takes").into()
        } else {
            Problem::new(ProblemCode::MalformedBody, "the body could not be read to its end").into()
        }
    })
}

/// The body of a request that makes something, and what makes a repeated one the same: its `Idempotency-Key`, with where it
/// was sent and what it said.
pub(super) async fn keyed_body(
    request: Request,
    api: &Api,
    project: ProjectId,
) -> Answer<(Bytes, Option<Idempotency>)> {
    let key = header_key(request.headers())?;
    let path = request.uri().path().to_owned();
    let bytes = body(request, api).await?;
    let said = [path.as_bytes(), b"\0", &bytes].concat();
    Ok((bytes, key.map(|key| Idempotency::new(project, &format!("key:{key}"), &said))))
}

/// Reads JSON; no body at all is as one that says nothing.
pub(super) fn read_or_default<T: DeserializeOwned + Default>(bytes: &[u8]) -> Answer<T> {
    if bytes.is_empty() { Ok(T::default()) } else { read(bytes) }
}

/// Refuses another media type; none at all is taken for the right one.
pub(super) fn check_media_type(headers: &HeaderMap, wanted: &str) -> Answer<()> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::UnsupportedMediaType, format!("send `Content-Type: {wanted}`, not `{given}`")).into())
}

/// Reads JSON; a mistake is told with a JSON Pointer.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Only what could not be read is read again, to find the place.
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(value) => json.end().map(|()| value).map_err(|error| malformed(&error)),
        Err(error) => Err(located(&error)),
    }
}

fn malformed(error: &serde_json::Error) -> Refused {
    Problem::new(ProblemCode::MalformedBody, format!("the body is not JSON: {error}")).into()
}

fn located(error: &serde_path_to_error::Error<serde_json::Error>) -> Refused {
    let inner = error.inner();
    if !inner.is_data() {
        return malformed(inner);
    }
    let mut pointer = pointer(error.path());
    let text = inner.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    // For these two the path ends at the object; the message names the field.
    let named = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let mut detail = text.to_owned();
    if let Some(field) = named("unknown field `") {
        if !pointer.ends_with(&format!("/{field}")) {
            pointer = format!("{pointer}/{}", pointer_token(field));
        }
        detail = format!("unknown field; {}", text.split_once(", ").map_or("", |(_, expected)| expected));
    } else if let Some(field) = named("missing field `") {
        pointer = format!("{pointer}/{}", pointer_token(field));
        "is needed".clone_into(&mut detail);
    }
    Problem::invalid(vec![FieldError::new(pointer, detail)]).into()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(format!("/{}", pointer_token(key))),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// A path parameter that is an id; anything else is simply not there.
#[derive(Debug)]
pub(super) struct Id<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: std::str::FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let not_found = || Refused(Problem::not_found("id"));
        let axum::extract::Path(text) =
            axum::extract::Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        text.parse().map(Id).map_err(|_| not_found())
    }
}

/// Query parameters; unknown ones are refused.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.trim_start_matches("Failed to deserialize query string: ").to_owned();
            Problem::new(ProblemCode::InvalidQuery, text).into()
        })
    }
}

/// What every list takes. Flattening would lose the refusal of unknown parameters, so lists hold these two themselves.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Paging {
    pub(super) fn page(self) -> Answer<PageRequest> {
        page(self.limit, self.cursor.as_deref())
    }
}

/// Checks a list's `limit` and `cursor`.
pub(super) fn page(limit: Option<u32>, cursor: Option<&str>) -> Answer<PageRequest> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::parameters(vec![FieldError::new("/limit", format!("is 1 to {LIMIT_MAX}"))]).into());
    }
    let cursor = cursor
        .map(|text| {
            let invalid = || Problem::parameters(vec![FieldError::new("/cursor", "is not one that this server gave")]);
            Cursor::decode(text).ok_or_else(invalid)
        })
        .transpose()?;
    Ok(PageRequest { limit, cursor })
}

/// The same for a list that is sorted by something else than its ids.
pub(super) fn sorted_page(limit: Option<u32>, cursor: Option<&str>, is_descending: bool) -> Answer<SortedRequest> {
    let PageRequest { limit, .. } = page(limit, None)?;
    let invalid = || Problem::parameters(vec![FieldError::new("/cursor", "is not one that this server gave")]);
    let after = cursor.map(|text| Key::decode(text).ok_or_else(invalid)).transpose()?;
    Ok(SortedRequest { limit, after, is_descending })
}

/// Notes a parameter that is empty or too long.
pub(super) fn named(wrong: &mut Vec<FieldError>, name: &str, text: Option<&str>, chars: usize) {
    if text.is_some_and(|text| !(1..=chars).contains(&text.chars().count())) {
        wrong.push(FieldError::new(format!("/{name}"), format!("is 1 to {chars} characters")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Outer {
        name: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Inner {
        n: u32,
    }

    fn errors(json: &str) -> (ProblemCode, Vec<String>) {
        let problem = read::<Outer>(json.as_bytes()).unwrap_err().0;
        (problem.code, problem.errors.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn mistakes_point_at_the_field() {
        let invalid = |pointer: &str| (ProblemCode::Invalid, vec![pointer.to_owned()]);
        assert_eq!(errors(r#"{"name": 1}"#), invalid("/name"));
        assert_eq!(errors(r"{}"), invalid("/name"));
        assert_eq!(errors(r#"{"name": "a", "nmae": 1}"#), invalid("/nmae"));
        assert_eq!(errors(r#"{"name": "a", "inner": {"n": -1}}"#), invalid("/inner/n"));
        assert_eq!(errors(r#"{"name": "a", "inner": {"n": 1, "m": 2}}"#), invalid("/inner/m"));
        assert_eq!(errors("{").0, ProblemCode::MalformedBody);
        assert_eq!(errors(r#"{"name": "a"} x"#).0, ProblemCode::MalformedBody);
    }

    #[test]
    fn limits_of_lists_hold_at_their_edge() {
        assert!(page(Some(1), None).is_ok() && page(Some(200), None).is_ok());
        assert!(page(Some(0), None).is_err() && page(Some(201), None).is_err());
        assert!(page(None, Some("nonsense")).is_err());
    }
}

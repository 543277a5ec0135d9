//! Cursors: where a list goes on. Opaque to clients, so that they can change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;

/// Items of a page when the client does not say.
pub const LIMIT_DEFAULT: u32 = 50;
/// Most items of a page.
pub const LIMIT_MAX: u32 = 200;

/// The id after which a list (newest first) goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

impl Cursor {
    /// Reads what [`Cursor::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.strip_prefix(b"1").and_then(|id| Uuid::from_slice(id).ok()).map(Self)
    }

    /// Text for a query string. The first byte is a version.
    pub fn encode(self) -> String {
        let mut bytes = vec![b'1'];
        bytes.extend_from_slice(self.0.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// What part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// At most so many items, 1 to [`LIMIT_MAX`].
    pub limit: u32,
    /// After this one.
    pub cursor: Option<Cursor>,
}

/// A part of a list, newest first.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; absent at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows of which one more than `limit` was fetched.
    pub fn from_rows(mut rows: Vec<T>, limit: u32, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(|last| Cursor(id(last)).encode()) } else { None };
        Self { items: rows, next_cursor }
    }

    /// The same page with each item turned into another.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_refuse_noise() {
        let cursor = Cursor(Uuid::from_u128(7));
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        assert_eq!(Cursor::decode("x"), None);
        assert_eq!(Cursor::decode(""), None);
    }

    #[test]
    fn a_page_has_a_cursor_only_when_more_follows() {
        let ids = |n: u128| (1..=n).map(Uuid::from_u128).collect::<Vec<_>>();
        assert!(Page::from_rows(ids(2), 2, |id| *id).next_cursor.is_none());
        let page = Page::from_rows(ids(3), 2, |id| *id);
        assert_eq!((page.items.len(), page.next_cursor), (2, Some(Cursor(Uuid::from_u128(2)).encode())));
    }
}

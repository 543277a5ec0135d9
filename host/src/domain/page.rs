//! Cursors: where a list goes on. Opaque to clients, so that they can change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::clock::Millis;

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

/// Longest part of a key that a cursor carries, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// By what a list in memory is sorted: a text, and the id of what is otherwise the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String, Uuid);

impl Key {
    /// By a text: large letters are like small ones.
    pub fn of_text(text: &str, id: Uuid) -> Self {
        let mut text = text.to_lowercase();
        text.truncate(text.floor_char_boundary(KEY_BYTES_MAX));
        Self(text, id)
    }

    /// By a time.
    pub fn of_time(time: Millis, id: Uuid) -> Self {
        Self(format!("{:020}", time.0.max(0)), id)
    }

    /// Reads what [`Key::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, key) = bytes.strip_prefix(b"2")?.split_at_checked(16)?;
        Some(Self(String::from_utf8(key.to_vec()).ok()?, Uuid::from_slice(id).ok()?))
    }

    /// Text for a query string.
    pub fn encode(&self) -> String {
        let mut bytes = vec![b'2'];
        bytes.extend_from_slice(self.1.as_bytes());
        bytes.extend_from_slice(self.0.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// What part of a sorted list is wanted.
#[derive(Debug, Clone)]
pub struct SortedRequest {
    /// At most so many items, 1 to [`LIMIT_MAX`].
    pub limit: u32,
    /// After this one.
    pub after: Option<Key>,
    /// Whether the last come first.
    pub is_descending: bool,
}

/// A part of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; null at the end.
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

    /// A page of what is in memory, sorted by a key.
    pub fn sorted(items: impl IntoIterator<Item = T>, request: &SortedRequest, key: impl Fn(&T) -> Key) -> Self {
        let is_to_come = |found: &Key| match &request.after {
            None => true,
            Some(after) => (found < after) == request.is_descending && found != after,
        };
        let mut found: Vec<(Key, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
        found.retain(|(key, _)| is_to_come(key));
        found.sort_by(|(one, _), (other, _)| if request.is_descending { other.cmp(one) } else { one.cmp(other) });
        let limit = request.limit as usize;
        let next_cursor = if found.len() > limit { found.get(limit - 1).map(|(key, _)| key.encode()) } else { None };
        found.truncate(limit);
        Self { items: found.into_iter().map(|(_, item)| item).collect(), next_cursor }
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
    fn a_sorted_list_is_read_page_by_page_in_both_directions() {
        let items = ["b", "a", "B", "c"].map(|name| (name, Uuid::from_u128(u128::from(name.as_bytes()[0]))));
        for is_descending in [false, true] {
            let (mut seen, mut after) = (Vec::new(), None);
            for _ in 0..2 {
                let request = SortedRequest { limit: 2, after, is_descending };
                let page = Page::sorted(items, &request, |(name, id)| Key::of_text(name, *id));
                after = page.next_cursor.as_deref().map(|cursor| Key::decode(cursor).unwrap());
                seen.extend(page.items.iter().map(|(name, _)| *name));
            }
            assert!(after.is_none(), "the end");
            let expected = if is_descending { ["c", "b", "B", "a"] } else { ["a", "B", "b", "c"] };
            assert_eq!(seen, expected);
        }
        let long = Key::of_text(&"ä".repeat(KEY_BYTES_MAX), Uuid::nil());
        assert_eq!(Key::decode(&long.encode()), Some(long));
        assert_eq!(Key::decode(&Cursor(Uuid::nil()).encode()), None);
    }

    #[test]
    fn a_page_has_a_cursor_only_when_more_follows() {
        let ids = |n: u128| (1..=n).map(Uuid::from_u128).collect::<Vec<_>>();
        assert!(Page::from_rows(ids(2), 2, |id| *id).next_cursor.is_none());
        let page = Page::from_rows(ids(3), 2, |id| *id);
        assert_eq!((page.items.len(), page.next_cursor), (2, Some(Cursor(Uuid::from_u128(2)).encode())));
    }
}

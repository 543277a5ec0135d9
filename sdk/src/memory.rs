//! Facts that earlier answers left behind.

use std::borrow::Cow;

use crate::text::truncate;

/// Characters of a key.
const MAX_KEY: usize = 255;

/// A key as it is stored: the same cut wherever it is given.
pub(crate) fn key(text: &str) -> Cow<'_, str> {
    truncate(text, MAX_KEY)
}

/// The value last remembered under this key for this webhook and this plugin's name
/// ([`crate::Verdict::remember`]), or none. At most 256 calls a run.
///
/// Only for a plugin exported as `interpreting`.
///
/// ```
/// use hookwright_sdk::{memory, testing};
///
/// testing::set_facts([("ticket:42", "5abbe4b7")]);
/// assert_eq!(memory::recall("ticket:42").as_deref(), Some("5abbe4b7"));
/// assert_eq!(memory::recall("ticket:43"), None);
/// ```
pub fn recall(key: &str) -> Option<String> {
    let key = &self::key(key);
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::interpreting::hookwright::plugin::memory::recall(key);
    #[cfg(not(target_arch = "wasm32"))]
    crate::mock::recall(key)
}

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::text::join;

/// Why a text is not the JSON that is wanted.
///
/// ```
/// let error = hookwright_sdk::json::parse::<bool>("[1]").unwrap_err();
/// assert_eq!(error.to_string(), "invalid type: sequence, expected a boolean");
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    /// Up to where the text was read, once that is known.
    at: Option<usize>,
}

impl Error {
    pub(super) fn new(message: &str, at: usize) -> Self {
        Self { message: message.to_owned(), at: Some(at) }
    }

    /// What is there instead of what is expected.
    pub(super) fn found(what: &str, expected: &dyn Expected) -> Self {
        Self { message: join(&["invalid type: ", what, ", expected ", &expected.to_string()]), at: None }
    }

    /// Says where, unless that is known better.
    pub(super) fn at(mut self, at: usize) -> Self {
        self.at.get_or_insert(at);
        self
    }

    pub(super) fn offset(&self) -> usize {
        self.at.unwrap_or_default()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    fn unlike(what: &str, unexpected: &Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self { message: join(&[what, &named(unexpected), ", expected ", &expected.to_string()]), at: None }
    }
}

/// Without numbers with a fraction: writing these takes a tenth of a plugin, and the reader knows how they are written.
fn named(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => join(&["boolean `", if *value { "true" } else { "false" }, "`"]),
        Unexpected::Unsigned(value) => join(&["integer `", &value.to_string(), "`"]),
        Unexpected::Signed(value) => join(&["integer `", &value.to_string(), "`"]),
        Unexpected::Str(text) => quoted(text),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "sequence".to_owned(),
        Unexpected::Map => "map".to_owned(),
        Unexpected::Other(what) => (*what).to_owned(),
        _ => "something else".to_owned(),
    }
}

/// A text as a message shows it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("string \"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), at: None }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unlike("invalid type: ", &unexpected, expected)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unlike("invalid value: ", &unexpected, expected)
    }
}

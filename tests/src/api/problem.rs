//! Why the API said no.

use serde::Deserialize;
use serde_json::Value;

/// A request that was not answered with success.
#[derive(Debug)]
pub enum Failure {
    /// No answer came.
    Transport(reqwest::Error),
    /// The server refused.
    Problem(Problem),
}

/// An RFC 9457 problem.
#[derive(Debug, Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: String,
    #[serde(default)]
    pub errors: Vec<Fault>,
    /// Seconds after which trying again makes sense: a header of the answer.
    #[serde(skip)]
    pub retry_after: Option<u64>,
    /// What is wrong with a plugin: code, message, limit.
    pub plugin_error: Option<Box<Value>>,
}

/// What is wrong with one field.
#[derive(Debug, Deserialize)]
pub struct Fault {
    pub pointer: String,
    pub detail: String,
}

impl Failure {
    pub fn problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Transport(error) => panic!("no answer: {error:?}"),
        }
    }
}

impl Problem {
    /// Every refusal must be a complete problem, so that this is checked in every test that sees one.
    pub(super) fn read(status: u16, media_type: Option<&str>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        assert_eq!(media_type, Some("application/problem+json"), "{status} with the body {text:?}");
        let value: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error} in {text}"));
        let problem = Self::deserialize(&value).unwrap_or_else(|error| panic!("{error} in {value:#}"));
        assert_eq!(problem.status, status, "{problem:?}");
        problem
    }

    /// The fields that are wrong, as JSON pointers.
    pub fn pointers(&self) -> Vec<&str> {
        self.errors.iter().map(|fault| fault.pointer.as_str()).collect()
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

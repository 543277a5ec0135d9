//! Calls of the `DevTools` protocol as JSON: a browser newer than the types of it says things that they do not know.

use std::borrow::Cow;

use chromiumoxide::{Command, Method, Page, types::MethodId};
use serde::{Serialize, Serializer};
use serde_json::Value;

struct Call {
    method: &'static str,
    parameters: Value,
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parameters.serialize(serializer)
    }
}

impl Method for Call {
    fn identifier(&self) -> MethodId {
        Cow::Borrowed(self.method)
    }
}

impl Command for Call {
    type Response = Value;
}

/// Calls a method. It may fail because the page went away meanwhile.
pub(super) async fn try_call(page: &Page, method: &'static str, parameters: Value) -> Result<Value, String> {
    let answer = page.execute(Call { method, parameters }).await;
    answer.map(|answer| answer.result).map_err(|error| format!("{method}: {error}"))
}

/// Calls a method that works on any page.
pub(super) async fn call(page: &Page, method: &'static str, parameters: Value) -> Value {
    try_call(page, method, parameters).await.unwrap_or_else(|error| panic!("{error}"))
}

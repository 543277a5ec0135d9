//! The few calls of the public HTTP API that the demo makes.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Failure;

pub(super) struct Api {
    client: Client,
    base: String,
    token: String,
}

#[derive(Deserialize)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) version: String,
    /// A word, or an object that says why it was refused.
    pub(super) status: Value,
}

#[derive(Deserialize)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) signing_secret: String,
}

#[derive(Deserialize)]
pub(super) struct Accepted {
    pub(super) deliveries: Vec<AcceptedDelivery>,
}

#[derive(Deserialize)]
pub(super) struct AcceptedDelivery {
    pub(super) id: String,
    pub(super) webhook_id: String,
}

#[derive(Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) plugin: Option<PluginUse>,
    #[serde(default)]
    pub(super) requests: Vec<Request>,
}

impl Delivery {
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.status.as_str(), "pending" | "retrying")
    }
}

#[derive(Deserialize)]
pub(super) struct PluginUse {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) cpu_us: Option<u64>,
    #[serde(default)]
    pub(super) memory_bytes: Option<u64>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
pub(super) struct Attempt {
    #[serde(default)]
    pub(super) outcome: Option<String>,
    #[serde(default)]
    pub(super) error_class: Option<String>,
    #[serde(default)]
    pub(super) status_code: Option<u16>,
}

impl Api {
    pub(super) fn new(base: &str, token: &str) -> Result<Self, Failure> {
        let client = Client::builder()
            .timeout(Duration::from_secs(10))
            // It only talks to this machine: no proxy, and no need of installed certificates.
            .no_proxy()
            .tls_certs_only([])
            .build()?;
        Ok(Self { client, base: base.to_owned(), token: token.to_owned() })
    }

    /// Uploads a component; the answer may still say `checking`.
    pub(super) async fn upload(&self, wasm: Vec<u8>) -> Result<Plugin, Failure> {
        let request = self.request(Method::POST, "/plugins");
        self.answer(request.header(header::CONTENT_TYPE, "application/wasm").body(wasm)).await
    }

    pub(super) async fn plugin(&self, name: &str, version: &str) -> Result<Plugin, Failure> {
        self.answer(self.request(Method::GET, &format!("/plugins/{name}/versions/{version}"))).await
    }

    pub(super) async fn register(&self, webhook: &Value) -> Result<Webhook, Failure> {
        self.post("/webhooks", webhook).await
    }

    pub(super) async fn publish(&self, event: &Value) -> Result<Accepted, Failure> {
        self.post("/events", event).await
    }

    pub(super) async fn delivery(&self, id: &str) -> Result<Delivery, Failure> {
        self.answer(self.request(Method::GET, &format!("/deliveries/{id}"))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let request = self.request(Method::POST, path);
        self.answer(request.header(header::CONTENT_TYPE, "application/json").body(serde_json::to_vec(body)?)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let request = request.build()?;
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self.client.execute(request).await?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| format!("{what}: {error}").into());
        }
        Err(format!("{what}: {}", problem(status, &body)).into())
    }
}

/// The problem's own words (RFC 9457), or the status if it has none.
fn problem(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = problem["detail"].as_str().or_else(|| problem["title"].as_str());
    words.map_or_else(|| status.to_string(), |words| format!("{} {words}", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{Delivery, problem};

    #[test]
    fn tells_a_problem_in_its_own_words() {
        let body = br#"{"title":"Unprocessable","detail":"`url` is missing"}"#;
        assert_eq!(problem(StatusCode::UNPROCESSABLE_ENTITY, body), "422 `url` is missing");
        assert_eq!(problem(StatusCode::BAD_GATEWAY, b"<html>"), "502 Bad Gateway");
    }

    #[test]
    fn reads_a_delivery_that_has_no_plugin_and_no_request_yet() {
        let json = r#"{"id":"dlv_1","event_id":"evt_1","status":"pending","reason":null,"plugin":null,"requests":[]}"#;
        let delivery: Delivery = serde_json::from_str(json).unwrap();
        assert!(!delivery.is_settled());
        assert!(delivery.plugin.is_none());
    }
}

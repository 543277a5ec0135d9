//! The few calls of the public HTTP API that the demo makes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use crate::cli::client::Client;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Api(Client);

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
    #[serde(default)]
    pub(super) cpu_us: Option<u64>,
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
        Ok(Self(Client::local(base, token, TIMEOUT)?))
    }

    /// Uploads a component; the answer may still say `checking`.
    pub(super) async fn upload(&self, wasm: Vec<u8>) -> Result<Plugin, Failure> {
        self.0.upload(wasm).await
    }

    pub(super) async fn plugin(&self, name: &str, version: &str) -> Result<Plugin, Failure> {
        self.0.get(&format!("/plugins/{name}/versions/{version}")).await
    }

    pub(super) async fn register(&self, webhook: &Value) -> Result<Webhook, Failure> {
        self.0.post("/webhooks", webhook).await
    }

    /// Makes the first user of the server.
    pub(super) async fn set_up(&self, user: &Value) -> Result<Value, Failure> {
        self.0.post("/setup", user).await
    }

    pub(super) async fn publish(&self, event: &Value) -> Result<Accepted, Failure> {
        self.0.post("/events", event).await
    }

    pub(super) async fn delivery(&self, id: &str) -> Result<Delivery, Failure> {
        self.0.get(&format!("/deliveries/{id}")).await
    }
}

#[cfg(test)]
mod tests {
    use super::Delivery;

    #[test]
    fn reads_a_delivery_that_has_no_plugin_and_no_request_yet() {
        let json = r#"{"id":"dlv_1","event_id":"evt_1","status":"pending","reason":null,"plugin":null,"requests":[]}"#;
        let delivery: Delivery = serde_json::from_str(json).unwrap();
        assert!(!delivery.is_settled());
        assert!(delivery.plugin.is_none());
    }
}

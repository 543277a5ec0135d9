//! A thin client for the HTTP API: JSON in, JSON or a problem out.

pub mod contract;
mod problem;
mod resource;

use std::time::Duration;

use reqwest::{
    Client, Method, RequestBuilder,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use serde_json::{Value, json};

use self::contract::{Answered, contract};
pub use self::{
    problem::{Failure, Fault, Problem},
    resource::{Accepted, Attempt, Delivery, Error, Headers, Line, Plugin, Ref, Request, Run, Webhook},
};
use crate::eventually::eventually;

/// Nothing that the API answers takes longer; a manual trigger may take 30 s.
const DEADLINE: Duration = Duration::from_secs(45);
/// How long a delivery may take to come to rest in a test.
const SETTLING: Duration = Duration::from_mins(1);

/// How long all deliveries of a test may take to come to rest.
const ALL_SETTLING: Duration = Duration::from_mins(2);

/// A client of one server with one token.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<String>,
    project: Option<String>,
}

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Where to look for what is still to come.
    pub location: Option<String>,
    /// Null when there was no body.
    pub body: Value,
}

impl Api {
    pub fn new(server: &str, token: Option<&str>) -> Self {
        // Loopback only, whatever proxy the environment names.
        let client = Client::builder().no_proxy().timeout(DEADLINE).build().expect("a client");
        Self { client, base: format!("{server}/api/v1"), token: token.map(str::to_owned), project: None }
    }

    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// The same, which works in this project.
    #[must_use]
    pub fn in_project(&self, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..self.clone() }
    }

    /// The token that it has.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("it has a token")
    }

    /// A client with a new token of these permissions, in the project that is worked in.
    pub async fn allowed(&self, permissions: &[&str]) -> Self {
        let token = json!({ "name": "a test", "permissions": permissions });
        let made = self.post("/tokens", &token).await.expect("a token");
        Self { project: None, ..self.with_token(made.body["token"].as_str()) }
    }

    /// A client that may do everything in a new project.
    pub async fn elsewhere(&self) -> Self {
        let made = self.post("/projects", &json!({ "name": "other" })).await.expect("a project");
        self.in_project(made.body["id"].as_str().expect("an id")).allowed(&["admin"]).await
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.answer(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.answer(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.answer(self.request(Method::DELETE, path)).await
    }

    /// Posts bytes as they are.
    pub async fn post_bytes(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        self.answer(self.request(Method::POST, path).header(CONTENT_TYPE, media_type).body(body)).await
    }

    /// Posts bytes with these headers.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, Failure> {
        let request = headers
            .iter()
            .fold(self.request(Method::POST, path), |request, (name, value)| request.header(*name, *value));
        self.answer(request.body(body)).await
    }

    /// Posts lines and reads the lines of the answer.
    pub async fn post_lines(&self, path: &str, lines: &[String]) -> Vec<Value> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/x-ndjson");
        let response = request.body(lines.join("\n")).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let text = response.text().await.expect("the whole answer");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    pub async fn upload(&self, component: Vec<u8>) -> Result<Answer, Failure> {
        self.post_bytes("/plugins", "application/wasm", component).await
    }

    /// Uploads a component that must be accepted.
    pub async fn install(&self, component: Vec<u8>) -> Plugin {
        let plugin: Plugin = self.upload(component).await.expect("the plugin is accepted").read();
        assert_eq!(plugin.status, "ready", "{plugin:?}");
        plugin
    }

    /// Makes a webhook that must be accepted.
    pub async fn register(&self, webhook: &Value) -> Webhook {
        let answer = self.post("/webhooks", webhook).await.expect("the webhook is accepted");
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.read()
    }

    pub async fn try_publish(&self, kind: &str, payload: Value) -> Result<Accepted, Failure> {
        let answer = self.post("/events", &json!({ "type": kind, "payload": payload })).await?;
        assert_eq!(answer.status, 202, "{}", answer.body);
        Ok(answer.read())
    }

    /// Posts an event that must be accepted.
    pub async fn publish(&self, kind: &str, payload: Value) -> Accepted {
        self.try_publish(kind, payload).await.expect("the event is accepted")
    }

    /// Posts an event for which there is exactly one webhook.
    pub async fn publish_one(&self, kind: &str, payload: Value) -> Ref {
        let mut accepted = self.publish(kind, payload).await;
        assert_eq!(accepted.deliveries.len(), 1, "{accepted:?}");
        accepted.deliveries.remove(0)
    }

    /// Makes a webhook for an event of its own, posts that event, and gives the delivery when it has come to rest. It is
    /// tried once; `options` say what else is special about the webhook.
    pub async fn deliver_once(&self, url: &str, options: Value) -> Delivery {
        let kind = format!("only.n{:016x}", rand::random::<u64>());
        let mut webhook = json!({ "url": url, "events": [kind], "retry": [0] });
        let Value::Object(options) = options else { panic!("options are an object") };
        webhook.as_object_mut().expect("an object").extend(options);
        self.register(&webhook).await;
        let delivery = self.publish_one(&kind, json!({ "n": 1 })).await;
        self.settled(&delivery.id).await
    }

    pub async fn delivery(&self, id: &str) -> Delivery {
        self.get(&format!("/deliveries/{id}")).await.expect("the delivery exists").read()
    }

    /// The delivery once nothing more will happen to it by itself.
    pub async fn settled(&self, id: &str) -> Delivery {
        eventually(SETTLING, &format!("{id} settles"), async || {
            let delivery = self.delivery(id).await;
            delivery.is_settled().then_some(delivery)
        })
        .await
    }

    /// Waits until nothing is open any more.
    pub async fn all_settled(&self) {
        eventually(ALL_SETTLING, "no delivery is open", async || {
            for status in ["pending", "retrying"] {
                if !self.list(&format!("/deliveries?status={status}")).await.is_empty() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// All items of a list, page by page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{separator}limit=200{cursor}")).await.expect("a page");
            items.extend(page.items().iter().cloned());
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = match &self.project {
            Some(project) => request.header("x-project", project),
            None => request,
        };
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = request.build()?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let media_type = response.headers().get(CONTENT_TYPE).cloned();
        let retry_after = response.headers().get(RETRY_AFTER).cloned();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = response.bytes().await?;
        if let Some(contract) = contract(&self.client, &self.base).await {
            contract.check(&Answered { method: &method, path: &path, status, headers: &headers, body: &bytes });
        }
        if !(200..300).contains(&status) {
            let media_type = media_type.as_ref().and_then(|value| value.to_str().ok());
            let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(Failure::Problem(Problem { retry_after, ..Problem::read(status, media_type, &bytes) }));
        }
        let body = match bytes.as_ref() {
            [] => Value::Null,
            text => serde_json::from_slice(text).expect("an answer is JSON"),
        };
        Ok(Answer { status, location, body })
    }
}

impl Answer {
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> T {
        T::deserialize(&self.body).unwrap_or_else(|error| panic!("{error} in {:#}", self.body))
    }

    /// The items of a list.
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("not a list: {:#}", self.body))
    }
}

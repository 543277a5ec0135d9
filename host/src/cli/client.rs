//! The HTTP API from the command line.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::Failure;

/// Long enough for an upload that is checked meanwhile, and for a test that waits for its result.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Which server, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    /// Where the server is
    #[arg(long, value_name = "URL", env = "HOOKWRIGHT_URL", default_value = "http://127.0.0.1:8080")]
    server: Url,
    /// The API token
    #[arg(long, env = "HOOKWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// A file with the API token
    #[arg(long, value_name = "FILE", env = "HOOKWRIGHT_TOKEN_FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl Connection {
    /// A client with this server and token.
    pub(super) fn open(&self) -> Result<Client, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
                SecretString::from(text.trim())
            }
            (None, None) => return Err("a token is needed: --token, --token-file or HOOKWRIGHT_TOKEN".into()),
        };
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Client { http, base: self.server.as_str().trim_end_matches('/').to_owned(), token })
    }
}

/// Calls the API of one server.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: SecretString,
}

impl Client {
    /// A client for a server on this machine: no proxy, and no need of installed certificates.
    pub(super) fn local(base: &str, token: &str, timeout: Duration) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(timeout).no_proxy().tls_certs_only([]).build()?;
        Ok(Self { http, base: base.to_owned(), token: SecretString::from(token) })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, path)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let request = self.request(Method::POST, path);
        self.answer(request.header(header::CONTENT_TYPE, "application/json").body(serde_json::to_vec(body)?)).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let request = self.request(Method::PATCH, path);
        self.answer(request.header(header::CONTENT_TYPE, "application/json").body(serde_json::to_vec(body)?)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.bytes(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// An answer that is no JSON.
    pub(super) async fn download(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(self.request(Method::GET, path)).await
    }

    /// Uploads a component; the answer may still say `checking`.
    pub(super) async fn upload<T: DeserializeOwned>(&self, component: Vec<u8>) -> Result<T, Failure> {
        let request = self.request(Method::POST, "/plugins");
        self.answer(request.header(header::CONTENT_TYPE, "application/wasm").body(component)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(self.token.expose_secret())
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let body = self.bytes(request).await?;
        serde_json::from_slice(&body).map_err(|error| format!("the server's answer is not understood: {error}").into())
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let request = request.build()?;
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return Ok(body.into());
        }
        Err(format!("{what}: {}", problem(status, &body)).into())
    }
}

/// The problem's own words (RFC 9457) with the fields that it names, or the status if it has none.
fn problem(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = problem["detail"].as_str().or_else(|| problem["title"].as_str());
    let mut told = words.map_or_else(|| status.to_string(), |words| format!("{} {words}", status.as_u16()));
    for error in problem["errors"].as_array().into_iter().flatten() {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        told = format!("{told}\n  at `{}`: {}", text("pointer"), text("detail"));
    }
    if let Some(code) = problem["plugin_error"]["code"].as_str() {
        told = format!("{told} ({code})");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_problem_in_its_own_words() {
        let body = br#"{"title":"Unprocessable","detail":"fields are wrong","errors":[{"pointer":"/url","detail":"is missing"}]}"#;
        assert_eq!(problem(StatusCode::UNPROCESSABLE_ENTITY, body), "422 fields are wrong\n  at `/url`: is missing");
        assert_eq!(problem(StatusCode::BAD_GATEWAY, b"<html>"), "502 Bad Gateway");
        let refused = br#"{"detail":"no","plugin_error":{"code":"plugin.too_large"}}"#;
        assert_eq!(problem(StatusCode::UNPROCESSABLE_ENTITY, refused), "422 no (plugin.too_large)");
    }
}

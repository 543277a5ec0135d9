//! The HTTP API from the command line.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::Failure;
use super::profiles::{self, Profile, Profiles};

/// Long enough for an upload that is checked meanwhile, and for a test that waits for its result.
const TIMEOUT: Duration = Duration::from_mins(2);
/// An export, or a stream of events, takes as long as it takes.
const STREAM_TIMEOUT: Duration = Duration::from_hours(24);
/// Where a server is unless somebody says otherwise.
const USUAL_SERVER: &str = "http://127.0.0.1:8080";
/// Longest line of a stream in bytes: a delivery with all its requests and answers.
const LINE_MAX_BYTES: usize = 256 * 1024 * 1024;

/// Which server, and as whom. A flag goes over a profile that is named, that over the environment, and that over the profile in
/// use.
#[derive(Debug, clap::Args)]
pub(super) struct Address {
    /// Where the server is [env: `HOOKWRIGHT_URL`] [default: the profile's, or `http://127.0.0.1:8080`]
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    server: Option<Url>,
    /// The API token; a profile or a file hides it from others on this machine [env: `HOOKWRIGHT_TOKEN`]
    #[arg(long, help_heading = "Connection")]
    token: Option<SecretString>,
    /// A file with the API token [env: `HOOKWRIGHT_TOKEN_FILE`]
    #[arg(long, value_name = "FILE", help_heading = "Connection", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// A server that `hookwright login` or `hookwright profile add` has noted [env: `HOOKWRIGHT_PROFILE`]
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    profile: Option<String>,
}

/// The same, and in which project.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    #[command(flatten)]
    address: Address,
    /// The project to work in, by its id or its external id [env: `HOOKWRIGHT_PROJECT`]
    #[arg(long, value_name = "PROJECT", help_heading = "Connection")]
    project: Option<String>,
}

/// A setting of whoever calls the command, who need not have any.
#[expect(clippy::disallowed_methods, reason = "the client's settings; those of servers come from `config`")]
pub(super) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Address {
    /// Which server is meant, where no token is needed yet; `known` is where it was before.
    pub(super) fn server(&self, known: Option<Url>) -> Result<Url, Failure> {
        match self.server.clone().or(known) {
            Some(server) => Ok(server),
            None => Ok(server_of_environment()?.unwrap_or_else(usual_server)),
        }
    }

    fn profile(&self) -> Result<Option<Profile>, Failure> {
        let named = self.profile.clone().or_else(|| setting("HOOKWRIGHT_PROFILE"));
        let has_environment =
            ["HOOKWRIGHT_URL", "HOOKWRIGHT_TOKEN", "HOOKWRIGHT_TOKEN_FILE"].iter().any(|name| setting(name).is_some());
        let is_complete = self.token.is_some() || self.token_file.is_some();
        // Somebody's profile, and what is wrong with it, is not looked at where all is told otherwise.
        if named.is_none() && (has_environment || is_complete) {
            return Ok(None);
        }
        let profiles = match profiles::path() {
            Ok(path) => Profiles::load(&path)?,
            Err(error) if named.is_some() => return Err(error),
            Err(_) => return Ok(None),
        };
        match (named, &profiles.current) {
            (Some(name), _) => profiles.named(&name).cloned().map(Some),
            (None, Some(current)) => profiles.named(current).cloned().map(Some),
            (None, None) => Ok(None),
        }
    }

    fn open(&self, project: Option<&str>) -> Result<Client, Failure> {
        let profile = self.profile()?;
        let (server, token) = match &profile {
            Some(profile) => (Some(profile.url.clone()), Some(profile.token.clone())),
            None => (server_of_environment()?, token_of_environment()?),
        };
        let own = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(token_in(file)?),
            (None, None) => None,
        };
        // A token is for one server: it does not go to another one because that was named.
        if let (Some(profile), Some(server), None) = (&profile, &self.server, &own)
            && profile.url.origin() != server.origin()
        {
            return Err("the profile's token is for another server; give the token for this one: --token-file".into());
        }
        let token = own
            .or(token)
            .ok_or("a token is needed: `hookwright login`, --token-file, or HOOKWRIGHT_TOKEN in the environment")?;
        let server = self.server.clone().or(server).unwrap_or_else(usual_server);
        let of_profile = profile.and_then(|profile| profile.project);
        let project = project.map(str::to_owned).or(of_profile).or_else(|| setting("HOOKWRIGHT_PROJECT"));
        Client::new(&server, token, project)
    }

    /// A client that works in the usual project.
    pub(super) fn open_anywhere(&self) -> Result<Client, Failure> {
        self.open(None)
    }
}

fn usual_server() -> Url {
    Url::parse(USUAL_SERVER).expect("it is a URL")
}

fn server_of_environment() -> Result<Option<Url>, Failure> {
    let parsed = setting("HOOKWRIGHT_URL").map(|text| Url::parse(&text)).transpose();
    parsed.map_err(|error| format!("HOOKWRIGHT_URL: {error}").into())
}

fn token_of_environment() -> Result<Option<SecretString>, Failure> {
    match setting("HOOKWRIGHT_TOKEN") {
        Some(token) => Ok(Some(token.into())),
        None => setting("HOOKWRIGHT_TOKEN_FILE").map(|file| token_in(&PathBuf::from(file))).transpose(),
    }
}

fn token_in(file: &PathBuf) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(SecretString::from(text.trim()))
}

impl Connection {
    /// A client with this server, token and project.
    pub(super) fn open(&self) -> Result<Client, Failure> {
        self.address.open(self.project.as_deref())
    }

    /// Which server is meant, where no token is needed yet; `known` is where it was before.
    pub(super) fn server(&self, known: Option<Url>) -> Result<Url, Failure> {
        self.address.server(known)
    }

    /// The profile and the project that are named.
    pub(super) fn names(&self) -> (Option<&str>, Option<&str>) {
        (self.address.profile.as_deref(), self.project.as_deref())
    }

    /// The token, if one is given.
    pub(super) fn given_token(&self) -> Result<Option<SecretString>, Failure> {
        match (&self.address.token, &self.address.token_file) {
            (Some(token), _) => Ok(Some(token.clone())),
            (None, Some(file)) => token_in(file).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// No answer came.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable { server: String, reason: String },
    /// The server said no, in its own words.
    #[error("{what}: {told}")]
    Refused { what: String, status: StatusCode, told: String },
    /// It is no answer of this API.
    #[error("the server's answer is not understood: {reason}")]
    NotUnderstood { reason: String },
}

impl CallError {
    /// Whether the server refused with this status.
    pub(super) fn is_status(failure: &Failure, wanted: u16) -> bool {
        matches!(failure.downcast_ref(), Some(Self::Refused { status, .. }) if status.as_u16() == wanted)
    }

    /// Whether trying again may help.
    pub(super) fn is_passing(failure: &Failure) -> bool {
        match failure.downcast_ref() {
            Some(Self::Unreachable { .. }) => true,
            Some(Self::Refused { status, .. }) => status.is_server_error() || status.as_u16() == 429,
            _ => false,
        }
    }
}

/// Calls the API of one server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: SecretString,
    project: Option<String>,
}

/// A path of texts from outside, each of which stays one segment.
pub(super) fn path(segments: &[&str]) -> String {
    segments.iter().flat_map(|segment| ["/".to_owned(), encoded(segment)]).collect()
}

fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    // As they stand they would be taken out of the path.
    if matches!(text, "." | "..") { text.replace('.', "%252E") } else { utf8_percent_encode(text, KEPT).to_string() }
}

/// A path with the parameters that have a value.
pub(super) fn with_query<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

impl Client {
    /// A client with this token.
    pub(super) fn new(server: &Url, token: SecretString, project: Option<String>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { http, base: server.as_str().trim_end_matches('/').to_owned(), token, project })
    }

    /// A client for a server on this machine: no proxy, and no need of installed certificates.
    pub(super) fn local(base: &str, token: &str, timeout: Duration) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(timeout).no_proxy().tls_certs_only([]).build()?;
        Ok(Self { http, base: base.to_owned(), token: SecretString::from(token), project: None })
    }

    /// Where the server is.
    pub(super) fn server(&self) -> &str {
        &self.base
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, path)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.answer(self.with_body(Method::POST, path, body)?).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.answer(self.with_body(Method::PATCH, path, body)?).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.bytes(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Posts lines (NDJSON); the answer has one for each.
    pub(super) async fn post_lines(&self, path: &str, lines: String) -> Result<Vec<Value>, Failure> {
        let request = self.request(Method::POST, path).timeout(STREAM_TIMEOUT);
        let answer = self.bytes(request.header(header::CONTENT_TYPE, "application/x-ndjson").body(lines)).await?;
        answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(understood).collect()
    }

    /// An answer that is no JSON.
    pub(super) async fn download(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(self.request(Method::GET, path)).await
    }

    /// Has each line of an answer (NDJSON), as it comes. An answer that breaks off is a failure.
    pub(super) async fn lines(
        &self,
        path: &str,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut response = self.response(self.request(Method::GET, path).timeout(STREAM_TIMEOUT)).await?;
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            let mut begun = rest.len();
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest[begun..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=begun + end).collect();
                each(&line[..line.len() - 1])?;
                begun = 0;
            }
            if rest.len() > LINE_MAX_BYTES {
                return Err(CallError::NotUnderstood { reason: "a line does not end".to_owned() }.into());
            }
        }
        if rest.is_empty() { Ok(()) } else { each(&rest) }
    }

    /// Uploads a component; the answer may still say `checking`.
    pub(super) async fn upload<T: DeserializeOwned>(&self, component: Vec<u8>) -> Result<T, Failure> {
        let request = self.request(Method::POST, "/plugins");
        self.answer(request.header(header::CONTENT_TYPE, "application/wasm").body(component)).await
    }

    fn with_body(&self, method: Method, path: &str, body: &Value) -> Result<RequestBuilder, Failure> {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        Ok(request.body(serde_json::to_vec(body)?))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request =
            self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(self.token.expose_secret());
        match &self.project {
            Some(project) => request.header("x-project", project),
            None => request,
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let body = self.bytes(request).await?;
        understood(&body)
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let body = self.response(request).await?.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok(body.into())
    }

    /// An answer that says yes.
    async fn response(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = request.build()?;
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Err(CallError::Refused { what, status, told: problem(status, &body) }.into())
    }

    /// The innermost cause says what is wrong; the URL is told once.
    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = if error.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() };
        CallError::Unreachable { server: self.base.clone(), reason }
    }
}

fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| CallError::NotUnderstood { reason: error.to_string() }.into())
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

    #[test]
    fn what_somebody_writes_stays_one_segment_and_one_parameter() {
        assert_eq!(path(&["webhooks", "whk_01-a"]), "/webhooks/whk_01-a");
        assert_eq!(path(&["webhooks", "../users?x", "test"]), "/webhooks/..%2Fusers%3Fx/test");
        assert_eq!(path(&["webhooks", ".."]), "/webhooks/%252E%252E");
        let parameters = [("type", Some("a&b".to_owned())), ("status", None)];
        assert_eq!(with_query("/events", parameters), "/events?type=a%26b");
        assert_eq!(with_query("/events", [("status", None)]), "/events");
    }
}

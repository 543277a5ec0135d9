//! The table of permissions: who may call which route. Every route of the router has a row here, and each is tried with no
//! token, a wrong one, each single permission, another project's token, and a cookie.

mod described;

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service as _;

use super::{assemble, first_token, open_store, start_sandbox};
use crate::api::{Api, router, routes};
use crate::config::Config;
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::token::Permission;

/// Who may call a route.
#[derive(Debug, Clone, Copy)]
enum Access {
    /// Everybody, without a token.
    Public,
    /// Whoever is let in.
    Anybody,
    /// Whoever has one of these permissions in the project.
    With(&'static [Permission]),
    /// Only whoever may do everything, in the project.
    Admin,
    /// Only whoever may do everything, in all projects.
    Owner,
    /// Only whoever has this permission in all projects.
    Everywhere(Permission),
    /// Only whoever has logged in; no token whatever.
    Person,
}

use Access::{Admin, Anybody, Everywhere, Owner, Person, Public, With};
use Permission::{
    AuditRead, CanTriggerIntegrations as Trigger, DeliveriesRead, DeliveriesRetry, EventsPublish, EventsRead,
    PluginsRead, PluginsWrite, SchedulesWrite, TokensWrite, WebhooksRead, WebhooksWrite,
};

struct Row {
    method: Method,
    path: &'static str,
    access: Access,
    /// A body that is understood, so that it is not refused before anybody asks who sent it.
    body: Value,
}

fn row(method: &str, path: &'static str, access: Access, body: Value) -> Row {
    Row { method: method.parse().unwrap(), path, access, body }
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a line for each route")]
fn table() -> Vec<Row> {
    let none = || json!(null);
    let all = || json!({ "status": "failed", "since": "2020-01-01T00:00:00Z", "dry_run": true });
    vec![
        row("GET", "/healthz", Public, none()),
        row("GET", "/readyz", Public, none()),
        row("GET", "/metrics", Everywhere(DeliveriesRead), none()),
        row("GET", "/api/v1/openapi.json", Public, none()),
        row("GET", "/api/v1/docs", Public, none()),
        row("GET", "/api/v1/docs/style.css", Public, none()),
        row("POST", "/api/v1/events", With(&[EventsPublish]), json!({ "type": "a.b", "payload": {} })),
        row("GET", "/api/v1/events", With(&[EventsRead, Trigger]), none()),
        // It tells what payloads say.
        row("POST", "/api/v1/events/count", With(&[EventsRead]), json!({})),
        row("GET", "/api/v1/events/{event}", With(&[EventsRead, Trigger]), none()),
        row("POST", "/api/v1/events/{event}/replay", With(&[DeliveriesRetry]), json!({})),
        row("POST", "/api/v1/event-types", With(&[WebhooksWrite]), json!({ "name": "build.done" })),
        row("GET", "/api/v1/event-types", With(&[WebhooksRead, EventsPublish, EventsRead, Trigger]), none()),
        row("GET", "/api/v1/event-types/{type}", With(&[WebhooksRead, EventsPublish, EventsRead, Trigger]), none()),
        row("PATCH", "/api/v1/event-types/{type}", With(&[WebhooksWrite]), json!({})),
        row("DELETE", "/api/v1/event-types/{type}", With(&[WebhooksWrite]), none()),
        row("POST", "/api/v1/webhooks", With(&[WebhooksWrite]), json!({ "url": "http://127.0.0.1:9/", "events": ["a.b"] })),
        row("POST", "/api/v1/webhooks/check-url", With(&[WebhooksWrite]), json!({ "url": "http://127.0.0.1:9/" })),
        // `webhooks:write` and `can_trigger_integrations` together.
        row("POST", "/api/v1/webhooks/test", Admin, json!({ "webhook": { "url": "http://127.0.0.1:9/", "events": ["a.b"] } })),
        row("GET", "/api/v1/webhooks", With(&[WebhooksRead, Trigger]), none()),
        row("GET", "/api/v1/webhooks/{webhook}", With(&[WebhooksRead, Trigger]), none()),
        row("PUT", "/api/v1/webhooks/by-external-id/{external}", With(&[WebhooksWrite]), json!({ "url": "http://127.0.0.1:9/", "events": ["a.b"] })),
        row("PATCH", "/api/v1/webhooks/{webhook}", With(&[WebhooksWrite]), json!({})),
        row("POST", "/api/v1/webhooks/{webhook}/test", With(&[Trigger]), json!({})),
        row("POST", "/api/v1/webhooks/{webhook}/trigger", With(&[Trigger]), json!({})),
        row("POST", "/api/v1/webhooks/{webhook}/rotate-secret", With(&[WebhooksWrite]), json!({})),
        row("POST", "/api/v1/webhooks/{webhook}/explain", With(&[WebhooksRead, Trigger]), json!({ "type": "a.b", "payload": {} })),
        // What plugins remember was made of payloads: it takes `webhooks:read` and `events:read` together.
        row("GET", "/api/v1/webhooks/{webhook}/facts", Admin, none()),
        row("DELETE", "/api/v1/webhooks/{webhook}/facts", With(&[WebhooksWrite]), none()),
        row("GET", "/api/v1/webhooks/{webhook}/digest", With(&[WebhooksRead, Trigger]), none()),
        row("POST", "/api/v1/webhooks/{webhook}/digest/send", With(&[DeliveriesRetry]), none()),
        row("GET", "/api/v1/webhooks/{webhook}/revisions", With(&[WebhooksRead, Trigger]), none()),
        row("POST", "/api/v1/webhooks/{webhook}/reprocess", With(&[DeliveriesRetry]), json!({ "dry_run": true })),
        row("POST", "/api/v1/webhooks/{webhook}/recover", With(&[DeliveriesRetry]), json!({ "since": "2020-01-01T00:00:00Z", "dry_run": true })),
        // It runs what it is given on payloads: it takes `webhooks:read`, `deliveries:read`, `plugins:read` and `events:read`.
        row("POST", "/api/v1/webhooks/{webhook}/backtest", Admin, json!({ "dry_run": true })),
        row("GET", "/api/v1/webhooks/{webhook}/deliveries", With(&[DeliveriesRead, Trigger]), none()),
        row("DELETE", "/api/v1/webhooks/{webhook}", With(&[WebhooksWrite]), none()),
        row("GET", "/api/v1/deliveries", With(&[DeliveriesRead, Trigger]), none()),
        row("GET", "/api/v1/deliveries/export", With(&[DeliveriesRead, Trigger]), none()),
        row("POST", "/api/v1/deliveries/resend", With(&[DeliveriesRetry]), all()),
        row("POST", "/api/v1/deliveries/cancel", With(&[DeliveriesRetry]), all()),
        row("GET", "/api/v1/deliveries/{delivery}", With(&[DeliveriesRead, Trigger]), none()),
        // What a plugin was given: `deliveries:read`, `plugins:read` and `events:read` together.
        row("GET", "/api/v1/deliveries/{delivery}/input", Admin, none()),
        row("POST", "/api/v1/deliveries/{delivery}/retry", With(&[DeliveriesRetry]), json!({})),
        row("POST", "/api/v1/deliveries/{delivery}/cancel", With(&[DeliveriesRetry]), json!({})),
        row("POST", "/api/v1/deliveries/{delivery}/reprocess", With(&[DeliveriesRetry]), none()),
        row("GET", "/api/v1/jobs", With(&[DeliveriesRead, Trigger]), none()),
        row("GET", "/api/v1/jobs/{job}", With(&[DeliveriesRead, Trigger]), none()),
        row("DELETE", "/api/v1/jobs/{job}", With(&[DeliveriesRetry]), none()),
        row("POST", "/api/v1/jobs/{job}/cancel", With(&[DeliveriesRetry]), none()),
        // Made of payloads: `deliveries:read` and `events:read` together.
        row("GET", "/api/v1/jobs/{job}/results", Admin, none()),
        // `webhooks:write` and `deliveries:read` together.
        row("POST", "/api/v1/jobs/{job}/promote", Admin, json!({})),
        row("POST", "/api/v1/plugins", With(&[PluginsWrite]), none()),
        row("GET", "/api/v1/plugins", With(&[PluginsRead]), none()),
        row("GET", "/api/v1/plugins/nothing/versions/{version}", With(&[PluginsRead]), none()),
        row("DELETE", "/api/v1/plugins/nothing/versions/{version}", With(&[PluginsWrite]), none()),
        row("GET", "/api/v1/plugins/nothing/versions/{version}/component", With(&[PluginsRead]), none()),
        row("POST", "/api/v1/plugins/nothing/versions/{version}/preview", With(&[PluginsRead]), json!({})),
        row("POST", "/api/v1/plugins/nothing/versions/{version}/resume", With(&[PluginsWrite]), none()),
        row("GET", "/api/v1/gallery", With(&[PluginsRead]), none()),
        row("POST", "/api/v1/gallery/nothing", With(&[PluginsWrite]), none()),
        row("POST", "/api/v1/projects", Owner, json!({ "name": "another" })),
        row("GET", "/api/v1/projects", Anybody, none()),
        row("GET", "/api/v1/projects/{project}", Anybody, none()),
        row("PUT", "/api/v1/projects/by-external-id/{external}", Owner, json!({ "name": "another" })),
        row("PATCH", "/api/v1/projects/{project}", Admin, json!({})),
        row("GET", "/api/v1/projects/{project}/members", Admin, none()),
        row("PUT", "/api/v1/projects/{project}/members/{user}", Admin, json!({ "roles": ["viewer"] })),
        row("DELETE", "/api/v1/projects/{project}/members/{user}", Admin, none()),
        row("DELETE", "/api/v1/projects/{project}", Owner, none()),
        row("POST", "/api/v1/schedules", With(&[SchedulesWrite]), json!({ "cron": "0 9 * * *", "event_type": "a.b" })),
        row("GET", "/api/v1/schedules", With(&[SchedulesWrite, EventsRead, Trigger]), none()),
        row("POST", "/api/v1/schedules/preview", With(&[SchedulesWrite, EventsRead, Trigger]), json!({ "cron": "0 9 * * *" })),
        row("GET", "/api/v1/schedules/{schedule}", With(&[SchedulesWrite, EventsRead, Trigger]), none()),
        row("PATCH", "/api/v1/schedules/{schedule}", With(&[SchedulesWrite]), json!({})),
        row("POST", "/api/v1/schedules/{schedule}/run", With(&[SchedulesWrite]), json!({})),
        row("DELETE", "/api/v1/schedules/{schedule}", With(&[SchedulesWrite]), none()),
        // It allows no more than whoever makes it has.
        row("POST", "/api/v1/tokens", With(&[TokensWrite]), json!({ "name": "x", "permissions": ["tokens:write"] })),
        row("GET", "/api/v1/tokens", With(&[TokensWrite]), none()),
        row("GET", "/api/v1/tokens/{token}", With(&[TokensWrite]), none()),
        row("PATCH", "/api/v1/tokens/{token}", With(&[TokensWrite]), json!({})),
        row("DELETE", "/api/v1/tokens/{token}", With(&[TokensWrite]), none()),
        row("POST", "/api/v1/users", Owner, json!({ "email": "x@example.com", "name": "x" })),
        row("GET", "/api/v1/users", Owner, none()),
        row("GET", "/api/v1/users/{user}", Owner, none()),
        row("PATCH", "/api/v1/users/{user}", Owner, json!({})),
        row("DELETE", "/api/v1/users/{user}", Owner, none()),
        row("GET", "/api/v1/setup", Public, none()),
        row("POST", "/api/v1/setup", Owner, json!({ "email": "y@example.com", "name": "y", "password": PASSWORD })),
        row("POST", "/api/v1/roles", Owner, json!({ "name": "another", "permissions": ["events:read"] })),
        row("GET", "/api/v1/roles", Anybody, none()),
        row("GET", "/api/v1/roles/{role}", Anybody, none()),
        row("PATCH", "/api/v1/roles/{role}", Owner, json!({})),
        row("DELETE", "/api/v1/roles/{role}", Owner, none()),
        row("POST", "/api/v1/sessions", Public, json!({ "email": EMAIL, "password": PASSWORD })),
        row("GET", "/api/v1/sessions", Person, none()),
        row("DELETE", "/api/v1/sessions/{session}", Owner, none()),
        row("GET", "/api/v1/me", Anybody, none()),
        row("POST", "/api/v1/me/password", Person, json!({ "current_password": PASSWORD, "new_password": PASSWORD })),
        row("GET", "/api/v1/settings", Owner, none()),
        row("GET", "/api/v1/overview", With(&[DeliveriesRead, Trigger]), none()),
        row("GET", "/api/v1/live", With(&[DeliveriesRead, Trigger]), none()),
        row("GET", "/api/v1/audit", With(&[AuditRead]), none()),
        row("GET", "/api/v1/audit/export", With(&[AuditRead]), none()),
        // The last, since it ends what the one before came with.
        row("DELETE", "/api/v1/sessions", Person, none()),
    ]
}

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

/// A server in memory, and things in its default project.
struct Server {
    router: Router,
    door: Api,
    owner: String,
    /// What stands for the parameters of paths.
    things: Vec<(&'static str, String)>,
    /// Every route: method and path, with one word for each parameter.
    known: HashSet<(Method, String)>,
    _folder: tempfile::TempDir,
}

/// How somebody comes.
#[derive(Clone, Copy)]
enum Key<'a> {
    Nothing,
    Token(&'a str),
    /// A cookie, and the proof that goes with it.
    Cookie(&'a str, Option<&'a str>),
}

/// A path in which it does not matter how parameters are called.
fn shape(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') || part == "nothing" { "*".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

impl Server {
    async fn start() -> Self {
        Self::start_at(Clock::System).await
    }

    async fn start_at(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.database = format!("sqlite:{}", folder.path().join("test.db").display());
        config.network.allow = vec!["127.0.0.0/8".parse().unwrap()];
        config.delivery.result_wait_ms = 0;
        config.plugins.threads = 1;
        config.limits.requests = 0;
        let (entropy, config) = (Entropy::System, Arc::new(config));
        let store = open_store(&config, &clock, &entropy).await.unwrap();
        let token_file = config.store.admin_token_file().unwrap();
        first_token(&store, &token_file, &clock, &entropy).await.unwrap();
        let owner = std::fs::read_to_string(token_file).unwrap().trim().to_owned();
        let sandbox = start_sandbox(&config, &store, &clock, &entropy).unwrap();
        let api = assemble(&config, &store, sandbox, &clock, &entropy).unwrap().api;
        // A test that reads all of an answer would read a stream for minutes.
        api.live.end();
        let known = routes(&api).iter().map(|route| (route.method.clone(), shape(&route.path))).collect();
        let mut server =
            Self { router: router(api.clone()), door: api, owner, things: Vec::new(), known, _folder: folder };
        server.furnish().await;
        server
    }

    /// Makes one of everything.
    async fn furnish(&mut self) {
        let project = self.made("GET", "/api/v1/me", json!(null)).await["project"].as_str().unwrap().to_owned();
        let webhook = json!({ "url": "http://127.0.0.1:9/", "events": ["x.y"], "retry": [0] });
        let webhook = self.made("POST", "/api/v1/webhooks", webhook).await;
        let event = self.made("POST", "/api/v1/events", json!({ "type": "x.y", "payload": {} })).await;
        self.made("POST", "/api/v1/event-types", json!({ "name": "x.y" })).await;
        let since = json!({ "status": "failed", "since": "2020-01-01T00:00:00Z" });
        let job = self.made("POST", "/api/v1/deliveries/resend", since).await;
        let user = json!({ "email": EMAIL, "name": "Ada", "password": PASSWORD });
        let user = self.made("POST", "/api/v1/users", user).await;
        let spare = self.made("POST", "/api/v1/users", json!({ "email": "spare@example.com", "name": "Spare" })).await;
        let session = self.login().await;
        let role = json!({ "name": "spare", "permissions": ["events:read"] });
        let role = self.made("POST", "/api/v1/roles", role).await;
        let schedule = json!({ "cron": "0 9 * * *", "event_type": "x.y" });
        let schedule = self.made("POST", "/api/v1/schedules", schedule).await;
        let spare_token = self.token(&project, &["tokens:write"]).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let _ = user;
        self.things = vec![
            ("{project}", project),
            ("{webhook}", text(&webhook["id"])),
            ("{event}", text(&event["id"])),
            ("{delivery}", text(&event["deliveries"][0]["id"])),
            ("{job}", text(&job["id"])),
            ("{user}", text(&spare["id"])),
            ("{session}", text(&session.0["id"])),
            ("{role}", text(&role["name"])),
            ("{token}", text(&spare_token["id"])),
            ("{schedule}", text(&schedule["id"])),
            ("{version}", "1.0.0".to_owned()),
            ("{type}", "x.y".to_owned()),
            ("{external}", "theirs".to_owned()),
        ];
    }

    /// A token that the owner makes.
    async fn token(&self, project: &str, permissions: &[&str]) -> Value {
        let body = json!({ "name": "test", "permissions": permissions, "project": project });
        self.made("POST", "/api/v1/tokens", body).await
    }

    /// Logs in: the answer, and the cookie.
    async fn login(&self) -> (Value, String) {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let response = self.call("POST".parse().unwrap(), "/api/v1/sessions", Key::Nothing, &body).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        (json(response).await, cookie)
    }

    /// What the owner asks for, which is done.
    async fn made(&self, method: &str, path: &str, body: Value) -> Value {
        let response = self.call(method.parse().unwrap(), path, Key::Token(&self.owner), &body).await;
        let status = response.status();
        let body = json(response).await;
        assert!(status.is_success(), "{method} {path}: {status} {body:#}");
        body
    }

    async fn call(&self, method: Method, path: &str, key: Key<'_>, body: &Value) -> Response<Body> {
        self.call_in(None, method, path, key, body).await
    }

    /// The same, which names the project that it is about.
    async fn call_in(
        &self,
        project: Option<&str>,
        method: Method,
        path: &str,
        key: Key<'_>,
        body: &Value,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(project) = project {
            request = request.header("x-project", project);
        }
        match key {
            Key::Nothing => {}
            Key::Token(token) => request = request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Key::Cookie(cookie, csrf) => {
                request = request.header(header::COOKIE, cookie);
                if let Some(csrf) = csrf {
                    request = request.header("x-csrf-token", csrf);
                }
            }
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        };
        self.router.clone().call(request.body(body).unwrap()).await.unwrap()
    }

    /// A row's path with things that there are.
    fn path(&self, row: &Row) -> String {
        self.things.iter().fold(row.path.to_owned(), |path, (name, thing)| path.replace(name, thing))
    }

    async fn status(&self, row: &Row, key: Key<'_>) -> StatusCode {
        self.call(row.method.clone(), &self.path(row), key, &row.body).await.status()
    }
}

async fn json(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// Whether somebody was let through, whatever came of it then.
fn passes(status: StatusCode) -> bool {
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
    !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let server = Server::start().await;
    let rows: HashSet<(Method, String)> = table().iter().map(|row| (row.method.clone(), shape(row.path))).collect();
    let without: Vec<_> = server.known.difference(&rows).collect();
    assert!(without.is_empty(), "say in the table who may call {without:?}");
    let gone: Vec<_> = rows.difference(&server.known).collect();
    assert!(gone.is_empty(), "there is no such route any more: {gone:?}");
}

#[tokio::test]
async fn without_a_token_or_with_a_wrong_one_nobody_gets_in() {
    let server = Server::start().await;
    let wrong = format!("{}A", &server.owner[..server.owner.len() - 1]);
    let wrong = if wrong == server.owner { format!("{}B", &wrong[..wrong.len() - 1]) } else { wrong };
    let (_, cookie) = server.login().await;
    let secret = cookie.split_once('=').unwrap().1.to_owned();
    for row in table() {
        for (what, key) in [
            ("no token", Key::Nothing),
            ("a wrong token", Key::Token(&wrong)),
            ("a session as a token", Key::Token(&secret)),
            ("a wrong cookie", Key::Cookie("hookwright=hw_nonsense", None)),
            ("a token as a cookie", Key::Cookie(&format!("hookwright={}", server.owner), None)),
        ] {
            let status = server.status(&row, key).await;
            let expected = matches!(row.access, Public);
            assert_eq!(
                status != StatusCode::UNAUTHORIZED,
                expected,
                "{} {} with {what}: {status}",
                row.method,
                row.path
            );
        }
    }
}

#[tokio::test]
async fn exactly_those_who_may_are_let_through() {
    let server = Server::start().await;
    let project = server.things[0].1.clone();
    for permission in Permission::ALL {
        let token = server.token(&project, &[permission.as_str()]).await;
        let token = token["token"].as_str().unwrap();
        let is_admin = *permission == Permission::Admin;
        for row in table() {
            let expected = match row.access {
                Public | Anybody => true,
                With(permissions) => is_admin || permissions.contains(permission),
                Admin => is_admin,
                Everywhere(_) | Owner | Person => false,
            };
            let status = server.status(&row, Key::Token(token)).await;
            assert_eq!(passes(status), expected, "{} {} with {permission}: {status}", row.method, row.path);
        }
    }
    for row in table() {
        let status = server.status(&row, Key::Token(&server.owner)).await;
        let expected = !matches!(row.access, Person);
        assert_eq!(passes(status), expected, "{} {} for the owner: {status}", row.method, row.path);
    }
}

#[tokio::test]
async fn nobody_sees_or_touches_another_project() {
    let server = Server::start().await;
    let other = server.made("POST", "/api/v1/projects", json!({ "name": "other" })).await;
    let token = server.token(other["id"].as_str().unwrap(), &["admin"]).await;
    let key = Key::Token(token["token"].as_str().unwrap());
    let shared = ["{role}", "{version}", "{external}"];
    for row in table() {
        let response = server.call(row.method.clone(), &server.path(&row), key, &row.body).await;
        let status = response.status();
        let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let names_a_thing = server.things.iter().any(|(name, _)| row.path.contains(name) && !shared.contains(name));
        let is_refused = matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN);
        assert!(is_refused || !names_a_thing, "{} {}: {status} {text}", row.method, row.path);
        if !matches!(row.access, Public | Person) && !is_refused {
            for (name, thing) in server.things.iter().filter(|(name, _)| !shared.contains(name)) {
                assert!(!text.contains(thing.as_str()), "{} {} shows {name}: {text}", row.method, row.path);
            }
        }
    }
    // Naming it opens no door.
    let first = Some(server.things[0].1.as_str());
    for row in table().iter().filter(|row| !matches!(row.access, Public)) {
        let response = server.call_in(first, row.method.clone(), &server.path(row), key, &row.body).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{} {}", row.method, row.path);
    }
    // And nothing of it was changed.
    for row in table().iter().filter(|row| row.method == Method::GET && !matches!(row.access, Person)) {
        let status = server.status(row, Key::Token(&server.owner)).await;
        // The delivery has no plugin that was given anything, the job is no backtest.
        let may_have_none = row.path.ends_with("/input") || row.path.ends_with("/results");
        let has_none = may_have_none && status == StatusCode::CONFLICT;
        // Streams were ended, so that none is waited for.
        let ended = row.path.ends_with("/live") && status == StatusCode::TOO_MANY_REQUESTS;
        assert!(status.is_success() || has_none || ended || row.path.contains("nothing"), "{}: {status}", row.path);
    }
}

#[tokio::test]
async fn a_cookie_changes_nothing_without_its_proof() {
    let server = Server::start().await;
    let everywhere = json!({ "roles": [{ "role": "admin" }] });
    let users = server.made("GET", &format!("/api/v1/users?email={EMAIL}"), json!(null)).await;
    let id = users["items"][0]["id"].as_str().unwrap();
    server.made("PATCH", &format!("/api/v1/users/{id}"), everywhere).await;
    let (body, cookie) = server.login().await;
    let csrf = body["csrf_token"].as_str().unwrap();
    for row in table().iter().filter(|row| !matches!(row.access, Public)) {
        let is_safe = row.method == Method::GET;
        for wrong in [None, Some("nonsense")] {
            let status = server.status(row, Key::Cookie(&cookie, wrong)).await;
            assert_eq!(status != StatusCode::FORBIDDEN, is_safe, "{} {} unproven: {status}", row.method, row.path);
        }
    }
    for row in table() {
        let status = server.status(&row, Key::Cookie(&cookie, Some(csrf))).await;
        assert!(passes(status), "{} {} for an admin who has logged in: {status}", row.method, row.path);
    }
    let status = server.call(Method::GET, "/api/v1/me", Key::Cookie(&cookie, None), &json!(null)).await.status();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the last row has ended the session");
}

/// A server whose time stands until it is moved, and the time at which it stands.
async fn standing() -> (Server, Millis, impl Fn(Millis)) {
    let now = Millis::parse("2026-01-31T12:00:00Z").unwrap();
    let clock = Clock::manual(now);
    let Clock::Manual(hand) = clock.clone() else { unreachable!() };
    let set = move |time: Millis| hand.store(time.0, std::sync::atomic::Ordering::SeqCst);
    (Server::start_at(clock).await, now, set)
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let (server, now, set) = standing().await;
    let end = now.plus(500);
    let body = json!({ "name": "short", "permissions": ["webhooks:read"], "expires_at": end });
    let token = server.made("POST", "/api/v1/tokens", body).await;
    let key = Key::Token(token["token"].as_str().unwrap());
    let status = async || server.call(Method::GET, "/api/v1/webhooks", key, &json!(null)).await.status();
    assert_eq!(status().await, StatusCode::OK);
    set(now.plus(499));
    assert_eq!(status().await, StatusCode::OK);
    set(end);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "also when it was believed a moment ago");
    set(end.plus(10_000));
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_its_end() {
    let config = Config::default().accounts;
    let (server, now, set) = standing().await;
    let (_, cookie) = server.login().await;
    let status = async |cookie: &str| {
        server.call(Method::GET, "/api/v1/me", Key::Cookie(cookie, None), &json!(null)).await.status()
    };
    set(now.plus(config.session_idle_ms - 1));
    assert_eq!(status(&cookie).await, StatusCode::OK);
    set(now.plus(config.session_idle_ms));
    assert_eq!(status(&cookie).await, StatusCode::UNAUTHORIZED, "its use was never noted");
    // One that is used goes on, but not for ever.
    set(now);
    let (_, cookie) = server.login().await;
    let mut time = now;
    while time.plus(config.session_idle_ms / 2) < now.plus(config.session_max_ms) {
        time = time.plus(config.session_idle_ms / 2);
        set(time);
        assert_eq!(status(&cookie).await, StatusCode::OK, "{time}");
        server.door.door.note_uses(&server.door.store).await.unwrap();
    }
    set(now.plus(config.session_max_ms - 1));
    assert_eq!(status(&cookie).await, StatusCode::OK);
    set(now.plus(config.session_max_ms));
    assert_eq!(status(&cookie).await, StatusCode::UNAUTHORIZED);
}

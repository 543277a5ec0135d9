//! Projects, tokens, people who log in: who gets in, and what they may do there.

use std::time::{Duration, Instant};

use hookwright_tests::{
    api::{Answer, Api},
    eventually::eventually,
    receiver::Reply,
    server::{Installation, Server},
    stage::Stage,
};
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{COOKIE, RETRY_AFTER, SET_COOKIE},
};
use serde_json::{Value, json};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";
/// What the design promises for a second node, and a little for the request itself on a busy machine.
const REACHES_OTHERS: Duration = Duration::from_millis(1000 + 500);

/// A browser: it has a cookie, and what goes with it.
#[derive(Clone)]
struct Browser {
    client: Client,
    base: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    async fn send(&self, method: Method, path: &str, body: &Value) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header(COOKIE, &self.cookie).header("x-csrf-token", &self.csrf);
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.expect("an answer")
    }

    async fn status(&self, method: Method, path: &str, body: Value) -> u16 {
        self.send(method, path, &body).await.status().as_u16()
    }

    async fn me(&self) -> Value {
        let answer = self.send(Method::GET, "/me", &Value::Null).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.expect("JSON")
    }
}

async fn try_login(server: &Server, email: &str, password: &str) -> Response {
    let client = Client::builder().no_proxy().build().expect("a client");
    let form = json!({ "email": email, "password": password });
    client.post(format!("{}/api/v1/sessions", server.url())).json(&form).send().await.expect("an answer")
}

async fn login(server: &Server, email: &str, password: &str) -> Browser {
    let answer = try_login(server, email, password).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    let cookie = cookie.split(';').next().expect("the pair").to_owned();
    let body: Value = answer.json().await.expect("JSON");
    let csrf = body["csrf_token"].as_str().expect("the proof").to_owned();
    let client = Client::builder().no_proxy().build().expect("a client");
    Browser { client, base: format!("{}/api/v1", server.url()), cookie, csrf }
}

async fn setup(api: &Api) -> Answer {
    let form = json!({ "email": EMAIL, "name": "Ada", "password": PASSWORD });
    api.post("/setup", &form).await.expect("the first user")
}

/// A token with these permissions, in the project that is worked in.
async fn token(api: &Api, permissions: &[&str]) -> Value {
    let form = json!({ "name": "test", "permissions": permissions });
    api.post("/tokens", &form).await.expect("a token").body
}

fn with(api: &Api, token: &Value) -> Api {
    api.with_token(token["token"].as_str())
}

async fn refused(api: &Api, path: &str) -> (u16, String) {
    let problem = api.get(path).await.expect_err("refused").problem();
    (problem.status, problem.code)
}

#[tokio::test]
async fn projects_are_worlds_of_their_own() {
    let stage = Stage::open().await;
    let api = &stage.api;
    let form = json!({ "name": "Team 7", "description": "Retros", "external_id": "team-7" });
    let project = api.post("/projects", &form).await.expect("a project");
    assert_eq!((project.status, &project.body["external_id"]), (201, &json!("team-7")));
    let id = project.body["id"].as_str().expect("an id").to_owned();
    let (by_id, by_name) = (api.in_project(&id), api.in_project("team-7"));
    stage.receiver.on("/seven", [Reply::ok()]);
    let webhook = by_name.register(&json!({ "url": stage.receiver.url("/seven"), "events": ["*"] })).await;
    assert!(api.publish("a.b", json!({})).await.deliveries.is_empty(), "an event of the default project");
    let sent = by_id.publish_one("a.b", json!({})).await;
    assert_eq!(sent.webhook_id, webhook.id);
    assert_eq!(by_id.settled(&sent.id).await.status, "succeeded");
    // The body may name the project too.
    let posted = api.post("/events", &json!({ "type": "a.b", "payload": {}, "project": id })).await.expect("posted");
    assert_eq!(posted.body["deliveries"].as_array().map(Vec::len), Some(1));
    let array = json!([{ "type": "a.b", "payload": {}, "project": id }, { "type": "a.b", "payload": {}, "project": "prj_00000000000070008000000000000009" }]);
    let problem = api.post("/events", &array).await.expect_err("no such project").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/1/project"]));

    assert_eq!(api.get(&format!("/webhooks/{}", webhook.id)).await.expect_err("not here").problem().status, 404);
    assert_eq!(refused(&api.in_project("team-8"), "/webhooks").await, (404, "not_found".to_owned()));
    let confined = with(api, &token(&by_id, &["webhooks:read"]).await);
    assert_eq!(confined.list("/webhooks").await.len(), 1, "a token's own project needs no name");
    assert_eq!(refused(&confined.in_project("prj_00000000000070008000000000000001"), "/webhooks").await.0, 404);
    assert_eq!(confined.list("/projects").await.len(), 1);
    assert_eq!(api.list("/projects").await.len(), 2);

    let path = format!("/projects/{id}");
    let patched = api.patch(&path, &json!({ "name": "Team Seven", "description": null })).await.expect("patched").body;
    assert_eq!((&patched["name"], &patched["description"]), (&json!("Team Seven"), &json!(null)));
    let problem = api.patch(&path, &json!({ "name": null, "external_id": "a b" })).await.expect_err("wrong").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/name"]));
    let problem = api.delete(&path).await.expect_err("it has a webhook").problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "in_use"));
    by_id.delete(&format!("/webhooks/{}", webhook.id)).await.expect("deleted");
    assert_eq!(api.delete(&path).await.expect("deleted").status, 204);
    assert_eq!(refused(&confined, "/webhooks").await.0, 401, "its tokens went with it");
    assert_eq!(refused(api, &path).await.0, 404);
    let default = api.delete("/projects/prj_00000000000070008000000000000001").await.expect_err("stays").problem();
    assert_eq!(default.code, "in_use");
}

#[tokio::test]
async fn a_token_is_shown_once_and_allows_what_it_says() {
    let server = Installation::new().start().await;
    let api = server.api();
    let made = token(&api, &["webhooks:read", "tokens:write"]).await;
    let (secret, id) = (made["token"].as_str().expect("shown"), made["id"].as_str().expect("an id"));
    assert!(secret.starts_with(made["prefix"].as_str().expect("a prefix")));
    let own = with(&api, &made);
    assert!(own.list("/webhooks").await.is_empty());
    assert_eq!(refused(&own, "/deliveries").await, (403, "forbidden".to_owned()));
    for path in ["/tokens".to_owned(), format!("/tokens/{id}")] {
        let shown = api.get(&path).await.expect("shown").body.to_string();
        assert!(!shown.contains(secret) && shown.contains(id), "{shown}");
    }
    // Nobody gives away what they do not have, nor for more projects.
    for form in [
        json!({ "name": "x", "permissions": ["admin"] }),
        json!({ "name": "x", "permissions": ["webhooks:read", "events:read"] }),
        json!({ "name": "x", "permissions": ["webhooks:read"], "all_projects": true }),
    ] {
        assert_eq!(own.post("/tokens", &form).await.expect_err("more").problem().status, 403, "{form}");
    }
    let stronger = token(&api, &["events:read"]).await;
    let stronger = format!("/tokens/{}", stronger["id"].as_str().expect("an id"));
    assert_eq!(own.delete(&stronger).await.expect_err("not theirs to take").problem().status, 403);
    own.post("/tokens", &json!({ "name": "x", "permissions": ["webhooks:read"] }))
        .await
        .expect("no more than they have");

    for (form, pointer) in [
        (json!({ "name": "", "permissions": ["admin"] }), "/name"),
        (json!({ "name": "x", "permissions": [] }), "/permissions"),
        (json!({ "name": "x", "permissions": ["admin", "nonsense"] }), "/permissions/1"),
        (json!({ "name": "x", "permissions": ["admin"], "expires_at": "2020-01-01T00:00:00Z" }), "/expires_at"),
    ] {
        let problem = api.post("/tokens", &form).await.expect_err("wrong").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{form}");
    }
    assert_eq!(api.delete(&format!("/tokens/{id}")).await.expect("revoked").status, 204);
    assert_eq!(refused(&own, "/webhooks").await, (401, "unauthorized".to_owned()));
    assert_eq!(refused(&api, &format!("/tokens/{id}")).await.0, 404);
}

#[tokio::test]
async fn what_is_revoked_on_one_node_is_refused_by_the_other_within_a_second() {
    let first = Installation::on_postgres().await.start().await;
    let second = first.second().start().await;
    let (api, other) = (first.api(), second.api());
    let made = token(&api, &["webhooks:read"]).await;
    let own = with(&other, &made);
    own.get("/webhooks").await.expect("it is believed");
    api.delete(&format!("/tokens/{}", made["id"].as_str().expect("an id"))).await.expect("revoked");
    let revoked = Instant::now();
    let seen = eventually(Duration::from_secs(20), "the other node learns of it", async || {
        own.get("/webhooks").await.err().map(|_| revoked.elapsed())
    })
    .await;
    assert!(seen < REACHES_OTHERS, "{seen:?}");

    setup(&api).await;
    let browser = login(&first, EMAIL, PASSWORD).await;
    let elsewhere = Browser { base: format!("{}/api/v1", second.url()), ..browser.clone() };
    assert_eq!(elsewhere.me().await["kind"], "user");
    assert_eq!(browser.status(Method::DELETE, "/sessions/current", Value::Null).await, 204);
    let ended = Instant::now();
    let seen = eventually(Duration::from_secs(20), "the other node learns of it", async || {
        let status = elsewhere.status(Method::GET, "/me", Value::Null).await;
        (status == 401).then(|| ended.elapsed())
    })
    .await;
    assert!(seen < REACHES_OTHERS, "{seen:?}");
}

#[tokio::test]
async fn the_first_user_is_made_with_the_admin_token_and_only_once() {
    let server = Installation::new().start().await;
    let api = server.api();
    let form = json!({ "email": EMAIL, "name": "Ada", "password": PASSWORD });
    assert_eq!(api.with_token(None).post("/setup", &form).await.expect_err("a stranger").problem().status, 401);
    let weak = json!({ "email": EMAIL, "name": "Ada", "password": "short" });
    let problem = api.post("/setup", &weak).await.expect_err("too short").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/password"]));
    assert!(!server.log().contains(PASSWORD));
    assert_eq!(setup(&api).await.status, 201);
    let problem = api.post("/setup", &form).await.expect_err("once").problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "wrong_state"));
    let me = login(&server, EMAIL, PASSWORD).await.me().await;
    assert_eq!((&me["kind"], &me["name"], &me["everywhere"]), (&json!("user"), &json!(EMAIL), &json!(["admin"])));
}

#[tokio::test]
async fn people_log_in_and_out_and_see_where_they_are() {
    let server = Installation::new().start().await;
    let api = server.api();
    setup(&api).await;
    let (one, two) = (login(&server, EMAIL, PASSWORD).await, login(&server, "ADA@example.com", PASSWORD).await);
    let sessions = async |browser: &Browser| -> Vec<Value> {
        let body: Value = browser.send(Method::GET, "/sessions", &Value::Null).await.json().await.expect("JSON");
        body["items"].as_array().expect("a list").clone()
    };
    let seen = sessions(&one).await;
    assert_eq!(seen.iter().map(|session| session["current"] == true).collect::<Vec<_>>(), [false, true]);
    assert!(seen.iter().all(|session| session["address"] == "127.0.0.1"), "{seen:#?}");
    // Without the proof nothing is changed, with it everything is.
    let bare = Browser { csrf: String::new(), ..one.clone() };
    let webhook = json!({ "url": "http://127.0.0.1:9/", "events": ["*"] });
    let problem: Value = bare.send(Method::POST, "/webhooks", &webhook).await.json().await.expect("JSON");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(403), &json!("csrf_failed")));
    assert_eq!(one.status(Method::POST, "/webhooks", webhook).await, 201);
    // One ends the other.
    let other = seen[0]["id"].as_str().expect("an id");
    assert_eq!(one.status(Method::DELETE, &format!("/sessions/{other}"), Value::Null).await, 204);
    assert_eq!(two.status(Method::GET, "/me", Value::Null).await, 401);
    // A new password ends all but this one.
    let three = login(&server, EMAIL, PASSWORD).await;
    let change = |current: &str| json!({ "current_password": current, "new_password": "another good password" });
    assert_eq!(one.status(Method::POST, "/me/password", change("wrong password")).await, 422);
    assert_eq!(one.status(Method::POST, "/me/password", change(PASSWORD)).await, 204);
    assert_eq!(three.status(Method::GET, "/me", Value::Null).await, 401);
    assert_eq!(one.me().await["kind"], "user");
    assert_eq!(try_login(&server, EMAIL, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    let four = login(&server, EMAIL, "another good password").await;
    let out = four.send(Method::DELETE, "/sessions", &Value::Null).await;
    assert!(out.headers()[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"));
    for browser in [&one, &four] {
        assert_eq!(browser.status(Method::GET, "/me", Value::Null).await, 401);
    }
}

#[tokio::test]
async fn whoever_guesses_passwords_is_slowed_down_and_learns_nothing() {
    let installation = Installation::new().env("HOOKWRIGHT_ACCOUNTS_LOGIN_FAILURES_PER_ACCOUNT", "3");
    let server = installation.env("HOOKWRIGHT_ACCOUNTS_LOGIN_FAILURES_PER_ADDRESS", "5").start().await;
    let api = server.api();
    setup(&api).await;
    login(&server, EMAIL, PASSWORD).await;
    let mut told = Vec::new();
    for email in [EMAIL, "nobody@example.com"] {
        let answer = try_login(&server, email, "wrong password").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let problem: Value = answer.json().await.expect("JSON");
        told.push((problem["code"].clone(), problem["detail"].clone()));
    }
    assert_eq!(told[0], told[1], "whether there is such a user is nobody's business");
    for _ in 0..2 {
        try_login(&server, EMAIL, "wrong password").await;
    }
    let answer = try_login(&server, EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "also with the right password");
    assert!(answer.headers()[RETRY_AFTER].to_str().expect("text").parse::<u32>().expect("seconds") > 0);
    assert_eq!(try_login(&server, "b@example.com", "wrong password").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(try_login(&server, "c@example.com", "wrong password").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_member_of_one_project_works_there_and_nowhere_else() {
    let server = Installation::new().start().await;
    let api = server.api();
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let made = api.post("/projects", &json!({ "name": name, "external_id": name })).await.expect("a project");
        ids.push(made.body["id"].as_str().expect("an id").to_owned());
    }
    let roles = json!([{ "role": "developer", "project": ids[0] }]);
    let form = json!({ "email": "bob@example.com", "name": "Bob", "password": PASSWORD, "roles": roles });
    let made = api.post("/users", &form).await.expect("a user").body;
    assert!(!made.to_string().contains(PASSWORD) && made["has_password"] == true, "{made:#}");
    let bob = login(&server, "bob@example.com", PASSWORD).await;
    let me = bob.me().await;
    assert_eq!((&me["project"], &me["everywhere"]), (&json!(ids[0]), &json!([])));
    let webhook = json!({ "url": "http://127.0.0.1:9/", "events": ["*"] });
    assert_eq!(bob.status(Method::POST, "/webhooks", webhook.clone()).await, 201);
    assert_eq!(api.in_project("one").list("/webhooks").await.len(), 1);
    assert_eq!(bob.status(Method::GET, "/users", Value::Null).await, 403);
    // In two projects he has to say in which.
    let path = format!("/users/{}", made["id"].as_str().expect("an id"));
    let roles = json!([{ "role": "developer", "project": ids[0] }, { "role": "viewer", "project": ids[1] }]);
    api.patch(&path, &json!({ "roles": roles })).await.expect("patched");
    let problem: Value = bob.send(Method::POST, "/webhooks", &webhook).await.json().await.expect("JSON");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("project_needed")));
    let problem = api.patch(&path, &json!({ "roles": [{ "role": "king" }] })).await.expect_err("no role").problem();
    assert_eq!(problem.pointers(), ["/roles/0/role"]);
    // Disabled is out at once.
    api.patch(&path, &json!({ "enabled": false })).await.expect("disabled");
    assert_eq!(bob.status(Method::GET, "/me", Value::Null).await, 401);
    assert_eq!(try_login(&server, "bob@example.com", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_last_admin_is_not_lost_and_own_roles_do_what_they_say() {
    let server = Installation::new().start().await;
    let api = server.api();
    let first = setup(&api).await.body;
    let path = format!("/users/{}", first["id"].as_str().expect("an id"));
    for patch in [json!({ "roles": [] }), json!({ "enabled": false })] {
        let problem = api.patch(&path, &patch).await.expect_err("the last").problem();
        assert_eq!((problem.status, problem.code.as_str()), (409, "wrong_state"), "{patch}");
    }
    assert_eq!(api.delete(&path).await.expect_err("the last").problem().status, 409);
    let role =
        json!({ "name": "on-call", "description": "Retries", "permissions": ["deliveries:read", "deliveries:retry"] });
    assert_eq!(api.post("/roles", &role).await.expect("a role").status, 201);
    assert_eq!(api.post("/roles", &role).await.expect_err("twice").problem().status, 409);
    assert_eq!(
        api.patch("/roles/viewer", &json!({ "description": "x" })).await.expect_err("fixed").problem().status,
        409
    );
    let form =
        json!({ "email": "c@example.com", "name": "Cy", "password": PASSWORD, "roles": [{ "role": "on-call" }] });
    api.post("/users", &form).await.expect("a user");
    let cy = login(&server, "c@example.com", PASSWORD).await;
    assert_eq!(cy.status(Method::GET, "/deliveries", Value::Null).await, 200);
    assert_eq!(cy.status(Method::GET, "/webhooks", Value::Null).await, 403);
    api.patch("/roles/on-call", &json!({ "permissions": ["webhooks:read"] })).await.expect("patched");
    assert_eq!(cy.status(Method::GET, "/deliveries", Value::Null).await, 403, "for everybody who holds it");
    assert_eq!(api.delete("/roles/on-call").await.expect_err("held").problem().code, "in_use");
}

#[tokio::test]
async fn e4_whoever_may_trigger_integrations_is_no_admin() {
    let stage = Stage::open().await;
    let form =
        json!({ "email": "t@example.com", "name": "Tri", "password": PASSWORD, "roles": [{ "role": "trigger" }] });
    stage.api.post("/users", &form).await.expect("a user");
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let event = stage.api.publish_one("lead.submitted", json!({ "lead": { "name": "s3cret person" } })).await;
    stage.api.settled(&event.id).await;
    let tri = login(&stage.server, "t@example.com", PASSWORD).await;
    let answer = tri.send(Method::POST, &format!("/webhooks/{}/trigger", webhook.id), &json!({})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let delivery: Value = answer.json().await.expect("JSON");
    assert_eq!((&delivery["status"], &delivery["actor"]), (&json!("succeeded"), &json!("user t@example.com")));
    for path in
        ["/webhooks".to_owned(), "/deliveries".to_owned(), "/events".to_owned(), format!("/deliveries/{}", event.id)]
    {
        let answer = tri.send(Method::GET, &path, &Value::Null).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let text = answer.text().await.expect("text");
        assert!(!text.contains("s3cret"), "{path}: {text}");
    }
    let patch = json!({ "enabled": false });
    assert_eq!(tri.status(Method::PATCH, &format!("/webhooks/{}", webhook.id), patch).await, 403);
    assert_eq!(tri.status(Method::POST, &format!("/deliveries/{}/retry", event.id), json!({})).await, 403);
}

#[tokio::test]
async fn users_are_looked_after_on_the_command_line() {
    let server = Installation::new().start().await;
    let said =
        server.tool(&["user", "create", "--email", EMAIL, "--name", "Ada", "--role", "admin"]).await.expect("made");
    let password =
        said.lines().find_map(|line| line.strip_prefix("password (shown once): ")).expect("shown").to_owned();
    assert_eq!(login(&server, EMAIL, &password).await.me().await["everywhere"], json!(["admin"]));
    let again = server.tool(&["user", "create", "--email", EMAIL, "--name", "Ada"]).await.expect_err("twice");
    assert!(again.contains("is there already"), "{again}");
    let listed = server.tool(&["user", "list"]).await.expect("listed");
    assert!(listed.contains(EMAIL) && listed.contains("admin") && !listed.contains(&password), "{listed}");
    let said = server.tool(&["user", "password", EMAIL]).await.expect("changed");
    let other = said.lines().find_map(|line| line.strip_prefix("password (shown once): ")).expect("shown");
    assert_eq!(try_login(&server, EMAIL, &password).await.status(), StatusCode::UNAUTHORIZED);
    let browser = login(&server, EMAIL, other).await;
    let last = server.tool(&["user", "disable", EMAIL]).await.expect_err("the last admin");
    assert!(last.contains("the last"), "{last}");
    server.tool(&["user", "create", "--email", "b@example.com", "--name", "B", "--role", "admin"]).await.expect("made");
    server.tool(&["user", "disable", EMAIL]).await.expect("disabled");
    eventually(Duration::from_secs(10), "the server learns of it", async || {
        (browser.status(Method::GET, "/me", Value::Null).await == 401).then_some(())
    })
    .await;
    let log = server.api().list("/audit?all_projects=true&action=user.*").await;
    let actors: Vec<&str> = log.iter().map(|line| line["actor"]["name"].as_str().expect("a name")).collect();
    assert_eq!(actors, ["command line"; 4]);
}

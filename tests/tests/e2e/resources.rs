//! Finding among many, saying what something shall be, and who hears first that they may not.

use hookwright_tests::{
    api::Api,
    receiver::Reply,
    server::{Installation, Server},
    stage::Stage,
};
use serde_json::{Value, json};

async fn start() -> (Server, Api) {
    let server = Installation::new().start().await;
    let api = server.api();
    (server, api)
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn webhooks_are_found_by_what_they_are() {
    let (_server, api) = start().await;
    let hook = |name: &str, more: Value| {
        let mut form = json!({ "name": name, "url": "http://127.0.0.1:9/hook", "events": ["ticket.*"] });
        form.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        form
    };
    for form in [
        hook("beta", json!({ "labels": { "team": "support", "a:b": "c" }, "description": "Tells the Tracker" })),
        hook("Alpha", json!({ "enabled": false, "external_id": "theirs-1" })),
        hook(
            "gamma",
            json!({ "events": ["story.created"], "labels": { "team": "sales" }, "url": "http://127.0.0.2/" }),
        ),
    ] {
        api.register(&form).await;
    }
    for (query, expected) in [
        ("", vec!["gamma", "Alpha", "beta"]),
        ("sort=name", vec!["Alpha", "beta", "gamma"]),
        ("sort=-name", vec!["gamma", "beta", "Alpha"]),
        ("sort=created_at", vec!["beta", "Alpha", "gamma"]),
        ("q=ALPH", vec!["Alpha"]),
        ("q=tracker", vec!["beta"]),
        ("q=THEIRS", vec!["Alpha"]),
        ("q=127.0.0.2", vec!["gamma"]),
        ("q=hook", vec![]),
        ("external_id=theirs-1", vec!["Alpha"]),
        ("external_id=theirs", vec![]),
        ("enabled=true", vec!["gamma", "beta"]),
        ("enabled=false", vec!["Alpha"]),
        ("event_type=ticket.created", vec!["Alpha", "beta"]),
        ("event_type=story.created&enabled=true", vec!["gamma"]),
        ("plugin=slack", vec![]),
        ("label=team", vec!["gamma", "beta"]),
        ("label=team:support", vec!["beta"]),
        ("label=a:b:c", vec!["beta"]),
        ("label=team:nobody", vec![]),
    ] {
        let found = api.list(&format!("/webhooks?{query}")).await;
        assert_eq!(names(&found), expected, "{query}");
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = api.get(&format!("/webhooks?sort=name&limit=1{cursor}")).await.expect("a page");
        seen.extend(names(page.items()).into_iter().map(ToOwned::to_owned));
        cursor = page.body["next_cursor"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!((seen, cursor), (vec!["Alpha".to_owned(), "beta".to_owned(), "gamma".to_owned()], String::new()));
    let longest = "x".repeat(255);
    api.get(&format!("/webhooks?q={longest}&plugin={longest}")).await.expect("at the edge");
    for (query, pointer) in [
        (format!("q={longest}x"), "/q"),
        ("plugin=".to_owned(), "/plugin"),
        ("event_type=a..b".to_owned(), "/event_type"),
    ] {
        let problem = api.get(&format!("/webhooks?{query}")).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (400, vec![pointer]), "{query}");
    }
    for query in ["sort=colour", "enabled=perhaps", "colour=red"] {
        assert_eq!(api.get(&format!("/webhooks?{query}")).await.expect_err(query).problem().status, 400);
    }
}

#[tokio::test]
async fn people_tokens_and_plugins_are_found_by_name() {
    let (_server, api) = start().await;
    let project = api.post("/projects", &json!({ "name": "one" })).await.expect("a project").body["id"].clone();
    for (name, email, form) in [
        ("Ada", "ada@example.com", json!({ "roles": [{ "role": "admin" }] })),
        ("Bob_1", "bob@example.org", json!({ "roles": [{ "role": "viewer", "project": project }], "enabled": false })),
        ("Bobby", "b@example.com", json!({})),
    ] {
        let mut form = form;
        (form["name"], form["email"]) = (json!(name), json!(email));
        api.post("/users", &form).await.expect("a user");
    }
    let project = project.as_str().expect("an id");
    for (query, expected) in [
        ("q=bob", vec!["Bobby", "Bob_1"]),
        ("q=BOB_", vec!["Bob_1"]),
        ("q=example.org", vec!["Bob_1"]),
        ("q=%25", vec![]),
        ("enabled=false", vec!["Bob_1"]),
        ("role=viewer", vec!["Bob_1"]),
        ("role=admin", vec!["Ada"]),
        (&format!("project_id={project}"), vec!["Bob_1"]),
        (&format!("project_id={project}&role=admin"), vec![]),
        ("email=ada@example.com", vec!["Ada"]),
    ] {
        assert_eq!(names(&api.list(&format!("/users?{query}")).await), expected, "{query}");
    }
    for name in ["deploy", "Grafana"] {
        let form = json!({ "name": name, "permissions": ["events:read"] });
        api.post("/tokens", &form).await.expect("a token");
    }
    assert_eq!(names(&api.list("/tokens?q=GRAF").await), ["Grafana"]);
    assert_eq!(api.list("/plugins?name=slack&status=ready&q=sl").await, [] as [Value; 0]);
    assert_eq!(api.get("/plugins?status=lost").await.expect_err("no such status").problem().status, 400);
}

#[tokio::test]
async fn a_webhook_is_put_by_the_id_that_others_know_it_by() {
    let stage = Stage::open().await;
    let api = &stage.api;
    stage.receiver.on("/a", [Reply::ok()]);
    let path = "/webhooks/by-external-id/tracker%2F7";
    let form = json!({
        "url": stage.receiver.url("/a"), "events": ["ticket.*"], "name": "first", "description": "one",
        "labels": { "team": "support", "kept": "no" }, "headers": { "X-Team": "seven" }, "bearer_token": "their-token",
        "retry": [0], "rate_limit": { "requests": 5, "per_ms": 1000 }, "order": "strict",
    });
    let made = api.put(path, &form).await.expect("made");
    assert_eq!((made.status, &made.body["external_id"]), (201, &json!("tracker/7")));
    let secret = made.body["signing_secret"].as_str().expect("shown once").to_owned();
    // Once more is the same webhook, and what is not named is as in a new one.
    let form = json!({
        "url": stage.receiver.url("/a"), "events": ["story.*"], "name": "second", "labels": { "team": "sales" },
        "headers": { "x-team": "eight" }, "external_id": "tracker/7", "signing_secret": secret,
    });
    let put = api.put(path, &form).await.expect("changed");
    assert_eq!((put.status, &put.body["id"]), (200, &made.body["id"]));
    assert!(put.body.get("signing_secret").is_none(), "{:#}", put.body);
    for (field, expected) in [
        ("name", json!("second")),
        ("events", json!(["story.*"])),
        ("description", json!(null)),
        ("labels", json!({ "team": "sales" })),
        ("bearer_token", json!(null)),
        ("retry", json!(null)),
        ("rate_limit", json!(null)),
        ("order", json!("none")),
    ] {
        assert_eq!(put.body[field], expected, "{field}");
    }
    assert_eq!(put.body["headers"].as_object().map(serde_json::Map::len), Some(1), "{:#}", put.body);
    assert_eq!(api.list("/webhooks").await.len(), 1);
    let id = put.body["id"].as_str().expect("an id");
    let secret_of = json!({ "url": stage.receiver.url("/a"), "events": ["*"] });
    for (form, pointer) in [
        (json!({ "url": "http://127.0.0.1:9/", "events": ["*"], "external_id": "another" }), "/external_id"),
        (json!({ "url": "http://127.0.0.1:9/", "events": [] }), "/events"),
        (json!({ "events": ["*"] }), "/url"),
    ] {
        let problem = api.put(path, &form).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{form}");
    }
    let mut other_secret = secret_of.clone();
    other_secret["signing_secret"] = json!("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let problem = api.put(path, &other_secret).await.expect_err("another secret").problem();
    assert_eq!(problem.pointers(), ["/signing_secret"]);
    // The same for whoever may write to nothing but another project.
    let elsewhere = api.elsewhere().await;
    let theirs = elsewhere.put(path, &secret_of).await.expect("made");
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.body["id"], id);
    let put = json!({ "name": "Board" });
    let project = api.put("/projects/by-external-id/board-7", &put).await.expect("made");
    assert_eq!(project.status, 201);
    let again = api.put("/projects/by-external-id/board-7", &json!({ "name": "Retros" })).await.expect("changed");
    assert_eq!((again.status, &again.body["id"], &again.body["name"]), (200, &project.body["id"], &json!("Retros")));
}

#[tokio::test]
async fn whoever_may_do_everything_in_a_project_looks_after_its_members() {
    let (_server, api) = start().await;
    let project = api.post("/projects", &json!({ "name": "one" })).await.expect("a project").body["id"].clone();
    let project = project.as_str().expect("an id").to_owned();
    let user = json!({ "email": "ada@example.com", "name": "Ada", "roles": [{ "role": "viewer" }] });
    let user = api.post("/users", &user).await.expect("a user").body["id"].clone();
    let admin = api.in_project(&project).allowed(&["admin"]).await;
    let members = format!("/projects/{project}/members");
    assert_eq!(admin.list(&members).await, [] as [Value; 0]);
    let put = admin
        .put(&format!("{members}/Ada@example.com"), &json!({ "roles": ["operator", "developer", "operator"] }))
        .await;
    let put = put.expect("a member").body;
    assert_eq!((&put["user_id"], &put["roles"]), (&user, &json!(["developer", "operator"])));
    let one = format!("{members}/{}", user.as_str().expect("an id"));
    let roles = async || api.get(&format!("/users/{}", user.as_str().expect("an id"))).await.expect("the user").body;
    let put = admin.put(&one, &json!({ "roles": ["trigger"] })).await.expect("changed").body;
    assert_eq!(put["roles"], json!(["trigger"]));
    assert_eq!(
        roles().await["roles"],
        json!([{ "role": "viewer", "project": null }, { "role": "trigger", "project": project }]),
        "what they are elsewhere stays"
    );
    for (form, pointer) in [
        (json!({ "roles": [] }), "/roles"),
        (json!({ "roles": ["viewer", "king"] }), "/roles/1"),
        (json!({}), "/roles"),
    ] {
        let problem = admin.put(&one, &form).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{form}");
    }
    assert_eq!(
        admin
            .put(&format!("{members}/nobody@example.com"), &json!({ "roles": ["viewer"] }))
            .await
            .expect_err("nobody")
            .problem()
            .status,
        404
    );
    assert_eq!(admin.delete(&one).await.expect("taken away").status, 204);
    assert_eq!(admin.delete(&one).await.expect_err("no member").problem().status, 404);
    assert_eq!(roles().await["roles"].as_array().map(Vec::len), Some(1));
    let log = api.list("/audit?all_projects=true&action=member.updated").await;
    assert_eq!(log.len(), 3, "{log:#?}");
    assert_eq!((&log[0]["before"], &log[0]["after"]), (&json!({ "roles": ["trigger"] }), &json!({ "roles": [] })));
    // Nobody else's project, and nobody who merely works in it.
    let worker = api.in_project(&project).allowed(&["webhooks:write", "tokens:write"]).await;
    assert_eq!(worker.get(&members).await.expect_err("not an admin").problem().status, 403);
    assert_eq!(api.elsewhere().await.get(&members).await.expect_err("elsewhere").problem().status, 404);
}

#[tokio::test]
async fn whoever_may_not_is_told_that_and_nothing_about_what_they_sent() {
    let (_server, api) = start().await;
    let reader = api.allowed(&["events:read"]).await;
    let nonsense = json!({ "colour": "red" });
    for path in
        ["/webhooks", "/events", "/tokens", "/users", "/roles", "/projects", "/event-types", "/deliveries/resend"]
    {
        let problem = reader.post(path, &nonsense).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.code.as_str()), (403, "forbidden"), "{path}");
    }
    let problem = reader.put("/webhooks/by-external-id/x", &nonsense).await.expect_err("refused").problem();
    assert_eq!(problem.status, 403);
    assert_eq!(api.post("/webhooks", &nonsense).await.expect_err("refused").problem().status, 422);
}

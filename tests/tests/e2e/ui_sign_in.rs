//! The pages' door: set-up, signing in and out, what a browser may do with a page, and whose forms are believed.

use hookwright_tests::{
    stage::Stage,
    visitor::{EMAIL, PASSWORD, Visitor},
};
use serde_json::json;

#[tokio::test]
async fn a_fresh_server_is_set_up_with_the_admin_token() {
    let stage = Stage::open().await;
    let visitor = Visitor::new(stage.server.url());
    assert_eq!(visitor.get("/").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(visitor.get("/sign-in").await.location.as_deref(), Some("/setup"));
    let user = [("/name", "Ada"), ("/email", EMAIL), ("/password", PASSWORD)];
    let wrong = [&user[..], &[("/token", "hw_nonsense")]].concat();
    let seen = visitor.send("/setup", &wrong).await;
    assert_eq!(seen.status, 422);
    assert!(
        seen.has("is not the admin token of this server") && seen.has("value=\"ada@example.com\""),
        "{}",
        seen.html
    );
    assert!(!seen.has(PASSWORD) && !seen.has("hw_nonsense"), "what is secret is typed anew");
    let short = [("/name", "Ada"), ("/email", "no address"), ("/password", "short"), ("/token", stage.api.token())];
    let seen = visitor.send("/setup", &short).await;
    assert_eq!(seen.status, 422);
    for field in ["f-email-error", "f-password-error", "href=\"#f-email\""] {
        assert!(seen.has(field), "{field} in {}", seen.html);
    }
    let token = stage.server.admin_token();
    let seen = visitor.send("/setup", &[&user[..], &[("/token", token.as_str())]].concat()).await;
    assert_eq!((seen.status, seen.location.as_deref()), (303, Some("/")), "{}", seen.text());
    assert!(visitor.follow(&seen).await.has("Three steps to the first delivery"));
    // Nobody does it twice.
    let again = Visitor::new(stage.server.url());
    let other = [("/name", "Eve"), ("/email", "eve@example.com"), ("/password", PASSWORD), ("/token", token.as_str())];
    assert_eq!(again.send("/setup", &other).await.status, 409);
    assert_eq!(again.get("/sign-in").await.status, 200);
}

#[tokio::test]
async fn whoever_signs_in_gets_to_where_they_wanted_and_nowhere_else() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    assert!(ada.page("/webhooks").await.has("Ada") || ada.page("/webhooks").await.has(EMAIL));
    let visitor = Visitor::new(stage.server.url());
    let to = visitor.get("/deliveries?status=failed").await.location.expect("the way to sign in");
    assert_eq!(to, "/sign-in?next=%2Fdeliveries%3Fstatus%3Dfailed");
    assert!(visitor.page(&to).await.has("value=\"/deliveries?status=failed\""));
    let sign_in = async |next: &str, password: &str| {
        let visitor = Visitor::new(stage.server.url());
        visitor.send("/sign-in", &[("/email", EMAIL), ("/password", password), ("next", next)]).await
    };
    let seen = sign_in("/", "wrong").await;
    assert_eq!(seen.status, 401);
    assert!(seen.has("The email address or the password is wrong") && seen.has(&format!("value=\"{EMAIL}\"")));
    for (next, to) in [("/events?type=a", "/events?type=a"), ("//evil.example/", "/"), ("https://evil.example", "/")] {
        assert_eq!(sign_in(next, PASSWORD).await.location.as_deref(), Some(to));
    }
    // And out again.
    let seen = ada.submit("/account", "/sign-out", &[]).await;
    assert_eq!(seen.location.as_deref(), Some("/sign-in"));
    assert_eq!(ada.get("/").await.location.as_deref(), Some("/sign-in"));
}

#[tokio::test]
async fn forms_of_others_change_nothing() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    let webhook = [("/url", "http://127.0.0.1:9/"), ("/events", "a.b")];
    for proof in [None, Some("nonsense")] {
        let fields = proof.map(|proof| ("csrf", proof)).into_iter().chain(webhook).collect::<Vec<_>>();
        let seen = ada.send("/webhooks/new", &fields).await;
        assert_eq!(seen.status, 403);
        assert!(seen.has("The form is of an earlier session"), "{}", seen.text());
    }
    assert!(stage.api.list("/webhooks").await.is_empty());
    assert_eq!(ada.send("/sign-out", &[]).await.status, 403);
    ada.page("/").await;
}

#[tokio::test]
async fn a_page_runs_what_this_server_serves_and_nothing_else() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    for path in
        ["/", "/webhooks", "/webhooks/new", "/deliveries", "/events", "/events/new", "/account", "/jobs", "/nothing"]
    {
        let seen = ada.get(path).await;
        let header = |name: &str| seen.headers[name].to_str().expect("text").to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(
            (header("cache-control").as_str(), header("x-frame-options").as_str()),
            ("no-store", "DENY"),
            "{path}"
        );
        assert!(header("x-request-id").len() > 8 && header("x-content-type-options") == "nosniff");
        assert!(
            !seen.has(" style=") && !seen.has(" onclick=") && !seen.has("<style") && !seen.has("javascript:"),
            "{path}"
        );
        let inline = seen.html.matches("<script").count() - seen.html.matches("src=\"/assets/").count();
        assert_eq!(inline, 0, "{path}: {}", seen.html);
        assert!(
            seen.html.matches("<h1").count() == 1 && seen.has("<main id=\"main\"") && seen.has("lang=\"en\""),
            "{path}"
        );
    }
    let not_found = ada.get("/nothing").await;
    assert!(not_found.status == 404 && not_found.has("There is no such page"));
    // Whoever wants no page gets the API's answer.
    let problem = stage.api.get("/nothing").await.expect_err("nothing is there").problem();
    assert_eq!((problem.status, problem.code.as_str()), (404, "not_found"));
    // Assets are kept for ever, and weigh little.
    let page = ada.page("/deliveries").await;
    let mut weight = page.html.len();
    for mark in ["href=\"/assets/", "src=\"/assets/"] {
        for rest in page.html.split(mark).skip(1) {
            let name = rest.split('"').next().expect("a path");
            let asset = ada.get(&format!("/assets/{name}")).await;
            assert_eq!(asset.headers["cache-control"], "public, max-age=31536000, immutable");
            weight += asset.html.len();
        }
    }
    assert!(weight < 150_000, "{weight} bytes");
}

#[tokio::test]
async fn sessions_can_be_ended_and_passwords_changed() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    let elsewhere = Visitor::new(stage.server.url());
    elsewhere.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(ada.page("/account").await.html.matches("<th scope=\"row\">").count(), 2);
    let wrong = [("/current_password", "wrong"), ("/new_password", "short")];
    let seen = ada.submit("/account", "/account/password", &wrong).await;
    assert_eq!(seen.status, 422);
    assert!(seen.has("fnew-password-error") || seen.has("f-new-password-error"), "{}", seen.html);
    let new = [("/current_password", PASSWORD), ("/new_password", "battery horse staple correct")];
    let seen = ada.submit("/account", "/account/password", &new).await;
    assert!(ada.follow(&seen).await.has("Your password is changed"));
    assert!(!ada.page("/account").await.has("Your password is changed"), "it is told once");
    assert_eq!(elsewhere.get("/").await.location.as_deref(), Some("/sign-in"), "other sessions have ended");
    let seen = ada.submit("/account", "/account/keys", &[]).await;
    assert!(!ada.follow(&seen).await.has("data-keys"), "keys are off");
    let seen = ada.submit("/account", "/account/sessions/end", &[]).await;
    assert_eq!(seen.location.as_deref(), Some("/sign-in"));
}

#[tokio::test]
async fn a_page_works_in_the_project_that_was_chosen_or_that_a_link_names() {
    let stage = Stage::open().await;
    let ada = Visitor::first(stage.server.url(), &stage.api).await;
    stage.api.register(&json!({ "name": "Of default", "url": "http://127.0.0.1:9/", "events": ["*"] })).await;
    assert!(!ada.page("/webhooks").await.has("project-choice"), "one project is no choice");
    let other = stage.api.post("/projects", &json!({ "name": "Team 7" })).await.expect("a project").body;
    let id = other["id"].as_str().expect("an id");
    let link = ada.get(&format!("/webhooks?state=enabled&project={id}")).await;
    assert_eq!(link.location.as_deref(), Some("/webhooks?state=enabled"));
    let there = ada.page("/webhooks").await;
    assert!(there.has("project-choice") && there.has("No webhook yet"), "{}", there.text());
    let default = stage.api.list("/projects").await;
    let default = default.iter().find(|project| project["name"] == "default").expect("the first project");
    let chosen = [("project", default["id"].as_str().expect("an id")), ("here", "/webhooks/whk_1/edit?x=1")];
    let seen = ada.submit("/webhooks", "/project", &chosen).await;
    assert_eq!(seen.location.as_deref(), Some("/webhooks"), "the list, since the other project has no such webhook");
    assert!(ada.page("/webhooks").await.has("Of default"));
    // One that is gone, or was never there, is as none.
    ada.get("/?project=prj_00000000000070008000000000000009").await;
    assert!(ada.page("/webhooks").await.has("Of default"));
}

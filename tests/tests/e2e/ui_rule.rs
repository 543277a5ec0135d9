//! The pages of those who look after a server: tokens, users, roles, projects, event types, the audit log, settings.

use hookwright_tests::{
    api::Api,
    browser::Browser,
    company::{ADA, PASSWORD},
    server::Installation,
    site::sign_in,
};
use serde_json::json;

use crate::ui_plugins::open;

#[tokio::test]
async fn a_token_is_shown_once_and_revoked() {
    let (stage, _browser, tab) = open().await;
    tab.goto("/tokens").await;
    tab.see("token").await;
    tab.follow("link", "New token").await;
    tab.follow("button", "Make the token").await;
    tab.see("This was not saved").await;
    tab.fill("Name (needed)", "Ticket system").await;
    tab.field("events:publish").await.tick(&tab, true).await;
    tab.fill("Ends on", "2000-01-01").await;
    tab.follow("button", "Make the token").await;
    tab.see("expires_at").await;
    assert!(tab.field("events:publish").await.properties["checked"] == "true", "what was chosen stays");
    tab.fill("Ends on", "2099-01-01").await;
    tab.follow("button", "Make the token").await;
    let token = tab.field("Token of Ticket system").await.content(&tab).await;
    let program = Api::new(stage.server.url(), Some(&token));
    program.publish("ticket.created", json!({})).await;
    tab.follow("link", "I have stored it").await;
    tab.follow("link", "Ticket system").await;
    assert!(!tab.evaluate("document.documentElement.outerHTML").await.to_string().contains(&token));
    tab.fill("Name (needed)", "Tickets").await;
    tab.follow("button", "Save").await;
    tab.see("The token is changed").await;
    tab.follow("link", "Revoke…").await;
    tab.follow("button", "Revoke the token").await;
    tab.see("The token is revoked").await;
    assert_eq!(program.get("/me").await.expect_err("revoked").problem().status, 401);
    tab.is_clean().await;
}

#[tokio::test]
async fn people_get_roles_and_lose_them() {
    let (stage, _browser, tab) = open().await;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        let role = format!("night-{scripts}");
        tab.goto("/roles").await;
        tab.follow("link", "New role").await;
        tab.fill("Name (needed)", "Night shift").await;
        tab.follow("button", "Make the role").await;
        tab.see("small letters").await;
        tab.fill("Name (needed)", &role).await;
        tab.field("deliveries:read").await.tick(&tab, true).await;
        tab.follow("button", "Make the role").await;
        tab.see("The role is made").await;

        tab.follow("link", "Users").await;
        tab.follow("link", "New user").await;
        tab.fill("Name (needed)", "Bob").await;
        tab.fill("Email address (needed)", "no address").await;
        tab.fill("Password", PASSWORD).await;
        tab.choose("Role 2", &role).await;
        tab.choose("Where, of role 2", "default").await;
        tab.follow("button", "Make the user").await;
        tab.see("is an email address").await;
        assert_eq!(tab.field("Role 1").await.content(&tab).await, role, "the rows are tidied");
        assert_eq!(tab.field("Password").await.content(&tab).await, "", "a password is typed anew");
        let email = format!("bob-{scripts}@example.com");
        tab.fill("Email address (needed)", &email).await;
        tab.fill("Password", PASSWORD).await;
        tab.follow("button", "Make the user").await;
        tab.see("The user is made").await;
        let users = stage.api.list("/users").await;
        let bob = users.iter().find(|user| user["email"] == email.as_str()).expect("he is there");
        assert_eq!(bob["roles"][0]["role"], role.as_str());
        assert!(bob["roles"][0]["project"].is_string());

        tab.goto(&format!("/roles/{role}/delete")).await;
        tab.follow("button", "Delete the role").await;
        tab.see("This was not done").await;
        tab.goto(&format!("/users/{}", bob["id"].as_str().expect("an id"))).await;
        tab.field("They may sign in").await.tick(&tab, false).await;
        tab.follow("button", "Save").await;
        tab.see("The user is changed").await;
        tab.is_clean().await;
    }
    // The last one who looks after users stays, and is told why.
    tab.scripts(true).await;
    tab.goto("/users").await;
    let ada = tab.row(ADA.name).await.find(&tab, "link", ADA.name).await;
    tab.loads("her page", ada.click(&tab)).await;
    tab.follow("link", "Delete…").await;
    tab.follow("button", "Delete the user").await;
    tab.see("they are the last").await;
}

#[tokio::test]
async fn projects_and_types_of_events_are_described() {
    let (stage, _browser, tab) = open().await;
    tab.goto("/projects").await;
    tab.follow("link", "New project").await;
    tab.fill("Name (needed)", "Retro board").await;
    tab.fill("External id", "retro").await;
    tab.follow("button", "Make the project").await;
    tab.see("The project is made").await;
    tab.follow("link", "Work in it (Retro board)").await;
    tab.goto("/event-types").await;
    tab.follow("link", "Describe a type").await;
    tab.fill("Name (needed)", "build.done").await;
    tab.fill("Description", "A build has ended").await;
    tab.fill("JSON Schema of the payload", "{ \"type\": ").await;
    tab.follow("button", "Save").await;
    tab.see("is not JSON").await;
    let schema = json!({ "type": "object", "required": ["build"] });
    tab.fill("JSON Schema of the payload", &schema.to_string()).await;
    tab.fill("An example of a payload", "{}").await;
    tab.choose("Payloads that do not fit the schema", "are refused").await;
    tab.follow("button", "Save").await;
    tab.see("example").await;
    tab.fill("An example of a payload", "{\"build\": 7}").await;
    tab.follow("button", "Save").await;
    tab.heading("build.done").await;
    let retro = stage.api.in_project("retro");
    assert_eq!(retro.try_publish("build.done", json!({})).await.expect_err("refused").problem().status, 422);
    assert!(stage.api.get("/event-types/build.done").await.is_err(), "it is described in the other project");
    tab.follow("link", "Describe").await;
    tab.choose("Payloads that do not fit the schema", "are taken; nobody looks").await;
    tab.follow("button", "Save").await;
    tab.see("The type is described anew").await;
    tab.follow("link", "Forget…").await;
    tab.follow("button", "Forget it").await;
    tab.see("It is forgotten").await;
    tab.goto("/projects").await;
    tab.follow("link", "Retro board").await;
    tab.follow("link", "Delete…").await;
    tab.follow("button", "Delete the project").await;
    tab.see("The project is deleted").await;
    tab.is_clean().await;
}

#[tokio::test]
async fn the_audit_log_tells_what_was_changed() {
    let (stage, _browser, tab) = open().await;
    let webhook =
        json!({ "name": "old name", "url": stage.receiver.url("/x"), "events": ["*"], "bearer_token": "s3cret-token" });
    let id = stage.api.register(&webhook).await.id;
    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "name": "new name" })).await.expect("changed");
    tab.goto("/audit").await;
    tab.fill("What was done", "webhook.*").await;
    tab.follow("button", "Filter").await;
    assert!(tab.path().await.starts_with("/audit?action=webhook.*"));
    let row = tab.row("webhook.updated").await;
    row.find(&tab, "DisclosureTriangle", "...change...").await.click(&tab).await;
    tab.see("old name").await;
    tab.see("new name").await;
    assert!(!tab.text().await.contains("s3cret-token"));
    tab.goto("/audit?action=nothing.fits").await;
    tab.see("Nothing fits").await;
    tab.follow("link", "Show everything").await;
    tab.see("webhook.created").await;
    tab.goto("/audit?since=nonsense").await;
    tab.see("This cannot be looked for").await;
    tab.forget();
    tab.goto("/audit?action=webhook.*").await;
    let fetched = tab.evaluate("fetch(document.querySelector('a[download]').href).then(answer => answer.text())").await;
    let lines: Vec<&str> = fetched.as_str().expect("text").lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    tab.is_clean().await;
}

#[tokio::test]
async fn settings_are_shown_without_passwords_and_only_to_those_who_look_after_the_server() {
    let installation = Installation::new().env("HOOKWRIGHT_NETWORK_PROXY", "http://me:s3cret-password@127.0.0.1:3128");
    let server = installation.env("HOOKWRIGHT_DELIVERY_TIMEOUT_MS", "7000").start().await;
    let api = server.api();
    ADA.arrive(&api).await;
    let browser = Browser::start().await;
    let tab = browser.tab(server.url()).await;
    sign_in(&tab, ADA).await;
    tab.follow("link", "Settings").await;
    let row = tab.row("delivery.timeout_ms").await;
    let text = row.text(&tab).await;
    assert!(
        text.contains("7000") && text.contains("7 s") && text.contains("changed") && text.contains("20000"),
        "{text}"
    );
    tab.see("http://me:***@127.0.0.1:3128/").await;
    assert!(!tab.text().await.contains("s3cret-password"));
    let admin_here = api.allowed(&["admin"]).await;
    assert_eq!(admin_here.get("/settings").await.expect_err("of one project only").problem().status, 403);
    tab.is_clean().await;
}

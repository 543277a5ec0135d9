//! Who works there, in which project, as what.

use serde_json::{Value, json};

use crate::api::Api;

/// Everybody's.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody who can sign in.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub name: &'static str,
    pub email: &'static str,
    role: &'static str,
}

/// May do everything.
pub const ADA: Person = Person { name: "Ada Lindqvist", email: "ada@example.com", role: "admin" };
/// Looks after webhooks.
pub const BOB: Person = Person { name: "Bob Okafor", email: "bob@example.com", role: "operator" };
/// Looks on.
pub const CY: Person = Person { name: "Cy Tanaka", email: "cy@example.com", role: "viewer" };
/// Only triggers integrations.
pub const TRI: Person = Person { name: "Tri Nguyen", email: "tri@example.com", role: "trigger" };

pub(super) async fn move_in(api: &Api) {
    let first = json!({ "email": ADA.email, "name": ADA.name, "password": PASSWORD });
    api.post("/setup", &first).await.expect("the first user");
    for (name, id, description) in [
        ("Retro board", "retro-board", "Actions of retrospectives become cards"),
        ("Funding portal", "funding-portal", "Leads go to the departments of their programs"),
    ] {
        let project = json!({ "name": name, "external_id": id, "description": description });
        api.post("/projects", &project).await.expect("a project");
    }
    let role = json!({
        "name": "on-call",
        "description": "Retries what failed at night",
        "permissions": ["webhooks:read", "deliveries:read", "deliveries:retry"],
    });
    api.post("/roles", &role).await.expect("a role");
    let projects = api.list("/projects").await;
    let default = projects.iter().find(|project| project["external_id"] == "default" || project["name"] == "default");
    let default = default.expect("the first project")["id"].clone();
    for Person { name, email, role } in [BOB, CY, TRI] {
        let roles = json!([{ "role": role, "project": default }]);
        api.post("/users", &json!({ "email": email, "name": name, "password": PASSWORD, "roles": roles }))
            .await
            .expect("a user");
    }
    let gone = json!({ "email": "dee@example.com", "name": "Dee Novak", "password": PASSWORD, "roles": [{ "role": "on-call" }] });
    let gone = api.post("/users", &gone).await.expect("a user").body;
    api.patch(&format!("/users/{}", text(&gone["id"])), &json!({ "enabled": false })).await.expect("disabled");
    for (name, permissions, expires) in [
        ("Retro board, production", json!(["events:publish"]), Value::Null),
        ("Ticket system", json!(["events:publish", "events:read"]), json!("2030-01-01T00:00:00Z")),
        ("Continuous integration", json!(["plugins:read", "plugins:write", "deliveries:read"]), Value::Null),
    ] {
        let token = json!({ "name": name, "permissions": permissions, "expires_at": expires });
        api.post("/tokens", &token).await.expect("a token");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

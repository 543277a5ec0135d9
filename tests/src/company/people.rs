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

impl Person {
    /// Becomes the first user of a server.
    pub async fn arrive(&self, api: &Api) {
        let first = json!({ "email": self.email, "name": self.name, "password": PASSWORD });
        api.post("/setup", &first).await.expect("the first user");
    }

    /// Gets in, with their role in the first project.
    pub async fn join(&self, api: &Api) {
        let roles = json!([{ "role": self.role, "project": first_project(api).await }]);
        let user = json!({ "email": self.email, "name": self.name, "password": PASSWORD, "roles": roles });
        api.post("/users", &user).await.expect("a user");
    }
}

async fn first_project(api: &Api) -> Value {
    let projects = api.list("/projects").await;
    // Newest first.
    projects.last().expect("there is always one")["id"].clone()
}

pub(super) async fn move_in(api: &Api) {
    ADA.arrive(api).await;
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
    for person in [BOB, CY, TRI] {
        person.join(api).await;
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

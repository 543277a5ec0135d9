//! The four subscriptions: one plain, three through a plugin.

use std::path::Path;

use serde_json::{Value, json};

use super::{Failure, department, receiver, slack, trello};

pub(super) struct PluginFile {
    pub(super) name: &'static str,
    pub(super) wasm: Vec<u8>,
}

pub(super) fn read_plugins(folder: &Path) -> Result<Vec<PluginFile>, Failure> {
    ["slack", "trello", "lead-router"]
        .into_iter()
        .map(|name| {
            let path = folder.join(format!("{name}.wasm"));
            let wasm = std::fs::read(&path).map_err(|error| {
                format!(
                    "{}: {error}. Build the plugins with `make plugins`, or say where they are with --plugins.",
                    path.display()
                )
            })?;
            Ok(PluginFile { name, wasm })
        })
        .collect()
}

/// What is to be registered, before the server gave it an id and a secret.
pub(super) struct Wanted {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) events: &'static [&'static str],
    pub(super) plugin: Option<&'static str>,
    config: Value,
    secrets: Value,
}

/// A subscription as the server knows it.
pub(super) struct Registered {
    pub(super) wanted: Wanted,
    pub(super) id: String,
    pub(super) secret: String,
}

pub(super) fn all() -> [Wanted; 4] {
    [
        Wanted {
            name: "plain",
            path: receiver::PLAIN,
            events: &["*"],
            plugin: None,
            config: json!({}),
            secrets: json!({}),
        },
        Wanted {
            name: "slack",
            path: slack::PATH,
            events: &["retro.completed", "ticket.*", "lead.submitted"],
            plugin: Some("slack"),
            config: json!({}),
            secrets: json!({}),
        },
        Wanted {
            name: "trello",
            path: trello::BASE,
            events: &["retro.completed", "ticket.created"],
            plugin: Some("trello"),
            config: json!({"list_id": trello::LIST_ID}),
            secrets: json!({"key": trello::KEY, "token": trello::TOKEN}),
        },
        Wanted {
            name: "loans",
            path: department::BASE,
            events: &["lead.submitted"],
            plugin: Some("lead-router"),
            config: json!({"programs": {(department::PROGRAM): {"path": department::PATH}}}),
            secrets: json!({}),
        },
    ]
}

impl Wanted {
    /// `plugin_version` is what the upload answered.
    pub(super) fn to_json(&self, receiver_url: &str, plugin_version: Option<&str>) -> Value {
        let mut body = json!({
            "name": self.name,
            "url": format!("{receiver_url}{}", self.path),
            "events": self.events,
        });
        if let Some(name) = self.plugin {
            body["plugin"] = json!({
                "name": name, "version": plugin_version, "config": self.config, "secrets": self.secrets,
            });
        }
        body
    }

    /// How many requests an event must become here; none if it does not belong here.
    pub(super) fn requests_for(&self, kind: &str, payload: &Value) -> Option<usize> {
        let matches = self.events.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => *pattern == kind,
        });
        // Trello gets a card for each action of a retro.
        let actions = payload["actions"].as_array().map(Vec::len).filter(|_| self.name == "trello");
        matches.then(|| actions.unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::events;
    use super::all;

    #[test]
    fn every_event_goes_where_it_should() {
        let [plain, slack, trello, loans] = all();
        let counts: Vec<_> = events::all()
            .iter()
            .map(|event| {
                [&plain, &slack, &trello, &loans].map(|webhook| webhook.requests_for(event.kind, &event.payload))
            })
            .collect();
        let expected =
            [[Some(1), Some(1), Some(4), None], [Some(1), Some(1), None, None], [Some(1), Some(1), None, Some(1)]];
        assert_eq!(counts, expected);
    }
}

//! The subscriptions: one for each tool through its plugin, a department through another, and one plain.

use std::path::Path;

use serde_json::{Value, json};

use super::events::{Event, REVIEW};
use super::receiver::{self, Received};
use super::{Failure, department, jira, pivotal, slack, trello};

pub(super) struct PluginFile {
    pub(super) name: &'static str,
    pub(super) wasm: Vec<u8>,
}

pub(super) fn read_plugins(folder: &Path) -> Result<Vec<PluginFile>, Failure> {
    all()
        .into_iter()
        .filter_map(|wanted| wanted.plugin)
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
    /// A tool that is shown beside the others.
    pub(super) tool: Option<Tool>,
    config: Value,
    secrets: Value,
}

/// What people see in a tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// What a request makes or changes.
    pub(super) thing: &'static str,
    pub(super) things: &'static str,
    pub(super) shows: fn(&Received) -> Vec<String>,
    /// One for each action of a retro.
    for_each_action: bool,
    /// What it made is changed by what happens later.
    remembers: bool,
}

/// A subscription as the server knows it.
pub(super) struct Registered {
    pub(super) wanted: Wanted,
    pub(super) id: String,
    pub(super) secret: String,
}

/// Those with a tool first.
pub(super) fn all() -> [Wanted; 6] {
    let tickets = &["retro.completed", "ticket.*"];
    [
        Wanted {
            name: "slack",
            path: slack::PATH,
            events: &["retro.completed", "ticket.*", "lead.submitted"],
            plugin: Some("slack"),
            tool: Some(Tool {
                name: "Slack",
                thing: "message",
                things: "messages",
                shows: slack::shows,
                for_each_action: false,
                remembers: true,
            }),
            config: json!({}),
            secrets: json!({}),
        },
        Wanted {
            name: "trello",
            path: trello::BASE,
            events: tickets,
            plugin: Some("trello"),
            tool: Some(Tool {
                name: "Trello",
                thing: "card",
                things: "cards",
                shows: trello::shows,
                for_each_action: true,
                remembers: true,
            }),
            config: json!({"list_id": trello::LIST_ID, "lists": {REVIEW: trello::REVIEW_LIST_ID}}),
            secrets: json!({"key": trello::KEY, "token": trello::TOKEN}),
        },
        Wanted {
            name: "jira",
            path: jira::BASE,
            events: tickets,
            plugin: Some("jira"),
            tool: Some(Tool {
                name: "Jira",
                thing: "issue",
                things: "issues",
                shows: jira::shows,
                for_each_action: true,
                remembers: true,
            }),
            config: json!({"email": jira::EMAIL, "project_key": jira::PROJECT, "transitions": {REVIEW: jira::TRANSITION}}),
            secrets: json!({"token": jira::TOKEN}),
        },
        Wanted {
            name: "pivotal-tracker",
            path: pivotal::BASE,
            events: tickets,
            plugin: Some("pivotal-tracker"),
            tool: Some(Tool {
                name: "Pivotal Tracker",
                thing: "story",
                things: "stories",
                shows: pivotal::shows,
                for_each_action: true,
                remembers: false,
            }),
            config: json!({"project_id": pivotal::PROJECT}),
            secrets: json!({"token": pivotal::TOKEN}),
        },
        Wanted {
            name: "plain",
            path: receiver::PLAIN,
            events: &["*"],
            plugin: None,
            tool: None,
            config: json!({}),
            secrets: json!({}),
        },
        Wanted {
            name: "loans",
            path: department::BASE,
            events: &["lead.submitted"],
            plugin: Some("lead-router"),
            tool: None,
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

    /// How many requests an event must become here: none of one that the plugin skips; nothing if it does not belong here.
    pub(super) fn requests_for(&self, event: &Event) -> Option<usize> {
        let matches = self.events.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => event.kind.starts_with(prefix),
            None => *pattern == event.kind,
        });
        let actions = event.payload["actions"].as_array().map_or(1, Vec::len);
        matches.then(|| match &self.tool {
            Some(tool) if !tool.remembers && event.kind == "ticket.status_changed" => 0,
            Some(tool) if tool.for_each_action => actions,
            _ => 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::events;
    use super::all;

    #[test]
    fn every_event_goes_where_it_should() {
        let webhooks = all();
        let names = webhooks.each_ref().map(|webhook| webhook.name);
        assert_eq!(names, ["slack", "trello", "jira", "pivotal-tracker", "plain", "loans"]);
        let counts = events::all().map(|event| webhooks.each_ref().map(|webhook| webhook.requests_for(&event)));
        let expected = [
            [Some(1), Some(4), Some(4), Some(4), Some(1), None],
            [Some(1), Some(1), Some(1), Some(1), Some(1), None],
            [Some(1), Some(1), Some(1), Some(0), Some(1), None],
            [Some(1), None, None, None, Some(1), Some(1)],
        ];
        assert_eq!(counts, expected);
    }
}

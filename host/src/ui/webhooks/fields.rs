//! The fields of a webhook's form.

use serde::Deserialize;
use serde_json::Value;

use super::super::field::Field;
use super::super::form::Form;
use super::draft::{NEW_HEADERS, PLUGIN};

/// A version that could be chosen.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API calls it")]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) summary: String,
}

/// The plugin that events pass through.
pub(super) fn plugin_choice(versions: &[Version], form: &Form) -> Field {
    let mut of = vec![(String::new(), "No plugin: the event as it is".to_owned())];
    for version in versions.iter().filter(|version| version.status == "ready") {
        of.push((format!("{}@{}", version.name, version.version), format!("{} {}", version.name, version.version)));
    }
    // One that is in use stays, also when it is not offered.
    if let Some(chosen) = form.filled(PLUGIN).filter(|chosen| !of.iter().any(|(value, _)| value == chosen)) {
        of.push((chosen.to_owned(), chosen.replace('@', " ")));
    }
    Field::choice(PLUGIN, "Plugin", of)
        .help("Turns each event into the requests that a tool expects. Its settings appear below.")
        .live("plugin", "plugin-settings")
        .of(form)
}

/// What the plugin wants to have filled in as it is sent.
pub(super) fn secrets(manifest: Option<&Value>, current: Option<&Value>, form: &Form) -> Vec<Field> {
    let wanted = manifest.and_then(|manifest| manifest["secrets"].as_object());
    let one = |(name, secret): (&String, &Value)| {
        let is_set = current.is_some_and(|current| current["plugin"]["secrets"].get(name).is_some());
        let help = secret["description"].as_str().unwrap_or_default();
        let needed = secret["required"].as_bool().unwrap_or(true) && !is_set;
        let field = Field::secret(&format!("/plugin/secrets/{name}"), name, is_set).help(help);
        if needed { field.needed() } else { field }.of(form)
    };
    wanted.into_iter().flatten().map(one).collect()
}

/// How requests are sent.
pub(super) fn sending(form: &Form) -> Vec<Field> {
    vec![
        Field::choice(
            "/content_type",
            "Content type",
            [("json", "JSON"), ("form", "Form: payload= and the JSON, as GitHub does")],
        )
        .of(form),
        Field::choice(
            "/envelope",
            "Body",
            [("standard", "Standard: type, timestamp and data"), ("raw", "Raw: the payload as it was posted")],
        )
        .help("A plugin makes bodies of its own.")
        .of(form),
        Field::choice(
            "/order",
            "Order",
            [
                ("", "As the plugin needs it; none without one"),
                ("none", "None: everything at once"),
                ("subject", "By subject: events about the same thing one after the other"),
                ("strict", "Strict: one event after the other"),
            ],
        )
        .of(form),
        Field::line("/rate_limit/requests", "Rate limit: requests")
            .help("At most so many requests in the time below; empty for no limit.")
            .mono()
            .of(form),
        Field::line("/rate_limit/per_ms", "Rate limit: in so many milliseconds")
            .help("1000 is a second.")
            .mono()
            .of(form),
        Field::line("/timeout_ms", "Time-out in milliseconds")
            .help("How long one attempt may take; empty for the server's own, 20 seconds unless it is set.")
            .mono()
            .of(form),
        Field::choice(
            "/on_uncertain",
            "When nobody knows whether it arrived",
            [("retry", "Send it again"), ("hold", "Wait for a person")],
        )
        .of(form),
        Field::choice(
            "/on_plugin_failure",
            "When the plugin fails",
            [
                ("park", "Park the delivery, to be transformed again later"),
                ("send_unchanged", "Send the event as it is"),
                ("drop", "Send nothing"),
            ],
        )
        .of(form),
    ]
}

/// What receivers know the server by.
pub(super) fn trust(form: &Form, current: Option<&Value>) -> Vec<Field> {
    let is_set = |name: &str| current.is_some_and(|current| !current[name].is_null());
    let mut fields = vec![
        Field::secret("/bearer_token", "Bearer token", is_set("bearer_token"))
            .help("Sent as `Authorization: Bearer …`, for receivers that want one.")
            .of(form),
        Field::secret("/body_token", "Token inside of the body", is_set("body_token"))
            .help("Sent as the field `token` beside the data, for receivers that look there.")
            .of(form),
        Field::text(NEW_HEADERS, "Headers", 3)
            .example("X-Team: seven")
            .help("One a line, like `Name: value`. Values are kept as secrets and never shown again.")
            .mono()
            .deep()
            .of(form),
        Field::tick("/github_signature", "Also sign as GitHub does (X-Hub-Signature-256)").of(form),
    ];
    if current.is_none() {
        let help = "Every request is signed as Standard Webhooks says. The server makes a secret and shows it once; fill in one of your own (whsec_…) only if the receiver has it already.";
        fields.push(Field::secret("/signing_secret", "Signing secret", false).help(help).of(form));
    }
    fields
}

//! What a webhook is registered with, and changed to. Secrets come from files: arguments are seen by others.

use clap::Args;
use serde_json::{Map, Value, json};

use super::Asking;
use crate::cli::Failure;
use crate::cli::input::{duration_ms, form_of, json_of, pair, secret_of};

/// Fields of a webhook. What has no flag goes by --from.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// Where requests go
    #[arg(long)]
    url: Option<String>,
    /// Which events: a type or a pattern such as ticket.* or *; may be given several times
    #[arg(long = "event", value_name = "PATTERN")]
    events: Vec<String>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// Your own id for it, unique in the project
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// A label for programs; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    label: Vec<(String, String)>,
    /// Which of those events after all: an expression, see docs/FILTERS.md
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// json, or form as GitHub sends it
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// standard, or raw: the payload as it was posted
    #[arg(long)]
    envelope: Option<String>,
    /// A file with the signing secret, to bring one's own; `-` is stdin
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<String>,
    /// A file with the token that is sent as `Authorization: Bearer`; `-` is stdin
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<String>,
    /// A file with the token that stands in the body; `-` is stdin
    #[arg(long, value_name = "FILE")]
    body_token_file: Option<String>,
    /// A header of every request, its value in a file; may be given several times
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    header: Vec<(String, String)>,
    /// Sign as GitHub does, too
    #[arg(long)]
    github_signature: bool,
    /// What events pass through
    #[arg(long, value_name = "NAME@VERSION")]
    plugin: Option<String>,
    /// A file with the plugin's configuration: JSON
    #[arg(long, value_name = "FILE", requires = "plugin")]
    plugin_config: Option<String>,
    /// A secret of the plugin, in a file; may be given several times
    #[arg(long, value_name = "NAME=FILE", value_parser = pair, requires = "plugin")]
    secret: Vec<(String, String)>,
    /// When to try again: waits one after the other, such as 0s,5s,5m
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', value_parser = duration_ms)]
    retry: Vec<u64>,
    /// Time for one attempt
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    timeout: Option<u64>,
    /// How many requests in which time, such as 10/1s
    #[arg(long, value_name = "N/DURATION", value_parser = rate)]
    rate_limit: Option<(u64, u64)>,
    /// Which deliveries wait for earlier ones: none, subject or strict
    #[arg(long)]
    order: Option<String>,
    /// When nobody knows whether a request arrived: retry or hold
    #[arg(long, value_name = "WHAT")]
    on_uncertain: Option<String>,
    /// When its plugin fails: park, `send_unchanged` or drop
    #[arg(long, value_name = "WHAT")]
    on_plugin_failure: Option<String>,
    /// Delete it by itself after this time
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    expires_in: Option<u64>,
    /// A file with fields as the API takes them (JSON); flags go over it; `-` is stdin
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
}

fn rate(text: &str) -> Result<(u64, u64), String> {
    const SHAPE: &str = "it is a number of requests and a time, such as 10/1s";
    let (requests, per) = text.split_once('/').ok_or(SHAPE)?;
    Ok((requests.parse().map_err(|_| SHAPE)?, duration_ms(per)?))
}

impl Form {
    /// The form as the API takes it.
    pub(super) fn read(&self) -> Result<Value, Failure> {
        let mut form = form_of(self.from.as_deref())?;
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                form.insert(name.to_owned(), value);
            }
        };
        let texts = [
            ("url", &self.url),
            ("name", &self.name),
            ("description", &self.description),
            ("external_id", &self.external_id),
            ("filter", &self.filter),
            ("content_type", &self.content_type),
            ("envelope", &self.envelope),
            ("order", &self.order),
            ("on_uncertain", &self.on_uncertain),
            ("on_plugin_failure", &self.on_plugin_failure),
        ];
        for (name, value) in texts {
            set(name, value.clone().map(Value::from));
        }
        for (name, file) in [
            ("signing_secret", &self.signing_secret_file),
            ("bearer_token", &self.bearer_token_file),
            ("body_token", &self.body_token_file),
        ] {
            set(name, file.as_deref().map(secret_of).transpose()?.map(Value::from));
        }
        set("events", (!self.events.is_empty()).then(|| json!(self.events)));
        set("labels", (!self.label.is_empty()).then(|| self.label.iter().cloned().collect()));
        set("headers", in_files(&self.header)?);
        set("github_signature", self.github_signature.then_some(json!(true)));
        set("retry", (!self.retry.is_empty()).then(|| json!(self.retry)));
        set("timeout_ms", self.timeout.map(Value::from));
        set("expires_in_ms", self.expires_in.map(Value::from));
        set("rate_limit", self.rate_limit.map(|(requests, per_ms)| json!({ "requests": requests, "per_ms": per_ms })));
        set("plugin", self.plugin()?);
        Ok(Value::Object(form))
    }

    fn plugin(&self) -> Result<Option<Value>, Failure> {
        plugin_form(self.plugin.as_deref(), self.plugin_config.as_deref(), &self.secret)
    }
}

/// The use of a plugin, as the API takes it.
pub(in crate::cli) fn plugin_form(
    plugin: Option<&str>,
    config: Option<&str>,
    secrets: &[(String, String)],
) -> Result<Option<Value>, Failure> {
    let Some(plugin) = plugin else { return Ok(None) };
    let (name, version) = plugin.split_once('@').ok_or("--plugin is NAME@VERSION, such as slack@0.2.0")?;
    let mut form = json!({ "name": name, "version": version });
    if let Some(config) = config {
        form["config"] = json_of(config)?;
    }
    if let Some(secrets) = in_files(secrets)? {
        form["secrets"] = secrets;
    }
    Ok(Some(form))
}

/// Names with what is in their files.
fn in_files(files: &[(String, String)]) -> Result<Option<Value>, Failure> {
    let read = |(name, file): &(String, String)| Ok((name.clone(), Value::from(secret_of(file)?)));
    let values = files.iter().map(read).collect::<Result<Map<String, Value>, Failure>>()?;
    Ok((!values.is_empty()).then_some(Value::Object(values)))
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EditArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    pub(super) id: String,
    #[command(flatten)]
    form: Form,
    /// Take a field away, such as filter or `rate_limit`; may be given several times
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl EditArgs {
    /// The merge patch: what is taken away is null.
    pub(super) fn read(&self) -> Result<Value, Failure> {
        let mut patch = self.form.read()?;
        for field in &self.unset {
            patch[field] = Value::Null;
        }
        if patch.as_object().is_none_or(Map::is_empty) {
            return Err("there is nothing to change; --help shows what can be".into());
        }
        Ok(patch)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Edit {
        #[command(flatten)]
        args: EditArgs,
    }

    fn edit(arguments: &[&str]) -> Result<Value, String> {
        let parsed =
            Edit::try_parse_from(["edit", "whk_1"].iter().chain(arguments)).map_err(|error| error.to_string())?;
        parsed.args.read().map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_fields_and_go_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let from = file("form.json", r#"{"name": "old", "timeout_ms": 1}"#);
        let secret = format!("token={}", file("secret", "s3cret\n"));
        let form = edit(&[
            "--from",
            &from,
            "--name",
            "new",
            "--event",
            "a.*",
            "--event",
            "b",
            "--rate-limit",
            "10/1s",
            "--retry",
            "0s,5m",
            "--unset",
            "filter",
            "--plugin",
            "trello@0.3.0",
            "--secret",
            &secret,
            "--label",
            "team=qa",
        ]);
        let plugin = json!({ "name": "trello", "version": "0.3.0", "secrets": { "token": "s3cret" } });
        let expected = json!({
            "name": "new", "timeout_ms": 1, "events": ["a.*", "b"], "rate_limit": { "requests": 10, "per_ms": 1000 },
            "retry": [0, 300_000], "filter": null, "plugin": plugin, "labels": { "team": "qa" },
        });
        assert_eq!(form, Ok(expected));
    }

    #[test]
    fn mistakes_are_told_before_anything_is_sent() {
        assert!(edit(&[]).unwrap_err().contains("nothing to change"));
        assert!(edit(&["--plugin", "trello"]).unwrap_err().contains("NAME@VERSION"));
        assert!(edit(&["--rate-limit", "10"]).unwrap_err().contains("10/1s"));
        assert!(edit(&["--from", "/nowhere"]).unwrap_err().contains("/nowhere"));
    }
}

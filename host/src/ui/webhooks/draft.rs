//! What the form of a webhook says, as the API reads it; and a webhook, as the form shows it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::form::Form;
use super::super::refusal::Problem;
use super::super::schema_form;
use super::retries;

/// Where the form keeps what has no place of its own in the API's body.
pub(super) const MORE_EVENTS: &str = "more-events";
pub(super) const NEW_HEADERS: &str = "/headers";
pub(super) const RETRY: &str = "/retry";
pub(super) const PLUGIN: &str = "/plugin/version";

/// The plugin version that is chosen: its name and version.
pub(super) fn chosen_plugin(form: &Form) -> Option<(&str, &str)> {
    form.filled(PLUGIN)?.split_once('@')
}

/// Every pattern: those that are ticked, and those that are written.
pub(super) fn patterns(form: &Form) -> Vec<String> {
    let written = form.get(MORE_EVENTS).unwrap_or_default();
    let written = written.split([',', '\n', ' ']).map(str::trim).filter(|text| !text.is_empty());
    let mut seen = BTreeSet::new();
    form.all("/events").chain(written).filter(|text| seen.insert(*text)).map(ToOwned::to_owned).collect()
}

/// The headers that are written, one a line.
fn headers(form: &Form) -> Result<Map<String, Value>, Box<Problem>> {
    let lines = form.get(NEW_HEADERS).unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().into())),
            None => Err(Box::new(Problem::field(NEW_HEADERS, format!("`{line}` is not like `Name: value`")))),
        })
        .collect()
}

/// The body that says what the form says. `current` is the webhook that is changed; what is secret and left empty stays.
pub(super) fn body(form: &Form, manifest: Option<&Value>, current: Option<&Value>) -> Result<Value, Box<Problem>> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    set("name", form.filled("/name").unwrap_or_default().into());
    set("description", form.text_or_null("/description"));
    match (form.filled("/url"), current) {
        (Some(url), _) => set("url", url.into()),
        (None, None) => set("url", "".into()),
        (None, Some(_)) => {}
    }
    set("events", patterns(form).into());
    set("filter", form.text_or_null("/filter"));
    for choice in ["content_type", "envelope", "on_uncertain", "on_plugin_failure"] {
        if let Some(value) = form.filled(&format!("/{choice}")) {
            set(choice, value.into());
        }
    }
    if let Some(order) = form.filled("/order") {
        set("order", order.into());
    }
    set("github_signature", form.is_ticked("/github_signature").into());
    set("timeout_ms", form.number_or_null("/timeout_ms"));
    set(
        "retry",
        retries::read(form.get(RETRY).unwrap_or_default()).map_err(|wrong| Box::new(Problem::field(RETRY, wrong)))?,
    );
    let limit = (form.filled("/rate_limit/requests"), form.filled("/rate_limit/per_ms"));
    let limit = match limit {
        (None, _) => Value::Null,
        (Some(_), None) => json!({ "requests": form.number_or_null("/rate_limit/requests"), "per_ms": 1000 }),
        (Some(_), Some(_)) => {
            json!({ "requests": form.number_or_null("/rate_limit/requests"), "per_ms": form.number_or_null("/rate_limit/per_ms") })
        }
    };
    set("rate_limit", limit);
    for secret in ["bearer_token", "body_token"] {
        match form.filled(&format!("/{secret}")) {
            Some(value) => set(secret, value.into()),
            None if form.is_ticked(&format!("forget-{secret}")) => set(secret, Value::Null),
            None => {}
        }
    }
    if let (None, Some(secret)) = (current, form.filled("/signing_secret")) {
        set("signing_secret", secret.into());
    }
    let mut headers = headers(form)?;
    if current.is_some() {
        headers.extend(form.all("forget-header").map(|name| (name.to_owned(), Value::Null)));
    }
    set("headers", headers.into());
    match (chosen_plugin(form), current) {
        (Some((name, version)), _) => set("plugin", plugin(form, name, version, manifest)),
        (None, Some(_)) => set("plugin", Value::Null),
        (None, None) => {}
    }
    if let Some(current) = current {
        // What is not in the form at all, or is as it was, is not touched.
        body.retain(|name, value| current.get(name.as_str()) != Some(value));
        if body.get("headers").and_then(Value::as_object).is_some_and(Map::is_empty) {
            body.remove("headers");
        }
    }
    Ok(body.into())
}

fn plugin(form: &Form, name: &str, version: &str, manifest: Option<&Value>) -> Value {
    let none = json!({});
    let schema = manifest.and_then(|manifest| manifest.get("config")).unwrap_or(&none);
    let secrets = manifest.and_then(|manifest| manifest.get("secrets")).and_then(Value::as_object);
    let given = secrets.into_iter().flat_map(Map::keys).filter_map(|secret| {
        let value = form.get(&format!("/plugin/secrets/{secret}")).filter(|value| !value.is_empty())?;
        Some((secret.clone(), Value::from(value)))
    });
    json!({
        "name": name,
        "version": version,
        "config": schema_form::read(schema, "/plugin/config", form),
        "secrets": given.collect::<Map<_, _>>(),
    })
}

/// The form of a webhook as it is.
pub(super) fn filled(webhook: &Value, manifest: Option<&Value>) -> Form {
    let mut form = Form::default();
    for name in
        ["name", "description", "filter", "content_type", "envelope", "on_uncertain", "on_plugin_failure", "order"]
    {
        if let Some(text) = webhook[name].as_str() {
            form.set(format!("/{name}"), text);
        }
    }
    for pattern in webhook["events"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        form.set("/events", pattern);
    }
    if webhook["github_signature"] == true {
        form.set("/github_signature", "true");
    }
    for pointer in ["/timeout_ms", "/rate_limit/requests", "/rate_limit/per_ms"] {
        if let Some(number) = webhook.pointer(pointer).and_then(Value::as_u64) {
            form.set(pointer, number.to_string());
        }
    }
    form.set(RETRY, retries::written(&webhook["retry"]));
    if let (Some(name), Some(version)) = (webhook.pointer("/plugin/name"), webhook.pointer("/plugin/version")) {
        form.set(PLUGIN, format!("{}@{}", name.as_str().unwrap_or_default(), version.as_str().unwrap_or_default()));
    }
    if let Some(manifest) = manifest {
        schema_form::fill(&manifest["config"], &webhook["plugin"]["config"], "/plugin/config", &mut form);
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Value {
        json!({
            "name": "Jira", "description": null, "url": "https://a.example/…", "events": ["a.b", "c.*"], "filter": null,
            "content_type": "json", "envelope": "standard", "on_uncertain": "retry", "on_plugin_failure": "park", "order": "none",
            "github_signature": false, "timeout_ms": null, "retry": [0, 5000], "rate_limit": { "requests": 5, "per_ms": 1000 },
            "plugin": { "name": "jira", "version": "1.0.0", "config": { "project": "ABC" }, "secrets": {} },
        })
    }

    fn manifest() -> Value {
        let config = json!({ "type": "object", "properties": { "project": { "type": "string" } } });
        json!({ "config": config, "secrets": { "token": {} } })
    }

    #[test]
    fn a_form_that_nobody_touched_changes_nothing_but_what_is_sent_whole() {
        let form = filled(&webhook(), Some(&manifest()));
        let body = body(&form, Some(&manifest()), Some(&webhook())).unwrap();
        assert_eq!(body, json!({}));
    }

    #[test]
    fn what_was_written_is_said_and_secrets_that_are_left_empty_stay() {
        let mut form = filled(&webhook(), Some(&manifest()));
        form.set("more-events", "x.y, a.b\nz.*");
        form.set("/headers", "X-A: b: c\n");
        form.set("forget-header", "X-Old");
        form.set("/bearer_token", "");
        form.set("/plugin/secrets/token", "s3cret");
        let body = body(&form, Some(&manifest()), Some(&webhook())).unwrap();
        assert_eq!(body["events"], json!(["a.b", "c.*", "x.y", "z.*"]));
        assert_eq!(body["headers"], json!({ "X-A": "b: c", "X-Old": null }));
        assert_eq!(body["plugin"]["secrets"], json!({ "token": "s3cret" }));
        assert!(body.get("bearer_token").is_none() && body.get("url").is_none());
        let mut wrong = Form::default();
        wrong.set("/headers", "no colon");
        assert_eq!(super::body(&wrong, None, None).unwrap_err().errors[0].pointer, "/headers");
    }
}

//! A version and a configuration, tried on what a webhook delivered; and taken over by it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::changes::Changes;
use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::jobs;
use super::page::{Items, Page, Pager, Section, shown_as};
use super::parts::{Icon, Status, Tone};
use super::plugins::Version;
use super::posted::Posted;
use super::query::Query;
use super::refusal::{Answer, Problem};
use super::viewer::Viewer;
use crate::domain::difference::Difference;
use crate::domain::permission::Permission;

/// Events that a backtest is about when nobody says how many.
const LAST: &str = "1000";

/// A job that is a backtest, as the API tells of it.
#[derive(Deserialize)]
struct Job {
    id: String,
    state: String,
    backtest: Option<Backtest>,
    results: Option<BTreeMap<String, u64>>,
}

impl Job {
    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }
}

#[derive(Deserialize)]
struct Backtest {
    webhook_id: String,
    plugin: Candidate,
}

#[derive(Deserialize)]
struct Candidate {
    name: String,
    version: String,
    config: Value,
}

#[derive(Deserialize)]
struct Webhook {
    id: String,
    name: String,
    url: String,
    plugin: Option<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    config: Value,
    #[serde(default)]
    secrets: Value,
}

impl Webhook {
    async fn find(viewer: &Viewer, id: &str) -> Answer<Self> {
        viewer.client.get(&format!("/webhooks/{}", segment(id))).await
    }

    fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }

    fn path(&self) -> String {
        format!("/webhooks/{}", segment(&self.id))
    }

    /// Whether it has a secret of this name.
    fn has_secret(&self, name: &str) -> bool {
        match self.plugin.as_ref().map(|plugin| &plugin.secrets) {
            Some(Value::Object(secrets)) => secrets.contains_key(name),
            Some(Value::Array(names)) => names.iter().any(|known| known == name),
            _ => false,
        }
    }
}

#[derive(Template)]
#[template(path = "backtests/form.html")]
struct FormPage {
    page: Page,
    form: Form,
    action: String,
    fields: Vec<Field>,
    /// How many events it would be about.
    count: Option<String>,
}

async fn form_page(viewer: &Viewer, webhook: &Webhook, form: Form, count: Option<String>) -> Answer<Response> {
    let versions: Items<Version> = viewer.client.get("/plugins?limit=200").await?;
    let ready = versions.items.iter().filter(|version| version.status == "ready");
    let choices = ready.map(|version| {
        let words = format!("{} {}", version.name, version.version);
        (words.clone(), words)
    });
    let fields = vec![
        Field::choice("/plugin/version", "Version to try", choices).of(&form),
        Field::text("/plugin/config", "Configuration to try", 12)
            .mono()
            .deep()
            .help("JSON, as the plugin gets it.")
            .of(&form),
        Field::typed("/last", "At most so many events, newest first", "number").of(&form),
        Field::line("/types", "Only events of these types")
            .mono()
            .deep()
            .help("With commas between them; empty: all.")
            .of(&form),
    ];
    let page = FormPage {
        page: Page::new(viewer, Section::Webhooks, "Backtest")
            .below("/webhooks", "Webhooks")
            .below(webhook.path(), webhook.title()),
        action: format!("{}/backtest", webhook.path()),
        fields,
        count,
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

/// The form: a version and a configuration, by default the webhook's own.
pub(super) async fn new(viewer: Viewer, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer<Response> {
    let webhook = Webhook::find(&viewer, &id).await?;
    let query = Query::parse(query.as_deref());
    let mut form = Form::default();
    let own = webhook.plugin.as_ref();
    let version = query.get("version").map(str::to_owned);
    let version = version.or_else(|| own.map(|plugin| format!("{} {}", plugin.name, plugin.version)));
    form.set("/plugin/version", version.unwrap_or_default());
    let config = own.map_or_else(|| json!({}), |plugin| plugin.config.clone());
    form.set("/plugin/config", serde_json::to_string_pretty(&config).unwrap_or_default());
    form.set("/last", LAST);
    form_page(&viewer, &webhook, form, None).await
}

fn body(form: &Form) -> Answer<Value> {
    let version = form.filled("/plugin/version").unwrap_or_default();
    let (name, version) = version.split_once(' ').unwrap_or((version, ""));
    let config: Value = serde_json::from_str(form.filled("/plugin/config").unwrap_or("{}"))
        .map_err(|error| Problem::field("/plugin/config", format!("is not JSON: {error}")))?;
    let types = form.filled("/types").unwrap_or_default().split([',', '\n', ' ']).filter(|text| !text.is_empty());
    let mut body = json!({
        "plugin": { "name": name, "version": version, "config": config },
        "types": types.collect::<Vec<_>>(),
    });
    if form.filled("/last").is_some() {
        body["last"] = form.number_or_null("/last");
    }
    Ok(body)
}

/// Says how many events it would be about, or begins.
pub(super) async fn begin(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let webhook = Webhook::find(&viewer, &id).await?;
    let counts = form.get("do") == Some("count");
    let asked = async {
        let mut body = body(&form)?;
        body["dry_run"] = counts.into();
        viewer.client.post(&format!("/webhooks/{}/backtest", segment(&id)), &body).await
    };
    match asked.await {
        Ok(reply) if counts => {
            let events = reply.body["events"].as_u64().unwrap_or_default();
            let more = if reply.body["complete"] == false { "more than " } else { "" };
            let count = format!("It would be about {more}{events} events. Nothing is sent.");
            form_page(&viewer, &webhook, form, Some(count)).await
        }
        Ok(reply) => {
            Ok(done(&format!("/jobs/{}", segment(reply.text("/id"))), "The backtest has begun. Nothing is sent."))
        }
        Err(refusal) => form_page(&viewer, &webhook, form.refused(refusal.about_the_form()?), None).await,
    }
}

/// An event, and what has become different for it.
#[derive(Deserialize)]
struct ResultItem {
    delivery_id: String,
    event_id: String,
    event_type: String,
    outcome: String,
    was: Option<Value>,
    now: Option<Value>,
    #[serde(default)]
    differences: Vec<Difference>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    not_recorded: Vec<String>,
}

struct Line {
    delivery_id: String,
    event_id: String,
    event_type: String,
    outcome: Status,
    was: String,
    now: String,
    changes: Changes,
    not_recorded: Vec<String>,
}

/// An outcome in short, in words.
fn summary(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    if let Some(count) = value["requests"].as_u64() {
        return if count == 1 { "1 request".to_owned() } else { format!("{count} requests") };
    }
    if let Some(reason) = value["skipped"].as_str() {
        return format!("skipped: {reason}");
    }
    format!("fails: {}", value["failed"]["message"].as_str().unwrap_or_default())
}

fn outcome(word: &str) -> Status {
    let (tone, words) = match word {
        "same" => (Tone::Quiet, "the same"),
        "changed" => (Tone::Busy, "changed"),
        "skipped" => (Tone::Warn, "newly skipped"),
        "failed" => (Tone::Bad, "still failing"),
        "newly_failing" => (Tone::Bad, "newly failing"),
        "mended" => (Tone::Good, "mended"),
        other => (Tone::Quiet, other),
    };
    Status::new(tone, words)
}

impl Line {
    fn new(item: ResultItem) -> Self {
        Self {
            outcome: outcome(&item.outcome),
            was: summary(item.was.as_ref()),
            now: summary(item.now.as_ref()),
            changes: Changes::new(item.differences, item.truncated, ("Then", "Now")),
            delivery_id: item.delivery_id,
            event_id: item.event_id,
            event_type: item.event_type,
            not_recorded: item.not_recorded,
        }
    }
}

/// How many events came to one thing, and where they are listed.
#[expect(clippy::struct_field_names, reason = "it is shown with the others of its kind")]
struct Count {
    status: Status,
    count: u64,
    path: String,
    is_shown: bool,
}

/// What a backtest came to, as a part of its job's page.
#[derive(Template)]
#[template(path = "backtests/results.html")]
pub(super) struct Results {
    csrf: String,
    job: String,
    candidate: String,
    config: Changes,
    webhook: String,
    webhook_path: String,
    counts: Vec<Count>,
    lines: Vec<Line>,
    pager: Pager,
    sees_payloads: bool,
    is_forgotten: bool,
    form: Form,
    /// Of secrets that the webhook does not have yet; none where nothing can be promoted.
    promote: Option<Vec<Field>>,
    newly_failing: u64,
}

impl askama::filters::HtmlSafe for Results {}

impl Results {
    /// None where the job is no backtest.
    pub(super) async fn load(viewer: &Viewer, id: &str, query: &Query, form: Form) -> Answer<Option<Self>> {
        let job: Job = viewer.client.get(&format!("/jobs/{}", segment(id))).await?;
        let Some(backtest) = &job.backtest else { return Ok(None) };
        let path = format!("/jobs/{}", segment(&job.id));
        let webhook = Webhook::find(viewer, &backtest.webhook_id).await?;
        let items = if viewer.sees_payloads() {
            viewer.client.get::<Items<ResultItem>>(&query.at(&format!("{path}/results"))).await?
        } else {
            Items { items: Vec::new(), next_cursor: None }
        };
        let known = job.results.clone().unwrap_or_default();
        let count = |word: &'static str| Count {
            status: outcome(word),
            count: known.get(word).copied().unwrap_or_default(),
            path: query.without("cursor").with("outcome", word).at(&path),
            is_shown: query.get("outcome") == Some(word),
        };
        let Candidate { name, version, config } = &backtest.plugin;
        let before = webhook.plugin.as_ref().map_or_else(|| json!({}), |plugin| plugin.config.clone());
        let promote = if viewer.may(Permission::WebhooksWrite) && !job.is_open() {
            Some(promote_fields(viewer, &webhook, &backtest.plugin, &job, &form).await?)
        } else {
            None
        };
        Ok(Some(Self {
            csrf: viewer.me.csrf_token.clone(),
            job: path.clone(),
            candidate: format!("{name} {version}"),
            config: Changes::between(&before, config, ("The webhook's now", "Tried")),
            webhook: webhook.title().to_owned(),
            webhook_path: webhook.path(),
            counts: ["newly_failing", "changed", "skipped", "mended", "failed", "same"].map(count).into(),
            pager: Pager::new(&path, query, items.next_cursor.as_deref()),
            lines: items.items.into_iter().map(Line::new).collect(),
            sees_payloads: viewer.sees_payloads(),
            is_forgotten: job.results.is_none() && !job.is_open(),
            newly_failing: known.get("newly_failing").copied().unwrap_or_default(),
            promote,
            form,
        }))
    }
}

/// What has to be said before a candidate is taken over.
async fn promote_fields(
    viewer: &Viewer,
    webhook: &Webhook,
    candidate: &Candidate,
    job: &Job,
    form: &Form,
) -> Answer<Vec<Field>> {
    let mut fields = Vec::new();
    if viewer.may(Permission::PluginsRead) {
        let path = format!("/plugins/{}/versions/{}", segment(&candidate.name), segment(&candidate.version));
        // It may have been deleted meanwhile; then promoting says so.
        let version = viewer.client.get::<Version>(&path).await.ok();
        let wanted = version.and_then(|version| version.manifest).map(|manifest| manifest.secrets).unwrap_or_default();
        for (name, secret) in wanted {
            if !webhook.has_secret(&name) {
                let field = Field::secret(&format!("/secrets/{name}"), &format!("Secret {name}"), false);
                fields.push(field.help(secret.description).of(form));
            }
        }
    }
    if job.state != "succeeded" || form.problem.is_some() {
        let force = Field::tick("/force", "Promote all the same");
        fields.push(
            force.help("Although the backtest did not come to its end, or the webhook was changed since.").of(form),
        );
    }
    Ok(fields)
}

/// Has the webhook take over what was tried.
pub(super) async fn promote(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let secrets: Map<String, Value> = form
        .fields()
        .filter_map(|(name, value)| Some((name.strip_prefix("/secrets/")?.to_owned(), value)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.into()))
        .collect();
    let body = json!({ "secrets": secrets, "force": form.is_ticked("/force") });
    match viewer.client.post(&format!("/jobs/{}/promote", segment(&id)), &body).await {
        Ok(reply) => {
            let parked = reply.body["parked"].as_u64().unwrap_or_default();
            let then = match parked {
                0 => String::new(),
                1 => " One parked delivery can be reprocessed now.".to_owned(),
                parked => format!(" {parked} parked deliveries can be reprocessed now."),
            };
            let to = format!("/webhooks/{}", segment(reply.text("/webhook/id")));
            Ok(done(&to, format!("The webhook has taken over what was tried.{then}")))
        }
        Err(refusal) => {
            let form = form.refused(refusal.about_the_form()?);
            jobs::page(&viewer, &id, &Query::default(), form).await
        }
    }
}

//! The first page: what needs somebody, then how things go.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use super::chart::{Bar, Chart};
use super::client::segment;
use super::page::{Items, Page, Section, shown};
use super::parts::{Icon, When, cpu_time, lasting};
use super::query::Query;
use super::refusal::Answer;
use super::time;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// Webhooks and plugins that are shown.
const SHOWN: usize = 8;
/// From here on the API counts no further.
const COUNTED_MAX: u64 = 1000;

#[derive(Debug, Deserialize)]
struct Overview {
    since: Millis,
    counted_since: Millis,
    complete: bool,
    attention: Attention,
    counts: Counts,
    buckets: Vec<Bucket>,
    latency_ms: Quantiles,
    webhooks: Vec<WebhookShare>,
    plugins: Vec<PluginShare>,
}

#[derive(Debug, Deserialize)]
struct Attention {
    failed: u64,
    parked: u64,
    held: u64,
    retrying: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Counts {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) open: u64,
    pub(super) unsent: u64,
}

impl Counts {
    pub(super) const fn all(&self) -> u64 {
        self.succeeded + self.failed + self.open + self.unsent
    }

    /// Of those that were tried to their end, the share that arrived.
    pub(super) fn rate(&self) -> Option<String> {
        let ended = self.succeeded + self.failed;
        // Never rounded up to all.
        let tenths = (self.succeeded * 1000).checked_div(ended)?;
        Some(if tenths % 10 == 0 { format!("{} %", tenths / 10) } else { format!("{}.{} %", tenths / 10, tenths % 10) })
    }
}

#[derive(Debug, Deserialize)]
struct Bucket {
    since: Millis,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Quantiles {
    count: u64,
    p50: u64,
    p95: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct WebhookShare {
    pub(super) webhook_id: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    latency_ms: Quantiles,
    pub(super) last_at: Millis,
}

#[derive(Debug, Deserialize)]
struct PluginShare {
    name: String,
    version: String,
    failed: u64,
    cpu_us: Quantiles,
}

#[derive(Debug, Deserialize)]
struct Webhook {
    id: String,
    name: String,
    url: String,
    enabled: bool,
    disabled_reason: Option<String>,
    plugin: Option<Plugin>,
}

#[derive(Debug, Deserialize)]
struct Plugin {
    name: String,
    version: String,
    paused: Option<Value>,
}

/// One thing that somebody should look at.
struct Need {
    icon: Icon,
    text: String,
    path: String,
    action: &'static str,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    spans: Vec<(String, &'static str, bool)>,
    needs: Vec<Need>,
    overview: Overview,
    names: BTreeMap<String, String>,
    has_webhooks: bool,
    may_write: bool,
    may_send: bool,
    chart: Chart,
}

impl OverviewPage {
    fn name(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| "deleted webhook".to_owned())
    }

    /// The log with this state since the beginning of what is shown.
    fn log(&self, status: &str) -> String {
        log(status, self.overview.since)
    }

    /// Webhooks, those first where deliveries take longest.
    fn slowest(&self) -> Vec<&WebhookShare> {
        let mut all: Vec<&WebhookShare> = self.overview.webhooks.iter().collect();
        all.sort_by_key(|share| std::cmp::Reverse(share.latency_ms.p95));
        all.truncate(SHOWN);
        all
    }
}

fn log(status: &str, since: Millis) -> String {
    let query = Query::default().with("since", &time::field(since));
    let query = if status.is_empty() { query } else { query.with("status", status) };
    query.at("/deliveries")
}

fn at_least(count: u64) -> String {
    if count >= COUNTED_MAX { format!("{count} or more") } else { count.to_string() }
}

fn deliveries(count: u64) -> String {
    format!("{} {}", at_least(count), if count == 1 { "delivery" } else { "deliveries" })
}

fn needs(webhooks: &[Webhook], overview: &Overview) -> Vec<Need> {
    let mut needs = Vec::new();
    for webhook in webhooks
        .iter()
        .filter(|webhook| !webhook.enabled && webhook.disabled_reason.as_deref() != Some("disabled by hand"))
    {
        let reason = webhook.disabled_reason.as_deref().unwrap_or_default();
        let text = format!("{} was disabled: {reason}", webhook.title());
        needs.push(Need { icon: Icon("cross"), text, path: format!("/webhooks/{}", webhook.id), action: "Look at it" });
    }
    let mut paused: Vec<(&str, &str)> = webhooks
        .iter()
        .filter_map(|webhook| webhook.plugin.as_ref().filter(|plugin| plugin.paused.is_some()))
        .map(|plugin| (plugin.name.as_str(), plugin.version.as_str()))
        .collect();
    paused.sort_unstable();
    paused.dedup();
    for (name, version) in paused {
        let text = format!("The plugin {name} {version} is paused, since it keeps failing; deliveries wait for it");
        let path = format!("/plugins/{}/versions/{}", segment(name), segment(version));
        needs.push(Need { icon: Icon("alert"), text, path, action: "Look at it" });
    }
    let Attention { failed, parked, held, retrying } = overview.attention;
    let of = |status: &str| log(status, overview.since);
    if parked > 0 {
        let text = format!("{} parked, since a plugin failed", deliveries(parked));
        needs.push(Need { icon: Icon("alert"), text, path: of("parked"), action: "Show them" });
    }
    if held > 0 {
        let text = format!("{} of which nobody knows whether they arrived", deliveries(held));
        needs.push(Need { icon: Icon("alert"), text, path: of("held"), action: "Decide" });
    }
    if failed > 0 {
        let text = format!("{} failed and not sent again by themselves", deliveries(failed));
        needs.push(Need { icon: Icon("cross"), text, path: of("failed"), action: "Show them" });
    }
    if retrying > 0 {
        let text = format!("{} being tried again", deliveries(retrying));
        needs.push(Need { icon: Icon("wait"), text, path: of("retrying"), action: "Show them" });
    }
    needs
}

impl Webhook {
    fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }
}

fn chart(overview: &Overview) -> Chart {
    let bar = |bucket: &Bucket| {
        let Counts { succeeded, failed, open, unsent } = bucket.counts;
        let from = When::new(bucket.since, bucket.since).exact();
        let words = format!(
            "from {}: {succeeded} arrived, {failed} failed, {open} open, {unsent} not sent on purpose",
            &from[..16]
        );
        Bar {
            parts: vec![("good", succeeded), ("busy", open), ("quiet", unsent), ("bad", failed)],
            words,
            label: from[11..16].to_owned(),
        }
    };
    Chart::new("Deliveries over time, by state", overview.buckets.iter().map(bar).collect())
}

/// All of it.
pub(super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    if !viewer.may(Permission::DeliveriesRead) {
        return Ok(
            Redirect::to(if viewer.may(Permission::WebhooksRead) { "/webhooks" } else { "/account" }).into_response()
        );
    }
    let query = Query::parse(query.as_deref());
    let hours = query.get("hours").and_then(|hours| hours.parse().ok()).unwrap_or(24_u64).clamp(1, 744);
    let overview: Overview = viewer.client.get(&format!("/overview?hours={hours}")).await?;
    let webhooks = if viewer.may(Permission::WebhooksRead) {
        viewer.client.get::<Items<Webhook>>("/webhooks?limit=200").await?.items
    } else {
        Vec::new()
    };
    let spans = [(1, "Hour"), (24, "Day"), (168, "Week"), (744, "Month")];
    Ok(shown(&OverviewPage {
        page: Page::new(&viewer, Section::Overview, "Overview"),
        spans: spans.into_iter().map(|(of, words)| (format!("/?hours={of}"), words, of == hours)).collect(),
        needs: needs(&webhooks, &overview),
        names: webhooks.iter().map(|webhook| (webhook.id.clone(), webhook.title().to_owned())).collect(),
        has_webhooks: !webhooks.is_empty(),
        may_write: viewer.may(Permission::WebhooksWrite),
        may_send: viewer.may(Permission::EventsPublish),
        chart: chart(&overview),
        overview,
    }))
}

//! The log of deliveries. Its filters stand in the URL.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;

use super::super::delivery::Summary;
use super::super::field::Field;
use super::super::form::Form;
use super::super::page::{Items, Page, Pager, Section, shown_as};
use super::super::parts::Status;
use super::super::query::Query;
use super::super::refusal::{Answer, Problem};
use super::super::time;
use super::super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::permission::Permission;

/// What the log is filtered by, as the API calls it.
pub(super) const FILTERS: [&str; 11] = [
    "status",
    "webhook_id",
    "event_type",
    "event_id",
    "status_code",
    "plugin",
    "plugin_version",
    "trigger",
    "since",
    "until",
    "q",
];

/// A webhook, by name.
#[derive(Debug, Deserialize)]
pub(in super::super) struct Named {
    pub(in super::super) id: String,
    name: String,
    url: String,
    pub(in super::super) enabled: bool,
}

impl Named {
    pub(in super::super) fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }
}

#[derive(Template)]
#[template(path = "deliveries/list.html")]
struct ListPage {
    page: Page,
    form: Form,
    fields: Vec<Field>,
    more: Vec<Field>,
    has_more: bool,
    presets: Vec<(String, &'static str, bool)>,
    states: Vec<(String, Status, bool)>,
    deliveries: Vec<Summary>,
    names: BTreeMap<String, String>,
    pager: Pager,
    query: Query,
    is_filtered: bool,
    may_retry: bool,
    may_send: bool,
    export: String,
}

impl ListPage {
    fn webhook(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| "deleted webhook".to_owned())
    }
}

/// The project's webhooks, by id.
pub(in super::super) async fn webhooks(viewer: &Viewer) -> Answer<Vec<Named>> {
    if !viewer.may(Permission::WebhooksRead) {
        return Ok(Vec::new());
    }
    Ok(viewer.client.get::<Items<Named>>("/webhooks?limit=200").await?.items)
}

/// Filters as the API takes them: times of browsers are told in full.
pub(super) fn of_api(query: &Query) -> Query {
    ["since", "until"].into_iter().fold(query.clone(), |query, name| match query.get(name).map(time::read) {
        Some(at) => query.with(name, at.as_str().unwrap_or_default()),
        None => query,
    })
}

/// The list.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let all = Query::parse(query.as_deref());
    let query = all.only(&FILTERS);
    let asked = match all.get("cursor") {
        Some(cursor) => of_api(&query).with("cursor", cursor),
        None => of_api(&query),
    };
    let mut form = Form::default();
    for (name, value) in query.pairs() {
        form.set(format!("/{name}"), value);
    }
    let (deliveries, form) = match viewer.client.get::<Items<Summary>>(&asked.at("/deliveries")).await {
        Ok(deliveries) => (deliveries, form),
        Err(refusal) => (Items { items: Vec::new(), next_cursor: None }, form.refused(refusal.about_the_form()?)),
    };
    let webhooks = webhooks(&viewer).await?;
    let page = page(&viewer, form, query, &webhooks, deliveries);
    Ok(shown_as(page.form.status(), &page))
}

fn page(viewer: &Viewer, form: Form, query: Query, webhooks: &[Named], deliveries: Items<Summary>) -> ListPage {
    let none = |words: &str| (String::new(), words.to_owned());
    let statuses = DeliveryStatus::ALL.iter().map(|status| (status.to_string(), status.to_string()));
    let named = webhooks.iter().map(|webhook| (webhook.id.clone(), webhook.title().to_owned()));
    let triggers = Trigger::ALL.iter().map(|trigger| (trigger.to_string(), trigger.to_string()));
    // A field's name in a URL is the parameter's.
    let fields = vec![
        Field::choice("/status", "Status", std::iter::once(none("any")).chain(statuses)),
        Field::choice("/webhook_id", "Webhook", std::iter::once(none("any")).chain(named)),
        Field::line("/event_type", "Type of event").mono(),
        Field::line("/status_code", "Answered").mono().example("503"),
    ];
    let mut more = vec![
        Field::choice("/trigger", "Because of", std::iter::once(none("anything")).chain(triggers)),
        Field::line("/plugin", "Plugin"),
        Field::line("/plugin_version", "Its version"),
        Field::typed("/since", "Made since (UTC)", "datetime-local"),
        Field::typed("/until", "Made before (UTC)", "datetime-local"),
        Field::line("/event_id", "Event").mono(),
    ];
    if viewer.sees_payloads() {
        more.push(
            Field::line("/q", "Text in payload or answer")
                .help("Wants a time since when; looks at the newest thousand.")
                .mono(),
        );
    }
    let finish = |fields: Vec<Field>| fields.into_iter().map(|field| field.of(&form).in_url()).collect::<Vec<_>>();
    let presets = [("", "Any time"), ("1", "Last hour"), ("24", "Last day"), ("168", "Last week")];
    let presets = presets.into_iter().map(|(hours, words)| {
        let since =
            hours.parse::<u64>().ok().map(|hours| Millis(viewer.now.0.saturating_sub_unsigned(hours * 3_600_000)));
        let bare = query.without("since").without("until");
        let path = since
            .map_or_else(|| bare.at("/deliveries"), |since| bare.with("since", &time::field(since)).at("/deliveries"));
        (path, words, hours.is_empty() && query.get("since").is_none())
    });
    let states =
        ["failed", "parked", "held", "retrying", "pending", "skipped", "succeeded"].into_iter().map(|status| {
            let path = query.with("status", status).at("/deliveries");
            (path, Status::of(status), query.get("status") == Some(status))
        });
    let more_names = ["trigger", "plugin", "plugin_version", "since", "until", "event_id", "q"];
    ListPage {
        page: Page::new(viewer, Section::Deliveries, "Deliveries"),
        fields: finish(fields),
        more: finish(more),
        has_more: more_names.iter().any(|name| query.get(name).is_some()),
        presets: presets.collect(),
        states: states.collect(),
        pager: Pager::new("/deliveries", &query, deliveries.next_cursor.as_deref()),
        deliveries: deliveries.items,
        names: webhooks.iter().map(|webhook| (webhook.id.clone(), webhook.title().to_owned())).collect(),
        is_filtered: !query.is_empty(),
        may_retry: viewer.may(Permission::DeliveriesRetry),
        may_send: viewer.may(Permission::EventsPublish),
        export: query.at("/deliveries/export"),
        query,
        form,
    }
}

/// A refusal that stands above the list.
pub(super) fn told(problem: &Problem) -> String {
    problem.errors.first().map_or_else(
        || problem.detail.clone(),
        |error| format!("{}: {}", error.pointer.trim_start_matches('/'), error.detail),
    )
}

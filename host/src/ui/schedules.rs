//! Schedules: events that are emitted at certain times, which stand here in words and with their next runs.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::Confirm;
use super::page::{Items, Page, Pager, Section, shown, shown_as};
use super::parts::{Id, Status, Tone, When};
use super::posted::Posted;
use super::query::Query;
use super::refusal::{Answer, Problem};
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Deserialize)]
struct Schedule {
    id: String,
    name: String,
    description: Option<String>,
    cron: String,
    time_zone: String,
    words: String,
    event_type: String,
    subject: Option<String>,
    payload: Option<Value>,
    missed: String,
    enabled: bool,
    next_runs: Vec<Run>,
    last_run: Option<LastRun>,
    last_skipped_at: Option<Millis>,
}

#[derive(Deserialize)]
struct Run {
    at: Millis,
    local: String,
}

#[derive(Deserialize)]
struct LastRun {
    ran_at: Millis,
    event_id: String,
}

impl Schedule {
    fn title(&self) -> &str {
        if self.name.is_empty() { &self.words } else { &self.name }
    }

    fn status(&self) -> Status {
        if self.enabled { Status::of("active") } else { Status::new(Tone::Quiet, "disabled") }
    }

    fn path(&self) -> String {
        format!("/schedules/{}", segment(&self.id))
    }
}

/// A run as a page shows it: how long until then, and what clocks say there.
struct Time {
    when: When,
    local: String,
}

impl Time {
    fn all(runs: &[Run], now: Millis) -> Vec<Self> {
        runs.iter().map(|run| Self { when: When::new(run.at, now), local: run.local.clone() }).collect()
    }
}

struct Line {
    schedule: Schedule,
    next: Option<Time>,
    last: Option<When>,
}

#[derive(Template)]
#[template(path = "schedules/list.html")]
struct ListPage {
    page: Page,
    lines: Vec<Line>,
    pager: Pager,
    may_write: bool,
}

/// The list.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    let schedules: Items<Schedule> = viewer.client.get(&query.at("/schedules")).await?;
    let line = |schedule: Schedule| Line {
        next: Time::all(&schedule.next_runs, viewer.now).into_iter().next(),
        last: schedule.last_run.as_ref().map(|run| When::new(run.ran_at, viewer.now)),
        schedule,
    };
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Schedules, "Schedules"),
        pager: Pager::new("/schedules", &query, schedules.next_cursor.as_deref()),
        lines: schedules.items.into_iter().map(line).collect(),
        may_write: viewer.may(Permission::SchedulesWrite),
    }))
}

#[derive(Template)]
#[template(path = "schedules/one.html")]
struct OnePage {
    page: Page,
    id: Id,
    path: String,
    times: Vec<Time>,
    last: Option<(When, String)>,
    skipped: Option<When>,
    payload: Option<String>,
    schedule: Schedule,
    may_write: bool,
}

async fn find(viewer: &Viewer, id: &str) -> Answer<Schedule> {
    viewer.client.get(&format!("/schedules/{}", segment(id))).await
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let schedule = find(&viewer, &id).await?;
    let when = |at: Millis| When::new(at, viewer.now);
    Ok(shown(&OnePage {
        page: Page::new(&viewer, Section::Schedules, schedule.title()).below("/schedules", "Schedules"),
        id: Id::new(&schedule.id),
        path: schedule.path(),
        times: Time::all(&schedule.next_runs, viewer.now),
        last: schedule.last_run.as_ref().map(|run| (when(run.ran_at), run.event_id.clone())),
        skipped: schedule.last_skipped_at.map(when),
        payload: schedule.payload.as_ref().map(|payload| serde_json::to_string_pretty(payload).unwrap_or_default()),
        may_write: viewer.may(Permission::SchedulesWrite),
        schedule,
    }))
}

/// What an expression says, as the API tells it.
#[derive(Deserialize)]
struct Preview {
    words: String,
    next_runs: Vec<Run>,
}

#[derive(Template)]
#[template(path = "schedules/form.html")]
struct FormPage {
    page: Page,
    form: Form,
    action: String,
    top: Vec<Field>,
    fields: Vec<Field>,
    words: String,
    times: Vec<Time>,
    is_new: bool,
    back: String,
}

async fn form_page(viewer: &Viewer, form: Form, of: Option<&Schedule>) -> Answer<Response> {
    let asked = json!({ "cron": form.filled("/cron").unwrap_or_default(), "time_zone": zone(&form) });
    let preview = match form.filled("/cron") {
        None => None,
        // What is wrong with it stands at its field.
        Some(_) => viewer
            .client
            .post("/schedules/preview", &asked)
            .await
            .ok()
            .map(super::client::Reply::read::<Preview>)
            .transpose()?,
    };
    let (words, runs) =
        preview.map_or_else(|| (String::new(), Vec::new()), |preview| (preview.words, preview.next_runs));
    let back = of.map_or_else(|| "/schedules".to_owned(), Schedule::path);
    let title = of.map_or_else(|| "New schedule".to_owned(), |schedule| format!("Change {}", schedule.title()));
    let page = FormPage {
        page: Page::new(viewer, Section::Schedules, title).below("/schedules", "Schedules"),
        action: of.map_or_else(|| "/schedules/new".to_owned(), |schedule| format!("{}/edit", schedule.path())),
        top: vec![
            Field::line("/cron", "When")
                .mono()
                .needed()
                .live("words", "runs")
                .example("0 9 * * MON-FRI")
                .help("A cron expression: minute, hour, day of the month, month, day of the week.")
                .of(&form),
            Field::line("/time_zone", "Time zone")
                .mono()
                .live("words", "runs")
                .example("Europe/Berlin")
                .help("Empty: UTC.")
                .of(&form),
        ],
        fields: vec![
            Field::line("/name", "Name").of(&form),
            Field::line("/event_type", "Event type").mono().needed().of(&form),
            Field::line("/subject", "Subject").mono().of(&form),
            Field::text("/payload", "Payload", 8).mono().deep().help("JSON; empty: an empty object.").of(&form),
            Field::choice(
                "/missed",
                "When the server was away at that time",
                [("run_once", "one run makes up for all that were missed"), ("skip", "what was missed is skipped")],
            )
            .of(&form),
            Field::line("/description", "Description").of(&form),
            Field::tick("/enabled", "It runs").of(&form),
        ],
        times: Time::all(&runs, viewer.now),
        is_new: of.is_none(),
        words,
        back,
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

fn zone(form: &Form) -> &str {
    form.filled("/time_zone").unwrap_or("UTC")
}

/// The form of a new one.
pub(super) async fn new(viewer: Viewer) -> Answer<Response> {
    viewer.needs(Permission::SchedulesWrite)?;
    let mut form = Form::default();
    form.set("/enabled", "true");
    form_page(&viewer, form, None).await
}

fn body(form: &Form) -> Answer<Value> {
    let payload = match form.filled("/payload") {
        None => json!({}),
        Some(text) => {
            serde_json::from_str(text).map_err(|error| Problem::field("/payload", format!("is not JSON: {error}")))?
        }
    };
    Ok(json!({
        "name": form.filled("/name").unwrap_or_default(),
        "description": form.text_or_null("/description"),
        "cron": form.filled("/cron").unwrap_or_default(),
        "time_zone": zone(form),
        "event_type": form.filled("/event_type").unwrap_or_default(),
        "subject": form.text_or_null("/subject"),
        "payload": payload,
        "missed": form.filled("/missed").unwrap_or("run_once"),
        "enabled": form.is_ticked("/enabled"),
    }))
}

/// Whether the form only asks what its expression says.
fn asks(form: &Form) -> bool {
    form.get("do") == Some("words")
}

/// What is wrong with the expression alone.
async fn looked_at(viewer: &Viewer, form: Form, of: Option<&Schedule>) -> Answer<Response> {
    let asked = json!({ "cron": form.filled("/cron").unwrap_or_default(), "time_zone": zone(&form) });
    let form = match viewer.client.post("/schedules/preview", &asked).await {
        Ok(_) => form,
        Err(refusal) => form.refused(refusal.about_the_form()?),
    };
    form_page(viewer, form, of).await
}

/// Makes one, or says what its expression says.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    if asks(&form) {
        return looked_at(&viewer, form, None).await;
    }
    let made = async { viewer.client.post("/schedules", &body(&form)?).await };
    match made.await {
        Ok(reply) => Ok(done(&format!("/schedules/{}", segment(reply.text("/id"))), "The schedule is made.")),
        Err(refusal) => form_page(&viewer, form.refused(refusal.about_the_form()?), None).await,
    }
}

/// The form of one that there is.
pub(super) async fn edit(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let schedule = find(&viewer, &id).await?;
    let mut form = Form::default();
    for (name, value) in [
        ("/name", Some(schedule.name.clone())),
        ("/description", schedule.description.clone()),
        ("/cron", Some(schedule.cron.clone())),
        ("/time_zone", Some(schedule.time_zone.clone())),
        ("/event_type", Some(schedule.event_type.clone())),
        ("/subject", schedule.subject.clone()),
        (
            "/payload",
            schedule.payload.as_ref().map(|payload| serde_json::to_string_pretty(payload).unwrap_or_default()),
        ),
        ("/missed", Some(schedule.missed.clone())),
        ("/enabled", Some(schedule.enabled.to_string())),
    ] {
        form.set(name, value.unwrap_or_default());
    }
    form_page(&viewer, form, Some(&schedule)).await
}

/// Changes one.
pub(super) async fn change(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let schedule = find(&viewer, &id).await?;
    if asks(&form) {
        return looked_at(&viewer, form, Some(&schedule)).await;
    }
    let changed = async { viewer.client.patch(&schedule.path(), &body(&form)?).await };
    match changed.await {
        Ok(_) => Ok(done(&schedule.path(), "The schedule is changed.")),
        Err(refusal) => form_page(&viewer, form.refused(refusal.about_the_form()?), Some(&schedule)).await,
    }
}

/// Emits its event now.
pub(super) async fn run(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let reply = viewer.client.act(&format!("/schedules/{}/run", segment(&id))).await?;
    Ok(done(
        &format!("/events/{}", segment(reply.text("/event_id"))),
        "This is the event that was emitted. When the next one is due stays as it is.",
    ))
}

/// Asks whether it shall go.
pub(super) async fn ask(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let schedule = find(&viewer, &id).await?;
    let title = format!("Delete the schedule “{}”?", schedule.title());
    Ok(Confirm {
        page: Page::new(&viewer, Section::Schedules, title).below("/schedules", "Schedules"),
        effects: vec!["It emits nothing any more. Events that it has emitted stay.".to_owned()],
        form: Form::default(),
        action: format!("{}/delete", schedule.path()),
        words: "Delete the schedule",
        back: schedule.path(),
    }
    .shown())
}

/// Takes it away.
pub(super) async fn delete(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    viewer.client.delete(&format!("/schedules/{}", segment(&id))).await?;
    Ok(done("/schedules", "The schedule is deleted."))
}

//! Events that are sent anew: one to the webhooks that want it now, or to one webhook all that it missed.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::db::{Tx, again, reading};
use super::events::{EVENT_COLUMNS, EventRow};
use super::fan_out::unpacked;
use super::idempotency::{self, Used};
use super::jobs::{ClaimedJob, JobStep, advance, hold};
use super::remake::{Again, Remake, current, make};
use super::resend::{Acted, Chosen, lock, resend};
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError, nodes};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::event::{Event, Idempotency};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::job::JobState;
use crate::domain::recovery::{Past, Recovery, recovery};

/// An event to be sent anew.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The project.
    pub project: ProjectId,
    /// The event.
    pub event: EventId,
    /// What it is about.
    pub subject: Option<String>,
    /// The webhooks that want it.
    pub webhooks: Vec<WebhookId>,
    /// The revision of the webhooks by which that is known.
    pub matched_at: i64,
    /// What makes a repeated request the same.
    pub key: Option<Idempotency>,
    /// What new deliveries are made with.
    pub remake: Remake,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// These deliveries were made, now or by the same request before; these webhooks were left out, for a reason.
    Made(Vec<(DeliveryId, WebhookId)>, Vec<(WebhookId, String)>),
    /// A webhook has changed since it was matched: nothing was made, and it must be matched again.
    Stale,
    /// The event was made for one webhook: by a test or by hand.
    OfOneWebhook,
    /// Its payload is no longer kept.
    NoLongerKept,
    /// The key was used for something else.
    KeyReused,
}

/// An event that a webhook wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The event.
    pub event: EventId,
    /// What it is about.
    pub subject: Option<String>,
}

/// What became of a step of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It was done; none when the lease has passed to somebody else, or the job was cancelled.
    Step(Option<JobStep>),
    /// A webhook has changed since the events were matched; nothing was done.
    Stale,
}

/// Whether webhooks have changed since this revision.
async fn is_stale(tx: &mut Tx, matched_at: i64) -> Result<bool, StoreError> {
    let rows: Vec<(i64,)> = tx.fetch("SELECT revision FROM subscriptions_revision", &[]).await?;
    Ok(rows.first().is_none_or(|(revision,)| *revision > matched_at))
}

/// Keeps others from sending these events anew until the transaction ends. Of each whose payload is kept the trigger of its
/// first delivery, if it has one.
async fn hold_events(tx: &mut Tx, events: &[EventId]) -> Result<HashMap<EventId, Option<Trigger>>, StoreError> {
    const SELECT: &str = "SELECT e.id, (SELECT d.trigger_kind FROM webhook_deliveries d WHERE d.event_id = e.id
        ORDER BY d.id LIMIT 1) FROM events e {join} WHERE e.id = {1} AND e.payload_removed_at IS NULL";
    const SELECT_LOCKED: &str = "SELECT e.id, (SELECT d.trigger_kind FROM webhook_deliveries d WHERE d.event_id = e.id
        ORDER BY d.id LIMIT 1) FROM events e {join} WHERE e.id = {1} AND e.payload_removed_at IS NULL
        ORDER BY e.id FOR UPDATE OF e";
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows: Vec<(Uuid, Option<String>)> =
        tx.fetch_rows(&Rows::of(select, events, |event| values![event.uuid()])).await?;
    Ok(rows
        .into_iter()
        .map(|(id, first)| (EventId::from_uuid(id), first.as_deref().and_then(Trigger::parse)))
        .collect())
}

/// Whether the event was made for one webhook only.
fn is_of_one_webhook(first: Option<Trigger>) -> bool {
    first.is_some_and(Trigger::is_by_hand)
}

/// The events of which deliveries to webhooks are still to be made, and to which; to all that want it where it names none.
async fn to_come(tx: &mut Tx, events: &[EventId]) -> Result<Vec<(EventId, Vec<WebhookId>)>, StoreError> {
    const SELECT: &str = "SELECT event_id, webhooks FROM fan_out_steps {join} WHERE event_id = {1}";
    let rows: Vec<(Uuid, Vec<u8>)> = tx.fetch_rows(&Rows::of(SELECT, events, |event| values![event.uuid()])).await?;
    let unreadable = |id: Uuid| StoreError::Corrupt { table: "fan_out_steps", column: "webhooks", id: id.to_string() };
    let step = |(id, webhooks): (Uuid, Vec<u8>)| {
        Ok((EventId::from_uuid(id), unpacked(&webhooks).ok_or_else(|| unreadable(id))?))
    };
    rows.into_iter().map(step).collect()
}

fn comes(to_come: &[(EventId, Vec<WebhookId>)], event: EventId, webhook: WebhookId) -> bool {
    let is_among = |webhooks: &[WebhookId]| webhooks.is_empty() || webhooks.contains(&webhook);
    to_come.iter().any(|(of, webhooks)| *of == event && is_among(webhooks))
}

impl Store {
    /// Makes new deliveries of a stored event: one for each of these webhooks that has none on its way.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, StoreError> {
        let (store, others_idle) = (self.clone(), self.others_idle());
        let act = async move |tx: &mut Tx| {
            let replayed = replayed(tx, &store, &replay).await?;
            if others_idle {
                nodes::notify(tx).await?;
            }
            Ok(replayed)
        };
        let replayed = again!({
            let act = act.clone();
            self.db.transact(move |tx| Box::pin(async move { act(tx).await })).await
        })?;
        self.release();
        Ok(replayed)
    }

    /// Events of all projects behind this id and before that one, oldest first. Without their payloads where nobody needs them.
    pub async fn events_between(
        &self,
        after: Uuid,
        before: Uuid,
        most: u32,
        with_payload: bool,
    ) -> Result<Vec<Event>, StoreError> {
        let columns = EVENT_COLUMNS.replace("e.payload", "CASE WHEN $4 THEN e.payload END AS payload");
        let sql = format!("SELECT {columns} FROM events e WHERE e.id > $1 AND e.id < $2 ORDER BY e.id LIMIT $3");
        let rows: Vec<EventRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(before)
            .bind(i64::from(most))
            .bind(with_payload)
            .fetch_all(pool)
            .await?);
        rows.into_iter().map(EventRow::into_event).collect()
    }

    /// Which of these events, that a webhook wants, did not get to it and would be sent now.
    pub async fn missed(
        &self,
        webhook: WebhookId,
        wanted: Vec<Wanted>,
        asked_at: Millis,
    ) -> Result<Vec<EventId>, StoreError> {
        let read = async move |tx: &mut Tx| {
            let decided = decide(tx, webhook, &wanted, asked_at).await?;
            Ok(decided.into_iter().map(|(wanted, _)| wanted.event).collect::<Vec<_>>())
        };
        self.db.transact(move |tx| Box::pin(async move { read(tx).await })).await
    }

    /// Does a step of a job that recovers: of these events, that the webhook wants, those that did not get to it are sent, in
    /// one transaction with the job's progress. `next` says behind which event to go on; none at the end.
    pub async fn recover_step(
        &self,
        job: &ClaimedJob,
        webhook: WebhookId,
        (wanted, matched_at): (Vec<Wanted>, i64),
        next: Option<Uuid>,
        remake: Remake,
    ) -> Result<Recovered, StoreError> {
        let job = job.clone();
        let others_idle = self.others_idle();
        let step = async move |tx: &mut Tx| {
            if !hold(tx, &job).await? {
                return Ok(Recovered::Step(None));
            }
            if is_stale(tx, matched_at).await? {
                return Ok(Recovered::Stale);
            }
            let step = recovered(tx, &job, webhook, &wanted, next, &remake).await?;
            advance(tx, &job, &step, remake.now).await?;
            if others_idle && step.done > 0 {
                nodes::notify(tx).await?;
            }
            Ok(Recovered::Step(Some(step)))
        };
        let recovered = again!({
            let step = step.clone();
            self.db.transact(move |tx| Box::pin(async move { step(tx).await })).await
        })?;
        self.release();
        Ok(recovered)
    }
}

async fn replayed(tx: &mut Tx, store: &Store, replay: &Replay) -> Result<Replayed, StoreError> {
    const MADE: &str = "SELECT id, webhook_id FROM webhook_deliveries
        WHERE event_id = $1 AND created_at = $2 AND trigger_kind = $3 ORDER BY id";
    const PAST: &str = "SELECT id, webhook_id, status FROM webhook_deliveries WHERE event_id = $1 ORDER BY id";
    let Replay { project, event, subject, webhooks, matched_at, key, remake } = replay;
    let id = event.uuid();
    let first = hold_events(tx, &[*event]).await?;
    match idempotency::used(tx, *key, remake.now).await? {
        // Those that were made together have one time.
        Some(Used::Same(made)) => {
            let at = DeliveryId::from_uuid(made).made_at().0;
            let rows: Vec<(Uuid, Uuid)> = tx.fetch(MADE, &values![id, at, Trigger::Reprocess.as_str()]).await?;
            let ids = |(id, webhook)| (DeliveryId::from_uuid(id), WebhookId::from_uuid(webhook));
            return Ok(Replayed::Made(rows.into_iter().map(ids).collect(), Vec::new()));
        }
        Some(Used::Otherwise) => return Ok(Replayed::KeyReused),
        None => {}
    }
    if first.is_empty() {
        return Ok(Replayed::NoLongerKept);
    }
    if first.values().any(|first| is_of_one_webhook(*first)) {
        return Ok(Replayed::OfOneWebhook);
    }
    if is_stale(tx, *matched_at).await? {
        return Ok(Replayed::Stale);
    }
    let to_come = to_come(tx, &[*event]).await?;
    let past: Vec<(Uuid, Uuid, String)> = tx.fetch(PAST, &values![id]).await?;
    let (mut now, mut left_out) = (Vec::new(), Vec::new());
    for webhook in webhooks {
        let of_webhook = || past.iter().filter(|(_, of, _)| *of == webhook.uuid());
        let is_open = |status: &str| DeliveryStatus::parse(status).is_some_and(DeliveryStatus::is_open);
        if let Some((open, ..)) = of_webhook().find(|(_, _, status)| is_open(status)) {
            left_out.push((*webhook, format!("{} is on its way", DeliveryId::from_uuid(*open))));
        } else if comes(&to_come, *event, *webhook) {
            left_out.push((*webhook, "its delivery is still being made".to_owned()));
        } else {
            match current(tx, *project, *webhook).await? {
                Ok(webhook) => now.push((webhook, of_webhook().next_back().map(|(id, ..)| DeliveryId::from_uuid(*id)))),
                Err(why) => left_out.push((*webhook, why.to_owned())),
            }
        }
    }
    let again = |(webhook, old)| Again { webhook, event: *event, subject: subject.as_deref(), old };
    let again: Vec<Again<'_>> = now.iter().map(|(webhook, old)| again((webhook, *old))).collect();
    let made = make(tx, &again, remake, remake.now).await?;
    if let Some(first) = made.first() {
        idempotency::keep(tx, *key, *project, first.uuid(), remake.now).await?;
        store.note(tx).await?;
    }
    let made = made.into_iter().zip(&now).map(|(id, (webhook, _))| (id, webhook.id)).collect();
    Ok(Replayed::Made(made, left_out))
}

/// What is done about each event that is to be sent, in their order. Nobody else decides about them until the transaction ends.
async fn decide(
    tx: &mut Tx,
    webhook: WebhookId,
    wanted: &[Wanted],
    asked_at: Millis,
) -> Result<Vec<(Wanted, Recovery)>, StoreError> {
    const PAST: &str = "SELECT d.event_id, d.id, d.status, d.settled_at, d.run IS NOT NULL, d.requests_succeeded
        FROM webhook_deliveries d {join} WHERE d.event_id = {1} AND d.webhook_id = {2}";
    let events: Vec<EventId> = wanted.iter().map(|wanted| wanted.event).collect();
    let first = hold_events(tx, &events).await?;
    // Before the deliveries: those of a step that ends meanwhile are among them then.
    let to_come = to_come(tx, &events).await?;
    let rows = Rows::of(PAST, &events, |event| values![event.uuid(), webhook.uuid()]);
    let rows: Vec<(Uuid, Uuid, String, Option<i64>, bool, i64)> = tx.fetch_rows(&rows).await?;
    let mut past: HashMap<EventId, Vec<Past>> = HashMap::new();
    for (event, id, status, settled_at, was_run, succeeded) in rows {
        let id = DeliveryId::from_uuid(id);
        let corrupt = || StoreError::Corrupt { table: "webhook_deliveries", column: "status", id: id.to_string() };
        let status = DeliveryStatus::parse(&status).ok_or_else(corrupt)?;
        let settled_at = settled_at.map(Millis);
        let one = Past { id, status, settled_at, was_run, arrived_in_part: succeeded > 0 };
        past.entry(EventId::from_uuid(event)).or_default().push(one);
    }
    for past in past.values_mut() {
        past.sort_unstable_by_key(|past| past.id);
    }
    let mut seen = HashSet::new();
    let decide = |wanted: &Wanted| {
        let event = wanted.event;
        let first = first.get(&event)?;
        if is_of_one_webhook(*first) || comes(&to_come, event, webhook) || !seen.insert(event) {
            return None;
        }
        let recovery = recovery(past.get(&event).map_or(&[], Vec::as_slice), asked_at);
        (recovery != Recovery::Leave).then(|| (wanted.clone(), recovery))
    };
    Ok(wanted.iter().filter_map(decide).collect())
}

async fn recovered(
    tx: &mut Tx,
    job: &ClaimedJob,
    webhook: WebhookId,
    wanted: &[Wanted],
    next: Option<Uuid>,
    remake: &Remake,
) -> Result<JobStep, StoreError> {
    let webhook = match current(tx, job.project, webhook).await? {
        Ok(webhook) => webhook,
        Err(why) => return Ok(JobStep::last(JobState::Failed, Some(why.to_owned()))),
    };
    let decided = decide(tx, webhook.id, wanted, job.created_at).await?;
    let (mut done, mut failed) = (0, 0);
    let mut again = Vec::new();
    for (wanted, recovery) in &decided {
        match recovery {
            Recovery::Make(old) => {
                let (event, subject) = (wanted.event, wanted.subject.as_deref());
                again.push(Again { webhook: &webhook, event, subject, old: *old });
            }
            Recovery::Resend(id) => {
                let Some(standing) = lock(tx, job.project, *id).await? else { continue };
                match resend(tx, &standing, &Chosen::default(), remake.now).await? {
                    Acted::Done(_) => done += 1,
                    _ => failed += 1,
                }
            }
            Recovery::Leave => {}
        }
    }
    // What a job makes is later than the job, so that no other one takes it for its own.
    done += make(tx, &again, remake, remake.now.max(job.created_at.plus(1))).await?.len() as u64;
    Ok(JobStep { done, failed, cursor: next, end: next.is_none().then_some((JobState::Succeeded, None)) })
}

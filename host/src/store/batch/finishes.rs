//! Results of attempts: the attempt is kept, the request and its delivery move on.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::deliveries::{TallyRow, hold_open, tally};
use super::super::record::{Finish, Finished, RequestEnd};
use super::super::rows::Rows;
use super::super::value::values;
use super::super::webhooks::note_change;
use super::facts;
use super::failures;
use super::late::{self, Late};
use super::order::Places;
use super::raise::raise;
use super::transforms;
use super::work::{self, Later};
use super::{Held, holds};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, ErrorClass, RequestStatus, Tally};
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, WebhookId};

/// Where a delivery stands after this batch.
struct Moved<'a> {
    tally: Tally,
    reason: Option<String>,
    now: Millis,
    /// How the plugin's run went, when its requests are new.
    run: Option<&'a str>,
}

impl Moved<'_> {
    fn status(&self) -> DeliveryStatus {
        self.tally.status(true)
    }
}

pub(super) async fn write(
    tx: &mut Tx,
    finishes: &[&Finish],
    held: &Held,
    places: &Places,
) -> Result<Vec<Finished>, StoreError> {
    if finishes.is_empty() {
        return Ok(Vec::new());
    }
    let is_held = |finish: &Finish| holds(held, finish.held(), finish.lease);
    let mut current: Vec<&Finish> = finishes.iter().copied().filter(|finish| is_held(finish)).collect();
    let frozen = current.iter().filter_map(|finish| finish.freeze.as_deref().map(|freeze| (freeze, Some(*finish))));
    let fixed = transforms::fix(tx, &frozen.collect::<Vec<_>>(), held, places).await?;
    let tried = |finish: &Finish| match &finish.freeze {
        Some(_) => fixed.get(&finish.request).copied().unwrap_or(0),
        None => held.get(&(finish.held(), finish.lease.token)).copied().unwrap_or(0),
    };
    let numbered: Vec<(&Finish, i64)> = current.iter().map(|finish| (*finish, tried(finish) + 1)).collect();
    let Late { new: late, known } = late::read(tx, finishes.iter().copied().filter(|finish| !is_held(finish))).await?;
    // What was fixed just now has its end already.
    let mut ends: Vec<&Finish> =
        numbered.iter().filter(|(finish, number)| needs_row(finish, *number)).map(|(finish, _)| *finish).collect();
    // A late success still closes its request when nobody else is sending it.
    let closing = unclaimed_successes(tx, &late).await?;
    current.extend(&closing);
    ends.extend(&closing);
    let ended: Vec<Uuid> = current.iter().filter(|finish| closes(finish)).map(|finish| finish.request.uuid()).collect();
    let later: Vec<Later> = current.iter().filter_map(|finish| retry(finish)).collect();
    work::end(tx, &ended).await?;
    work::later(tx, &later).await?;
    insert_attempts(tx, &numbered, false).await?;
    late::write(tx, &late).await?;
    facts::write(tx, numbered.iter().map(|(finish, _)| *finish), &late).await?;
    record_ends(tx, &ends).await?;
    let moved = move_deliveries(tx, &current, &is_held).await?;
    let noted = failures::write(tx, &current, |delivery| moved.get(&delivery).map(Moved::status)).await?;
    for finish in &current {
        if let Some(reason) = &finish.disable {
            let was_enabled = disable(tx, finish.webhook_id, reason, finish.now).await?;
            raise(tx, &finish.raise.as_deref().filter(|_| was_enabled).into_iter().collect::<Vec<_>>()).await?;
        }
    }
    raise(tx, &exhausted(&current, &moved)).await?;
    raise(tx, &noted.recovered).await?;
    let mut told = Vec::with_capacity(finishes.len());
    for finish in finishes {
        let delivery = match moved.get(&finish.request.delivery()) {
            Some(moved) => moved.status(),
            None => delivery_status(tx, finish.request.delivery()).await?,
        };
        let late = known.get(&(finish.request, finish.lease.token)).copied().unwrap_or(!is_held(finish));
        let failing = noted.failing.get(&finish.webhook_id).copied().filter(|_| is_held(finish));
        told.push(Finished { delivery, late, failing });
    }
    Ok(told)
}

/// What tells of deliveries that have failed for good: once for each.
fn exhausted<'a>(finishes: &[&'a Finish], moved: &HashMap<DeliveryId, Moved<'_>>) -> Vec<&'a Event> {
    let of = |finish: &&'a Finish| {
        let delivery = finish.request.delivery();
        let has_failed = moved.get(&delivery).map(Moved::status) == Some(DeliveryStatus::Failed);
        finish.exhausted.as_deref().filter(|_| has_failed).map(|event| (delivery, event))
    };
    let of_each: BTreeMap<DeliveryId, &Event> = finishes.iter().filter_map(of).collect();
    of_each.into_values().collect()
}

pub(super) const fn request_status(end: &RequestEnd) -> RequestStatus {
    match end {
        RequestEnd::Succeeded => RequestStatus::Succeeded,
        RequestEnd::Retry { .. } => RequestStatus::Retrying,
        RequestEnd::Failed { .. } => RequestStatus::Failed,
        RequestEnd::Uncertain => RequestStatus::Uncertain,
        RequestEnd::Held => RequestStatus::Held,
    }
}

pub(super) fn closes(finish: &Finish) -> bool {
    !matches!(finish.end, RequestEnd::Retry { .. })
}

fn retry(finish: &Finish) -> Option<Later> {
    match finish.end {
        RequestEnd::Retry { due } => Some(Later { id: finish.request.uuid(), due, attempts: 1 }),
        _ => None,
    }
}

/// Why a request ended as it did.
pub(super) const fn end_reason(end: &RequestEnd) -> Option<&str> {
    match end {
        RequestEnd::Failed { reason } => Some(reason.as_str()),
        _ => None,
    }
}

/// The same for its delivery.
fn reason(end: &RequestEnd) -> Option<&str> {
    match end {
        RequestEnd::Failed { reason } => Some(reason),
        RequestEnd::Uncertain => Some("nobody knows whether the last attempt arrived"),
        RequestEnd::Held => Some("nobody knows whether it arrived; a person decides whether it is sent again"),
        RequestEnd::Succeeded | RequestEnd::Retry { .. } => None,
    }
}

async fn unclaimed_successes<'a>(tx: &mut Tx, late: &[&'a Finish]) -> Result<Vec<&'a Finish>, StoreError> {
    const SELECT: &str = "SELECT id FROM open_work {join} WHERE lease_token IS NULL AND id = {1}";
    let successes: Vec<&Finish> = late.iter().copied().filter(|finish| finish.end == RequestEnd::Succeeded).collect();
    let rows = Rows::of(SELECT, &successes, |finish| values![finish.request.uuid()]);
    let free: Vec<(Uuid,)> = tx.fetch_rows(&rows).await?;
    let mut free: HashSet<Uuid> = free.into_iter().map(|(id,)| id).collect();
    // Only one of several late successes closes it.
    Ok(successes.into_iter().filter(|finish| free.remove(&finish.request.uuid())).collect())
}

/// Keeps attempts under their numbers.
pub(super) async fn insert_attempts(tx: &mut Tx, numbered: &[(&Finish, i64)], late: bool) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO attempts
        (request_id, number, project_id, started_at, duration_ms, outcome, error_class, error, url, status_code,
         request_headers, response_headers, response_body, truncated, late, verdict) {values}";
    let rows = Rows::of(INSERT, numbered, |(finish, number)| {
        let attempt = &finish.attempt;
        values![
            finish.request.uuid(),
            *number,
            finish.project.uuid(),
            attempt.started_at.0,
            duration(finish),
            attempt.outcome.as_str(),
            attempt.error_class.map(ErrorClass::as_str),
            attempt.error.as_deref(),
            attempt.url.as_str(),
            attempt.status_code.map(i64::from),
            attempt.request_headers.as_str(),
            attempt.response_headers.as_deref(),
            attempt.response_body.as_deref(),
            attempt.truncated,
            late,
            attempt.verdict.as_deref(),
        ]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}

pub(super) fn duration(finish: &Finish) -> i64 {
    i64::try_from(finish.attempt.duration_ms).unwrap_or(i64::MAX)
}

/// Whether the end of a request is still to be written. One that was fixed just now has its row, and one of a webhook without
/// plugin that arrives at once needs none: all of it follows from its delivery.
fn needs_row(finish: &Finish, number: i64) -> bool {
    let arrived_at_once = finish.is_plain && finish.end == RequestEnd::Succeeded && number == 1;
    finish.freeze.is_none() && !arrived_at_once
}

async fn record_ends(tx: &mut Tx, finishes: &[&Finish]) -> Result<(), StoreError> {
    const UPSERT: &str = "INSERT INTO requests (id, project_id, status, reason, settled_at) {values}
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, settled_at = excluded.settled_at";
    let rows = Rows::of(UPSERT, finishes, |finish| {
        values![
            finish.request.uuid(),
            finish.project.uuid(),
            request_status(&finish.end).as_str(),
            end_reason(&finish.end),
            closes(finish).then_some(finish.now.0),
        ]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}

async fn move_deliveries<'a>(
    tx: &mut Tx,
    finishes: &[&'a Finish],
    is_held: &impl Fn(&Finish) -> bool,
) -> Result<HashMap<DeliveryId, Moved<'a>>, StoreError> {
    const UPDATE: &str = "UPDATE webhook_deliveries
        SET requests_open = {2}, requests_succeeded = {3}, requests_held = {4}, status = {5},
            reason = coalesce({6}, reason), settled_at = {7} {from} WHERE id = {1}";
    // What was said of an earlier run counts no more.
    const UPDATE_NEW: &str = "UPDATE webhook_deliveries
        SET requests_open = {2}, requests_succeeded = {3}, requests_held = {4}, status = {5},
            reason = {6}, settled_at = {7}, requests_total = {8}, run = {9} {from} WHERE id = {1}";
    let mut moved = tallies(tx, finishes, is_held).await?;
    for finish in finishes {
        let Some(moved) = moved.get_mut(&finish.request.delivery()) else { continue };
        moved.now = finish.now;
        if let Some(reason) = reason(&finish.end) {
            moved.reason = Some(reason.to_owned());
        }
        let tally = &mut moved.tally;
        tally.open = tally.open.saturating_sub(u32::from(closes(finish)));
        tally.succeeded += u32::from(finish.end == RequestEnd::Succeeded);
        tally.held += u32::from(finish.end == RequestEnd::Held);
    }
    let (mut known, mut new) = (Rows::new(UPDATE), Rows::new(UPDATE_NEW));
    for (id, moved) in &moved {
        let status = moved.status();
        let [id, open, succeeded, held, status, reason, settled_at] = values![
            id.uuid(),
            i64::from(moved.tally.open),
            i64::from(moved.tally.succeeded),
            i64::from(moved.tally.held),
            status.as_str(),
            moved.reason.as_deref(),
            (!status.is_open()).then_some(moved.now.0),
        ];
        match moved.run {
            None => known.push([id, open, succeeded, held, status, reason, settled_at]),
            Some(run) => {
                let [total, run] = values![i64::from(moved.tally.total), run];
                new.push([id, open, succeeded, held, status, reason, settled_at, total, run]);
            }
        }
    }
    tx.execute_rows(&known).await?;
    tx.execute_rows(&new).await?;
    drop((known, new));
    Ok(moved)
}

/// The tallies of these results' deliveries as they were. A delivery of one request, or of new ones, needs no asking.
async fn tallies<'a>(
    tx: &mut Tx,
    finishes: &[&'a Finish],
    is_held: &impl Fn(&Finish) -> bool,
) -> Result<HashMap<DeliveryId, Moved<'a>>, StoreError> {
    const SELECT: &str =
        "SELECT id, requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled
        FROM webhook_deliveries {join} WHERE id = {1}";
    const SELECT_LOCKED: &str = "SELECT id, requests_total, requests_succeeded, requests_open, requests_held,
        requests_cancelled FROM webhook_deliveries {join} WHERE id = {1} ORDER BY id FOR UPDATE OF webhook_deliveries";
    let moved = |tally, now| Moved { tally, reason: None, now, run: None };
    let mut tallies = HashMap::new();
    let mut asked = BTreeMap::new();
    for finish in finishes {
        let delivery = finish.request.delivery();
        // Whoever is late finds requests that another has fixed.
        if let Some(freeze) = finish.freeze.as_ref().filter(|_| is_held(finish)) {
            let total = u32::try_from(freeze.requests.len()).unwrap_or(u32::MAX);
            let tally = Tally { total, open: total, ..Tally::default() };
            tallies.insert(delivery, Moved { run: Some(&freeze.run), ..moved(tally, finish.now) });
        } else if finish.only_request {
            let tally = Tally { total: 1, open: 1, ..Tally::default() };
            tallies.entry(delivery).or_insert_with(|| moved(tally, finish.now));
        } else {
            asked.insert(delivery, finish.now);
        }
    }
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows = Rows::of(select, asked.keys(), |id| values![id.uuid()]);
    let rows: Vec<(Uuid, i64, i64, i64, i64, i64)> = tx.fetch_rows(&rows).await?;
    for (id, total, succeeded, open, held, cancelled) in rows {
        let id = DeliveryId::from_uuid(id);
        let row: TallyRow = (total, succeeded, open, held, cancelled);
        let now = asked.get(&id).copied().unwrap_or_default();
        // New requests are not in the row yet.
        tallies.entry(id).or_insert_with(|| moved(tally(row), now));
    }
    Ok(tallies)
}

async fn delivery_status(tx: &mut Tx, id: DeliveryId) -> Result<DeliveryStatus, StoreError> {
    const SELECT: &str = "SELECT status FROM webhook_deliveries WHERE id = $1";
    let rows: Vec<(String,)> = tx.fetch(SELECT, &values![id.uuid()]).await?;
    rows.first().and_then(|(status,)| DeliveryStatus::parse(status)).ok_or_else(|| StoreError::Corrupt {
        table: "webhook_deliveries",
        column: "status",
        id: id.to_string(),
    })
}

/// Says whether it was enabled before.
pub(in super::super) async fn disable(
    tx: &mut Tx,
    id: WebhookId,
    reason: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    const UPDATE: &str =
        "UPDATE webhooks SET enabled = $1, disabled_reason = $2, version = version + 1, updated_at = $3
        WHERE id = $4 AND enabled = $5";
    let changed = tx.execute(UPDATE, &values![false, reason, now.0, id.uuid(), true]).await?;
    note_change(tx, id).await?;
    hold_open(tx, id).await?;
    Ok(changed > 0)
}

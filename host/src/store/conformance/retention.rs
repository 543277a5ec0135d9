//! What is no longer kept: removed in steps, except what is open, parked or held.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId, ProjectId};
use crate::domain::project::Project;
use crate::domain::retention::{Cutoffs, Kind, Retention};
use crate::domain::webhook::Webhook;
use crate::store::db::Db;
use crate::store::{Acted, Chosen, Finish, Lease, NewDelivery, RequestEnd, Settle, Swept, WorkKind};

on_both!(
    what_is_over_is_removed_and_what_is_open_parked_or_held_stays,
    a_project_keeps_what_it_says,
    what_was_sent_is_shown_as_gone_and_not_sent_again,
    lines_of_the_audit_log_go_after_their_time,
    one_node_at_a_time_removes,
    a_step_looks_at_no_more_than_it_may,
);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const SERVER: Retention = Retention { payload_days: Some(30), attempts_days: Some(30), audit_days: Some(30) };

fn days_ago(days: i64) -> Millis {
    Millis(NOW.0 - days * DAY_MS)
}

/// An event with a delivery of one request, both made then.
async fn begun(stage: &Stage, webhook: &Webhook, at: Millis) -> (EventId, DeliveryId, Lease) {
    let id = DeliveryId::with_room(at, stage.entropy.id());
    let lease = stage.lease();
    let delivery = NewDelivery { id, ..stage.delivery(webhook, WorkKind::Transform, Some(lease)) };
    let mut accept = stage.accept_of(vec![delivery]);
    let event = &mut accept.events[0].event;
    *event = Arc::new(Event { id: EventId::new(at, stage.entropy.id()), ..Event::clone(event) });
    let event = event.id;
    stage.store.accept(accept).await.unwrap();
    (event, id, lease)
}

/// The same, whose request came to this end then.
async fn ended(stage: &Stage, webhook: &Webhook, at: Millis, end: RequestEnd) -> (EventId, DeliveryId) {
    let (event, id, lease) = begun(stage, webhook, at).await;
    stage.store.freeze(Stage::freeze(webhook, id, lease, 1)).await.unwrap();
    let finish = Finish { now: at, ..Stage::finish(webhook, id.request(0), lease, end) };
    stage.store.finish(finish).await.unwrap();
    (event, id)
}

async fn parked(stage: &Stage, webhook: &Webhook, at: Millis) -> (EventId, DeliveryId) {
    let (event, delivery, lease) = begun(stage, webhook, at).await;
    let (status, reason) = (DeliveryStatus::Parked, "x".to_owned());
    let settle = Settle { delivery, lease, is_ordered: false, status, reason, run: None, raise: None, now: at };
    assert!(stage.store.settle(settle).await.unwrap());
    (event, delivery)
}

async fn cutoffs(stage: &Stage, kind: Kind) -> Cutoffs {
    Cutoffs::new(&stage.store.retentions(SERVER).await.unwrap(), kind, NOW)
}

async fn sweep(stage: &Stage, kind: Kind) -> Swept {
    let cutoffs = cutoffs(stage, kind).await;
    let nil = uuid::Uuid::nil();
    match kind {
        Kind::Payloads => stage.store.sweep_payloads(nil, &cutoffs, 1000, NOW).await.unwrap(),
        _ => stage.store.sweep_attempts(nil, &cutoffs, 1000, None, NOW).await.unwrap(),
    }
}

async fn has_payload(stage: &Stage, event: EventId) -> bool {
    stage.store.event(DEFAULT_PROJECT, event).await.unwrap().unwrap().payload.is_some()
}

/// How many attempts are shown, and whether they were removed.
async fn attempts(stage: &Stage, delivery: DeliveryId) -> (usize, bool) {
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    let attempts = view.requests.iter().map(|request| request.attempts.len()).sum();
    (attempts, view.summary.attempts_removed_at.is_some())
}

async fn what_is_over_is_removed_and_what_is_open_parked_or_held_stays(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let old = days_ago(31);
    let done = ended(&stage, &webhook, old, RequestEnd::Succeeded).await;
    let failed = ended(&stage, &webhook, old, RequestEnd::Failed { reason: "x".to_owned() }).await;
    let retried = ended(&stage, &webhook, old, RequestEnd::Retry { due: Millis::NEVER }).await;
    let held = ended(&stage, &webhook, old, RequestEnd::Held).await;
    let parked = parked(&stage, &webhook, old).await;
    let (open, open_delivery, _) = begun(&stage, &webhook, old).await;
    let young = ended(&stage, &webhook, days_ago(29), RequestEnd::Succeeded).await;
    let payloads = sweep(&stage, Kind::Payloads).await;
    assert_eq!((payloads.removed, payloads.next), (2, None));
    assert!(payloads.left.is_some());
    for (event, kept) in [
        (done.0, false),
        (failed.0, false),
        (retried.0, true),
        (held.0, true),
        (parked.0, true),
        (open, true),
        (young.0, true),
    ] {
        assert_eq!(has_payload(&stage, event).await, kept, "{event}");
    }
    assert_eq!(sweep(&stage, Kind::Attempts).await.removed, 2);
    for (delivery, shown) in [
        (done.1, (0, true)),
        (failed.1, (0, true)),
        (retried.1, (1, false)),
        (held.1, (1, false)),
        (parked.1, (0, false)),
        (open_delivery, (0, false)),
        (young.1, (1, false)),
    ] {
        assert_eq!(attempts(&stage, delivery).await, shown, "{delivery}");
    }
    assert_eq!(sweep(&stage, Kind::Payloads).await.removed + sweep(&stage, Kind::Attempts).await.removed, 0);
    // What was parked may go when it was given up.
    stage.store.cancel_delivery(DEFAULT_PROJECT, parked.1, Chosen::default(), "x".to_owned(), old).await.unwrap();
    assert_eq!(sweep(&stage, Kind::Payloads).await.removed, 1);
    assert_eq!(sweep(&stage, Kind::Attempts).await.removed, 1);
}

async fn a_project_keeps_what_it_says(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (event, delivery) = ended(&stage, &webhook, days_ago(31), RequestEnd::Succeeded).await;
    let project = stage.store.project(DEFAULT_PROJECT).await.unwrap().unwrap();
    for (days, removed) in [(Some(0), 0), (Some(32), 0), (Some(31), 0), (Some(30), 1)] {
        let own = Retention { payload_days: days, attempts_days: days, audit_days: None };
        let version = stage.store.project(DEFAULT_PROJECT).await.unwrap().unwrap().version;
        let project = Project { retention: own, version: version + 1, ..project.clone() };
        assert!(stage.store.update_project(&project, version).await.unwrap());
        assert_eq!(stage.store.project(DEFAULT_PROJECT).await.unwrap().unwrap().retention, own);
        assert_eq!(sweep(&stage, Kind::Payloads).await.removed, removed, "{days:?}");
        assert_eq!(sweep(&stage, Kind::Attempts).await.removed, removed, "{days:?}");
    }
    assert!(!has_payload(&stage, event).await);
    assert_eq!(attempts(&stage, delivery).await, (0, true));
}

async fn what_was_sent_is_shown_as_gone_and_not_sent_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (event, delivery) = ended(&stage, &webhook, days_ago(31), RequestEnd::Failed { reason: "x".to_owned() }).await;
    let resend = || stage.store.resend(DEFAULT_PROJECT, delivery, Chosen::default(), None, NOW);
    sweep(&stage, Kind::Payloads).await;
    assert_eq!(stage.store.payload_removed_at(DEFAULT_PROJECT, event).await.unwrap(), Some(NOW));
    assert_eq!(resend().await.unwrap(), Acted::Done(1), "what the plugin made is still there");
    stage
        .store
        .cancel_delivery(DEFAULT_PROJECT, delivery, Chosen::default(), "x".to_owned(), days_ago(31))
        .await
        .unwrap();
    assert_eq!(sweep(&stage, Kind::Attempts).await.removed, 1);
    let Acted::Refused(why) = resend().await.unwrap() else { panic!("it is gone") };
    assert_eq!(why, format!("what was sent is no longer kept since {NOW}"));
    assert_eq!(stage.status(delivery).await, DeliveryStatus::Cancelled, "what became of it is still known");
}

async fn lines_of_the_audit_log_go_after_their_time(stage: Stage) {
    for at in [days_ago(31), days_ago(31), days_ago(29)] {
        stage.store.record(stage.entry(at, "webhook.tested")).await.unwrap();
    }
    let cutoffs = cutoffs(&stage, Kind::Audit).await;
    let mut removed = Vec::new();
    for (project, kept_from) in cutoffs.iter() {
        for _ in 0..3 {
            removed.push(stage.store.sweep_audit(project, kept_from, 1).await.unwrap());
        }
    }
    assert_eq!(removed.iter().sum::<u64>(), 2, "{removed:?}");
}

async fn one_node_at_a_time_removes(stage: Stage) {
    let lease = |until| Lease { token: stage.entropy.token(), until };
    let claim_before = async |now: Millis, first: Millis| {
        stage.store.claim_sweep(Kind::Attempts, now, lease(now.plus(1000)), Some(first)).await.unwrap()
    };
    let claim = async |now: Millis| claim_before(now, NOW.plus(5000)).await;
    assert!(claim(NOW).await.is_none(), "the first time it waits for its time");
    let first = claim(NOW.plus(5000)).await.unwrap();
    assert!(claim(NOW.plus(5999)).await.is_none());
    assert!(stage.store.extend_sweep(&first, NOW.plus(7000)).await.unwrap());
    assert!(claim(NOW.plus(6999)).await.is_none());
    let second = claim(NOW.plus(7000)).await.expect("whoever had it is gone");
    assert!(!stage.store.extend_sweep(&first, NOW.plus(9000)).await.unwrap());
    let from = uuid::Uuid::from_u128(7);
    let end = |sweep| stage.store.end_sweep(sweep, Some(NOW.plus(20_000)), Some(from), 3, NOW);
    assert!(!end(&first).await.unwrap());
    assert!(end(&second).await.unwrap());
    assert!(claim_before(NOW.plus(14_999), NOW.plus(30_000)).await.is_none());
    assert!(claim_before(NOW.plus(14_999), NOW.plus(15_000)).await.is_none(), "another expression brings it forward");
    assert_eq!(claim_before(NOW.plus(15_000), NOW.plus(40_000)).await.map(|sweep| sweep.from), Some(from));
}

async fn a_step_looks_at_no_more_than_it_may(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for day in [40, 39, 38, 37, 36] {
        ended(&stage, &webhook, days_ago(day), RequestEnd::Succeeded).await;
    }
    for kind in [Kind::Payloads, Kind::Attempts] {
        let cutoffs = cutoffs(&stage, kind).await;
        let (mut after, mut removed) = (Some(uuid::Uuid::nil()), Vec::new());
        while let Some(from) = after {
            let swept = match kind {
                Kind::Payloads => stage.store.sweep_payloads(from, &cutoffs, 2, NOW).await.unwrap(),
                _ => stage.store.sweep_attempts(from, &cutoffs, 2, None, NOW).await.unwrap(),
            };
            removed.push(swept.removed);
            after = swept.next;
        }
        assert_eq!(removed, [2, 2, 1], "{kind:?}");
    }
}

#[tokio::test]
async fn months_that_are_over_are_dropped_unless_something_in_them_stays() {
    let stage = Stage::postgres().await;
    let webhook = stage.stored_webhook().await;
    for day in [90, 60] {
        stage.store.make_partitions(days_ago(day)).await.unwrap();
    }
    // November, and December with something parked.
    let over = ended(&stage, &webhook, days_ago(80), RequestEnd::Succeeded).await;
    let also = ended(&stage, &webhook, days_ago(50), RequestEnd::Succeeded).await;
    let parked = parked(&stage, &webhook, days_ago(50)).await;
    let cutoffs = cutoffs(&stage, Kind::Attempts).await;
    let end = stage.store.droppable_before(Kind::Attempts, &cutoffs).await.unwrap();
    let swept = stage.store.sweep_attempts(uuid::Uuid::nil(), &cutoffs, 1000, end, NOW).await.unwrap();
    assert_eq!(swept.removed, 2);
    let dropped = stage.store.drop_months(Kind::Attempts, end.expect("November is over")).await.unwrap();
    assert!(dropped.contains(&"attempts_2025_11".to_owned()), "{dropped:?}");
    assert!(dropped.contains(&"requests_2025_11".to_owned()), "{dropped:?}");
    assert!(dropped.iter().all(|table| !table.ends_with("2025_12")), "{dropped:?}");
    assert_eq!(attempts(&stage, over.1).await, (0, true));
    assert_eq!(attempts(&stage, also.1).await, (0, true), "by rows");
    assert_eq!(stage.status(parked.1).await, DeliveryStatus::Parked);
    assert!(!stage.store.drop_months(Kind::Attempts, end.unwrap()).await.unwrap().iter().any(|t| t.contains("2025")));
}

#[tokio::test]
async fn freed_pages_are_used_again() {
    let stage = Stage::sqlite().await;
    let webhook = stage.stored_webhook().await;
    let pages = async || -> i64 {
        let Db::Sqlite { read, .. } = &stage.store.db else { panic!("SQLite only") };
        sqlx::query_scalar("PRAGMA page_count").fetch_one(read).await.unwrap()
    };
    let fill = async || {
        for _ in 0..200 {
            ended(&stage, &webhook, days_ago(31), RequestEnd::Succeeded).await;
        }
    };
    let empty = pages().await;
    fill().await;
    let first = pages().await - empty;
    assert_eq!(sweep(&stage, Kind::Attempts).await.removed, 200);
    fill().await;
    let second = pages().await - empty - first;
    // Events and deliveries stay; requests and attempts went into pages that were free.
    assert!(second * 4 < first * 3, "{first} pages for the first, {second} for the second");
}

#[tokio::test]
async fn of_a_project_that_is_not_known_nothing_goes() {
    let stage = Stage::sqlite().await;
    let cutoffs = cutoffs(&stage, Kind::Payloads).await;
    assert_eq!(cutoffs.kept_from(ProjectId::new(NOW, 9)), None);
    assert_eq!(cutoffs.kept_from(DEFAULT_PROJECT), Some(days_ago(30)));
}

//! One suite for every database: each test is run on SQLite and on a real PostgreSQL.

mod accounts;
mod backtests;
mod by_hand;
mod decisions;
mod digests;
mod endings;
mod event_types;
mod facts;
mod failures;
mod fan_out;
mod jobs;
mod keys;
mod log;
mod logins;
mod model;
mod operational;
mod order;
mod overview;
mod owners;
mod partitions;
mod plugins;
mod replays;
mod resends;
mod results;
mod retention;
mod schedules;
mod stage;

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::{Event, IDEMPOTENCY_MS, Idempotency};
use crate::domain::filter::{Filter, Verdict};
use crate::domain::id::{DEFAULT_PROJECT, ProjectId, TokenId, WebhookId};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::selection::Selection;
use crate::domain::token::{Permission, Permissions, PlainToken, Token};
use crate::domain::webhook::{Order, RateLimit, State, Webhook};
use crate::store::{
    Accept, Accepted, Beginning, ClaimedWork, FanOut, LoadedRequest, OpenWork, Postpone, RequestEnd, Search, Settle,
    StoreError, WorkKind,
};
use stage::{NOW, Stage};

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Stage::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Stage::postgres().await).await;
            })+
        }
    };
}

use on_both;

on_both!(
    what_is_accepted_is_claimed_once,
    leased_work_is_not_claimed_before_its_lease_ends,
    a_claim_shares_among_webhooks_and_says_what_it_left,
    frozen_requests_are_claimed_as_they_were,
    only_the_holder_of_the_lease_moves_work_on,
    postponed_work_counts_no_attempt_unless_told,
    settled_deliveries_say_why,
    a_record_that_breaks_a_constraint_is_set_aside,
    webhooks_come_back_as_they_were_stored,
    what_a_webhook_wants_comes_back_as_it_was_stored,
    a_filter_stays_in_use_until_its_text_changes,
    a_change_of_what_has_changed_meanwhile_is_refused,
    deleting_a_webhook_cancels_open_work_and_keeps_history,
    lists_page_through_everything_once,
    tokens_are_found_by_their_hash,
    projects_do_not_see_each_other,
    what_was_open_is_open_after_a_restart,
    a_repeated_post_is_the_same_event,
    events_of_one_accept_are_stored_together_or_not_at_all,
    an_idempotency_key_is_forgotten_after_a_day,
    what_was_matched_with_old_webhooks_is_not_stored,
    a_change_on_one_node_reaches_the_other,
    work_given_back_to_a_webhook_that_was_enabled_meanwhile_is_due,
    work_of_a_webhook_that_another_node_made_is_claimed_with_it,
    work_made_for_a_webhook_that_was_deleted_meanwhile_is_cancelled,
);

/// A search that looks at all there is.
fn all_of(selection: Selection) -> Search {
    Search::new(selection, 1_000_000)
}

async fn what_is_accepted_is_claimed_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let delivery = stage.accepted(&webhook, WorkKind::Send, None).await;
    let claimed = stage.claimed(NOW).await;
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!((work.request, work.attempts, work.only_request), (delivery.request(0), 0, true));
    assert!(matches!(work.content, LoadedRequest::Plain));
    assert_eq!(work.head.event.payload.as_deref(), Some(&b"{\"n\": 1}"[..]));
    assert_eq!(work.head.event.subject.as_deref(), Some("PAY-17"));
    assert!(stage.claimed(NOW).await.is_empty());
}

async fn leased_work_is_not_claimed_before_its_lease_ends(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    assert!(stage.claimed(NOW).await.is_empty());
    assert!(stage.claimed(Millis(lease.until.0 - 1)).await.is_empty());
    assert!(matches!(stage.claimed(lease.until).await.as_slice(), [ClaimedWork::Transform(_)]));
}

async fn a_claim_shares_among_webhooks_and_says_what_it_left(stage: Stage) {
    let (busy, quiet) = (stage.stored_webhook().await, stage.stored_webhook().await);
    for _ in 0..6 {
        stage.accepted(&busy, WorkKind::Send, None).await;
    }
    stage.accepted(&quiet, WorkKind::Send, None).await;
    let heads = stage.store.work_heads(NOW).await.unwrap();
    assert_eq!(heads.iter().filter(|head| head.due == NOW).count(), 2, "one for each webhook, however much it has");
    let (work, outlook) = stage.claim(NOW, 3).await;
    let of_quiet = work.iter().filter(|work| work.head().webhook_id == quiet.id);
    assert_eq!((of_quiet.count(), work.len(), outlook.left), (1, 4, true), "{work:?}");
    let (work, outlook) = stage.claim(NOW, 4).await;
    assert_eq!((work.len(), outlook.left), (3, false), "{work:?}");
}

async fn frozen_requests_are_claimed_as_they_were(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    assert!(stage.store.freeze(Stage::freeze(&webhook, delivery, lease, 3)).await.unwrap());
    let claimed = stage.claimed(lease.until).await;
    let bodies: Vec<_> = claimed
        .iter()
        .map(|work| match work {
            ClaimedWork::Send(work) => match &work.content {
                LoadedRequest::Frozen(frozen) => (work.request, frozen.spec.label.clone(), frozen.body.clone()),
                LoadedRequest::Plain => panic!("{work:?}"),
            },
            ClaimedWork::Transform(work) => panic!("{work:?}"),
        })
        .collect();
    assert_eq!(bodies.len(), 3);
    for (position, (request, label, body)) in (0..).zip(bodies) {
        assert_eq!(request, delivery.request(position));
        assert_eq!((label, &body[..]), (format!("request {position}"), format!("{{\"n\":{position}}}").as_bytes()));
    }
}

async fn only_the_holder_of_the_lease_moves_work_on(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (lease, other) = (stage.lease(), stage.lease());
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    assert!(!stage.store.freeze(Stage::freeze(&webhook, delivery, other, 1)).await.unwrap());
    let settle = |lease| Settle {
        delivery,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Skipped,
        reason: "nothing to say".to_owned(),
        run: None,
        raise: None,
        now: NOW,
    };
    assert!(!stage.store.settle(settle(other)).await.unwrap());
    assert_eq!(stage.status(delivery).await, DeliveryStatus::Pending);
    assert!(stage.store.settle(settle(lease)).await.unwrap());
    assert!(!stage.store.settle(settle(lease)).await.unwrap(), "once");
}

async fn postponed_work_counts_no_attempt_unless_told(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let postpone = |lease, counts| Postpone {
        work: delivery.uuid(),
        lease,
        due: NOW,
        reason: Some("later".to_owned()),
        counts,
        run: None,
    };
    assert!(stage.store.postpone(postpone(lease, false)).await.unwrap());
    let claimed = stage.claimed(NOW).await;
    let [ClaimedWork::Transform(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!(work.attempts, 0);
    assert!(stage.store.postpone(postpone(work.lease, true)).await.unwrap());
    let claimed = stage.claimed(NOW).await;
    assert!(matches!(claimed.as_slice(), [ClaimedWork::Transform(work)] if work.attempts == 1), "{claimed:?}");
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!(view.summary.reason.as_deref(), Some("later"));
}

async fn settled_deliveries_say_why(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let settle = Settle {
        delivery,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Parked,
        reason: "it trapped".to_owned(),
        run: Some("{\"cpu_us\":1}".to_owned()),
        raise: None,
        now: NOW.plus(1),
    };
    assert!(stage.store.settle(settle).await.unwrap());
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!((view.summary.status, view.summary.settled_at), (DeliveryStatus::Parked, Some(NOW.plus(1))));
    assert_eq!(view.summary.run.as_deref(), Some("{\"cpu_us\":1}"));
    assert!(view.requests.is_empty());
}

async fn a_record_that_breaks_a_constraint_is_set_aside(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let first = stage.accept_of(vec![stage.delivery(&webhook, WorkKind::Send, None)]);
    stage.store.accept(first.clone()).await.unwrap();
    let others: Vec<Accept> =
        (0..5).map(|_| stage.accept_of(vec![stage.delivery(&webhook, WorkKind::Send, None)])).collect();
    let (again, ..) = tokio::join!(stage.store.accept(first), async {
        for other in &others {
            stage.store.accept(other.clone()).await.unwrap();
        }
    });
    assert!(matches!(again, Err(StoreError::Constraint(_))), "{again:?}");
    assert_eq!(stage.claimed(NOW).await.len(), 6);
}

async fn webhooks_come_back_as_they_were_stored(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let read = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!(read.secrets.named(), webhook.secrets.named());
    assert_eq!((&read.name, &read.labels, &read.events), (&webhook.name, &webhook.labels, &webhook.events));
    assert_eq!((read.configuration, read.timeout_ms), (webhook.configuration.clone(), Some(5000)));
    assert!(stage.store.subscriptions().webhook(webhook.id).is_some());
}

async fn what_a_webhook_wants_comes_back_as_it_was_stored(stage: Stage) {
    type Wants = (Option<String>, Order, Option<u64>, Option<RateLimit>);
    let wants = |webhook: &Webhook| -> Wants {
        let filter = webhook.filter.as_ref().map(|filter| filter.source().to_owned());
        (filter, webhook.order, webhook.order_wait_ms, webhook.rate_limit)
    };
    let rate = |requests, per_ms| RateLimit {
        requests: NonZeroU32::new(requests).unwrap(),
        per_ms: NonZeroU64::new(per_ms).unwrap(),
    };
    let filter = |source: &str| Some(Arc::new(Filter::new(source.to_owned())));
    let mut webhook = Webhook {
        filter: filter("subject == \"Grüße, 世界\""),
        order: Order::Subject,
        order_wait_ms: Some(1),
        rate_limit: Some(rate(u32::MAX, 1)),
        ..stage.webhook()
    };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    for next in [
        Webhook { filter: filter("not a filter ("), order: Order::Strict, order_wait_ms: None, ..webhook.clone() },
        Webhook {
            filter: None,
            order: Order::None,
            order_wait_ms: Some(86_400_000),
            rate_limit: None,
            ..webhook.clone()
        },
        Webhook { rate_limit: Some(rate(1, 86_400_000)), ..webhook.clone() },
    ] {
        for read in [
            stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap(),
            Webhook::clone(stage.store.subscriptions().webhook(webhook.id).unwrap()),
        ] {
            assert_eq!(wants(&read), wants(&webhook));
        }
        let version = webhook.version;
        webhook = Webhook { version: version + 1, ..next };
        assert!(stage.store.update_webhook(&webhook, version, OpenWork::Keep, &stage.entropy).await.unwrap());
    }
    assert_eq!(
        wants(&stage.reopen().await.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap()),
        wants(&webhook)
    );
}

async fn a_filter_stays_in_use_until_its_text_changes(stage: Stage) {
    let filter = |source: &str| Some(Arc::new(Filter::new(source.to_owned())));
    let webhook = Webhook { filter: filter("true"), ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let in_use = || stage.store.subscriptions().webhook(webhook.id).unwrap().filter.clone().unwrap();
    let first = in_use();
    first.stats().count(&Verdict::Match, stage.event().id, NOW);
    let renamed = Webhook { name: "renamed".to_owned(), version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&renamed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(stage.store.subscriptions().webhook(webhook.id).unwrap().name, "renamed");
    assert!(Arc::ptr_eq(&first, &in_use()), "neither compiled nor counted anew");
    let other = Webhook { filter: filter("false"), version: 3, ..renamed };
    assert!(stage.store.update_webhook(&other, 2, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!((in_use().source(), in_use().stats().matched()), ("false", 0));
}

async fn a_change_of_what_has_changed_meanwhile_is_refused(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut changed = webhook.clone();
    changed.name = "changed".to_owned();
    changed.version = 2;
    assert!(stage.store.update_webhook(&changed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert!(!stage.store.update_webhook(&webhook, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    let read = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!((read.name.as_str(), read.version), ("changed", 2));
}

async fn deleting_a_webhook_cancels_open_work_and_keeps_history(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let plain = stage.accepted(&webhook, WorkKind::Send, None).await;
    let lease = stage.lease();
    let frozen = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.store.freeze(Stage::freeze(&webhook, frozen, lease, 2)).await.unwrap();
    let arrived = Stage::finish(&webhook, frozen.request(0), lease, RequestEnd::Succeeded);
    stage.store.finish(arrived).await.unwrap();
    let untouched = stage.accepted(&webhook, WorkKind::Transform, None).await;
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    assert!(!stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    for delivery in [plain, frozen, untouched] {
        assert_eq!(stage.status(delivery).await, DeliveryStatus::Cancelled, "{delivery}");
    }
    assert!(stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().is_none());
    assert!(stage.store.subscriptions().webhook(webhook.id).is_none());
    assert!(stage.claimed(Millis(i64::MAX - 1)).await.is_empty());
    let late = Stage::finish(&webhook, frozen.request(1), lease, RequestEnd::Succeeded);
    assert!(stage.store.finish(late).await.unwrap().late);
}

async fn lists_page_through_everything_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..5 {
        stage.accepted(&webhook, WorkKind::Send, None).await;
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = PageRequest { limit: 2, cursor };
        let filter = all_of(Selection { webhook_id: Some(webhook.id), ..Selection::default() });
        let page = stage.store.deliveries(DEFAULT_PROJECT, &filter, page).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.id));
        let Some(next) = page.next_cursor else { break };
        cursor = Cursor::decode(&next);
        assert!(cursor.is_some());
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
    let all = PageRequest { limit: 50, cursor: None };
    assert_eq!(stage.store.events(DEFAULT_PROJECT, Some("ticket.created"), all).await.unwrap().items.len(), 5);
    assert!(stage.store.events(DEFAULT_PROJECT, Some("other"), all).await.unwrap().items.is_empty());
    let failed = all_of(Selection { status: Some(DeliveryStatus::Failed), ..Selection::default() });
    assert!(stage.store.deliveries(DEFAULT_PROJECT, &failed, all).await.unwrap().items.is_empty());
}

async fn tokens_are_found_by_their_hash(stage: Stage) {
    assert!(!stage.store.has_tokens().await.unwrap());
    let plain = PlainToken::from_bytes(stage.entropy.bytes());
    let token = Token {
        id: TokenId::new(NOW, stage.entropy.id()),
        project: None,
        name: "admin".to_owned(),
        prefix: plain.shown(),
        permissions: Permissions::of(&[Permission::Admin]),
        expires_at: Some(NOW.plus(1)),
        created_by: "a test".to_owned(),
        created_at: NOW,
        last_used_at: None,
        version: 1,
    };
    stage.store.insert_token(&token, plain.hash()).await.unwrap();
    assert_eq!(stage.store.token(plain.hash()).await.unwrap(), Some(token));
    assert!(stage.store.token(PlainToken::from_text("other").hash()).await.unwrap().is_none());
}

async fn projects_do_not_see_each_other(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let delivery = stage.accepted(&webhook, WorkKind::Send, None).await;
    let other = ProjectId::new(NOW, 1);
    let all = PageRequest { limit: 50, cursor: None };
    assert!(stage.store.webhook(other, webhook.id).await.unwrap().is_none());
    assert!(stage.store.subscriptions().of_project(other).is_empty());
    assert!(stage.store.delivery(other, delivery).await.unwrap().is_none());
    assert!(stage.store.deliveries(other, &all_of(Selection::default()), all).await.unwrap().items.is_empty());
    assert!(stage.store.events(other, None, all).await.unwrap().items.is_empty());
    assert!(!stage.store.delete_webhook(other, webhook.id, NOW).await.unwrap());
    assert!(stage.store.webhook(DEFAULT_PROJECT, WebhookId::new(NOW, 9)).await.unwrap().is_none());
}

async fn what_was_open_is_open_after_a_restart(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let skipped = {
        let mut skipped = stage.delivery(&webhook, WorkKind::Send, None);
        skipped.beginning = Beginning::Skipped { reason: "the webhook is disabled".to_owned() };
        let id = skipped.id;
        stage.store.accept(stage.accept_of(vec![skipped])).await.unwrap();
        id
    };
    let stage = stage.reopen().await;
    assert!(stage.store.subscriptions().webhook(webhook.id).is_some(), "secrets open with the same keys");
    assert_eq!(stage.status(skipped).await, DeliveryStatus::Skipped);
    // Where one process holds the file the lease is free at once, elsewhere when it ends.
    let claimed = stage.claimed(lease.until).await;
    assert!(matches!(claimed.as_slice(), [ClaimedWork::Send(work)] if work.head.id == delivery), "{claimed:?}");
}

/// An accept of one event under a key, with what was posted.
fn keyed(stage: &Stage, webhook: &Webhook, key: &str, posted: &[u8]) -> Accept {
    let mut accept = stage.accept_of(vec![stage.delivery(webhook, WorkKind::Send, None)]);
    let idempotency = Some(Idempotency::new(DEFAULT_PROJECT, key, posted));
    accept.events[0].fan_out = FanOut::Begin { idempotency, later: Vec::new() };
    accept
}

async fn a_repeated_post_is_the_same_event(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let first = keyed(&stage, &webhook, "k", b"body");
    let id = first.events[0].event.id;
    assert_eq!(stage.store.accept(first).await.unwrap(), [Accepted::New]);
    let again = stage.store.accept(keyed(&stage, &webhook, "k", b"body")).await.unwrap();
    assert_eq!(again, [Accepted::Duplicate(id)]);
    let other = stage.store.accept(keyed(&stage, &webhook, "k", b"other")).await.unwrap();
    assert_eq!(other, [Accepted::Mismatch]);
    // Two of them at once: one is new.
    let (a, b) = tokio::join!(
        stage.store.accept(keyed(&stage, &webhook, "x", b"body")),
        stage.store.accept(keyed(&stage, &webhook, "x", b"body")),
    );
    let new = [a.unwrap(), b.unwrap()].iter().filter(|accepted| **accepted == [Accepted::New]).count();
    assert_eq!(new, 1);
    assert_eq!(stage.claimed(NOW).await.len(), 2);
    assert_eq!(stage.store.deliveries_of_event(id).await.unwrap().len(), 1);
}

async fn events_of_one_accept_are_stored_together_or_not_at_all(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    stage.store.accept(keyed(&stage, &webhook, "used", b"one")).await.unwrap();
    let mut accept = keyed(&stage, &webhook, "fresh", b"a");
    accept.events.extend(keyed(&stage, &webhook, "used", b"two").events);
    let accepted = stage.store.accept(accept).await.unwrap();
    assert!(accepted.contains(&Accepted::Mismatch));
    assert_eq!(stage.claimed(NOW).await.len(), 1, "only the first of all");
    let fresh = stage.store.accept(keyed(&stage, &webhook, "fresh", b"b")).await.unwrap();
    assert_eq!(fresh, [Accepted::New], "the key was given back");
    let mut both = keyed(&stage, &webhook, "p", b"p");
    both.events.extend(keyed(&stage, &webhook, "q", b"q").events);
    assert_eq!(stage.store.accept(both).await.unwrap(), [Accepted::New, Accepted::New]);
    assert_eq!(stage.claimed(NOW).await.len(), 3);
}

async fn an_idempotency_key_is_forgotten_after_a_day(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    stage.store.accept(keyed(&stage, &webhook, "k", b"body")).await.unwrap();
    let later = |ms| {
        let mut accept = keyed(&stage, &webhook, "k", b"body");
        let event = &mut accept.events[0].event;
        *event = std::sync::Arc::new(Event { received_at: NOW.plus(ms), ..Event::clone(event) });
        accept
    };
    let at_the_edge = stage.store.accept(later(IDEMPOTENCY_MS - 1)).await.unwrap();
    assert!(matches!(at_the_edge.as_slice(), [Accepted::Duplicate(_)]));
    assert_eq!(stage.store.accept(later(IDEMPOTENCY_MS)).await.unwrap(), [Accepted::New]);
    assert_eq!(stage.store.forget_keys(NOW.plus(IDEMPOTENCY_MS)).await.unwrap(), 0);
    assert_eq!(stage.store.forget_keys(NOW.plus(2 * IDEMPOTENCY_MS)).await.unwrap(), 1);
}

async fn what_was_matched_with_old_webhooks_is_not_stored(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let matched_at = Some(stage.store.subscriptions().revision());
    let accept = || Accept { matched_at, ..stage.accept_of(vec![stage.delivery(&webhook, WorkKind::Send, None)]) };
    assert_eq!(stage.store.accept(accept()).await.unwrap(), [Accepted::New]);
    stage.stored_webhook().await;
    let (stale, fresh) = tokio::join!(
        stage.store.accept(accept()),
        stage.store.accept(stage.accept_of(vec![stage.delivery(&webhook, WorkKind::Send, None)])),
    );
    assert_eq!((stale.unwrap(), fresh.unwrap()), (vec![Accepted::Stale], vec![Accepted::New]));
    assert_eq!(stage.claimed(NOW).await.len(), 2);
}

async fn a_change_on_one_node_reaches_the_other(stage: Stage) {
    let other = stage.beside().await;
    let webhook = stage.stored_webhook().await;
    assert!(other.subscriptions().webhook(webhook.id).is_none());
    other.sync_subscriptions().await.unwrap();
    assert_eq!(other.subscriptions().revision(), stage.store.subscriptions().revision());
    assert!(other.subscriptions().webhook(webhook.id).is_some());
    stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap();
    other.sync_subscriptions().await.unwrap();
    assert!(other.subscriptions().webhook(webhook.id).is_none());
}

async fn work_given_back_to_a_webhook_that_was_enabled_meanwhile_is_due(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (early, late) = (stage.lease(), stage.lease());
    let first = stage.accepted(&webhook, WorkKind::Send, Some(early)).await;
    let second = stage.accepted(&webhook, WorkKind::Send, Some(late)).await;
    let hold = |work: crate::domain::id::DeliveryId, lease| Postpone {
        work: work.request(0).uuid(),
        lease,
        due: Millis::NEVER,
        reason: None,
        counts: false,
        run: None,
    };
    let mut disabled = webhook.clone();
    disabled.state = State::Disabled { reason: "by hand".to_owned() };
    disabled.version = 2;
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    assert!(stage.store.postpone(hold(first, early)).await.unwrap());
    assert!(stage.claimed(Millis(early.until.0 - 1)).await.is_empty(), "it waits while the webhook is disabled");
    let enabled = Webhook { state: State::Enabled, version: 3, ..disabled };
    assert!(
        stage.store.update_webhook(&enabled, 2, OpenWork::Resume { blocked_until: NOW }, &stage.entropy).await.unwrap()
    );
    // Whoever had the second in hand saw the webhook disabled and gives it back only now.
    assert!(stage.store.postpone(hold(second, late)).await.unwrap());
    assert_eq!(stage.claimed(NOW).await.len(), 2);
}

async fn work_of_a_webhook_that_another_node_made_is_claimed_with_it(stage: Stage) {
    let other = stage.beside().await;
    let webhook = stage.stored_webhook().await;
    stage.accepted(&webhook, WorkKind::Send, None).await;
    assert_eq!(other.work_heads(NOW).await.unwrap().len(), 1);
    assert!(other.subscriptions().webhook(webhook.id).is_some(), "or it could not be sent");
}

async fn work_made_for_a_webhook_that_was_deleted_meanwhile_is_cancelled(stage: Stage) {
    let (gone, stays) = (stage.stored_webhook().await, stage.stored_webhook().await);
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, gone.id, NOW).await.unwrap());
    // Not matched, as a test of a webhook is not, or matched in a transaction that the deletion could not see.
    let send = stage.accepted(&gone, WorkKind::Send, None).await;
    let transform = stage.accepted(&gone, WorkKind::Transform, None).await;
    let other = stage.accepted(&stays, WorkKind::Send, None).await;
    let claimed = stage.claimed(NOW).await;
    assert!(matches!(claimed.as_slice(), [ClaimedWork::Send(work)] if work.head.id == other), "{claimed:?}");
    assert_eq!(stage.status(send).await, DeliveryStatus::Cancelled);
    assert_eq!(stage.status(transform).await, DeliveryStatus::Cancelled);
    assert!(stage.claimed(Millis(i64::MAX - 1)).await.iter().all(|work| work.head().id == other));
}

/// However the server plans the statement. These settings are those with which it was seen to claim more than was asked.
#[tokio::test]
async fn postgres_claims_no_more_than_was_asked() {
    let settings = ["enable_hashjoin", "enable_mergejoin", "enable_hashagg", "enable_sort", "enable_material"];
    let stage = Stage::postgres_with(&settings.map(|setting| format!("options[{setting}]=off")).join("&")).await;
    let webhook = stage.stored_webhook().await;
    for _ in 0..20 {
        stage.accepted(&webhook, WorkKind::Send, None).await;
    }
    for _ in 0..3 {
        assert_eq!(stage.claim(NOW, 3).await.0.len(), 3);
    }
}

//! The log of deliveries: what is found in it, how much is looked at for that, and that it shows one moment.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::on_both;
use super::resends::failed;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId, ProjectId};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::pattern::EventType;
use crate::domain::selection::Selection;
use crate::domain::webhook::Webhook;
use crate::store::{Accept, FanOut, NewDelivery, NewEvent, RequestEnd, Search, WorkKind};

on_both!(
    each_filter_finds_what_it_names,
    a_time_has_its_first_and_not_its_last_moment,
    a_text_is_found_in_payloads_and_answers,
    no_request_looks_at_more_than_it_may,
    what_is_looked_for_is_found_by_an_index,
    a_delivery_is_shown_as_it_was_at_one_moment,
);

impl Stage {
    /// A delivery of an event of this type and payload, that was made so long after the others.
    pub(super) async fn logged(
        &self,
        webhook: &Webhook,
        kind: &str,
        payload: &'static str,
        after_ms: u64,
    ) -> DeliveryId {
        let now = NOW.plus(after_ms);
        let event = Event {
            id: EventId::new(now, self.entropy.id()),
            event_type: EventType::parse(kind).unwrap(),
            payload: Some(Bytes::from_static(payload.as_bytes())),
            // Deliveries of a wide event are made later than it is received.
            received_at: NOW,
            ..Event::clone(&self.event())
        };
        let id = DeliveryId::with_room(now, self.entropy.id());
        let new = NewDelivery { id, ..self.delivery(webhook, WorkKind::Send, Some(self.lease())) };
        let fan_out = FanOut::Begin { idempotency: None, later: Vec::new() };
        let event = NewEvent { event: Arc::new(event), fan_out, deliveries: vec![new.clone()] };
        self.store.accept(Accept { events: vec![event], matched_at: None }).await.unwrap();
        id
    }

    pub(super) async fn answered(&self, webhook: &Webhook, id: DeliveryId, status: u16, body: &[u8], end: RequestEnd) {
        let lease = self.lease();
        self.run_sql("UPDATE open_work SET due_at = 0, lease_token = NULL").await;
        let claimed = self.claimed(Millis(1)).await;
        let work = claimed.iter().find(|work| work.head().id == id).unwrap();
        let crate::store::ClaimedWork::Send(work) = work else { panic!("{work:?}") };
        let mut finish = Stage::finish(webhook, work.request, work.lease, end);
        (finish.attempt.status_code, finish.attempt.response_body) = (Some(status), Some(body.to_vec()));
        (finish.is_plain, finish.only_request, finish.now) = (true, true, NOW.plus(lease.until.since(NOW)));
        assert!(!self.store.finish(finish).await.unwrap().late);
    }

    async fn looked_up(&self, selection: Selection) -> HashSet<DeliveryId> {
        self.found_by(&super::all_of(selection)).await
    }

    /// What is found from either end, which must be the same.
    async fn found_by(&self, search: &Search) -> HashSet<DeliveryId> {
        let (mut newest, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.deliveries(DEFAULT_PROJECT, search, PageRequest { limit: 2, cursor }).await.unwrap();
            newest.extend(page.items.iter().map(|item| item.id));
            let Some(next) = page.next_cursor else { break };
            cursor = Cursor::decode(&next);
        }
        assert!(newest.is_sorted_by(|a, b| a > b), "each once, newest first: {newest:?}");
        let (mut oldest, mut after) = (Vec::new(), None);
        loop {
            let found = self.store.find_deliveries(DEFAULT_PROJECT, search, after, 2).await.unwrap();
            oldest.extend(found.ids);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        newest.reverse();
        assert_eq!(newest, oldest);
        oldest.into_iter().collect()
    }
}

async fn each_filter_finds_what_it_names(stage: Stage) {
    let (webhook, through) = (stage.stored_webhook().await, stage.webhook_with_plugin().await);
    stage.store.insert_webhook(&through, &stage.entropy).await.unwrap();
    let arrived = stage.logged(&webhook, "ticket.created", "{}", 0).await;
    stage.answered(&webhook, arrived, 200, b"ok", RequestEnd::Succeeded).await;
    let lost = stage.logged(&webhook, "ticket.updated", "{}", 1).await;
    stage.answered(&webhook, lost, 503, b"busy", RequestEnd::Retry { due: NOW }).await;
    stage.answered(&webhook, lost, 400, b"no", failed()).await;
    let open = stage.logged(&through, "ticket.created", "{}", 2).await;
    let test = NewDelivery { trigger: Trigger::Test, ..stage.delivery(&webhook, WorkKind::Send, None) };
    let tested = test.id;
    stage.store.accept(stage.accept_of(vec![test])).await.unwrap();
    let plugin = through.configuration.plugin.clone().unwrap();
    let event = stage.summary(lost).await.event_id;
    let all = Selection::default();
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (all.clone(), vec![arrived, lost, open, tested]),
        (Selection { webhook_id: Some(webhook.id), ..all.clone() }, vec![arrived, lost, tested]),
        (Selection { event_id: Some(event), ..all.clone() }, vec![lost]),
        (Selection { event_type: text("ticket.created"), ..all.clone() }, vec![arrived, open, tested]),
        (Selection { status: Some(DeliveryStatus::Failed), ..all.clone() }, vec![lost]),
        (Selection { status: Some(DeliveryStatus::Succeeded), ..all.clone() }, vec![arrived]),
        (Selection { status: Some(DeliveryStatus::Pending), ..all.clone() }, vec![open, tested]),
        (Selection { status_code: Some(503), ..all.clone() }, vec![lost]),
        (Selection { status_code: Some(400), ..all.clone() }, vec![lost]),
        (Selection { status_code: Some(200), ..all.clone() }, vec![arrived]),
        (Selection { plugin: Some(plugin.name.clone()), ..all.clone() }, vec![open]),
        (Selection { plugin_version: Some(plugin.version.clone()), ..all.clone() }, vec![open]),
        (Selection { plugin: Some(plugin.name), plugin_version: text("9.9.9"), ..all.clone() }, vec![]),
        (Selection { trigger: Some(Trigger::Test), ..all.clone() }, vec![tested]),
        (Selection { webhook_id: Some(webhook.id), status: Some(DeliveryStatus::Failed), ..all.clone() }, vec![lost]),
        (Selection { webhook_id: Some(through.id), status: Some(DeliveryStatus::Failed), ..all.clone() }, vec![]),
        (Selection { event_id: Some(event), status: Some(DeliveryStatus::Succeeded), ..all.clone() }, vec![]),
        (Selection { event_type: text("ticket.updated"), status_code: Some(200), ..all.clone() }, vec![]),
    ];
    for (selection, expected) in cases {
        assert_eq!(stage.looked_up(selection.clone()).await, expected.into_iter().collect(), "{selection:?}");
    }
    let page = PageRequest { limit: 10, cursor: None };
    let other = ProjectId::new(NOW, 9);
    for selection in [all.clone(), Selection { webhook_id: Some(webhook.id), ..all }] {
        assert!(stage.store.deliveries(other, &super::all_of(selection), page).await.unwrap().items.is_empty());
    }
}

async fn a_time_has_its_first_and_not_its_last_moment(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut ids = Vec::new();
    for ms in 0..4 {
        ids.push(stage.logged(&webhook, "ticket.created", "{}", ms).await);
    }
    for id in &ids {
        let summary = stage.summary(*id).await;
        assert_eq!(summary.created_at, id.made_at(), "the time by which it is found is the time that is shown");
    }
    for (since, until, expected) in
        [(Some(1), Some(3), &ids[1..3]), (None, Some(1), &ids[..1]), (Some(3), None, &ids[3..]), (Some(4), None, &[])]
    {
        let at = |ms: Option<u64>| ms.map(|ms| NOW.plus(ms));
        for webhook_id in [None, Some(webhook.id)] {
            let selection = Selection { since: at(since), until: at(until), webhook_id, ..Selection::default() };
            assert_eq!(stage.looked_up(selection).await, expected.iter().copied().collect(), "{since:?} {until:?}");
        }
    }
}

async fn a_text_is_found_in_payloads_and_answers(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let in_payload = stage.logged(&webhook, "ticket.created", r#"{"who": "Zoë"}"#, 0).await;
    let in_answer = stage.logged(&webhook, "ticket.created", r#"{"who": "Ada"}"#, 1).await;
    stage.answered(&webhook, in_answer, 500, b"\xff\x00 said Zo\xc3\xab", failed()).await;
    stage.logged(&webhook, "ticket.created", r#"{"who": "zoë"}"#, 2).await;
    for (text, expected) in [("Zoë", vec![in_payload, in_answer]), ("said Z", vec![in_answer]), ("%", vec![])] {
        let search = Search { text: Some(text.to_owned()), ..super::all_of(Selection::default()) };
        assert_eq!(stage.found_by(&search).await, expected.into_iter().collect(), "{text}");
    }
    let search = Search {
        text: Some("Zoë".to_owned()),
        ..super::all_of(Selection { status: Some(DeliveryStatus::Failed), ..Selection::default() })
    };
    assert_eq!(stage.found_by(&search).await, HashSet::from([in_answer]));
}

async fn no_request_looks_at_more_than_it_may(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let rare = stage.logged(&webhook, "ticket.rare", "{}", 0).await;
    for ms in 1..=6 {
        stage.logged(&webhook, "ticket.created", "{}", ms).await;
    }
    let selection = Selection { event_type: Some("ticket.rare".to_owned()), ..Selection::default() };
    for (rows, pages) in [(1, 7), (3, 3), (6, 2), (7, 1), (8, 1)] {
        let search = Search::new(selection.clone(), rows);
        let (mut cursor, mut found, mut asked) = (None, Vec::new(), 0);
        while found.is_empty() {
            let page =
                stage.store.deliveries(DEFAULT_PROJECT, &search, PageRequest { limit: 5, cursor }).await.unwrap();
            found.extend(page.items.iter().map(|item| item.id));
            cursor = page.next_cursor.as_deref().and_then(Cursor::decode);
            asked += 1;
            assert!(cursor.is_some() || !found.is_empty(), "it goes on until it is found");
        }
        assert_eq!((found, asked), (vec![rare], pages), "{rows} at a time");
        assert_eq!(stage.found_by(&search).await, HashSet::from([rare]));
    }
}

async fn what_is_looked_for_is_found_by_an_index(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let event = stage.event().id;
    let all = Selection::default();
    let of = Selection { webhook_id: Some(webhook.id), ..all.clone() };
    let status = |status| Some(status);
    let failed = DeliveryStatus::Failed;
    let cases = [
        (all.clone(), "pk"),
        (Selection { event_type: Some("a".to_owned()), status_code: Some(500), ..all.clone() }, "pk"),
        (Selection { status: status(DeliveryStatus::Succeeded), ..all.clone() }, "pk"),
        (Selection { since: Some(NOW), until: Some(NOW.plus(1)), ..all.clone() }, "pk"),
        (Selection { event_id: Some(event), ..of.clone() }, "webhook_deliveries_event"),
        (of.clone(), "webhook_deliveries_webhook"),
        (Selection { status: status(DeliveryStatus::Pending), ..of.clone() }, "webhook_deliveries_webhook"),
        (Selection { status: status(failed), ..of }, "webhook_deliveries_unsent"),
        (Selection { status: status(failed), ..all }, "webhook_deliveries_unsent_of_project"),
    ];
    for (selection, index) in cases {
        for plan in stage.store.plans(&super::all_of(selection.clone())).await {
            stage.judge_plan(&plan, index, &format!("{selection:?}"));
        }
    }
}

impl Stage {
    /// Whether deliveries are found by this index, and nothing is read from end to end or sorted on the way.
    fn judge_plan(&self, plan: &str, index: &str, what: &str) {
        let told = format!("{what}\n{plan}");
        if self.store.is_shared() {
            assert!(!plan.contains("Seq Scan"), "{told}");
            // Partitions have indexes of their own, named by table and columns.
            let (name, sorts) = match index {
                "pk" => ("_pkey on webhook_deliveries_", false),
                "webhook_deliveries_event" => ("_event_id_idx", true),
                "webhook_deliveries_webhook" => ("_webhook_id_id_idx", false),
                "webhook_deliveries_unsent" => ("_webhook_id_status_id_idx", false),
                _ => ("_project_id_status_id_idx", false),
            };
            // For an event of a webhook the planner takes any of three, when partitions are as good as empty.
            assert!(plan.contains(name) || index == "webhook_deliveries_event", "{told}");
            assert!(sorts || !plan.contains("Sort  (cost"), "{told}");
        } else {
            let line = plan.lines().find(|line| line.contains(" d ") || line.ends_with(" d")).unwrap_or_default();
            let by = if index == "pk" { "USING PRIMARY KEY".to_owned() } else { format!("INDEX {index} ") };
            assert!(line.starts_with("SEARCH") && line.contains(&by), "{told}");
            assert!(!plan.contains("TEMP B-TREE"), "{told}");
        }
    }
}

async fn a_delivery_is_shown_as_it_was_at_one_moment(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let reader = stage.beside().await;
    let mut begun = Vec::new();
    for _ in 0..150 {
        let lease = stage.lease();
        begun.push((stage.accepted(&webhook, WorkKind::Send, Some(lease)).await, lease));
    }
    for (delivery, lease) in begun {
        let mut finish = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Succeeded);
        (finish.is_plain, finish.only_request) = (true, true);
        let finishing = stage.store.finish(finish);
        let reading = async {
            loop {
                let view = reader.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
                let is_done = view.summary.status == DeliveryStatus::Succeeded;
                assert_eq!(view.requests[0].attempts.len(), usize::from(is_done), "torn: {view:#?}");
                assert_eq!(view.requests[0].status.as_str(), if is_done { "succeeded" } else { "sending" });
                if is_done {
                    break;
                }
            }
        };
        let (finished, ()) = tokio::join!(finishing, reading);
        finished.unwrap();
    }
}

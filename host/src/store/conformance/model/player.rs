//! Plays a script on a store and on the model, and compares what they say.

use std::sync::Arc;

use futures_util::future::join_all;
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::super::stage::{NOW, Stage};
use super::Verdict;
use super::book::{Book, Hook, HookState, Paper, outcome};
use super::op::{End, Op, Outcome, Postponed, Transformed};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::entropy::Entropy;
use crate::domain::event::{Event, IDEMPOTENCY_MS, Idempotency};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::selection::Selection;
use crate::domain::webhook::{Configuration, State, Webhook};
use crate::store::{
    Accept, Accepted, Acted, Beginning, Chosen, Claim, FanOut, Finish, Finished, Freeze, InOrder, Lease, NewDelivery,
    NewEvent, OpenWork, Postpone, RequestEnd, Search, Settle, Store, StoreError, WorkKind,
};

const LEASE_MS: u64 = 60_000;
/// How long a delivery waits for earlier ones. Shorter than a lease: what was claimed is still in hand when it ends.
const ORDER_WAIT_MS: u64 = 30_000;
/// The byte of a delivery's id that says how many requests are made of it: a random one.
const REQUESTS_BYTE: usize = 12;
/// Scripts begin on days of their own, so that no id comes twice in one database.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Most webhooks of a script.
const HOOKS_MAX: usize = 5;

/// A result that is about to be told.
enum Told {
    Finish(Box<Finish>),
    Freeze(Freeze),
    Settle(Settle),
    Postpone(Postpone),
}

/// What the store answers to it.
enum Answer {
    Finished(Finished),
    Held(bool),
}

/// One database and the nodes on it.
pub(super) struct Nodes {
    stage: Stage,
    /// The nodes besides the stage's own.
    others: Vec<Store>,
}

impl Nodes {
    pub(super) async fn open(stage: Stage, nodes: usize) -> Self {
        let mut others = Vec::new();
        for _ in 1..nodes {
            others.push(stage.beside().await);
        }
        Self { stage, others }
    }
}

pub(super) struct Player {
    stage: Stage,
    others: Vec<Store>,
    /// Which nodes know the webhooks as they are.
    informed: Vec<bool>,
    book: Book,
    project: ProjectId,
    /// What all webhooks are like.
    webhook: Webhook,
    random: StdRng,
    marks: u64,
    /// Results that were told, to be told again, and whether they were late.
    told: Vec<(Finish, bool)>,
}

impl Player {
    pub(super) fn new(nodes: Nodes, number: u32, seed: u64) -> Self {
        let Nodes { mut stage, others } = nodes;
        let start = NOW.plus(u64::from(number) * DAY_MS);
        stage.entropy = Entropy::seeded(seed);
        let project = ProjectId::new(start, stage.entropy.id());
        let informed = vec![false; 1 + others.len()];
        let mut webhook = stage.webhook();
        // Few secrets: it takes long to prepare their redaction.
        (webhook.secrets.bearer_token, webhook.secrets.headers) = (None, Vec::new());
        webhook.secrets.plugin.clear();
        let random = StdRng::seed_from_u64(seed);
        let book = Book::at(start);
        Self { stage, others, informed, book, project, webhook, random, marks: 0, told: Vec::new() }
    }

    /// Plays all of it, then lets everything that is open be claimed, and cleans up. The nodes come back if they are fit for
    /// another script.
    pub(super) async fn play(mut self, ops: &[Op]) -> (Option<Nodes>, Verdict) {
        self.stage.store_project(self.project).await;
        let verdict = self.play_all(ops).await;
        let mut is_clean = true;
        for hook in &self.book.hooks {
            is_clean &= self.stage.store.delete_webhook(self.project, hook.id, self.book.now).await.is_ok();
        }
        is_clean &= self.stage.store.work_heads(self.book.now).await.is_ok_and(|heads| heads.is_empty());
        (is_clean.then_some(Nodes { stage: self.stage, others: self.others }), verdict)
    }

    async fn play_all(&mut self, ops: &[Op]) -> Verdict {
        self.register(0, false, false).await?;
        for op in ops {
            self.step(op).await?;
        }
        self.judge_history().await?;
        self.drain().await
    }

    async fn step(&mut self, op: &Op) -> Verdict {
        match op {
            Op::Register { node, transforms, ordered } => self.register(self.node(*node), *transforms, *ordered).await,
            Op::Edit { node, hook } => self.edit(self.node(*node), self.hook(*hook)).await,
            Op::Disable { node, hook } => {
                let hook = self.hook(*hook);
                self.switch(self.node(*node), hook, HookState::Enabled, HookState::Disabled).await
            }
            Op::Enable { node, hook } => {
                let hook = self.hook(*hook);
                self.switch(self.node(*node), hook, HookState::Disabled, HookState::Enabled).await
            }
            Op::Delete { node, hook } => self.delete(self.node(*node), self.hook(*hook)).await,
            Op::Publish { node, leased, key, subject } => self.publish(self.node(*node), *leased, *key, *subject).await,
            Op::Claim { node, total, per_webhook } => {
                self.claim(self.node(*node), *total, *per_webhook).await.map(|_| ())
            }
            Op::Results(outcomes) => self.results(outcomes).await,
            Op::Again { node, result } => {
                if let Some((finish, late)) = self.told.get(result % self.told.len().max(1)).cloned() {
                    let again = ok(self.store(self.node(*node)).finish(finish).await)?;
                    prop_assert_eq!(again.late, late, "it is told what it would have been told");
                }
                Ok(())
            }
            Op::Resend { node, delivery, all } => self.resend(self.node(*node), *delivery, *all).await,
            Op::Cancel { node, delivery } => self.cancel(self.node(*node), *delivery).await,
            Op::Wait { ms } => {
                self.book.now = self.book.now.plus(*ms);
                Ok(())
            }
            Op::WaitToEdge { work, before } => {
                let edges: Vec<Millis> = self.book.open.values().map(|open| open.due).collect();
                let edge = (!edges.is_empty()).then(|| edges[work % edges.len()]).filter(|due| *due < Millis::NEVER);
                if let Some(edge) = edge {
                    self.book.now = self.book.now.max(Millis(edge.0 - i64::from(*before)));
                }
                Ok(())
            }
            Op::Crash { node } => {
                self.crash(self.node(*node)).await;
                Ok(())
            }
        }
    }

    fn node(&self, wanted: usize) -> usize {
        wanted % (1 + self.others.len())
    }

    fn hook(&self, wanted: usize) -> usize {
        wanted % self.book.hooks.len()
    }

    fn store(&self, node: usize) -> &Store {
        if node == 0 { &self.stage.store } else { &self.others[node - 1] }
    }

    /// Webhooks have changed, and only these nodes know.
    fn changed(&mut self, known_to: Option<usize>) {
        for (node, informed) in self.informed.iter_mut().enumerate() {
            *informed = Some(node) == known_to;
        }
    }

    fn token(&self) -> Lease {
        Lease { token: self.stage.entropy.token(), until: self.book.now.plus(LEASE_MS) }
    }

    async fn register(&mut self, node: usize, transforms: bool, ordered: bool) -> Verdict {
        if self.book.hooks.len() >= HOOKS_MAX {
            return Ok(());
        }
        let id = WebhookId::new(self.book.now, self.stage.entropy.id());
        let webhook = Webhook { id, project: self.project, ..self.webhook.clone() };
        ok(self.store(node).insert_webhook(&webhook, &self.stage.entropy).await)?;
        self.changed(Some(node));
        self.book.hooks.push(Hook { id, state: HookState::Enabled, revision: 1, transforms, ordered });
        Ok(())
    }

    /// The webhook as it is stored, which must be as the model knows it.
    async fn stored(&self, node: usize, hook: usize) -> Verdict<Option<Webhook>> {
        let known = &self.book.hooks[hook];
        let stored = ok(self.store(node).webhook(self.project, known.id).await)?;
        let state = stored.as_ref().map_or(HookState::Deleted, |webhook| match webhook.state {
            State::Enabled => HookState::Enabled,
            State::Disabled { .. } => HookState::Disabled,
        });
        prop_assert_eq!(state, known.state, "of {}", known.id);
        Ok(stored)
    }

    async fn edit(&mut self, node: usize, hook: usize) -> Verdict {
        let Some(stored) = self.stored(node, hook).await? else { return Ok(()) };
        let revision = stored.configuration.revision + 1;
        let configuration = Arc::new(Configuration { revision, ..(*stored.configuration).clone() });
        let changed = Webhook { configuration, ..stored };
        self.update(node, changed, OpenWork::Keep).await?;
        self.book.hooks[hook].revision = revision;
        Ok(())
    }

    async fn switch(&mut self, node: usize, hook: usize, from: HookState, to: HookState) -> Verdict {
        let Some(stored) = self.stored(node, hook).await? else { return Ok(()) };
        if self.book.hooks[hook].state != from {
            return Ok(());
        }
        let blocked_until = self.book.now.plus(ORDER_WAIT_MS);
        let (state, open_work) = match to {
            HookState::Enabled => (State::Enabled, OpenWork::Resume { blocked_until }),
            _ => (State::Disabled { reason: "by hand".to_owned() }, OpenWork::Hold),
        };
        self.update(node, Webhook { state, ..stored }, open_work).await?;
        match to {
            HookState::Enabled => self.book.enable(hook, blocked_until),
            _ => self.book.disable(hook),
        }
        Ok(())
    }

    async fn update(&mut self, node: usize, webhook: Webhook, open_work: OpenWork) -> Verdict {
        let expected = webhook.version;
        let changed = Webhook { version: expected + 1, updated_at: self.book.now, ..webhook };
        let entropy = &self.stage.entropy;
        prop_assert!(ok(self.store(node).update_webhook(&changed, expected, open_work, entropy).await)?);
        self.changed(Some(node));
        Ok(())
    }

    async fn delete(&mut self, node: usize, hook: usize) -> Verdict {
        let Hook { id, state, .. } = self.book.hooks[hook];
        let deleted = ok(self.store(node).delete_webhook(self.project, id, self.book.now).await)?;
        prop_assert_eq!(deleted, state != HookState::Deleted);
        if deleted {
            self.changed(Some(node));
            self.book.delete(hook);
        }
        Ok(())
    }

    /// Posts an event for every webhook, as `ingest` does: what was matched with old webhooks is matched again.
    async fn publish(&mut self, node: usize, leased: bool, key: Option<usize>, subject: u128) -> Verdict {
        let event = Arc::new(Event {
            id: EventId::new(self.book.now, self.stage.entropy.id()),
            project: self.project,
            received_at: self.book.now,
            ..(*self.stage.event()).clone()
        });
        let key_id = key.map(|key| Idempotency::new(self.project, &key.to_string(), b"the same"));
        let mut accept = self.matched(node, &event, key_id, leased, subject);
        if !self.informed[node] {
            prop_assert_eq!(ok(self.store(node).accept(accept).await)?, [Accepted::Stale]);
            ok(self.store(node).sync_subscriptions().await)?;
            self.informed[node] = true;
            accept = self.matched(node, &event, key_id, leased, subject);
        }
        let known = key.and_then(|key| self.book.keys.get(&key).copied());
        let known = known.filter(|(_, posted)| self.book.now.since(*posted) < IDEMPOTENCY_MS);
        let accepted = ok(self.store(node).accept(accept.clone()).await)?;
        if let Some((earlier, _)) = known {
            prop_assert_eq!(accepted, [Accepted::Duplicate(earlier)]);
            return Ok(());
        }
        prop_assert_eq!(accepted, [Accepted::New]);
        self.book.events.push(event.id);
        if let Some(key) = key {
            self.book.keys.insert(key, (event.id, self.book.now));
        }
        let alive = self.book.hooks.iter().filter(|hook| hook.state != HookState::Deleted).count();
        prop_assert_eq!(accept.events[0].deliveries.len(), alive);
        for new in &accept.events[0].deliveries {
            let hook = self.book.hooks.iter().position(|hook| hook.id == new.webhook_id).unwrap();
            let (skipped, lease) = match new.beginning {
                Beginning::Open { lease, .. } => (false, lease),
                Beginning::Skipped { .. } | Beginning::Collected { .. } => (true, None),
            };
            prop_assert_eq!(skipped, self.book.hooks[hook].state == HookState::Disabled);
            prop_assert_eq!(new.revision, self.book.hooks[hook].revision);
            self.book.add_delivery(new.id, event.id, hook, (lease, new.order), node);
        }
        Ok(())
    }

    fn matched(
        &self,
        node: usize,
        event: &Arc<Event>,
        idempotency: Option<Idempotency>,
        leased: bool,
        subject: u128,
    ) -> Accept {
        let snapshot = self.store(node).subscriptions();
        let deliveries = snapshot.of_project(self.project).iter().map(|webhook| {
            let hook = self.book.hooks.iter().find(|hook| hook.id == webhook.id);
            let (transforms, ordered) = hook.map_or((false, false), |hook| (hook.transforms, hook.ordered));
            let order = InOrder { key: Uuid::from_u128(subject), until: self.book.now.plus(ORDER_WAIT_MS) };
            NewDelivery {
                id: DeliveryId::with_room(self.book.now, self.stage.entropy.id()),
                webhook_id: webhook.id,
                revision: webhook.configuration.revision,
                trigger: Trigger::Event,
                requester: None,
                beginning: match &webhook.state {
                    State::Enabled => Beginning::Open {
                        kind: if transforms { WorkKind::Transform } else { WorkKind::Send },
                        due: self.book.now,
                        lease: (leased && !ordered).then(|| self.token()),
                    },
                    State::Disabled { reason } => Beginning::Skipped { reason: reason.clone() },
                },
                order: ordered.then_some(order),
            }
        });
        let fan_out = FanOut::Begin { idempotency, later: Vec::new() };
        let event = NewEvent { event: event.clone(), fan_out, deliveries: deliveries.collect() };
        Accept { events: vec![event], matched_at: Some(snapshot.revision()) }
    }

    async fn claim(&mut self, node: usize, total: usize, per_webhook: usize) -> Verdict<usize> {
        let before = self.store(node).subscriptions();
        let heads = ok(self.store(node).work_heads(self.book.now).await)?;
        let known = self.store(node).subscriptions();
        prop_assert!(heads.iter().all(|head| known.webhook(head.webhook).is_some()), "work of an unknown webhook");
        // A node that meets an unknown webhook learns of it, and of all else.
        self.informed[node] |= heads.iter().any(|head| before.webhook(head.webhook).is_none());
        self.book.judge_heads(&heads)?;
        let mut left = total;
        let mut wanted = Vec::new();
        for head in heads {
            let room = left.min(per_webhook);
            left -= room;
            if room > 0 {
                wanted.push((head.webhook, room));
            }
        }
        let claim = Claim { now: self.book.now, lease: self.token(), wanted, by_hand: Vec::new() };
        let (work, outlook) = ok(self.store(node).claim(claim.clone()).await)?;
        self.book.claimed(node, &claim, &work, outlook)?;
        Ok(work.len())
    }

    /// Results come in together, each of another lease.
    async fn results(&mut self, outcomes: &[Outcome]) -> Verdict {
        let mut chosen: Vec<(Paper, Outcome)> = Vec::new();
        for outcome in outcomes {
            if self.book.papers.is_empty() {
                break;
            }
            let mut outcome = outcome.clone();
            let paper = self.book.papers.swap_remove(outcome.paper % self.book.papers.len());
            // Which of two results of one request comes first makes a difference only if the late one is a success.
            let rival = chosen.iter_mut().find(|(other, _)| other.sent() == paper.sent());
            if let Some((_, rival)) = rival {
                (outcome.end, rival.end) = (End::Failed, End::Failed);
            }
            chosen.push((paper, outcome));
        }
        let alone = chosen.len() == 1;
        let told: Vec<Told> = chosen.iter().map(|(paper, outcome)| self.tell(paper, outcome, alone)).collect();
        let answers = join_all(chosen.iter().zip(&told).map(|((paper, _), told)| send(self.store(paper.node), told)));
        let answers = answers.await;
        for (((paper, _), told), answer) in chosen.iter().zip(told).zip(answers) {
            self.note(paper, told, &answer?, alone)?;
        }
        Ok(())
    }

    fn tell(&mut self, paper: &Paper, outcome: &Outcome, alone: bool) -> Told {
        let now = self.book.now;
        if let Some(postponed) = outcome.postponed {
            let (due, counts) = match postponed {
                // Only transformations are tried a limited number of times.
                Postponed::For { ms, counts } => (now.plus(ms), counts && paper.kind == WorkKind::Transform),
                Postponed::WhileDisabled => (Millis::NEVER, false),
            };
            return Told::Postpone(Postpone {
                work: paper.work,
                lease: paper.lease,
                due,
                reason: None,
                counts,
                run: None,
            });
        }
        let disable = alone && outcome.disable;
        if paper.kind == WorkKind::Send {
            return Told::Finish(Box::new(self.finish(paper, outcome, None, disable)));
        }
        let delivery = DeliveryId::from_uuid(paper.work);
        match outcome.transform {
            Transformed::Settled(status) => {
                let (lease, is_ordered) = (paper.lease, paper.is_ordered);
                let reason = "as the plugin wished".to_owned();
                Told::Settle(Settle { delivery, lease, is_ordered, status, reason, run: None, raise: None, now })
            }
            Transformed::Requests { leased } => Told::Freeze(self.freeze(paper, leased)),
            Transformed::Sent { leased } => {
                let mut freeze = self.freeze(paper, leased);
                // Its result is there already.
                freeze.leases[0] = None;
                Told::Finish(Box::new(self.finish(paper, outcome, Some(freeze), disable)))
            }
        }
    }

    /// What all webhooks are like, with the id of this one.
    fn webhook_of(&self, paper: &Paper) -> Webhook {
        Webhook { id: self.book.hooks[paper.hook].id, ..self.webhook.clone() }
    }

    /// What a plugin makes of a delivery, which is the same for whoever runs it.
    fn freeze(&self, paper: &Paper, leased: bool) -> Freeze {
        let count = 1 + usize::from(paper.work.as_bytes()[REQUESTS_BYTE]) % 3;
        let (due, is_ordered) = (self.book.now, paper.is_ordered);
        let leases = (0..count).map(|_| leased.then(|| self.token())).collect();
        let frozen = Stage::freeze(&self.webhook_of(paper), DeliveryId::from_uuid(paper.work), paper.lease, count);
        Freeze { project: self.project, leases, due, is_ordered, ..frozen }
    }

    fn finish(&mut self, paper: &Paper, chosen: &Outcome, freeze: Option<Freeze>, disable: bool) -> Finish {
        let now = self.book.now;
        let end = match chosen.end {
            End::Succeeded => RequestEnd::Succeeded,
            End::Retry { ms } => RequestEnd::Retry { due: now.plus(ms) },
            End::Failed => RequestEnd::Failed { reason: "no".to_owned() },
            End::Uncertain => RequestEnd::Uncertain,
            End::Held => RequestEnd::Held,
        };
        self.marks += 1;
        let mut finish = Stage::finish(&self.webhook_of(paper), paper.sent(), paper.lease, end);
        finish.attempt.outcome = outcome(&finish.end);
        (finish.attempt.started_at, finish.attempt.duration_ms) = (now, self.marks);
        (finish.project, finish.now, finish.is_ordered) = (self.project, now, paper.is_ordered);
        finish.only_request = freeze.as_ref().map_or(paper.only_request, |freeze| freeze.requests.len() == 1);
        finish.is_plain = !self.book.hooks[paper.hook].transforms;
        finish.freeze = freeze.map(Box::new);
        finish.disable = disable.then(|| "gone".to_owned());
        finish
    }

    fn note(&mut self, paper: &Paper, told: Told, answer: &Answer, alone: bool) -> Verdict {
        let expected = match &told {
            Told::Finish(finish) => {
                let disable = finish.disable.is_some();
                let fixed = finish.freeze.as_ref().map(|freeze| freeze.leases.as_slice());
                let (late, counts) = self.book.finish(paper, fixed, finish.attempt.duration_ms, &finish.end, disable);
                if disable && counts {
                    self.changed(None);
                }
                late
            }
            Told::Freeze(freeze) => self.book.freeze(paper, &freeze.leases),
            Told::Settle(settle) => self.book.settle(paper, settle.status),
            Told::Postpone(postpone) => self.book.postpone(paper, postpone.due, postpone.counts),
        };
        match (answer, told) {
            (Answer::Held(held), _) => prop_assert_eq!(*held, expected, "whether the lease held: {:?}", paper),
            (Answer::Finished(finished), Told::Finish(finish)) => {
                prop_assert_eq!(finished.late, expected, "whether it was late: {:?}", paper);
                let status = self.book.deliveries[&finish.request.delivery()].status();
                prop_assert!(!alone || finished.delivery == status, "{:?} is not {status}", finished);
                self.told.push((*finish, finished.late));
            }
            (Answer::Finished(_), _) => prop_assert!(false, "not what was asked"),
        }
        Ok(())
    }

    /// One of the deliveries.
    fn delivery(&self, wanted: usize) -> Option<DeliveryId> {
        self.book.deliveries.keys().nth(wanted % self.book.deliveries.len().max(1)).copied()
    }

    async fn resend(&mut self, node: usize, wanted: usize, all: bool) -> Verdict {
        let Some(id) = self.delivery(wanted) else { return Ok(()) };
        let count = self.book.deliveries[&id].requests.len();
        let requests = (0..).take(if all { count } else { 0 }).map(|position| id.request(position)).collect();
        let chosen = Chosen { requests, include_succeeded: all };
        let acted = ok(self.store(node).resend(self.project, id, chosen, None, self.book.now).await)?;
        let expected = self.book.resend(id, all && count > 0);
        Self::judge_act(id, &acted, expected)
    }

    async fn cancel(&mut self, node: usize, wanted: usize) -> Verdict {
        let Some(id) = self.delivery(wanted) else { return Ok(()) };
        let (chosen, reason) = (Chosen::default(), "enough".to_owned());
        let acted = ok(self.store(node).cancel_delivery(self.project, id, chosen, reason, self.book.now).await)?;
        let expected = self.book.cancel(id);
        Self::judge_act(id, &acted, expected)
    }

    fn judge_act(id: DeliveryId, acted: &Acted, expected: Option<u64>) -> Verdict {
        match acted {
            Acted::Done(done) => prop_assert_eq!(Some(*done), expected, "{}", id),
            Acted::Refused(why) => prop_assert_eq!(None, expected, "{} is refused: {}", id, why),
            other => prop_assert!(false, "{id}: {other:?}"),
        }
        Ok(())
    }

    async fn crash(&mut self, node: usize) {
        let frees = self.others.is_empty();
        let fresh = self.stage.beside().await;
        // Nothing is closed in order, as nothing is in a crash.
        let gone = if node == 0 {
            std::mem::replace(&mut self.stage.store, fresh)
        } else {
            std::mem::replace(&mut self.others[node - 1], fresh)
        };
        drop(gone);
        self.informed[node] = true;
        if frees {
            self.book.free_leases();
        }
    }

    /// Everything that was accepted is there, and stands where it must; nothing else is.
    async fn judge_history(&mut self) -> Verdict {
        let read = async |id| (id, self.store(0).delivery(self.project, id).await);
        for (id, view) in join_all(self.book.deliveries.keys().map(|id| read(*id))).await {
            let Some(view) = ok(view)? else {
                prop_assert!(false, "{id} has disappeared");
                continue;
            };
            self.book.judge_delivery(id, &view)?;
        }
        let mut page = PageRequest { limit: 200, cursor: None };
        let mut events = Vec::new();
        loop {
            let found = ok(self.store(0).events(self.project, None, page).await)?;
            events.extend(found.items.iter().map(|event| event.id));
            let Some(next) = found.next_cursor else { break };
            page.cursor = Cursor::decode(&next);
        }
        events.sort_unstable();
        self.book.events.sort_unstable();
        prop_assert_eq!(&events, &self.book.events);
        Ok(())
    }

    /// Whatever is open can be claimed in the end; what is disabled only when it is enabled; what is deleted never.
    async fn drain(&mut self) -> Verdict {
        self.book.now = self.book.now.plus(2 * 60 * 60 * 1000);
        self.claim_all().await?;
        let waiting: Vec<bool> = self.book.open.values().map(|open| open.held).collect();
        let unclaimed = self.book.open.values().filter(|open| open.due <= self.book.now).count();
        prop_assert_eq!(unclaimed, 0, "due and never claimed");
        for hook in 0..self.book.hooks.len() {
            self.switch(0, hook, HookState::Disabled, HookState::Enabled).await?;
        }
        self.book.now = self.book.now.plus(ORDER_WAIT_MS);
        let resumed = self.claim_all().await?;
        prop_assert_eq!(resumed, waiting.iter().filter(|held| **held).count(), "what waited goes on");
        for hook in 0..self.book.hooks.len() {
            self.delete(0, hook).await?;
        }
        prop_assert!(self.book.open.is_empty());
        self.book.now = self.book.now.plus(DAY_MS);
        prop_assert_eq!(self.claim_all().await?, 0);
        for status in crate::domain::delivery::DeliveryStatus::ALL.iter().filter(|status| status.is_open()) {
            let search = Search::new(Selection { status: Some(*status), ..Selection::default() }, 1_000_000);
            let page = PageRequest { limit: 200, cursor: None };
            let open = ok(self.store(0).deliveries(self.project, &search, page).await)?;
            prop_assert!(open.items.is_empty(), "open without work: {:?}", open.items);
        }
        Ok(())
    }

    async fn claim_all(&mut self) -> Verdict<usize> {
        let mut claimed = 0;
        loop {
            let node = self.random.random_range(0..=self.others.len());
            match self.claim(node, usize::MAX, 1000).await? {
                0 => return Ok(claimed),
                more => claimed += more,
            }
        }
    }
}

async fn send(store: &Store, told: &Told) -> Verdict<Answer> {
    Ok(match told {
        Told::Finish(finish) => Answer::Finished(ok(store.finish(Finish::clone(finish)).await)?),
        Told::Freeze(freeze) => Answer::Held(ok(store.freeze(freeze.clone()).await)?),
        Told::Settle(settle) => Answer::Held(ok(store.settle(settle.clone()).await)?),
        Told::Postpone(postpone) => Answer::Held(ok(store.postpone(postpone.clone()).await)?),
    })
}

/// No sequence may lead to an error.
fn ok<T>(result: Result<T, StoreError>) -> Verdict<T> {
    result.map_err(|error| TestCaseError::fail(error.to_string()))
}

//! Whether what the store hands out and shows is what the model says.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::{prop_assert, prop_assert_eq};
use uuid::Uuid;

use super::Verdict;
use super::book::{Book, Delivery, HookState, Open, Paper};
use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, RequestStatus};
use crate::domain::id::{DeliveryId, WebhookId};
use crate::store::{
    Claim, ClaimedWork, DeliveryHead, DeliveryView, LoadedRequest, Outlook, RequestView, WorkHead, WorkKind,
};

const fn is_interrupted(work: &ClaimedWork) -> bool {
    match work {
        ClaimedWork::Transform(work) => work.is_interrupted,
        ClaimedWork::Send(work) => work.is_interrupted,
    }
}

fn parts(work: &ClaimedWork) -> (Uuid, WorkKind, &DeliveryHead, u32) {
    match work {
        ClaimedWork::Transform(work) => (work.head.id.uuid(), WorkKind::Transform, &work.head, work.attempts),
        ClaimedWork::Send(work) => (work.request.uuid(), WorkKind::Send, &work.head, work.attempts),
    }
}

impl Book {
    /// Judges where the open work of each webhook is said to begin.
    pub(super) fn judge_heads(&self, heads: &[WorkHead]) -> Verdict {
        let mut expected: HashMap<WebhookId, Millis> = HashMap::new();
        for open in self.open.values() {
            let due = expected.entry(self.hooks[open.hook].id).or_insert(open.due);
            *due = open.due.min(*due);
        }
        let told: HashMap<WebhookId, Millis> = heads.iter().map(|head| (head.webhook, head.due)).collect();
        prop_assert_eq!((told, heads.len()), (expected.clone(), expected.len()), "where the work of webhooks begins");
        Ok(())
    }

    /// Judges a claim, and notes down who holds what now.
    pub(super) fn claimed(&mut self, node: usize, claim: &Claim, claimed: &[ClaimedWork], outlook: Outlook) -> Verdict {
        let due = self.due();
        let mut taken: HashMap<usize, HashSet<Uuid>> = HashMap::new();
        for work in claimed {
            let (id, kind, head, attempts) = parts(work);
            let Some(open) = self.open.get(&id) else {
                prop_assert!(false, "{id} is claimed and not open");
                continue;
            };
            prop_assert!(!open.held, "{id} waits for its webhook to be enabled and is claimed");
            prop_assert!(open.due <= self.now, "{id} is claimed before it is due, perhaps under another's lease");
            prop_assert!(self.hooks[open.hook].state != HookState::Deleted, "{id} is of a deleted webhook");
            prop_assert_eq!((kind, attempts), (open.kind, open.attempts), "of {}", id);
            prop_assert_eq!(head.is_ordered, open.place.is_some(), "of {}", id);
            let interrupted = open.interrupted || open.token.is_some();
            prop_assert_eq!(is_interrupted(work), interrupted, "whether {} may have been done", id);
            self.judge_head(head)?;
            self.judge_order(head.id)?;
            self.judge_content(work)?;
            prop_assert!(taken.entry(open.hook).or_default().insert(id), "{id} is claimed twice at once");
        }
        let mut next: Option<Millis> = None;
        for (hook, _) in
            taken.iter().filter(|(hook, _)| !claim.wanted.iter().any(|(id, _)| self.hooks[**hook].id == *id))
        {
            prop_assert!(false, "work of {} was not asked for", self.hooks[*hook].id);
        }
        for (id, room) in &claim.wanted {
            let hook = self.hooks.iter().position(|hook| hook.id == *id).unwrap();
            let order = due.get(&hook).map_or(&[][..], Vec::as_slice);
            let first: HashSet<Uuid> = order.iter().take(*room).map(|(_, id)| *id).collect();
            prop_assert_eq!(
                taken.get(&hook).cloned().unwrap_or_default(),
                first,
                "the earliest due, and as much as asked for"
            );
            prop_assert!(outlook.left || order.len() <= *room, "due work is left, and the claim does not say so");
            let later = self
                .open
                .iter()
                .filter(|(id, open)| open.hook == hook && !taken.get(&hook).is_some_and(|taken| taken.contains(id)));
            let later = later.map(|(_, open)| open.due).filter(|due| *due < Millis::NEVER).min();
            next = next.into_iter().chain(later).min();
        }
        for work in claimed {
            let (id, kind, head, _) = parts(work);
            let open = self.open.get_mut(&id).unwrap();
            open.interrupted |= open.token.is_some();
            (open.due, open.token, open.blocked) = (claim.lease.until, Some(claim.lease.token), false);
            let only_request = matches!(work, ClaimedWork::Send(work) if work.only_request);
            let hook = open.hook;
            self.deliveries.get_mut(&head.id).unwrap().is_begun = true;
            let is_ordered = head.is_ordered;
            self.papers.push(Paper { node, work: id, kind, hook, lease: claim.lease, only_request, is_ordered });
        }
        if !outlook.left
            && let Some(next) = next
        {
            let told = outlook.next_due.unwrap_or(Millis::NEVER);
            prop_assert!(told <= next, "told to sleep until {} although something is due at {}", told, next);
        }
        Ok(())
    }

    /// Begins only when all that came before it is settled, or it has waited long enough.
    fn judge_order(&self, id: DeliveryId) -> Verdict {
        let delivery = &self.deliveries[&id];
        let Some(place) = delivery.place.filter(|_| !delivery.is_begun && self.now < delivery.may_pass_at) else {
            return Ok(());
        };
        let is_passed = |other: &Delivery| {
            other.hook == delivery.hook
                && other.place.is_some_and(|other| other.key == place.key && other.sequence < place.sequence)
                && other.status().is_open()
        };
        let passed = self.deliveries.iter().find(|(_, other)| is_passed(other));
        prop_assert!(passed.is_none(), "{} is claimed before {:?}", id, passed);
        Ok(())
    }

    /// What is due, for each webhook in the order in which it is claimed.
    fn due(&self) -> BTreeMap<usize, Vec<(Millis, Uuid)>> {
        let mut due: BTreeMap<usize, Vec<(Millis, Uuid)>> = BTreeMap::new();
        let is_due = |(_, open): &(&Uuid, &Open)| open.due <= self.now;
        for (id, open) in self.open.iter().filter(is_due) {
            due.entry(open.hook).or_default().push((open.due, *id));
        }
        for order in due.values_mut() {
            order.sort_unstable();
        }
        due
    }

    fn judge_head(&self, head: &DeliveryHead) -> Verdict {
        let Some(delivery) = self.deliveries.get(&head.id) else {
            prop_assert!(false, "{} is claimed and was never made", head.id);
            return Ok(());
        };
        prop_assert_eq!(head.event.id, delivery.event);
        prop_assert_eq!(head.webhook_id, self.hooks[delivery.hook].id);
        prop_assert_eq!(head.configuration.revision, delivery.revision, "fixed when the delivery was made");
        Ok(())
    }

    fn judge_content(&self, work: &ClaimedWork) -> Verdict {
        let ClaimedWork::Send(work) = work else { return Ok(()) };
        let delivery = &self.deliveries[&work.head.id];
        prop_assert_eq!(work.only_request, delivery.requests.len() == 1);
        match &work.content {
            LoadedRequest::Plain => prop_assert!(!self.hooks[delivery.hook].transforms),
            LoadedRequest::Frozen(frozen) => {
                prop_assert_eq!(&frozen.spec.label, &format!("request {}", work.request.position()));
            }
        }
        Ok(())
    }

    pub(super) fn judge_delivery(&self, id: DeliveryId, view: &DeliveryView) -> Verdict {
        let delivery = &self.deliveries[&id];
        let succeeded = delivery.requests.iter().filter(|request| request.status == RequestStatus::Succeeded).count();
        let tally = |count: usize| u32::try_from(count).unwrap();
        prop_assert_eq!(view.summary.status, delivery.status(), "{}", id);
        prop_assert_eq!(view.summary.requests, (tally(delivery.requests.len()), tally(succeeded)), "{}", id);
        prop_assert_eq!(view.summary.settled_at.is_some(), !delivery.status().is_open(), "{}", id);
        prop_assert_eq!(view.requests.len(), delivery.requests.len(), "{}", id);
        for (position, shown) in (0..).zip(&view.requests) {
            prop_assert_eq!(shown.id, id.request(position));
            self.judge_request(id, shown)?;
        }
        Ok(())
    }

    fn judge_request(&self, delivery: DeliveryId, shown: &RequestView) -> Verdict {
        let request = &self.deliveries[&delivery].requests[usize::from(shown.id.position())];
        let open = self.open.get(&shown.id.uuid());
        let is_leased = open.is_some_and(|open| open.token.is_some());
        let status = if is_leased { RequestStatus::Sending } else { request.status };
        prop_assert_eq!(shown.status, status, "{}", shown.id);
        let next = open.filter(|open| open.token.is_none() && open.due < Millis::NEVER).map(|open| open.due);
        prop_assert_eq!(shown.next_attempt_at, next, "{}", shown.id);
        let numbers: Vec<u32> = shown.attempts.iter().map(|attempt| attempt.number).collect();
        let counted: Vec<u32> = (1..).take(request.attempts.len()).collect();
        prop_assert_eq!(numbers, counted, "each attempt of {} is kept, under a number of its own", shown.id);
        let mut kept: Vec<(u64, bool)> =
            shown.attempts.iter().map(|attempt| (attempt.duration_ms, attempt.late)).collect();
        let mut told: Vec<(u64, bool)> = request.attempts.iter().map(|tried| (tried.mark, tried.late)).collect();
        // What came together may be kept in either order.
        kept.sort_unstable();
        told.sort_unstable();
        prop_assert_eq!(kept, told, "attempts of {}", shown.id);
        let arrived = shown.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Succeeded);
        prop_assert!(arrived || request.status != RequestStatus::Succeeded, "{} arrived by no attempt", shown.id);
        Ok(())
    }
}

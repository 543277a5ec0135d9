//! The model: everything that a store must know, as plain values in memory.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus, RequestStatus, Tally};
use crate::domain::id::{DeliveryId, EventId, RequestId, WebhookId};
use crate::store::{InOrder, Lease, RequestEnd, WorkKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HookState {
    Enabled,
    Disabled,
    Deleted,
}

#[derive(Debug)]
pub(super) struct Hook {
    pub(super) id: WebhookId,
    pub(super) state: HookState,
    pub(super) revision: i64,
    /// Whether its deliveries are transformed first.
    pub(super) transforms: bool,
    /// Whether its deliveries wait for earlier ones of their subject.
    pub(super) ordered: bool,
}

/// Which of a webhook's deliveries wait for each other, and in which order they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: Uuid,
    pub(super) sequence: u64,
}

/// Work that is not done yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) kind: WorkKind,
    pub(super) hook: usize,
    pub(super) due: Millis,
    /// Who holds it, or held it last if nobody has claimed it since.
    pub(super) token: Option<i64>,
    pub(super) attempts: u32,
    /// Waits for its webhook to be enabled.
    pub(super) held: bool,
    pub(super) place: Option<Place>,
    /// Waits for earlier ones of its key, until it is due at the latest.
    pub(super) blocked: bool,
    /// Its lease ended with nothing to show.
    pub(super) interrupted: bool,
}

/// A lease as its holder knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper {
    pub(super) node: usize,
    pub(super) work: Uuid,
    pub(super) kind: WorkKind,
    pub(super) hook: usize,
    pub(super) lease: Lease,
    pub(super) only_request: bool,
    pub(super) is_ordered: bool,
}

impl Paper {
    /// The request that a result under this lease is about.
    pub(super) fn sent(&self) -> RequestId {
        match self.kind {
            WorkKind::Transform => DeliveryId::from_uuid(self.work).request(0),
            WorkKind::Send => RequestId::from_uuid(self.work),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tried {
    /// Tells attempts apart.
    pub(super) mark: u64,
    pub(super) late: bool,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) status: RequestStatus,
    pub(super) attempts: Vec<Tried>,
}

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) hook: usize,
    pub(super) event: EventId,
    pub(super) revision: i64,
    /// Where it stands as long as it has no requests.
    pub(super) bare: DeliveryStatus,
    /// Whether anything has become of a request.
    pub(super) moved: bool,
    pub(super) requests: Vec<Request>,
    /// Attempts of its first request by those who lost the lease before there were requests.
    pub(super) early: Vec<Tried>,
    pub(super) place: Option<Place>,
    /// When it may pass earlier ones of its key that are not settled.
    pub(super) may_pass_at: Millis,
    pub(super) is_begun: bool,
}

impl Delivery {
    /// Whether any of its requests was tried.
    fn was_tried(&self) -> bool {
        self.requests.iter().any(|request| !request.attempts.is_empty())
    }

    pub(super) fn status(&self) -> DeliveryStatus {
        if self.requests.is_empty() {
            return self.bare;
        }
        let count = |status| {
            let requests = self.requests.iter().filter(|request| request.status == status);
            u32::try_from(requests.count()).unwrap()
        };
        Tally {
            total: u32::try_from(self.requests.len()).unwrap(),
            succeeded: count(RequestStatus::Succeeded),
            open: count(RequestStatus::Pending) + count(RequestStatus::Retrying),
            held: count(RequestStatus::Held),
            cancelled: count(RequestStatus::Cancelled),
        }
        .status(self.moved)
    }
}

#[derive(Debug)]
pub(super) struct Book {
    pub(super) now: Millis,
    pub(super) hooks: Vec<Hook>,
    pub(super) events: Vec<EventId>,
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    pub(super) open: BTreeMap<Uuid, Open>,
    /// Every lease that was given and not given back.
    pub(super) papers: Vec<Paper>,
    /// Key → its event, and when that was posted.
    pub(super) keys: HashMap<usize, (EventId, Millis)>,
    sequence: u64,
}

impl Book {
    pub(super) fn at(now: Millis) -> Self {
        Self {
            now,
            hooks: Vec::new(),
            events: Vec::new(),
            deliveries: BTreeMap::new(),
            open: BTreeMap::new(),
            papers: Vec::new(),
            keys: HashMap::new(),
            sequence: 0,
        }
    }

    pub(super) fn holds(&self, paper: &Paper) -> bool {
        self.open.get(&paper.work).is_some_and(|open| open.token == Some(paper.lease.token))
    }

    /// Makes work that nobody waits for, due now.
    fn add_work(&mut self, work: Uuid, kind: WorkKind, hook: usize, lease: Option<Lease>) -> &mut Open {
        let (due, token) = lease.map_or((self.now, None), |lease| (lease.until, Some(lease.token)));
        let open =
            Open { kind, hook, due, token, attempts: 0, held: false, place: None, blocked: false, interrupted: false };
        self.open.entry(work).or_insert(open)
    }

    pub(super) fn add_delivery(
        &mut self,
        id: DeliveryId,
        event: EventId,
        hook: usize,
        (lease, order): (Option<Lease>, Option<InOrder>),
        node: usize,
    ) {
        let Hook { state, revision, transforms, .. } = self.hooks[hook];
        let (mut bare, mut requests, mut place) = (DeliveryStatus::Pending, Vec::new(), None);
        if state == HookState::Disabled {
            bare = DeliveryStatus::Skipped;
        } else {
            let (work, kind) = if transforms {
                (id.uuid(), WorkKind::Transform)
            } else {
                requests.push(Request { status: RequestStatus::Pending, attempts: Vec::new() });
                (id.request(0).uuid(), WorkKind::Send)
            };
            self.sequence += 1;
            place = order.map(|order| Place { key: order.key, sequence: self.sequence });
            let blocked = place.is_some_and(|place| self.first_of(hook, place.key).is_some());
            let open = self.add_work(work, kind, hook, lease);
            (open.place, open.blocked) = (place, blocked);
            if let (true, Some(order)) = (blocked, order) {
                open.due = order.until;
            }
            if let Some(lease) = lease {
                self.papers.push(Paper { node, work, kind, hook, lease, only_request: true, is_ordered: false });
            }
        }
        let delivery = Delivery {
            hook,
            event,
            revision,
            bare,
            moved: false,
            requests,
            early: Vec::new(),
            place,
            may_pass_at: order.map_or(Millis(0), |order| order.until),
            is_begun: lease.is_some(),
        };
        self.deliveries.insert(id, delivery);
    }

    /// The earliest open work of a key.
    fn first_of(&self, hook: usize, key: Uuid) -> Option<Uuid> {
        let of_key = |open: &Open| open.hook == hook && open.place.is_some_and(|place| place.key == key);
        let places = self.open.iter().filter(|(_, open)| of_key(open));
        places.map(|(work, open)| (open.place.unwrap().sequence, *work)).min().map(|(_, work)| work)
    }

    /// Whatever waited for a delivery goes on when that is settled.
    fn release_after(&mut self, id: DeliveryId) {
        let delivery = &self.deliveries[&id];
        let Some(place) = delivery.place.filter(|_| !delivery.status().is_open()) else { return };
        let Some(first) = self.first_of(delivery.hook, place.key) else { return };
        let open = self.open.get_mut(&first).unwrap();
        if std::mem::take(&mut open.blocked) && !open.held {
            open.due = self.now;
        }
    }

    /// What was not in hand waits; what was comes to its end.
    pub(super) fn disable(&mut self, hook: usize) {
        self.hooks[hook].state = HookState::Disabled;
        for open in self.open.values_mut().filter(|open| open.hook == hook && open.token.is_none()) {
            (open.due, open.held) = (Millis::NEVER, true);
        }
    }

    pub(super) fn enable(&mut self, hook: usize, blocked_until: Millis) {
        self.hooks[hook].state = HookState::Enabled;
        for (work, open) in self.open.iter_mut().filter(|(_, open)| open.hook == hook && open.held) {
            open.held = false;
            open.due = if open.blocked { blocked_until } else { self.now };
            if open.blocked {
                let delivery = RequestId::from_uuid(*work).delivery();
                self.deliveries.get_mut(&delivery).unwrap().may_pass_at = blocked_until;
            }
        }
    }

    /// Its open work is cancelled, what is in hand too.
    pub(super) fn delete(&mut self, hook: usize) {
        self.hooks[hook].state = HookState::Deleted;
        let ended: Vec<(Uuid, WorkKind)> =
            self.open.iter().filter(|(_, open)| open.hook == hook).map(|(work, open)| (*work, open.kind)).collect();
        for (work, kind) in ended {
            self.open.remove(&work);
            let request = RequestId::from_uuid(work);
            let delivery = self.deliveries.get_mut(&request.delivery()).unwrap();
            match kind {
                WorkKind::Transform => delivery.bare = DeliveryStatus::Cancelled,
                WorkKind::Send => {
                    delivery.moved = true;
                    delivery.requests[usize::from(request.position())].status = RequestStatus::Cancelled;
                }
            }
        }
    }

    /// Where one process holds the file, the next one knows that whoever had leases is gone.
    pub(super) fn free_leases(&mut self) {
        for open in self.open.values_mut().filter(|open| open.token.is_some()) {
            (open.due, open.token, open.interrupted) = (Millis(0), None, true);
        }
    }

    /// A result of this attempt comes in, perhaps with its delivery's requests; says whether it is late, and whether anything
    /// came of it.
    pub(super) fn finish(
        &mut self,
        paper: &Paper,
        fixed: Option<&[Option<Lease>]>,
        mark: u64,
        end: &RequestEnd,
        disable: bool,
    ) -> (bool, bool) {
        let late = !self.holds(paper);
        let (request, work) = (paper.sent(), paper.sent().uuid());
        if let Some(leases) = fixed {
            self.freeze(paper, leases);
        }
        let delivery = self.deliveries.get_mut(&request.delivery()).unwrap();
        let sent = delivery.requests.get_mut(usize::from(request.position()));
        sent.map_or(&mut delivery.early, |sent| &mut sent.attempts).push(Tried { mark, late });
        let is_open = self.open.contains_key(&work);
        if let Some(open) = self.open.get_mut(if is_open { &work } else { &paper.work }) {
            open.attempts += 1;
        }
        let is_free = self.open.get(&work).is_some_and(|open| open.token.is_none());
        // A late result changes nothing, unless it is a success and nobody has sent it again.
        if late && !(is_free && *end == RequestEnd::Succeeded) {
            return (late, false);
        }
        delivery.moved = true;
        delivery.requests[usize::from(request.position())].status = match end {
            RequestEnd::Succeeded => RequestStatus::Succeeded,
            RequestEnd::Retry { .. } => RequestStatus::Retrying,
            RequestEnd::Failed { .. } => RequestStatus::Failed,
            RequestEnd::Uncertain => RequestStatus::Uncertain,
            RequestEnd::Held => RequestStatus::Held,
        };
        if let RequestEnd::Retry { due } = end {
            let open = self.open.get_mut(&work).unwrap();
            (open.due, open.token, open.interrupted) = (*due, None, false);
        } else {
            self.open.remove(&work);
        }
        self.release_after(request.delivery());
        if disable {
            self.disable(paper.hook);
        }
        (late, true)
    }

    /// A plugin's requests come in; says whether the lease still held.
    pub(super) fn freeze(&mut self, paper: &Paper, leases: &[Option<Lease>]) -> bool {
        if !self.holds(paper) {
            return false;
        }
        let place = self.open.remove(&paper.work).unwrap().place;
        let id = DeliveryId::from_uuid(paper.work);
        for (position, lease) in (0..).zip(leases) {
            let work = id.request(position).uuid();
            let early = std::mem::take(&mut self.deliveries.get_mut(&id).unwrap().early);
            let open = self.add_work(work, WorkKind::Send, paper.hook, *lease);
            (open.place, open.attempts) = (place, u32::try_from(early.len()).unwrap());
            let request = Request { status: RequestStatus::Pending, attempts: early };
            self.deliveries.get_mut(&id).unwrap().requests.push(request);
            if let Some(lease) = *lease {
                let only_request = leases.len() == 1;
                self.papers.push(Paper { work, kind: WorkKind::Send, lease, only_request, ..*paper });
            }
        }
        true
    }

    /// A delivery ends without requests; says whether the lease still held.
    pub(super) fn settle(&mut self, paper: &Paper, status: DeliveryStatus) -> bool {
        let held = self.holds(paper);
        if held {
            self.open.remove(&paper.work);
            let id = DeliveryId::from_uuid(paper.work);
            self.deliveries.get_mut(&id).unwrap().bare = status;
            self.release_after(id);
        }
        held
    }

    /// A person has it sent again; to how much that was done, if it was.
    pub(super) fn resend(&mut self, id: DeliveryId, all: bool) -> Option<u64> {
        let delivery = &self.deliveries[&id];
        if self.hooks[delivery.hook].state != HookState::Enabled {
            return None;
        }
        let is_picked = |request: &Request| all || request.status != RequestStatus::Succeeded;
        let picked: Vec<Uuid> = if delivery.requests.is_empty() {
            self.open.contains_key(&id.uuid()).then_some(id.uuid()).into_iter().collect()
        } else {
            let requests = (0..).zip(&delivery.requests).filter(|(_, request)| is_picked(request));
            requests.map(|(position, _)| id.request(position).uuid()).collect()
        };
        let is_busy = |work: &Uuid| self.open.get(work).is_some_and(|open| open.token.is_some() || open.blocked);
        if picked.is_empty() || picked.iter().any(is_busy) {
            return None;
        }
        // What is still open keeps others waiting, and what is sent again does so with it.
        let works = std::iter::once(id.uuid()).chain((0..).take(delivery.requests.len()).map(|n| id.request(n).uuid()));
        let place = works.filter_map(|work| self.open.get(&work)).find_map(|open| open.place);
        let (hook, mut reopened) = (delivery.hook, false);
        for work in &picked {
            if let Some(open) = self.open.get_mut(work) {
                open.due = open.due.min(self.now);
                continue;
            }
            reopened = true;
            let position = usize::from(RequestId::from_uuid(*work).position());
            let request = &mut self.deliveries.get_mut(&id).unwrap().requests[position];
            let attempts = u32::try_from(request.attempts.len()).unwrap();
            request.status = if attempts == 0 { RequestStatus::Pending } else { RequestStatus::Retrying };
            let open = self.add_work(*work, WorkKind::Send, hook, None);
            (open.place, open.attempts) = (place, attempts);
        }
        if reopened {
            let delivery = self.deliveries.get_mut(&id).unwrap();
            (delivery.place, delivery.moved) = (place, delivery.was_tried());
        }
        Some(picked.len() as u64)
    }

    /// A person gives it up; how much of it, if that was possible.
    pub(super) fn cancel(&mut self, id: DeliveryId) -> Option<u64> {
        let delivery = self.deliveries.get_mut(&id).unwrap();
        if delivery.requests.is_empty() {
            let was_open = self.open.remove(&id.uuid()).is_some();
            match delivery.bare {
                DeliveryStatus::Cancelled => return Some(0),
                DeliveryStatus::Parked => {}
                _ if was_open => {}
                _ => return None,
            }
            delivery.bare = DeliveryStatus::Cancelled;
            self.release_after(id);
            return Some(1);
        }
        let mut given_up = 0;
        for (position, request) in (0..).zip(&mut delivery.requests) {
            let was_open = self.open.remove(&id.request(position).uuid()).is_some();
            if was_open || matches!(request.status, RequestStatus::Held | RequestStatus::Uncertain) {
                request.status = RequestStatus::Cancelled;
                given_up += 1;
            }
        }
        if given_up == 0 {
            return (delivery.status() == DeliveryStatus::Cancelled).then_some(0);
        }
        delivery.moved = delivery.was_tried();
        self.release_after(id);
        Some(given_up)
    }

    /// Work is given back; says whether the lease still held.
    pub(super) fn postpone(&mut self, paper: &Paper, due: Millis, counts: bool) -> bool {
        let held = self.holds(paper);
        if held {
            let waits = due == Millis::NEVER && self.hooks[paper.hook].state == HookState::Disabled;
            let open = self.open.get_mut(&paper.work).unwrap();
            (open.token, open.interrupted) = (None, false);
            open.attempts += u32::from(counts);
            open.held = waits;
            // Given back to wait for a webhook that is enabled meanwhile: due at once.
            open.due = if due == Millis::NEVER && !waits { Millis(0) } else { due };
        }
        held
    }
}

/// How an attempt that ends so is shown.
pub(super) const fn outcome(end: &RequestEnd) -> AttemptOutcome {
    match end {
        RequestEnd::Succeeded => AttemptOutcome::Succeeded,
        RequestEnd::Uncertain | RequestEnd::Held => AttemptOutcome::Uncertain,
        RequestEnd::Retry { .. } | RequestEnd::Failed { .. } => AttemptOutcome::Failed,
    }
}

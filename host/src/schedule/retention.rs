//! What is no longer kept is removed, by one node at a time, and so slowly that nobody waits for it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Timetable;
use crate::domain::audit::{Actor, Entry, Origin, Target};
use crate::domain::clock::Millis;
use crate::domain::id::AuditId;
use crate::domain::retention::{Cutoffs, Kind};
use crate::domain::schedule::Expression;
use crate::store::{Lease, StoreError, Sweep, Swept};

/// Longer than any step; whoever does the steps holds on to it.
const LEASE_MS: u64 = 60_000;
/// How often is looked whether something is due, or whether somebody else has stopped in the middle of it.
const LOOK: Duration = Duration::from_secs(10);
/// What is told in the audit log.
const REMOVED: &str = "retention.removed";

impl Timetable {
    /// Removes what is no longer kept, at its times, until told to stop.
    pub async fn keep_house(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for kind in Kind::ALL {
                if let Err(error) = self.sweep(kind, &stop).await {
                    tracing::warn!(%error, kind = kind.as_str(), "what is no longer kept cannot be removed; tried again");
                }
            }
            let soon = self.next_sweep().map_or(LOOK, |next| Duration::from_millis(next.since(self.now())));
            tokio::select! {
                () = tokio::time::sleep(soon.clamp(Duration::from_millis(100), LOOK)) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn next_sweep(&self) -> Option<Millis> {
        let config = &self.0.retention;
        let expression = Expression::parse(&config.cron).ok()?;
        expression.next_after(self.now(), config.time_zone.parse().ok()?)
    }

    /// Removes what is of one kind, if that is due; gives how much.
    pub(super) async fn sweep(&self, kind: Kind, stop: &CancellationToken) -> Result<u64, StoreError> {
        let (store, config) = (&self.0.store, &self.0.retention);
        let lease = Lease { token: self.0.entropy.token(), until: self.now().plus(LEASE_MS) };
        let Some(sweep) = store.claim_sweep(kind, self.now(), lease, self.next_sweep()).await? else { return Ok(0) };
        let cutoffs = Cutoffs::new(&store.retentions(config.kept()).await?, kind, self.now());
        let dropped = if kind == Kind::Payloads { None } else { store.droppable_before(kind, &cutoffs).await? };
        let mut going = Going { removed: 0, left: None, is_over: true };
        match kind {
            Kind::Payloads | Kind::Attempts => self.walk(&sweep, &cutoffs, dropped, &mut going, stop).await?,
            Kind::Audit => self.trim(&sweep, &cutoffs, &mut going, stop).await?,
        }
        let months = match dropped {
            Some(before) if going.is_over => store.drop_months(kind, before).await?,
            _ => Vec::new(),
        };
        if !going.is_over {
            return Ok(going.removed);
        }
        let now = self.now();
        let entry = Entry {
            id: AuditId::new(now, self.0.entropy.id()),
            project: None,
            actor: Actor::system("retention"),
            origin: Origin::default(),
            action: REMOVED,
            target: Target::new("retention", kind.as_str()),
            before: None,
            after: None,
        };
        let told = serde_json::json!({ "removed": going.removed, "months_dropped": months });
        let from =
            going.left.map(|left| Uuid::from_u128(left.as_u128().saturating_sub(1))).or_else(|| cutoffs.latest());
        store.audited(entry.after(told)).end_sweep(&sweep, self.next_sweep(), from, going.removed, now).await?;
        if going.removed > 0 {
            tracing::info!(kind = kind.as_str(), removed = going.removed, "removed what is no longer kept");
        }
        Ok(going.removed)
    }

    /// Goes through events or deliveries, from the first that was left before.
    async fn walk(
        &self,
        sweep: &Sweep,
        cutoffs: &Cutoffs,
        dropped: Option<Uuid>,
        going: &mut Going,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let (store, most) = (&self.0.store, self.0.retention.step);
        let mut after = Some(sweep.from);
        while let Some(from) = after {
            let begun = Instant::now();
            let Swept { removed, next, left } = match sweep.kind {
                Kind::Payloads => store.sweep_payloads(from, cutoffs, most, self.now()).await?,
                _ => store.sweep_attempts(from, cutoffs, most, dropped, self.now()).await?,
            };
            going.removed += removed;
            going.left = [going.left, left].into_iter().flatten().min();
            after = next;
            if after.is_some() && !self.rest(sweep, begun, stop).await? {
                going.is_over = false;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Trims each project's audit log.
    async fn trim(
        &self,
        sweep: &Sweep,
        cutoffs: &Cutoffs,
        going: &mut Going,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let (store, most) = (&self.0.store, self.0.retention.step);
        for (project, kept_from) in cutoffs.iter() {
            loop {
                let begun = Instant::now();
                let removed = store.sweep_audit(project, kept_from, most).await?;
                going.removed += removed;
                if removed < u64::from(most) {
                    break;
                }
                if !self.rest(sweep, begun, stop).await? {
                    going.is_over = false;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Lets others work for so much longer than the step took that only the set share of the time is used. False when the
    /// right to go on is gone, or the server stops.
    async fn rest(&self, sweep: &Sweep, begun: Instant, stop: &CancellationToken) -> Result<bool, StoreError> {
        let config = &self.0.retention;
        let pause = begun.elapsed() * (100 - config.share_percent) / config.share_percent;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(false),
        }
        self.0.store.extend_sweep(sweep, self.now().plus(LEASE_MS)).await
    }
}

/// How far a sweep is.
struct Going {
    removed: u64,
    /// The first row that was passed over.
    left: Option<Uuid>,
    /// Whether it came to its end.
    is_over: bool,
}

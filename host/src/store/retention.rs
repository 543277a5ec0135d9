//! What is no longer kept is removed, a few rows at a time: each step is a transaction of its own, and says behind which row
//! to go on. What is open, parked or held is looked at again in the step, and stays.
//!
//! Space that is freed is used again: SQLite writes into pages that are free, and PostgreSQL into what its autovacuum has
//! cleared; months that are over as a whole are dropped there, and give their space back at once.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Db, Tx, reading};
use super::record::Lease;
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError, partitions};
use crate::domain::clock::Millis;
use crate::domain::id::{DeliveryId, ProjectId};
use crate::domain::retention::{Cutoffs, Kind, Retention};

/// What a step came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// What was removed: payloads, deliveries' attempts, or lines.
    pub removed: u64,
    /// Behind which row to go on; none at the end.
    pub next: Option<Uuid>,
    /// The first row that was passed over and may go later.
    pub left: Option<Uuid>,
}

/// The right to remove what is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// What.
    pub kind: Kind,
    /// Behind which row there is something left to be looked at.
    pub from: Uuid,
    /// The lease on it.
    pub lease: Lease,
}

#[derive(Debug, FromRow)]
struct LookedAt {
    id: Uuid,
    project_id: Uuid,
    is_settled: bool,
}

/// How a delivery stands that must stay as it is; `parked` ones that were reprocessed are done with.
macro_rules! stays {
    ($d:literal) => {
        concat!(
            "(",
            $d,
            ".status IN ('pending', 'retrying', 'held', 'collecting') OR ",
            $d,
            ".status = 'parked' AND ",
            $d,
            ".reprocessed_by IS NULL)"
        )
    };
}

impl Store {
    /// How long each project keeps what; deleted ones as the server does.
    pub async fn retentions(&self, server: Retention) -> Result<Vec<(ProjectId, Retention)>, StoreError> {
        const SELECT: &str = "SELECT id, CASE WHEN deleted_at IS NULL THEN retention END FROM projects";
        let rows: Vec<(Uuid, Option<String>)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        // What is the whole server's stands under the nil id.
        let nil = (ProjectId::from_uuid(Uuid::nil()), server);
        let read = |(id, json): (Uuid, Option<String>)| {
            let corrupt = || StoreError::Corrupt { table: "projects", column: "retention", id: id.to_string() };
            let own = json.map(|json| serde_json::from_str::<Retention>(&json).map_err(|_| corrupt())).transpose()?;
            Ok((ProjectId::from_uuid(id), own.unwrap_or_default().or(server)))
        };
        rows.into_iter().map(read).chain(std::iter::once(Ok(nil))).collect()
    }

    /// Takes the right to remove what is of this kind, if that is due and nobody else does. It becomes due at `first` at the
    /// latest: the expression may have changed since it was told last.
    pub async fn claim_sweep(
        &self,
        kind: Kind,
        now: Millis,
        lease: Lease,
        first: Option<Millis>,
    ) -> Result<Option<Sweep>, StoreError> {
        const BEGIN: &str = "INSERT INTO retention_sweeps (kind, next_at, until_at, removed) VALUES ($1, $2, 0, 0)
            ON CONFLICT (kind) DO UPDATE SET next_at = excluded.next_at WHERE excluded.next_at < retention_sweeps.next_at";
        const CLAIM: &str = "UPDATE retention_sweeps SET lease_token = $1, until_at = $2
            WHERE kind = $3 AND next_at <= $4 AND until_at <= $4 RETURNING cursor_id";
        let claim = async move |tx: &mut Tx| {
            tx.execute(BEGIN, &values![kind.as_str(), first.map_or(i64::MAX, |first| first.0)]).await?;
            tx.fetch::<(Option<Uuid>,)>(CLAIM, &values![lease.token, lease.until.0, kind.as_str(), now.0]).await
        };
        let claimed = self.db.transact(move |tx| Box::pin(async move { claim(tx).await })).await?;
        let sweep = |(from,): (Option<Uuid>,)| Sweep { kind, from: from.unwrap_or(Uuid::nil()), lease };
        Ok(claimed.into_iter().next().map(sweep))
    }

    /// Keeps the right; false when it has passed to somebody else.
    pub async fn extend_sweep(&self, sweep: &Sweep, until: Millis) -> Result<bool, StoreError> {
        const EXTEND: &str = "UPDATE retention_sweeps SET until_at = $1 WHERE kind = $2 AND lease_token = $3";
        let (kind, token) = (sweep.kind.as_str(), sweep.lease.token);
        let extend = async move |tx: &mut Tx| tx.execute(EXTEND, &values![until.0, kind, token]).await;
        Ok(self.db.transact(move |tx| Box::pin(async move { extend(tx).await })).await? > 0)
    }

    /// Gives the right back until `next`, and says where there is something left to be looked at. Tells of it in the audit
    /// log, if something was removed.
    pub async fn end_sweep(
        &self,
        sweep: &Sweep,
        next: Option<Millis>,
        from: Option<Uuid>,
        removed: u64,
        now: Millis,
    ) -> Result<bool, StoreError> {
        const END: &str = "UPDATE retention_sweeps SET next_at = $1, until_at = 0, lease_token = NULL, cursor_id = $2,
                removed = removed + $3, ran_at = $4
            WHERE kind = $5 AND lease_token = $6";
        let (store, sweep) = (self.clone(), *sweep);
        let end = async move |tx: &mut Tx| {
            let values = values![
                next.map_or(i64::MAX, |next| next.0),
                from,
                i64::try_from(removed).unwrap_or(i64::MAX),
                now.0,
                sweep.kind.as_str(),
                sweep.lease.token,
            ];
            let is_ours = tx.execute(END, &values).await? > 0;
            if is_ours && removed > 0 {
                store.note(tx).await?;
            }
            Ok(is_ours)
        };
        self.db.transact(move |tx| Box::pin(async move { end(tx).await })).await
    }

    /// Removes the payloads of the next `most` events behind this one that are no longer kept.
    pub async fn sweep_payloads(
        &self,
        after: Uuid,
        cutoffs: &Cutoffs,
        most: u32,
        now: Millis,
    ) -> Result<Swept, StoreError> {
        const LOOK: &str = "SELECT id, project_id, TRUE AS is_settled FROM events
            WHERE id > $1 AND id < $2 AND payload IS NOT NULL ORDER BY id LIMIT $3";
        const REMOVE: &str = concat!(
            "UPDATE events SET payload = NULL, payload_removed_at = {2} {from} WHERE events.id = {1}
                AND NOT EXISTS (SELECT 1 FROM fan_out_steps s WHERE s.event_id = events.id)
                AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = events.id AND ",
            stays!("d"),
            ") RETURNING events.id"
        );
        let looked_at = self.look(LOOK, after, cutoffs.latest(), most).await?;
        let (wanted, left) = wanted(&looked_at, cutoffs);
        let remove = async move |tx: &mut Tx| {
            let rows = Rows::of(REMOVE, wanted.iter(), |id| values![*id, now.0]);
            let removed: Vec<(Uuid,)> = tx.fetch_rows(&rows).await?;
            Ok((removed.len() as u64, first_missing(&wanted, removed)))
        };
        let (removed, stayed) = self.db.transact(move |tx| Box::pin(async move { remove(tx).await })).await?;
        Ok(Swept { removed, next: next(&looked_at, most), left: earliest(left, stayed) })
    }

    /// Removes what was sent and answered of the next `most` deliveries behind this one that are no longer kept. They
    /// themselves stay, and say so. What stands in months that are dropped as a whole afterwards is only noted.
    pub async fn sweep_attempts(
        &self,
        after: Uuid,
        cutoffs: &Cutoffs,
        most: u32,
        dropped_before: Option<Uuid>,
        now: Millis,
    ) -> Result<Swept, StoreError> {
        const LOOK: &str = "SELECT id, project_id, settled_at IS NOT NULL AS is_settled FROM webhook_deliveries
            WHERE id > $1 AND id < $2 AND attempts_removed_at IS NULL ORDER BY id LIMIT $3";
        // What came of it stays known to those who decide by it: that there was a run.
        const REMOVE: &str = concat!(
            "UPDATE webhook_deliveries SET attempts_removed_at = {2}, run = CASE WHEN run IS NULL THEN NULL ELSE '{}' END
            {from} WHERE webhook_deliveries.id = {1} AND settled_at < {3} AND NOT ",
            stays!("webhook_deliveries"),
            " RETURNING webhook_deliveries.id"
        );
        const ATTEMPTS: &str = "DELETE FROM attempts {using} WHERE request_id > {1} AND request_id <= {2}";
        const REQUESTS: &str = "DELETE FROM requests {using} WHERE id > {1} AND id <= {2}";
        let looked_at = self.look(LOOK, after, cutoffs.latest(), most).await?;
        let (wanted, left) = wanted(&looked_at, cutoffs);
        let wanted: Vec<(Uuid, Millis)> = wanted
            .into_iter()
            .filter_map(|id| {
                let project = looked_at.iter().find(|row| row.id == id)?.project_id;
                Some((id, cutoffs.kept_from(ProjectId::from_uuid(project))?))
            })
            .collect();
        let remove = async move |tx: &mut Tx| {
            let rows = Rows::of(REMOVE, wanted.iter(), |(id, kept_from)| values![*id, now.0, kept_from.0]);
            let removed: Vec<(Uuid,)> = tx.fetch_rows(&rows).await?;
            let count = removed.len() as u64;
            let deleted = || {
                let here = removed.iter().filter(|(id,)| dropped_before.is_none_or(|dropped| *id >= dropped));
                here.map(|(id,)| (*id, DeliveryId::from_uuid(*id).last_request().uuid()))
            };
            tx.execute_rows(&Rows::of(ATTEMPTS, deleted(), |(first, last)| values![first, last])).await?;
            tx.execute_rows(&Rows::of(REQUESTS, deleted(), |(first, last)| values![first, last])).await?;
            let ids: Vec<Uuid> = wanted.iter().map(|(id, _)| *id).collect();
            Ok((count, first_missing(&ids, removed)))
        };
        let (removed, stayed) = self.db.transact(move |tx| Box::pin(async move { remove(tx).await })).await?;
        Ok(Swept { removed, next: next(&looked_at, most), left: earliest(left, stayed) })
    }

    /// Removes the next `most` lines of a project's audit log that are no longer kept; gives how many.
    pub async fn sweep_audit(&self, project: ProjectId, kept_from: Millis, most: u32) -> Result<u64, StoreError> {
        const REMOVE: &str = "DELETE FROM audit_log WHERE id IN (
            SELECT id FROM audit_log WHERE project_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
        let before = crate::domain::id::first_at(kept_from);
        let remove =
            async move |tx: &mut Tx| tx.execute(REMOVE, &values![project.uuid(), before, i64::from(most)]).await;
        self.db.transact(move |tx| Box::pin(async move { remove(tx).await })).await
    }

    /// The end of the months, from the oldest on, of which nothing is kept and in which nothing is open, parked or held:
    /// those can be dropped as a whole, where history is kept by month. Their ids are smaller.
    pub async fn droppable_before(&self, kind: Kind, cutoffs: &Cutoffs) -> Result<Option<Uuid>, StoreError> {
        const KEPT: &str = concat!(
            "SELECT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.id >= $1 AND d.id < $2
                AND d.attempts_removed_at IS NULL AND (d.settled_at IS NULL OR d.settled_at >= $3 OR ",
            stays!("d"),
            "))"
        );
        let (Db::Postgres(pool), Some(before)) = (&self.db, cutoffs.earliest()) else { return Ok(None) };
        let kept_from = DeliveryId::from_uuid(before).made_at().0;
        let mut end = None;
        for month in partitions::over(pool, table(kind), before).await? {
            let is_kept: bool = if kind == Kind::Attempts {
                sqlx::query_scalar(KEPT).bind(month.from).bind(month.to).bind(kept_from).fetch_one(pool).await?
            } else {
                false
            };
            if is_kept {
                break;
            }
            end = Some(month.to);
        }
        Ok(end)
    }

    /// Drops the months that end at this id or before it, unless something in them was not noted as removed; says which
    /// tables went.
    pub async fn drop_months(&self, kind: Kind, before: Uuid) -> Result<Vec<String>, StoreError> {
        const LEFT: &str = "SELECT EXISTS (SELECT 1 FROM webhook_deliveries
            WHERE id >= $1 AND id < $2 AND attempts_removed_at IS NULL)";
        let Db::Postgres(pool) = &self.db else { return Ok(Vec::new()) };
        let mut dropped = Vec::new();
        for month in partitions::over(pool, table(kind), before).await? {
            if kind == Kind::Attempts {
                let is_left: bool = sqlx::query_scalar(LEFT).bind(month.from).bind(month.to).fetch_one(pool).await?;
                if is_left {
                    tracing::info!(month = month.suffix, "something in this month stays; it is not dropped");
                    continue;
                }
                dropped.push(partitions::drop_one(pool, "requests", &month).await?);
            }
            dropped.push(partitions::drop_one(pool, table(kind), &month).await?);
        }
        Ok(dropped.into_iter().flatten().collect())
    }

    async fn look(
        &self,
        statement: &'static str,
        after: Uuid,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<LookedAt>, StoreError> {
        let Some(before) = before else { return Ok(Vec::new()) };
        Ok(reading!(&self.db, pool => {
            sqlx::query_as(statement).bind(after).bind(before).bind(i64::from(most)).fetch_all(pool).await?
        }))
    }
}

const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Payloads => "events",
        Kind::Attempts => "attempts",
        Kind::Audit => "audit_log",
    }
}

/// Those that are older than their project keeps them, and the first one that is not.
fn wanted(looked_at: &[LookedAt], cutoffs: &Cutoffs) -> (Vec<Uuid>, Option<Uuid>) {
    let is_wanted = |row: &&LookedAt| {
        let made_at = DeliveryId::from_uuid(row.id).made_at();
        let kept_from = cutoffs.kept_from(ProjectId::from_uuid(row.project_id));
        row.is_settled && kept_from.is_some_and(|kept_from| made_at < kept_from)
    };
    let (wanted, left): (Vec<&LookedAt>, Vec<&LookedAt>) = looked_at.iter().partition(is_wanted);
    (wanted.into_iter().map(|row| row.id).collect(), left.first().map(|row| row.id))
}

fn next(looked_at: &[LookedAt], most: u32) -> Option<Uuid> {
    if looked_at.len() < most as usize { None } else { looked_at.last().map(|row| row.id) }
}

fn first_missing(wanted: &[Uuid], mut removed: Vec<(Uuid,)>) -> Option<Uuid> {
    removed.sort_unstable();
    wanted.iter().find(|id| removed.binary_search(&(**id,)).is_err()).copied()
}

fn earliest(one: Option<Uuid>, other: Option<Uuid>) -> Option<Uuid> {
    [one, other].into_iter().flatten().min()
}

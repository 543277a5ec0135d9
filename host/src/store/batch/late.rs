//! Results that come after their lease: each is kept once, under the next number of its request.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::Finish;
use super::super::rows::Rows;
use super::super::value::values;
use super::finishes::{duration, insert_attempts};
use super::held_or_sent;
use crate::domain::id::RequestId;

/// Results without a lease.
pub(super) struct Late<'a> {
    /// Those that are not kept yet.
    pub(super) new: Vec<&'a Finish>,
    /// The others, by request and lease, and whether they were late when they were told first: whoever got no answer to a
    /// commit tells its result again.
    pub(super) known: HashMap<(RequestId, i64), bool>,
}

pub(super) async fn read<'a>(tx: &mut Tx, finishes: impl Iterator<Item = &'a Finish>) -> Result<Late<'a>, StoreError> {
    const SELECT: &str = "SELECT late FROM attempts WHERE request_id = $1 AND started_at = $2 AND duration_ms = $3";
    let finishes: Vec<&Finish> = finishes.collect();
    lock(tx, &finishes).await?;
    let mut late = Late { new: Vec::new(), known: HashMap::new() };
    for finish in finishes {
        let values = values![finish.request.uuid(), finish.attempt.started_at.0, duration(finish)];
        match tx.fetch::<(bool,)>(SELECT, &values).await?.first() {
            Some((was_late,)) => drop(late.known.insert((finish.request, finish.lease.token), *was_late)),
            None => late.new.push(finish),
        }
    }
    Ok(late)
}

/// Another node may be storing a result of this request, or claiming it: it comes wholly before or wholly after, or two
/// attempts would take one number. What is open no more is still of a delivery.
async fn lock(tx: &mut Tx, finishes: &[&Finish]) -> Result<(), StoreError> {
    const LOCK_WORK: &str = "SELECT id FROM open_work {join} WHERE id = {1} ORDER BY id FOR UPDATE OF open_work";
    const LOCK_DELIVERIES: &str =
        "SELECT id FROM webhook_deliveries {join} WHERE id = {1} ORDER BY id FOR UPDATE OF webhook_deliveries";
    if !tx.locks_rows() {
        return Ok(());
    }
    let work: BTreeSet<Uuid> = finishes.iter().flat_map(|finish| held_or_sent(finish)).collect();
    let deliveries: BTreeSet<Uuid> = finishes.iter().map(|finish| finish.request.delivery().uuid()).collect();
    for (sql, ids) in [(LOCK_WORK, work), (LOCK_DELIVERIES, deliveries)] {
        let _: Vec<(Uuid,)> = tx.fetch_rows(&Rows::of(sql, &ids, |id| values![*id])).await?;
    }
    Ok(())
}

/// Keeps the new ones. They count as tries of what is still open: whoever holds it goes on from there.
pub(super) async fn write(tx: &mut Tx, late: &[&Finish]) -> Result<(), StoreError> {
    const NEXT_NUMBER: &str = "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE request_id = $1";
    const COUNT: &str = "UPDATE open_work SET attempts = attempts + 1 WHERE id IN ($1, $2)";
    for finish in late {
        let next: Vec<(i64,)> = tx.fetch(NEXT_NUMBER, &values![finish.request.uuid()]).await?;
        let number = next.first().map_or(1, |(number,)| *number);
        insert_attempts(tx, &[(*finish, number)], true).await?;
        let [held, sent] = held_or_sent(finish);
        tx.execute(COUNT, &values![held, sent]).await?;
    }
    Ok(())
}

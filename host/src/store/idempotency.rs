//! Keys of requests that make something: the same key again tells what was made, in the transaction that would make it.

use uuid::Uuid;

use super::StoreError;
use super::batch::{EXPIRE_KEY, KNOWN_KEY, TAKE_KEY};
use super::db::Tx;
use super::rows::Rows;
use super::value::values;
use crate::domain::clock::Millis;
use crate::domain::event::{IDEMPOTENCY_MS, Idempotency};
use crate::domain::id::ProjectId;

/// What a key was used for before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// For the same: this came of it.
    Same(Uuid),
    /// For something else.
    Otherwise,
}

fn expired(now: Millis) -> i64 {
    now.0.saturating_sub(i64::try_from(IDEMPOTENCY_MS).unwrap_or(i64::MAX))
}

/// What this key was used for, if it was.
pub(super) async fn used(tx: &mut Tx, key: Option<Idempotency>, now: Millis) -> Result<Option<Used>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    tx.execute_rows(&Rows::of(EXPIRE_KEY, [key], |key| values![key.id, expired(now)])).await?;
    let known: Vec<(Uuid, Uuid, Vec<u8>)> = tx.fetch_rows(&Rows::of(KNOWN_KEY, [key], |key| values![key.id])).await?;
    Ok(known.into_iter().next().map(
        |(_, made, fingerprint)| {
            if fingerprint == key.fingerprint { Used::Same(made) } else { Used::Otherwise }
        },
    ))
}

/// Keeps what came of a key that was not used before. Whoever used it meanwhile stands in the way: then all of it is looked
/// at again.
pub(super) async fn keep(
    tx: &mut Tx,
    key: Option<Idempotency>,
    project: ProjectId,
    made: Uuid,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(key) = key else { return Ok(()) };
    let row = |key: Idempotency| values![key.id, project.uuid(), key.fingerprint.to_vec(), made, now.0];
    let taken: Vec<(Uuid, Uuid, Vec<u8>)> = tx.fetch_rows(&Rows::of(TAKE_KEY, [key], row)).await?;
    if taken.is_empty() { Err(StoreError::Contended) } else { Ok(()) }
}

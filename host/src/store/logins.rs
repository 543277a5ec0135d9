//! Failed logins, counted by all nodes together: each counts as failed until it is not.

use super::db::Tx;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;

/// What failed logins are counted by: a hash of a user's address, or of the address that they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginKey(pub [u8; 32]);

/// What logins are counted by, and how many may fail in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoginLimit {
    /// By this.
    pub key: LoginKey,
    /// So many.
    pub most: u32,
}

const COUNT: &str = "INSERT INTO login_failures (key, since, failures) VALUES ($1, $2, 1)
    ON CONFLICT (key) DO UPDATE SET
        since = CASE WHEN login_failures.since <= $3 THEN $2 ELSE login_failures.since END,
        failures = CASE WHEN login_failures.since <= $3 THEN 1 ELSE login_failures.failures + 1 END
    RETURNING since, failures";
const GIVE_BACK: &str = "UPDATE login_failures SET failures = failures - 1 WHERE key = $1 AND failures > 0";
const FORGET: &str = "DELETE FROM login_failures WHERE key = $1";

impl Store {
    /// Counts a login that is being tried; none if it may be, else in how many milliseconds one may be. One that is refused is
    /// not counted.
    pub async fn begin_login(
        &self,
        mut limits: Vec<LoginLimit>,
        window_ms: u64,
        now: Millis,
    ) -> Result<Option<u64>, StoreError> {
        // In one order, so that logins at the same time do not stand in each other's way.
        limits.sort_unstable();
        let count = async move |tx: &mut Tx| {
            let over = now.0.saturating_sub(i64::try_from(window_ms).unwrap_or(i64::MAX));
            let mut wait = None;
            for limit in &limits {
                let counted: Vec<(i64, i64)> = tx.fetch(COUNT, &values![&limit.key.0[..], now.0, over]).await?;
                let Some((since, failures)) = counted.first() else { continue };
                if *failures > i64::from(limit.most) {
                    let left = window_ms.saturating_sub(now.since(Millis(*since)));
                    wait = wait.max(Some(left));
                }
            }
            if wait.is_some() {
                for limit in &limits {
                    tx.execute(GIVE_BACK, &values![&limit.key.0[..]]).await?;
                }
            }
            Ok(wait)
        };
        self.db.transact(move |tx| Box::pin(async move { count(tx).await })).await
    }

    /// The login was no failure: its user begins anew, and its address gets this one back.
    pub async fn login_succeeded(&self, user: LoginKey, address: Option<LoginKey>) -> Result<(), StoreError> {
        let succeed = async move |tx: &mut Tx| {
            tx.execute(FORGET, &values![&user.0[..]]).await?;
            if let Some(address) = address {
                tx.execute(GIVE_BACK, &values![&address.0[..]]).await?;
            }
            Ok(())
        };
        self.db.transact(move |tx| Box::pin(async move { succeed(tx).await })).await
    }

    /// Forgets failures whose window began before this time; says how many.
    pub async fn forget_login_failures(&self, before: Millis) -> Result<u64, StoreError> {
        const OLD: &str = "DELETE FROM login_failures WHERE since < $1";
        let forget = async move |tx: &mut Tx| tx.execute(OLD, &values![before.0]).await;
        self.db.transact(move |tx| Box::pin(async move { forget(tx).await })).await
    }
}

//! Failed logins are few: of one user, and from one address. Counted on each node by itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::config::AccountsConfig;
use crate::domain::clock::Millis;
use crate::domain::entropy::Entropy;
use crate::domain::password::PasswordHash;

/// Users and addresses remembered at once.
const REMEMBERED_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Account([u8; 32]),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Millis,
    failures: u32,
}

/// A login that is being tried, and counts as failed until it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Try {
    keys: [Option<Key>; 2],
}

/// Counts logins and hashes passwords.
#[derive(Debug)]
pub(super) struct Logins {
    config: AccountsConfig,
    windows: Mutex<HashMap<Key, Window>>,
    hashing: Semaphore,
    /// What nobody's password is, for users that there are not: finding out takes as long as with one that there is.
    nobodys: tokio::sync::OnceCell<PasswordHash>,
}

/// Of an IPv6 address whoever has one has the whole /64.
fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Logins {
    pub(super) fn new(config: AccountsConfig) -> Self {
        let hashing = Semaphore::new(config.hashes_at_once);
        Self { config, windows: Mutex::default(), hashing, nobodys: tokio::sync::OnceCell::new() }
    }

    /// Lets a login be tried, or says after how many seconds one may be.
    pub(super) fn begin(&self, email: &str, address: Option<IpAddr>, now: Millis) -> Result<Try, u32> {
        let keys = [Some(Key::Account(Sha256::digest(email).into())), address.map(counted).map(Key::Address)];
        let window_ms = self.config.login_window_ms;
        let mut windows = self.windows.lock();
        let is_over = |window: &Window| now.since(window.since) >= window_ms;
        if windows.len() >= REMEMBERED_MAX {
            windows.retain(|_, window| !is_over(window));
        }
        if windows.len() >= REMEMBERED_MAX {
            windows.retain(|_, window| window.failures > 1);
        }
        for key in keys.iter().flatten() {
            let most = match key {
                Key::Account(_) => self.config.login_failures_per_account,
                Key::Address(_) => self.config.login_failures_per_address,
            };
            if let Some(window) = windows.get(key).filter(|window| !is_over(window) && window.failures >= most) {
                let left_ms = window_ms - now.since(window.since).min(window_ms);
                return Err(u32::try_from(left_ms.div_ceil(1000).max(1)).unwrap_or(u32::MAX));
            }
        }
        for key in keys.iter().flatten() {
            let window = windows.entry(*key).or_insert(Window { since: now, failures: 0 });
            if is_over(window) {
                *window = Window { since: now, failures: 0 };
            }
            window.failures += 1;
        }
        Ok(Try { keys })
    }

    /// The login was no failure: its user begins anew, and its address gets this one back.
    pub(super) fn succeeded(&self, tried: Try) {
        let mut windows = self.windows.lock();
        for key in tried.keys.into_iter().flatten() {
            match key {
                Key::Account(_) => drop(windows.remove(&key)),
                Key::Address(_) => {
                    if let Some(window) = windows.get_mut(&key) {
                        window.failures = window.failures.saturating_sub(1);
                    }
                }
            }
        }
    }

    /// Hashes a password, on a thread that nobody waits for.
    pub(super) async fn hash(&self, password: SecretString, entropy: &Entropy) -> PasswordHash {
        let salt = entropy.bytes();
        let _permit = self.hashing.acquire().await.expect("it is never closed");
        let hashed = tokio::task::spawn_blocking(move || PasswordHash::new(&password, salt)).await;
        hashed.expect("hashing does not panic")
    }

    /// Whether a password is that of this hash. It takes as long when there is none.
    pub(super) async fn is_password(
        &self,
        hash: Option<PasswordHash>,
        password: SecretString,
        entropy: &Entropy,
    ) -> bool {
        let unguessable = || SecretString::from(format!("{:032x}", entropy.id()));
        let nobodys = self.nobodys.get_or_init(async || self.hash(unguessable(), entropy).await).await;
        let is_somebodys = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobodys.clone());
        let _permit = self.hashing.acquire().await.expect("it is never closed");
        let is_of = tokio::task::spawn_blocking(move || hash.is_of(&password)).await;
        is_of.expect("hashing does not panic") && is_somebodys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(per_account: u32, per_address: u32) -> Logins {
        Logins::new(AccountsConfig {
            login_window_ms: 10_000,
            login_failures_per_account: per_account,
            login_failures_per_address: per_address,
            ..AccountsConfig::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_user_is_not_tried_for_ever_from_whichever_address() {
        let logins = logins(2, 100);
        let at =
            |host: u32, now| logins.begin("ada@example.com", Some(address(&format!("192.0.2.{host}"))), Millis(now));
        assert!(at(1, 0).is_ok() && at(2, 500).is_ok());
        assert_eq!(at(3, 9_001), Err(1));
        assert!(logins.begin("bob@example.com", Some(address("192.0.2.3")), Millis(9_001)).is_ok());
        assert!(at(3, 10_000).is_ok());
    }

    #[test]
    fn one_address_does_not_try_all_users() {
        let logins = logins(100, 2);
        let at = |n: u32, from: &str| logins.begin(&format!("{n}@example.com"), Some(address(from)), Millis(0));
        assert!(at(1, "2001:db8::1").is_ok() && at(2, "2001:db8::ffff:2").is_ok());
        assert_eq!(at(3, "2001:db8:0:0:1::").err(), Some(10), "the same /64");
        assert!(at(3, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn a_login_that_succeeds_is_no_failure() {
        let logins = logins(2, 2);
        for _ in 0..5 {
            let tried = logins.begin("ada@example.com", Some(address("192.0.2.1")), Millis(0)).unwrap();
            logins.succeeded(tried);
        }
    }

    #[tokio::test]
    async fn nobody_has_the_password_of_nobody() {
        let logins = logins(1, 1);
        let entropy = Entropy::seeded(1);
        let secret = || SecretString::from("correct horse battery");
        let hash = logins.hash(secret(), &entropy).await;
        assert!(logins.is_password(Some(hash), secret(), &entropy).await);
        assert!(!logins.is_password(None, secret(), &entropy).await);
    }
}

//! Failed logins are few: of one user, and from one address, on all nodes together. And passwords are hashed, few at a time.

use std::net::{IpAddr, Ipv6Addr};

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::config::AccountsConfig;
use crate::domain::clock::Millis;
use crate::domain::entropy::Entropy;
use crate::domain::password::PasswordHash;
use crate::store::{LoginKey, LoginLimit, Store, StoreError};

/// A login that is being tried, and counts as failed until it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Try {
    user: LoginKey,
    address: Option<LoginKey>,
}

/// Counts logins and hashes passwords.
#[derive(Debug)]
pub(super) struct Logins {
    config: AccountsConfig,
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

fn user_key(email: &str) -> LoginKey {
    LoginKey(Sha256::digest(format!("user {email}")).into())
}

fn address_key(address: IpAddr) -> LoginKey {
    LoginKey(Sha256::digest(format!("address {}", counted(address))).into())
}

impl Logins {
    pub(super) fn new(config: AccountsConfig) -> Self {
        let hashing = Semaphore::new(config.hashes_at_once);
        Self { config, hashing, nobodys: tokio::sync::OnceCell::new() }
    }

    /// Lets a login be tried, or says after how many seconds one may be.
    pub(super) async fn begin(
        &self,
        store: &Store,
        email: &str,
        address: Option<IpAddr>,
        now: Millis,
    ) -> Result<Result<Try, u32>, StoreError> {
        let tried = Try { user: user_key(email), address: address.map(address_key) };
        let mut limits = vec![LoginLimit { key: tried.user, most: self.config.login_failures_per_account }];
        let most = self.config.login_failures_per_address;
        limits.extend(tried.address.map(|key| LoginLimit { key, most }));
        let wait_ms = store.begin_login(limits, self.config.login_window_ms, store.time(now)).await?;
        let seconds = |ms: u64| u32::try_from(ms.div_ceil(1000).max(1)).unwrap_or(u32::MAX);
        Ok(wait_ms.map_or(Ok(tried), |ms| Err(seconds(ms))))
    }

    /// The login was no failure.
    pub(super) async fn succeeded(&self, store: &Store, tried: Try) -> Result<(), StoreError> {
        store.login_succeeded(tried.user, tried.address).await
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

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn of_ipv6_the_network_is_counted() {
        let key = |text| address_key(address(text));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"), "the same /64");
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(user_key("192.0.2.1"), key("192.0.2.1"));
    }

    #[tokio::test]
    async fn nobody_has_the_password_of_nobody() {
        let logins = Logins::new(AccountsConfig::default());
        let entropy = Entropy::seeded(1);
        let secret = || SecretString::from("correct horse battery");
        let hash = logins.hash(secret(), &entropy).await;
        assert!(logins.is_password(Some(hash), secret(), &entropy).await);
        assert!(!logins.is_password(None, secret(), &entropy).await);
    }
}

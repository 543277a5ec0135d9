//! Which URLs may be called: checked when a webhook is saved, and again on the addresses that are dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::names::Names;
use crate::domain::address::{AddressPolicy, ForbiddenAddress};

/// Longest URL in bytes.
pub const URL_MAX_BYTES: usize = 4096;

/// Why a URL may not be called.
#[derive(Debug, thiserror::Error)]
pub enum UrlRefused {
    /// Not http or https.
    #[error("the scheme is https, or http for networks that the administrator opened")]
    Scheme,
    /// Plain http to somewhere else.
    #[error("plain http is allowed only to networks that the administrator opened; use https")]
    PlainHttp,
    /// A user or password in it.
    #[error("a URL must not hold a user or password; use a header or a bearer token")]
    UserInfo,
    /// A fragment is never sent.
    #[error("a URL must not hold a fragment (`#…`): it would never be sent")]
    Fragment,
    /// No host.
    #[error("the URL has no host")]
    NoHost,
    /// Too long.
    #[error("a URL has at most {URL_MAX_BYTES} bytes")]
    TooLong,
    /// An address that may not be called.
    #[error("{0}; only public addresses and networks that the administrator opened may be called")]
    Address(#[from] ForbiddenAddress),
    /// The name has no address.
    #[error("the name does not resolve: {0}")]
    Dns(String),
}

/// Decides which URLs and addresses may be called.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: Arc<AddressPolicy>,
    allow_http: bool,
    names: Names,
}

impl Guard {
    /// A guard with this policy.
    pub fn new(policy: AddressPolicy, allow_http: bool, names: Names) -> Self {
        Self { policy: Arc::new(policy), allow_http, names }
    }

    /// What can be said without resolving: form, scheme and literal addresses. Odd forms of numbers (`0x7f.1`,
    /// `2130706433`, a trailing dot) are addresses already by the URL Standard's parser.
    pub fn check_form(&self, url: &Url) -> Result<(), UrlRefused> {
        if url.as_str().len() > URL_MAX_BYTES {
            return Err(UrlRefused::TooLong);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlRefused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefused::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlRefused::Fragment);
        }
        match url.host().ok_or(UrlRefused::NoHost)? {
            Host::Ipv4(address) => self.check_address(address.into(), url.scheme() == "http"),
            Host::Ipv6(address) => self.check_address(address.into(), url.scheme() == "http"),
            Host::Domain(_) => Ok(()),
        }
    }

    fn check_address(&self, address: IpAddr, plain_http: bool) -> Result<(), UrlRefused> {
        self.policy.check(address)?;
        if plain_http && !self.allow_http && !self.policy.is_opened(address) {
            return Err(UrlRefused::PlainHttp);
        }
        Ok(())
    }

    /// The whole verdict when a webhook is saved. A name that does not resolve now is let through: it may be made
    /// later, and every attempt checks again.
    pub async fn check_saved(&self, url: &Url) -> Result<(), UrlRefused> {
        self.check_form(url)?;
        let Some(Host::Domain(host)) = url.host() else { return Ok(()) };
        match self.resolve(host, url.scheme() == "http").await {
            Err(UrlRefused::Dns(_)) if url.scheme() == "http" && !self.allow_http => Err(UrlRefused::PlainHttp),
            Ok(_) | Err(UrlRefused::Dns(_)) => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    /// Addresses of a name, refused if any of them may not be called: which one is dialled is not ours to choose.
    async fn resolve(&self, host: &str, plain_http: bool) -> Result<Vec<IpAddr>, UrlRefused> {
        let addresses = self.names.lookup(host).await.map_err(|error| UrlRefused::Dns(error.to_string()))?;
        if addresses.is_empty() {
            return Err(UrlRefused::Dns("it has no address".to_owned()));
        }
        for address in &addresses {
            self.check_address(*address, plain_http)?;
        }
        Ok(addresses)
    }

    /// A resolver for the HTTP client: what it gives is what is dialled, so a name cannot change its address in between.
    pub(super) fn resolver(&self, plain_http: bool) -> GuardedResolver {
        GuardedResolver { guard: self.clone(), plain_http }
    }
}

#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    guard: Guard,
    plain_http: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.guard.resolve(name.as_str(), resolver.plain_http).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        let allowed = allow.iter().map(|network| network.parse().unwrap()).collect();
        let names = Names::Fixed(Arc::default());
        if let Names::Fixed(table) = &names {
            let mut table = table.lock();
            table.insert("public.example".to_owned(), vec![vec!["8.8.8.8".parse().unwrap()]]);
            let mixed = vec!["8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
            table.insert("mixed.example".to_owned(), vec![mixed]);
            table.insert("local.example".to_owned(), vec![vec!["127.0.0.1".parse().unwrap()]]);
        }
        Guard::new(AddressPolicy { allowed }, false, names)
    }

    async fn verdict(guard: &Guard, url: &str) -> Result<(), String> {
        guard.check_saved(&Url::parse(url).unwrap()).await.map_err(|refused| refused.to_string())
    }

    #[tokio::test]
    async fn odd_forms_of_forbidden_addresses_are_refused() {
        let guard = guard(&[]);
        for url in [
            "https://127.0.0.1/",
            "https://127.0.0.1./",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://017700000001/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://local.example/",
            "https://mixed.example/",
        ] {
            let refused = verdict(&guard, url).await.unwrap_err();
            assert!(refused.contains("may be called"), "{url}: {refused}");
        }
        assert_eq!(verdict(&guard, "https://public.example/").await, Ok(()));
        assert_eq!(verdict(&guard, "https://not-made-yet.example/").await, Ok(()));
    }

    #[tokio::test]
    async fn plain_http_needs_an_opened_network() {
        let guard = guard(&["127.0.0.0/8"]);
        assert_eq!(verdict(&guard, "http://127.0.0.1:9/").await, Ok(()));
        assert_eq!(verdict(&guard, "http://local.example/").await, Ok(()));
        for url in ["http://8.8.8.8/", "http://public.example/", "http://not-made-yet.example/"] {
            assert!(verdict(&guard, url).await.unwrap_err().contains("plain http"), "{url}");
        }
    }

    #[tokio::test]
    async fn user_info_fragments_and_other_schemes_are_refused() {
        let guard = guard(&[]);
        for url in [
            "https://user@public.example/",
            "https://:pw@public.example/",
            "https://public.example/#x",
            "ftp://public.example/",
            "file:///etc/passwd",
        ] {
            assert!(verdict(&guard, url).await.is_err(), "{url}");
        }
        let long = format!("https://public.example/{}", "x".repeat(URL_MAX_BYTES));
        assert!(verdict(&guard, &long).await.unwrap_err().contains("4096"));
    }

    #[tokio::test]
    async fn a_name_that_changes_its_address_is_refused_when_dialled() {
        let guard = guard(&[]);
        if let Names::Fixed(table) = &guard.names {
            let answers = vec![vec!["8.8.8.8".parse().unwrap()], vec!["127.0.0.1".parse().unwrap()]];
            table.lock().insert("rebind.example".to_owned(), answers);
        }
        assert_eq!(verdict(&guard, "https://rebind.example/").await, Ok(()));
        let dialled = guard.resolver(false).resolve("rebind.example".parse().unwrap()).await;
        assert!(dialled.err().unwrap().downcast_ref::<UrlRefused>().is_some());
    }
}

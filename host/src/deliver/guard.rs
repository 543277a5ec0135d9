//! Which URLs may be called: checked when a webhook is saved, and again on the addresses that are dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use super::names::{Names, Unresolved};
use crate::domain::address::{AddressPolicy, ForbiddenAddress};
use crate::domain::port::is_of_another_protocol;

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
    /// A port that other protocols use.
    #[error("port {0} belongs to another protocol; it may be called only in networks that the administrator opened")]
    Port(u16),
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
    Dns(#[from] Unresolved),
}

/// What is called at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    /// Without TLS.
    pub(super) plain_http: bool,
    pub(super) port: u16,
}

impl Service {
    fn of(url: &Url) -> Self {
        Self { plain_http: url.scheme() == "http", port: url.port_or_known_default().unwrap_or(0) }
    }
}

/// Decides which URLs and addresses may be called.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: Arc<AddressPolicy>,
    allow_http: bool,
    names: Names,
}

impl Guard {
    /// A guard with this policy; `allow_http` lets plain http go to public addresses too.
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
            Host::Ipv4(address) => self.check_address(address.into(), Service::of(url)),
            Host::Ipv6(address) => self.check_address(address.into(), Service::of(url)),
            Host::Domain(_) => Ok(()),
        }
    }

    fn check_address(&self, address: IpAddr, service: Service) -> Result<(), UrlRefused> {
        if self.is_opened(address) {
            return Ok(());
        }
        self.policy.check(address)?;
        self.check_public(service)
    }

    /// The rules for everywhere but the networks that were opened.
    pub(super) fn check_public(&self, service: Service) -> Result<(), UrlRefused> {
        if service.plain_http && !self.allow_http {
            return Err(UrlRefused::PlainHttp);
        }
        if is_of_another_protocol(service.port) {
            return Err(UrlRefused::Port(service.port));
        }
        Ok(())
    }

    /// Whether an administrator opened this address.
    pub(super) fn is_opened(&self, address: IpAddr) -> bool {
        self.policy.is_opened(address)
    }

    /// The whole verdict when a webhook is saved. A name that does not resolve now is let through: it may be made
    /// later, and every connection is checked again.
    pub async fn check_saved(&self, url: &Url) -> Result<(), UrlRefused> {
        self.check_form(url)?;
        let Some(Host::Domain(host)) = url.host() else { return Ok(()) };
        let service = Service::of(url);
        match self.addresses(host, service).await {
            Err(UrlRefused::Dns(_)) => self.check_public(service),
            verdict => verdict.map(drop),
        }
    }

    /// What may be dialled for a host, name or address, with its port. Refused if any address of a name may not be called:
    /// a name that has one of them is not meant well, or not ready.
    pub(super) async fn addresses(&self, host: &str, service: Service) -> Result<Vec<SocketAddr>, UrlRefused> {
        let addresses = self.names.lookup(host).await?;
        for address in &addresses {
            self.check_address(*address, service)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, service.port)).collect())
    }

    /// Where names are looked up.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

#[cfg(test)]
mod tests;

//! For tests: a guard and the client that it guards, with names that resolve to what the test says.

use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use url::Url;

use super::client::{Exchange, Sender};
use super::guard::Guard;
use super::message::Message;
use super::names::{FixedNames, Names};
use crate::config::{DeliveryConfig, NetworkConfig};
use crate::domain::address::AddressPolicy;
use crate::domain::clock::Millis;
use crate::domain::delivery::ErrorClass;
use crate::domain::retry::Ending;

/// An address that may be called.
pub(super) const PUBLIC: &str = "8.8.8.8";

pub(super) struct Stage {
    names: FixedNames,
    sender: Sender,
}

/// With these networks opened.
pub(super) fn stage(opened: &[&str], allow_http: bool) -> Stage {
    Stage::new(opened, allow_http, &NetworkConfig::default())
}

impl Stage {
    pub(super) fn new(opened: &[&str], allow_http: bool, network: &NetworkConfig) -> Self {
        let names = FixedNames::default();
        let policy = AddressPolicy::new(opened.iter().map(|network| network.parse().unwrap()));
        let guard = Guard::new(policy, allow_http, Names::Fixed(names.clone()));
        Self { names, sender: Sender::new(guard, network, &DeliveryConfig::default()).unwrap() }
    }

    /// What the name resolves to, one answer after the other; the last one stays.
    pub(super) fn name(&self, name: &str, answers: &[&[&str]]) {
        let answer = |addresses: &&[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.names.lock().insert(name.to_owned(), answers.iter().map(answer).collect());
    }

    /// The verdict when a webhook is saved.
    pub(super) async fn saved(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|error| format!("no URL: {error}"))?;
        self.sender.guard().check_saved(&url).await.map_err(|refused| refused.to_string())
    }

    pub(super) async fn called(&self, url: &str) -> Exchange {
        self.called_within(url, Duration::from_secs(10)).await
    }

    pub(super) async fn called_within(&self, url: &str, timeout: Duration) -> Exchange {
        let message = Message {
            method: hyper::Method::POST,
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{}"),
            shown_url: String::new(),
            shown_headers: String::new(),
            to_own_url: true,
        };
        self.sender.send(&message, DeliveryConfig::default().response_kept_bytes, timeout, Millis(0)).await
    }

    /// Why an attempt was refused before anything was sent.
    pub(super) async fn refused(&self, url: &str) -> String {
        let exchange = self.called(url).await;
        let refused = Ending::Broken { class: ErrorClass::AddressRefused, body_sent: false };
        assert_eq!(exchange.ending, refused, "{url}: {exchange:?}");
        exchange.error.expect("a reason")
    }
}

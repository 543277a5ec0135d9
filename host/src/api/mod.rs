//! The HTTP API: one file for each resource; every route on one screen in `router`.

mod audit;
mod auth;
mod change;
mod context;
mod deliveries;
mod door;
mod etag;
mod event_types;
mod events;
mod extract;
mod form;
mod gallery;
mod health;
mod jobs;
mod lines;
mod live;
mod logins;
mod me;
mod members;
mod metrics;
mod openapi;
mod overview;
mod plugins;
mod problem;
mod projects;
mod rates;
mod results;
mod roles;
mod router;
mod schedules;
mod sessions;
mod settings;
mod tokens;
mod users;
mod webhooks;

use std::sync::Arc;

use crate::config::Config;
use crate::deliver::Guard;
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::domain::filter::Filters;
use crate::ingest::Ingest;
use crate::jobs::Jobs;
use crate::plugins::Plugins;
use crate::store::Store;

pub use door::Door;
pub use live::Live;
pub use openapi::openapi;
pub use router::{Route, router, routes, surround};

/// The API's state. Cheap to clone, since each request does.
#[derive(Debug, Clone)]
pub struct Api(Arc<Parts>);

impl Api {
    /// The state of the API.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What handlers work with.
#[derive(Debug)]
pub struct Parts {
    /// Everything that lasts.
    pub store: Store,
    /// Takes events.
    pub ingest: Ingest,
    /// Does long work.
    pub jobs: Jobs,
    /// Takes plugins in.
    pub plugins: Plugins,
    /// Checks URLs.
    pub guard: Guard,
    /// Checks filters.
    pub filters: Arc<Filters>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Limits.
    pub config: Arc<Config>,
    /// Who gets in.
    pub door: Door,
    /// Who is told of what is new.
    pub live: Arc<Live>,
}

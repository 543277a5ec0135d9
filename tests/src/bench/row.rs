//! What is measured: one row of the table each.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What a row is there for. All but the first are the second part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    /// Limits, stores, plugins, fan-out
    Table,
    /// With 10 thousand and with 2 million deliveries stored
    Stored,
    /// One of ten receivers hangs
    Hanging,
    /// Another endpoint has a backlog of a million
    Backlog,
    /// A million deliveries that are no longer kept are removed meanwhile
    Removing,
    /// What plugins cost, without a server
    Plugins,
    /// How long pages take with a million deliveries stored
    Pages,
}

/// What stands between publishers and receivers, and where it keeps events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Store {
    /// Nothing.
    Raw,
    /// The durable relay.
    Relay,
    Sqlite,
    /// A server of its own, which keeps its promises on disk.
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Plugin {
    None,
    Slack,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) store: Store,
    pub(super) plugin: Plugin,
    /// Receivers of each event.
    pub(super) fanout: u64,
    pub(super) publishers: u64,
    /// Deliveries that were made before.
    pub(super) stored: u64,
    /// How many of the receivers never answer.
    pub(super) hanging: u64,
    /// Deliveries that wait for another endpoint, which never answers.
    pub(super) backlog: u64,
    /// Whether what is stored is no longer kept, and is removed meanwhile.
    pub(super) removing: bool,
}

const PUBLISHERS: [u64; 3] = [16, 64, 256];
const USUAL_PUBLISHERS: u64 = 64;
const FANOUT: u64 = 10;
/// Stored deliveries that are next to none.
const FEW: u64 = 10_000;
/// Stored deliveries that are removed.
const REMOVED: u64 = 1_000_000;

impl Row {
    const fn new(store: Store, plugin: Plugin, fanout: u64, publishers: u64) -> Self {
        Self { store, plugin, fanout, publishers, stored: 0, hanging: 0, backlog: 0, removing: false }
    }

    /// The relay with the same publishers and receivers.
    pub(super) const fn relay(&self) -> Self {
        Self::new(Store::Relay, Plugin::None, self.fanout, self.publishers)
    }

    /// Whether it is measured by the relay.
    pub(super) const fn is_server(&self) -> bool {
        !matches!(self.store, Store::Raw | Store::Relay)
    }

    /// The row that this one is compared with: the same without what makes it special.
    pub(super) fn base(&self) -> Option<Self> {
        let usual = Self { stored: self.stored.min(FEW), hanging: 0, backlog: 0, ..self.clone() };
        // With as much stored that stays.
        let base = if self.removing { Self { removing: false, ..self.clone() } } else { usual };
        let is_base_of_removing = self.stored == REMOVED;
        if is_base_of_removing && !self.removing {
            return None;
        }
        (base != *self).then_some(base)
    }

    /// Receivers that answer.
    pub(super) const fn answering(&self) -> u64 {
        self.fanout - self.hanging
    }

    /// Where receivers of the measured events are.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        (0..self.fanout).map(|index| format!("/{index}"))
    }
}

/// `sqlite/slack/1/64`: store, plugin, receivers, publishers.
impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match self.store {
            Store::Raw => "raw",
            Store::Relay => "relay",
            Store::Sqlite => "sqlite",
            Store::Postgres => "postgres",
        };
        let plugin = match self.plugin {
            Plugin::None => "none",
            Plugin::Slack => "slack",
        };
        write!(formatter, "{store}/{plugin}/{}/{}", self.fanout, self.publishers)?;
        for (what, count) in [("stored", self.stored), ("hanging", self.hanging), ("backlog", self.backlog)] {
            if count > 0 {
                write!(formatter, "/{what}={count}")?;
            }
        }
        if self.removing {
            formatter.write_str("/removing")?;
        }
        Ok(())
    }
}

/// The table: both limits, then each store.
pub(super) fn table() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |store, plugin, fanout| rows.extend(PUBLISHERS.map(|n| Row::new(store, plugin, fanout, n)));
    add(Store::Raw, Plugin::None, 1);
    add(Store::Relay, Plugin::None, 1);
    add(Store::Relay, Plugin::None, FANOUT);
    for store in [Store::Sqlite, Store::Postgres] {
        for (plugin, fanout) in [(Plugin::None, 1), (Plugin::Slack, 1), (Plugin::None, FANOUT)] {
            add(store, plugin, fanout);
        }
    }
    rows
}

/// What can be seen in a minute.
pub(super) fn quick() -> Vec<Row> {
    table().into_iter().filter(|row| row.publishers == USUAL_PUBLISHERS && row.fanout == 1).collect()
}

/// The same with few and with many deliveries stored.
pub(super) fn stored(store: Store) -> Vec<Row> {
    [FEW, 2_000_000].map(|stored| Row { stored, ..usual(store, 1) }).to_vec()
}

/// So much is stored while pages are looked at.
pub(super) fn with_pages(store: Store) -> Row {
    Row { stored: 1_000_000, ..usual(store, 1) }
}

/// Ten receivers: all answer, and one does not.
pub(super) fn hanging(store: Store) -> Vec<Row> {
    [0, 1].map(|hanging| Row { hanging, ..usual(store, FANOUT) }).to_vec()
}

/// One receiver, without and with another's backlog.
pub(super) fn backlog(store: Store) -> Vec<Row> {
    [0, 1_000_000].map(|backlog| Row { backlog, ..usual(store, 1) }).to_vec()
}

/// As many stored, which stay, and which are removed.
pub(super) fn removing(store: Store) -> Vec<Row> {
    [false, true].map(|removing| Row { stored: REMOVED, removing, ..usual(store, 1) }).to_vec()
}

const fn usual(store: Store, fanout: u64) -> Row {
    Row::new(store, Plugin::None, fanout, USUAL_PUBLISHERS)
}

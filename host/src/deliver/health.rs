//! How many runs in a row of each version of a plugin have trapped on this node. Kept in memory: a run that goes well costs
//! nothing, and a node that begins anew gives every version another chance.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::domain::id::PluginVersionId;
use crate::domain::plugin_health::{RunEnd, after};

#[derive(Debug)]
pub(super) struct Health {
    /// Only of versions whose last run trapped.
    traps: Mutex<HashMap<PluginVersionId, u32>>,
    /// How many those are: mostly none, and this is asked for every run.
    count: AtomicUsize,
    /// After so many in a row a version is paused; 0: never.
    most: u32,
}

impl Health {
    pub(super) fn new(most: u32) -> Self {
        Self { traps: Mutex::default(), count: AtomicUsize::new(0), most }
    }

    /// Learns how a run ended; says whether its version is to be paused.
    pub(super) fn note(&self, version: PluginVersionId, end: RunEnd) -> bool {
        if end != RunEnd::Trapped && self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut traps = self.traps.lock();
        let (in_a_row, is_paused) = after(traps.get(&version).copied().unwrap_or(0), end, self.most);
        if in_a_row == 0 {
            traps.remove(&version);
        } else {
            traps.insert(version, in_a_row);
        }
        self.count.store(traps.len(), Ordering::Relaxed);
        is_paused
    }

    /// Counts a version's traps anew.
    pub(super) fn forget(&self, version: PluginVersionId) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let mut traps = self.traps.lock();
            traps.remove(&version);
            self.count.store(traps.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Millis;

    #[test]
    fn each_version_is_counted_by_itself_and_a_success_in_between_counts_anew() {
        let health = Health::new(3);
        let [one, other] = [1, 2].map(|number| PluginVersionId::new(Millis(1), number));
        let trap = |version| health.note(version, RunEnd::Trapped);
        assert_eq!([trap(one), trap(one), trap(other), trap(other)], [false; 4]);
        assert!(!health.note(one, RunEnd::Returned));
        assert_eq!([trap(one), trap(one), trap(other)], [false, false, true]);
        assert!(trap(one));
        assert_eq!([trap(one), trap(one)], [false; 2], "counted anew");
        health.forget(one);
        assert_eq!([trap(one), trap(one), trap(one)], [false, false, true]);
        assert_eq!(health.count.load(Ordering::Relaxed), 0, "what is well takes no memory");
    }
}

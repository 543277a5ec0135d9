//! When a version of a plugin is paused: the sandbox had to end too many of its runs in a row.

use super::plugin::PluginFailure;
use super::plugin_limits::PluginLimits;

/// How a run ended, as far as it tells whether the plugin is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It came to its end, whatever it gave: a plugin that says what it cannot do is well.
    Returned,
    /// It trapped, or was ended at a limit.
    Trapped,
    /// It was ended at a limit where the webhook has lower ones than others: that tells nothing of its runs for them.
    OwnLimit,
}

impl RunEnd {
    /// How a run with this failure ended, for a webhook with these limits of its own.
    pub fn of(failure: Option<&PluginFailure>, own: &PluginLimits) -> Self {
        let trapped = failure.filter(|failure| {
            let traps = [
                "plugin.timeout",
                "plugin.crashed",
                "plugin.out_of_memory",
                "plugin.output_too_large",
                "plugin.too_many_recalls",
            ];
            traps.contains(&failure.code.as_str())
        });
        match trapped {
            None => Self::Returned,
            Some(PluginFailure { limit: Some(_), .. }) if *own != PluginLimits::default() => Self::OwnLimit,
            Some(_) => Self::Trapped,
        }
    }
}

/// How many runs in a row have trapped after one more that ended so, and whether the version is paused now (at `most` in a
/// row; 0: never). After a pause they are counted anew.
pub const fn after(traps: u32, end: RunEnd, most: u32) -> (u32, bool) {
    match end {
        RunEnd::Returned => (0, false),
        RunEnd::OwnLimit => (traps, false),
        RunEnd::Trapped => {
            let traps = traps.saturating_add(1);
            if most > 0 && traps >= most { (0, true) } else { (traps, false) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RunEnd::{OwnLimit, Returned, Trapped};
    use super::*;

    #[test]
    fn a_version_is_paused_when_so_many_runs_in_a_row_trapped() {
        for (traps, end, most, expected) in [
            (0, Trapped, 20, (1, false)),
            (18, Trapped, 20, (19, false)),
            (19, Trapped, 20, (0, true)),
            (19, Returned, 20, (0, false)),
            (19, OwnLimit, 20, (19, false)),
            (0, Trapped, 1, (0, true)),
            (0, Returned, 1, (0, false)),
            // What was counted before the setting was lowered.
            (30, Trapped, 20, (0, true)),
            (1_000_000, Trapped, 0, (1_000_001, false)),
            (u32::MAX, Trapped, 0, (u32::MAX, false)),
        ] {
            assert_eq!(after(traps, end, most), expected, "{traps} and then {end:?} of {most}");
        }
    }

    #[test]
    fn what_counts_as_a_trap() {
        let (none, lower) = (PluginLimits::default(), PluginLimits { cpu_ms: Some(1), ..PluginLimits::default() });
        let bare = |code: &str| PluginFailure::new(code, "x");
        let limit = |code: &str| PluginFailure::limit(code, "x", "cpu_ms", 2, 1);
        assert_eq!(RunEnd::of(None, &none), Returned);
        for (failure, own, expected) in [
            (bare("plugin.crashed"), &none, Trapped),
            (bare("plugin.crashed"), &lower, Trapped),
            (limit("plugin.timeout"), &none, Trapped),
            (limit("plugin.timeout"), &lower, OwnLimit),
            (limit("plugin.out_of_memory"), &none, Trapped),
            (limit("plugin.output_too_large"), &none, Trapped),
            (limit("plugin.too_many_recalls"), &none, Trapped),
            (bare("plugin.failed"), &none, Returned),
            (bare("plugin.bad_output"), &none, Returned),
            (limit("plugin.bad_output"), &lower, Returned),
        ] {
            assert_eq!(RunEnd::of(Some(&failure), own), expected, "{failure:?} {own:?}");
        }
    }
}

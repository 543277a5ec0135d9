//! Limits of one run of a plugin: the server's, and lower ones of a webhook.

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident >= $least:literal),+ $(,)?) => {
        /// Limits of a run. What a webhook does not name is as the server says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct PluginLimits {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>),+
        }

        impl PluginLimits {
            /// Every limit's name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// What is set and too high or too low: the limit's name, and what is allowed.
            pub fn not_within(&self, most: &Self) -> Vec<(&'static str, std::ops::RangeInclusive<u64>)> {
                let mut wrong = Vec::new();
                $(
                    let allowed = $least..=most.$name.unwrap_or(u64::MAX);
                    if self.$name.is_some_and(|value| !allowed.contains(&value)) {
                        wrong.push((stringify!($name), allowed));
                    }
                )+
                wrong
            }

            /// The lower of each.
            #[must_use]
            pub fn lowered(&self, other: &Self) -> Self {
                Self { $($name: [self.$name, other.$name].into_iter().flatten().min()),+ }
            }

            /// Each limit's name, and what is set.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, Option<u64>)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// Sets a limit, or takes it away; false when there is none of that name.
            pub fn set(&mut self, name: &str, value: Option<u64>) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)+
                    _ => return false,
                }
                true
            }
        }
    };
}

limits!(
    /// CPU time in milliseconds.
    cpu_ms >= 1,
    /// Memory over all memories, in bytes: at least one page.
    memory_bytes >= 65_536,
    /// Elements over all tables.
    table_elements >= 0,
    /// The result in bytes.
    result_bytes >= 1,
    /// Requests for one event.
    requests >= 1,
    /// Log lines.
    log_lines >= 0,
    /// Bytes of one log line.
    log_line_bytes >= 0,
    /// Bytes of the log.
    log_bytes >= 0,
);

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: PluginLimits = PluginLimits {
        cpu_ms: Some(50),
        memory_bytes: Some(1_000_000),
        table_elements: Some(10),
        result_bytes: Some(10),
        requests: Some(10),
        log_lines: Some(10),
        log_line_bytes: Some(10),
        log_bytes: Some(10),
    };

    #[test]
    fn a_webhook_may_lower_each_limit_and_raise_none() {
        for name in PluginLimits::NAMES {
            let with = |value| {
                let mut limits = PluginLimits::default();
                assert!(limits.set(name, Some(value)));
                limits
            };
            let json = serde_json::to_value(SERVER).unwrap();
            let most = json[*name].as_u64().unwrap();
            assert_eq!(with(most).not_within(&SERVER), []);
            let wrong = with(most + 1).not_within(&SERVER);
            assert!(
                matches!(wrong.as_slice(), [(limit, allowed)] if limit == name && *allowed.end() == most),
                "{wrong:?}"
            );
            assert_eq!(SERVER.lowered(&with(most + 1)), SERVER, "whatever was stored once");
            assert_ne!(SERVER.lowered(&with(most - 1)), SERVER);
        }
        let least = PluginLimits { memory_bytes: Some(65_535), requests: Some(0), ..PluginLimits::default() };
        assert_eq!(least.not_within(&SERVER).len(), 2);
        assert!(!PluginLimits::default().set("stack_bytes", None));
    }
}

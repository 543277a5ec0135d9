//! What can go wrong in a run, in words for the plugin's author.

use wasmtime::{Trap, WasmBacktrace};

use super::limits::RunLimits;
use super::wasi::Ended;
use super::words::LastWords;
use crate::domain::plugin::{LimitHit, PluginFailure};
use crate::domain::rules::BrokenRule;
use crate::domain::verdict::BrokenVerdict;

/// What the plugin remembers could not be read.
const NO_MEMORY: &str = "host.no_memory";
/// Most frames of a trap that are shown.
const FRAMES_MAX: usize = 8;

/// A limit that a running plugin reached: how the engine hands it back to us.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Reached {
    #[error("the plugin used {used} ms of CPU time; allowed are {allowed}")]
    CpuMs { used: u64, allowed: u64 },
    #[error("the plugin ran for {used} ms without getting enough of a processor; allowed are {allowed}")]
    WallMs { used: u64, allowed: u64 },
    #[error("the plugin asked for {used} bytes of memory; allowed are {allowed}")]
    MemoryBytes { used: u64, allowed: u64 },
    #[error("the plugin asked for {used} table elements; allowed are {allowed}")]
    TableElements { used: u64, allowed: u64 },
    #[error("the plugin called `memory.recall` {used} times; allowed are {allowed}")]
    Recalls { used: u64, allowed: u64 },
}

/// The store did not say what was remembered: no fault of the plugin's.
#[derive(Debug, Clone, thiserror::Error)]
#[error("what the plugin remembers cannot be read now: {0}")]
pub(super) struct Unrecallable(pub(super) String);

impl PluginFailure {
    /// Whether the same input might do better a second time.
    pub fn is_worth_another_try(&self) -> bool {
        matches!(self.code.as_str(), "plugin.timeout" | "plugin.crashed")
    }

    /// Whether it is this server's own, and over when that is well again.
    pub fn is_passing(&self) -> bool {
        self.code == NO_MEMORY
    }

    /// The plugin's verdict broke a rule.
    pub fn broken_verdict(broken: &BrokenVerdict) -> Self {
        let limit = broken.limit.map(|(used, allowed)| LimitHit { limit: broken.rule.to_owned(), used, allowed });
        Self { code: "plugin.bad_output".to_owned(), message: broken.to_string(), limit }
    }

    /// The plugin broke a rule for requests.
    pub fn broken_rule(broken: &BrokenRule) -> Self {
        let limit = broken.limit.map(|(used, allowed)| LimitHit { limit: broken.rule.to_owned(), used, allowed });
        Self { code: "plugin.bad_output".to_owned(), message: broken.to_string(), limit }
    }

    /// The engine ended the run; `words` are what the plugin said of that, if it did.
    pub(super) fn from_engine(error: &wasmtime::Error, limits: &RunLimits, words: Option<LastWords>) -> Self {
        if let Some(reached) = error.downcast_ref::<Reached>() {
            let message = format!("{reached}{}", frames(error));
            return match *reached {
                Reached::CpuMs { used, allowed } => Self::limit("plugin.timeout", message, "cpu_ms", used, allowed),
                Reached::WallMs { used, allowed } => Self::limit("plugin.timeout", message, "wall_ms", used, allowed),
                Reached::MemoryBytes { used, allowed } => {
                    Self::limit("plugin.out_of_memory", message, "memory_bytes", used, allowed)
                }
                Reached::TableElements { used, allowed } => {
                    Self::limit("plugin.out_of_memory", message, "table_elements", used, allowed)
                }
                Reached::Recalls { used, allowed } => {
                    Self::limit("plugin.too_many_recalls", message, "recalls", used, allowed)
                }
            };
        }
        if let Some(unrecallable) = error.downcast_ref::<Unrecallable>() {
            return Self::new(NO_MEMORY, unrecallable.to_string());
        }
        if let Some(ended) = error.downcast_ref::<Ended>() {
            return Self::from_wasi(ended, &frames(error));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => {
                let allowed = limits.stack_bytes as u64;
                let message = format!("the plugin used all {allowed} bytes of its stack{}", frames(error));
                Self::limit("plugin.crashed", message, "stack_bytes", allowed, allowed)
            }
            Some(trap) => {
                // Only who gives up says something before.
                let message = match words.filter(|_| *trap == Trap::UnreachableCodeReached) {
                    Some(LastWords::Panicked(text)) => format!("the plugin {text}{}", frames(error)),
                    Some(LastWords::Threw(text)) => format!("the plugin {text}"),
                    Some(LastWords::Wrote(text)) => format!("the plugin gave up{}, after this: {text}", frames(error)),
                    None => {
                        let reason = trap.to_string();
                        let reason = reason.strip_prefix("wasm trap: ").unwrap_or(&reason);
                        format!("the plugin trapped: {reason}{}", frames(error))
                    }
                };
                Self::new("plugin.crashed", message)
            }
            None => Self::of_text(&format!("{error:#}"), &error.root_cause().to_string(), limits),
        }
    }

    /// Failures for which the engine has no type.
    fn of_text(text: &str, reason: &str, limits: &RunLimits) -> Self {
        if text.contains("fuel allocated for hostcalls") {
            let allowed = limits.result_bytes as u64;
            let message = format!("what the plugin hands to the server is larger than {allowed} bytes");
            return Self::limit("plugin.output_too_large", message, "result_bytes", allowed + 1, allowed);
        }
        if text.contains("handle limit exceeded") {
            let allowed = limits.handles as u64;
            let message = format!("the plugin holds more than {allowed} resources at once");
            return Self::limit("plugin.too_many_handles", message, "handles", allowed + 1, allowed);
        }
        let bad_output = ["utf-8", "not aligned", "out of bounds", "end of memory", "discriminant", "invalid"];
        if bad_output.iter().any(|known| text.to_lowercase().contains(known)) {
            return Self::new(
                "plugin.bad_output",
                format!("what the plugin hands to the server cannot be read: {reason}"),
            );
        }
        Self::new("plugin.crashed", format!("the plugin could not be run: {reason}"))
    }
}

fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .filter_map(wasmtime::FrameInfo::func_name)
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .filter(|name| !is_machinery(name))
        .take(FRAMES_MAX)
        .collect();
    if names.is_empty() { String::new() } else { format!(", in {}", names.join(" < ")) }
}

/// Whether a function is of the language's own machinery or of what everybody uses: such frames say nothing to an author.
pub fn is_machinery(name: &str) -> bool {
    const PREFIXES: [&str; 17] = [
        "core::",
        "std::",
        "alloc::",
        "serde",
        "dlmalloc::",
        "__rust",
        "rust_",
        "hookwright_sdk::",
        // The functions that are exported.
        "hookwright:",
        "wit_bindgen",
        "cabi_",
        "__wasm",
        "compiler_builtins::",
        // CPython and what calls it.
        "_Py",
        "Py",
        "pyo3::",
        "wit_dylib_",
    ];
    let whose = name.trim_start_matches(['<', '&']).trim_start_matches("mut ");
    PREFIXES.iter().any(|prefix| whose.starts_with(prefix))
}

//! Facts that earlier answers left behind.

/// The value last remembered under this key for this webhook and this plugin's name
/// ([`crate::Verdict::remember`]), or none. At most 256 calls a run.
///
/// Only for a plugin exported as `interpreting`.
pub fn recall(key: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::interpreting::hookwright::plugin::memory::recall(key);
    #[cfg(not(target_arch = "wasm32"))]
    crate::mock::recall(key)
}

//! Lines for the log that is shown with the delivery.
//!
//! The host keeps 64 lines of 1 KiB, 16 KiB in all, and counts what it drops.

/// Of use while writing the plugin.
///
/// ```
/// hookwright_sdk::log::debug("the ticket has no owner");
/// ```
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Worth knowing.
///
/// ```
/// hookwright_sdk::log::info("42 has no card yet");
/// ```
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Went on, but somebody should look.
///
/// ```
/// hookwright_sdk::log::warn("the due date is no date; it is left out");
/// ```
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Did not work.
///
/// ```
/// hookwright_sdk::log::error("the list of actions is none");
/// ```
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// How important a line is.
///
/// ```
/// use hookwright_sdk::log::Level;
///
/// assert_ne!(Level::Info, Level::Warn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Of use while writing the plugin.
    Debug,
    /// Worth knowing.
    Info,
    /// Went on, but somebody should look.
    Warn,
    /// Did not work.
    Error,
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    use crate::bindings::plugin::hookwright::plugin::logging;

    let level = match level {
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    crate::mock::log(level, message);
}

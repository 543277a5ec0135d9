//! Trying a plugin without a server: `cargo test` runs it natively.
//!
//! The host's functions are stand-ins: [`crate::log`] is kept for the [`Run`], [`crate::memory`] is what
//! [`set_facts`] put there. Limits are not enforced here; `hookwright plugin test` does that.

mod case;
mod diff;
mod event;
mod exchange;
mod form;
mod golden;
mod run;

pub use event::{EventBuilder, event};
pub use exchange::{ExchangeBuilder, exchange};
pub use golden::golden;
pub use run::{Run, interpret, run, set_facts};

pub use crate::log::Level;

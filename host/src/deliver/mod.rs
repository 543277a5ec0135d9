//! From due work to a recorded result: dispatch, transform, send, record.

mod attempt;
mod client;
mod connector;
mod dispatcher;
mod guard;
mod health;
mod interpret;
mod lanes;
mod library;
mod message;
mod names;
mod outgoing;
mod owners;
mod pace;
mod plan;
mod preview;
mod proxy;
#[cfg(test)]
mod stage;
mod tls;
mod transform;
mod trial;
mod watchers;

pub use client::{Exchange, Sender, SenderError};
pub use dispatcher::{Dispatcher, Parts};
pub use guard::{Guard, URL_MAX_BYTES, UrlRefused};
pub use lanes::Slot;
pub use names::{FixedNames, Lookups, Names, Unresolved};
pub use preview::{Previewed, preview};
pub use trial::TooManyTrials;

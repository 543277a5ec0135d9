//! What a Hookwright plugin is written against.
//!
//! A plugin turns one event into the requests that some HTTP API expects. It runs in a sandbox without
//! network, files, clock or randomness; the server sends what it returns.
//!
//! ```
//! use hookwright_sdk::{Event, Failure, Outcome, Plugin, Request, Webhook};
//!
//! struct Hello;
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     greeting: String,
//! }
//!
//! impl Plugin for Hello {
//!     type Config = Config;
//!
//!     fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
//!         let text = format!("{}, {} happened", config.greeting, event.kind());
//!         Ok(Outcome::deliver([Request::post().text(text)]))
//!     }
//! }
//!
//! hookwright_sdk::export!(Hello);
//!
//! // In a test, without a server:
//! use hookwright_sdk::testing;
//! let event = testing::event("ticket.created").build();
//! let run = testing::run::<Hello>(&event, serde_json::json!({"greeting": "Hello"}));
//! assert_eq!(run.requests()[0].body_text(), Some("Hello, ticket.created happened"));
//! ```
//!
//! A plugin that also reads the receiver's answers implements [`Plugin::interpret`] and is exported with
//! `export!(Hello, interpreting)`.

#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
#[doc(hidden)]
pub mod bindings;
pub mod brief;
pub mod catalogue;
mod config;
mod credential;
mod event;
mod exchange;
#[doc(hidden)]
pub mod guest;
pub mod json;
pub mod log;
pub mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod mock;
mod outcome;
mod plugin;
mod request;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
mod verdict;

pub use credential::Credential;
pub use event::{Event, Webhook};
pub use exchange::{Exchange, Response};
pub use outcome::{Failure, Outcome};
pub use plugin::Plugin;
pub use request::Request;
pub use verdict::{Item, Verdict};

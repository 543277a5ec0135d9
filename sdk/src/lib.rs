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

// What the macros write is the same in here and in a plugin.
extern crate self as hookwright_sdk;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
#[doc(hidden)]
pub mod bindings;
pub mod brief;
pub mod catalogue;
pub mod config;
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

pub use credential::{Credential, Secret};
/// Makes of one struct what a webhook's owner may set: how it is read, and its JSON Schema, of which the web UI makes a form.
///
/// `hookwright plugin build` puts the schema into the plugin, so `plugin.toml` needs no `[config]`; nothing of it is there
/// while the plugin runs. The doc comment of a field is its description. A field without a default is required, unless
/// its type is `Option`.
///
/// ```
/// use hookwright_sdk::configuration;
///
/// /// What a webhook's owner may set.
/// #[configuration]
/// #[derive(Debug)]
/// struct Config {
///     /// Id of the list that gets the cards.
///     #[config(title = "List", pattern = "^[0-9a-f]{24}$", examples = ["5abbe4b7ddc1b351ef961414"])]
///     list_id: String,
///     /// The card's title.
///     #[config(default = "{key} {title}", max_length = 200)]
///     title: String,
///     /// Labels that every card gets.
///     #[config(default, max_items = 50, items(min_length = 1))]
///     labels: Vec<String>,
///     /// Where a card is put.
///     #[config(default)]
///     position: Position,
///     /// Who is called.
///     mention: Option<String>,
/// }
///
/// #[configuration]
/// #[derive(Debug, Default)]
/// enum Position {
///     Top,
///     #[default]
///     Bottom,
/// }
///
/// let config: Config = serde_json::from_str(r#"{"list_id": "5abbe4b7ddc1b351ef961414"}"#).unwrap();
/// assert_eq!(config.title, "{key} {title}");
/// assert!(serde_json::from_str::<Config>(r#"{"lost_id": "5abbe4b7ddc1b351ef961414"}"#).is_err());
/// ```
///
/// In `#[config(…)]` stand keywords of JSON Schema, spelled as Rust spells names: `title`, `description`, `examples`,
/// `pattern`, `format`, `min_length`, `max_length`, `minimum`, `maximum`, `exclusive_minimum`, `exclusive_maximum`,
/// `multiple_of`, `min_items`, `max_items`, `unique_items`, `min_properties`, `max_properties`, `not`; and
///
/// - `default = VALUE`, or `default` alone for what the type is by itself;
/// - `choices = ["a", "b"]`, or the name of a constant, for the only texts that there may be;
/// - `items(…)` for each item of a `Vec`, `values(…)` and `keys(…)` for those of a `BTreeMap`;
/// - `extend = {…}` for members of the schema as they are, also as `#[configuration(extend = {…})]`.
///
/// Of serde, `rename` and `rename_all` are understood. It adds `Deserialize`, which refuses fields that it does not know;
/// an enum is spelled in `snake_case` unless it says otherwise.
pub use hookwright_sdk_macros::configuration;

pub use event::{Event, Webhook};
pub use exchange::{Exchange, Response};
pub use outcome::{Failure, Outcome};
pub use plugin::Plugin;
pub use request::{FormBody, IntoBody, JsonBody, Method, Request};
pub use verdict::{Item, Verdict};

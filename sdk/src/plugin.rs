use crate::{Event, Exchange, Failure, Outcome, Verdict, Webhook};

/// A plugin: event in, requests out.
///
/// Each call is made in a fresh instance: nothing kept in memory is there the next time.
pub trait Plugin {
    /// The webhook's configuration for this plugin, as the schema in `plugin.toml` describes it. One that
    /// does not parse becomes the failure `config.invalid`; use `#[serde(default)]` for what is optional.
    type Config: serde::de::DeserializeOwned;

    /// Makes the requests for one event.
    ///
    /// Enforced by the host: 50 ms of CPU time, 32 MiB of memory, 4 MiB of result, 100 requests.
    fn transform(event: &Event, config: &Self::Config, webhook: &Webhook) -> Result<Outcome, Failure>;

    /// Says what an answer means. Called only for a plugin exported as `interpreting`, for the statuses
    /// that `plugin.toml` lists. It cannot make a delivered request be sent again.
    fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
        Verdict::by_status()
    }
}

/// Exports a [`Plugin`] to the host.
///
/// `export!(Slack)` is for a plugin that makes requests; `export!(Trello, interpreting)` for one that also
/// reads the answers ([`Plugin::interpret`]) and remembers facts ([`crate::memory::recall`]). Use it once,
/// in a crate of the types `cdylib` and `rlib`. Natively it only checks the type.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            const fn is_a_plugin<P: $crate::Plugin>() {}
            is_a_plugin::<$plugin>();
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Entry = $crate::guest::Entry<$plugin>;
    $crate::bindings::plugin::export_transformer!(Entry with_types_in $crate::bindings::plugin);
        };
    };
    ($plugin:ty, interpreting) => {
        $crate::export!($plugin);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Entry = $crate::guest::Entry<$plugin>;
    $crate::bindings::interpreting::export_interpreter!(Entry with_types_in $crate::bindings::interpreting);
        };
    };
}

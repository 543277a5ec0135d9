use crate::{Event, Exchange, Failure, Outcome, Verdict, Webhook};

/// A plugin: event in, requests out.
///
/// Each call is made in a fresh instance: nothing kept in memory is there the next time.
///
/// ```
/// use hookwright_sdk::{Event, Failure, Outcome, Plugin, Request, Webhook, configuration};
///
/// #[configuration]
/// struct Config {
///     #[config(default = "Hello")]
///     greeting: String,
/// }
///
/// struct Hello;
///
/// impl Plugin for Hello {
///     type Config = Config;
///
///     fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
///         Ok(Outcome::deliver([Request::post().text(format!("{}: {}", config.greeting, event.kind()))]))
///     }
/// }
///
/// hookwright_sdk::export!(Hello);
/// ```
pub trait Plugin {
    /// The webhook's configuration for this plugin: a struct with [`configuration`](crate::configuration), or any type that
    /// serde reads, with its schema as `[config]` in `plugin.toml`. One that does not parse becomes the failure
    /// `config.invalid`.
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
///
/// ```
/// # use hookwright_sdk::{Event, Failure, Outcome, Plugin, Request, Webhook, configuration};
/// #
/// # #[configuration]
/// # struct Config {
/// #     #[config(default = "Hello")]
/// #     greeting: String,
/// # }
/// #
/// # struct Hello;
/// #
/// # impl Plugin for Hello {
/// #     type Config = Config;
/// #
/// #     fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
/// #         Ok(Outcome::deliver([Request::post().text(format!("{}: {}", config.greeting, event.kind()))]))
/// #     }
/// # }
/// hookwright_sdk::export!(Hello);
/// ```
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
    $crate::bindings::plugin::export_transformer!(Entry with_types_in $crate::guest::exported::plugin);

            // For `hookwright plugin build`: no part of what runs.
            #[allow(unused_imports)]
            use $crate::config::Underived as _;
            const SCHEMA: Option<&[$crate::config::Part]> =
                $crate::config::Probe::<<$plugin as $crate::Plugin>::Config>::SCHEMA;
            #[unsafe(link_section = "hookwright:config")]
            pub static CONFIGURATION: [u8; $crate::config::section_length(SCHEMA)] = $crate::config::section(SCHEMA);
        };
    };
    ($plugin:ty, interpreting) => {
        $crate::export!($plugin);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Entry = $crate::guest::Entry<$plugin>;
    $crate::bindings::interpreting::export_interpreter!(Entry with_types_in $crate::guest::exported::interpreting);
        };
    };
}

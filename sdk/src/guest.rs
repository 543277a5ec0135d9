//! Between the generated bindings and a [`Plugin`]. Reached only through [`crate::export!`].

use std::marker::PhantomData;

use crate::{Event, Exchange, Failure, Outcome, Plugin, Verdict, Webhook, config};

/// A plugin as the exported functions call it.
#[derive(Debug)]
pub struct Entry<P>(PhantomData<P>);

/// What an [`Entry`] has.
pub trait Calls {
    /// Makes requests.
    fn transform(event: &Event, webhook: &Webhook) -> Result<Outcome, Failure>;
    /// Reads an answer.
    fn interpret(exchange: &Exchange) -> Verdict;
}

impl<P: Plugin> Calls for Entry<P> {
    fn transform(event: &Event, webhook: &Webhook) -> Result<Outcome, Failure> {
        transform::<P>(event, webhook)
    }

    fn interpret(exchange: &Exchange) -> Verdict {
        interpret::<P>(exchange)
    }
}

pub(crate) fn transform<P: Plugin>(event: &Event, webhook: &Webhook) -> Result<Outcome, Failure> {
    let config = config::parse(webhook)?;
    let made = P::transform(event, &config, webhook);
    forget(config);
    made
}

/// An answer is never lost to a bad configuration: the host's own rules apply then.
pub(crate) fn interpret<P: Plugin>(exchange: &Exchange) -> Verdict {
    match config::parse(exchange.webhook()) {
        Ok(config) => {
            let verdict = P::interpret(exchange, &config);
            forget(config);
            verdict
        }
        Err(failure) => {
            crate::log::warn(failure.message());
            Verdict::by_status()
        }
    }
}

/// The instance ends with the call, so tidying up would be for nobody. A test goes on.
fn forget<C>(it: C) {
    #[cfg(target_arch = "wasm32")]
    std::mem::forget(it);
    #[cfg(not(target_arch = "wasm32"))]
    drop(it);
}

/// Where the generated macros look for what the exported functions do, for each world. All but the plugin's own part is
/// compiled here, once for any plugin, and as small as the SDK is.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, clippy::missing_safety_doc, missing_docs)]
pub mod exported {
    use std::mem::forget;

    use crate::abi::Abi;
    use crate::bindings::types;
    use crate::{Event, Exchange, Failure, Outcome, Verdict, Webhook};

    /// Room for the largest result.
    #[repr(align(8))]
    struct Room(#[allow(dead_code)] [u8; 128]);

    const _: () = assert!(Made::SIZE <= 128 && types::Verdict::SIZE <= 128);

    type Made = Result<types::Outcome, types::Failure>;

    fn leave<T: Abi>(result: T) -> *mut u8 {
        let room: &mut Room = Box::leak(Box::new(Room([0; 128])));
        let at = (&raw mut *room).cast::<u8>();
        // SAFETY: it is large enough.
        unsafe { result.lower(at) }
        at
    }

    /// Without it a panic is a bare trap: nobody would see its text.
    fn begin() {
        wit_bindgen::rt::run_ctors_once();
        std::panic::set_hook(Box::new(|info| crate::log::error(&info.to_string())));
    }

    #[inline(never)]
    unsafe fn transform(argument: *mut u8, transform: fn(&Event, &Webhook) -> Result<Outcome, Failure>) -> *mut u8 {
        begin();
        // SAFETY: the host's arguments.
        let (event, subscription) = unsafe { <(types::Event, types::Subscription)>::lift(argument) };
        let (event, webhook) = (Event(event), Webhook(subscription));
        let made: Made = transform(&event, &webhook).and_then(Outcome::checked).map_err(Into::into);
        forget((event, webhook));
        leave(made)
    }

    #[inline(never)]
    unsafe fn interpret(argument: *mut u8, interpret: fn(&Exchange) -> Verdict) -> *mut u8 {
        begin();
        // SAFETY: the host's argument.
        let exchange = Exchange::new(unsafe { types::Exchange::lift(argument) });
        let verdict = interpret(&exchange).0;
        forget(exchange);
        leave(verdict)
    }

    /// World `plugin`.
    pub mod plugin {
        pub mod exports {
            pub mod hookwright {
                pub mod plugin {
                    pub mod transformer {
                        pub use crate::bindings::plugin::exports::hookwright::plugin::transformer::__export_hookwright_plugin_transformer_1_0_0_cabi;
                        use crate::guest::{Calls, exported};

                        pub unsafe fn _export_transform_cabi<E: Calls>(argument: *mut u8) -> *mut u8 {
                            // SAFETY: the host's arguments, as they come.
                            unsafe { exported::transform(argument, E::transform) }
                        }

                        /// Nothing: the instance ends here.
                        pub unsafe fn __post_return_transform<E: Calls>(_result: *mut u8) {}
                    }
                }
            }
        }
    }

    /// What world `plugin-interpreting` adds.
    pub mod interpreting {
        pub mod exports {
            pub mod hookwright {
                pub mod plugin {
                    pub mod interpreter {
                        pub use crate::bindings::interpreting::exports::hookwright::plugin::interpreter::__export_hookwright_plugin_interpreter_1_0_0_cabi;
                        use crate::guest::{Calls, exported};

                        pub unsafe fn _export_interpret_cabi<E: Calls>(argument: *mut u8) -> *mut u8 {
                            // SAFETY: the host's argument, as it comes.
                            unsafe { exported::interpret(argument, E::interpret) }
                        }

                        /// Nothing: the instance ends here.
                        pub unsafe fn __post_return_interpret<E: Calls>(_result: *mut u8) {}
                    }
                }
            }
        }
    }
}

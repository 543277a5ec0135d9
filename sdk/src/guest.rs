//! Between the generated bindings and a [`Plugin`]. Reached only through [`crate::export!`].

use std::marker::PhantomData;

use crate::bindings::{interpreting, plugin, types};
use crate::{Event, Exchange, Failure, Outcome, Plugin, Verdict, Webhook, config};

/// What the exported functions call.
#[derive(Debug)]
pub struct Entry<P>(PhantomData<P>);

impl<P: Plugin> plugin::exports::hookwright::plugin::transformer::Guest for Entry<P> {
    fn transform(event: types::Event, subscription: types::Subscription) -> Result<types::Outcome, types::Failure> {
        report_panics();
        transform::<P>(&Event(event), &Webhook(subscription)).and_then(Outcome::checked).map_err(Into::into)
    }
}

impl<P: Plugin> interpreting::exports::hookwright::plugin::interpreter::Guest for Entry<P> {
    fn interpret(exchange: types::Exchange) -> types::Verdict {
        report_panics();
        interpret::<P>(&Exchange::new(exchange)).0
    }
}

pub(crate) fn transform<P: Plugin>(event: &Event, webhook: &Webhook) -> Result<Outcome, Failure> {
    P::transform(event, &config::parse(webhook)?, webhook)
}

/// An answer is never lost to a bad configuration: the host's own rules apply then.
pub(crate) fn interpret<P: Plugin>(exchange: &Exchange) -> Verdict {
    match config::parse(exchange.webhook()) {
        Ok(config) => P::interpret(exchange, &config),
        Err(failure) => {
            crate::log::warn(failure.message());
            Verdict::by_status()
        }
    }
}

/// Without it a panic is a bare trap: nobody would see its text.
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|info| crate::log::error(&info.to_string())));
}

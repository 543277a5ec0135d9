//! WASI 0.2 with nothing behind it: what compilers of other languages import whether a program uses it or not. There are no
//! files, no network, no environment, no arguments and no input; the clock and the randomness derive from the event, so
//! that the same event gives the same requests; output goes to the run's log. Nothing here waits: time that a plugin sleeps
//! passes at once. Each function is offered under the version that the component asks for; one that has no place here ends
//! the run, by its name.
//!
//! Names and shapes are those of the WASI 0.2 interfaces (<https://wasi.dev/interfaces>).

mod clocks;
mod process;
mod random;
mod streams;

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceTable, ResourceType};
use wasmtime::{Engine, Error, Result, StoreContextMut};

use self::clocks::{Clock, Pollable};
use self::random::Random;
use self::streams::{InputStream, Output, OutputStream, StreamFault};
use super::log::Log;
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::plugin::PluginFailure;

/// What every name of WASI begins with.
const NAMESPACE: &str = "wasi:";
/// The versions that are offered: all of 0.2, which stay compatible.
const VERSION: &str = "0.2.";

/// The interface of WASI that a name like `wasi:io/poll@0.2.3` names, such as `io/poll`; none when it is no WASI, or of a
/// version that is not offered.
pub(super) fn interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix(NAMESPACE)?.split_once('@')?;
    version.starts_with(VERSION).then_some(interface)
}

/// A type of resource that exists in WASI but never here.
#[derive(Debug)]
enum Absent {}

/// What one run sees of WASI.
#[derive(Debug)]
pub(super) struct Wasi {
    clock: Clock,
    random: Random,
    pollables: ResourceTable,
    output: Output,
    /// Most bytes of anything that is handed to the plugin at once: it has no room for more.
    bytes_max: usize,
}

impl Wasi {
    /// For a run on this event; none at a trial.
    pub(super) fn new(event: Option<&Event>, handles: usize, memory_bytes: usize) -> Self {
        let mut pollables = ResourceTable::new();
        pollables.set_max_capacity(handles);
        let (received_at, seed) =
            event.map_or((Millis(0), uuid::Uuid::nil()), |event| (event.received_at, event.id.uuid()));
        Self {
            clock: Clock::new(received_at),
            random: Random::new(seed),
            pollables,
            output: Output::default(),
            bytes_max: memory_bytes,
        }
    }

    /// Puts into the log what stands in lines that were not ended.
    pub(super) fn finish(&mut self, log: &mut Log) {
        self.output.finish(log);
    }
}

/// A run that has this.
pub(super) trait WithWasi: 'static {
    fn wasi(&mut self) -> (&mut Wasi, &mut Log);

    /// Whether it may go on; an error ends it.
    fn check(&self) -> Result<()>;
}

/// Why a call ends a run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(
        "the plugin called `{0}`; plugins have clocks, randomness and output, but no files, no network and no input"
    )]
    Absent(String),
    #[error("the plugin called `exit`; it must return instead")]
    Exit,
    #[error("the plugin asked for {used} bytes at once; allowed are {allowed}")]
    TooMuch { used: u64, allowed: u64 },
}

/// Offers all that the component imports of WASI.
pub(super) fn link<T: WithWasi>(linker: &mut Linker<T>, engine: &Engine, component: &Component) -> Result<()> {
    for (name, import) in component.component_type().imports(engine) {
        let (Some(interface), ComponentItem::ComponentInstance(wanted)) = (interface(name), import.ty) else {
            continue;
        };
        offer(&mut linker.instance(name)?, engine, interface, &wanted)?;
    }
    Ok(())
}

fn offer<T: WithWasi>(
    linker: &mut LinkerInstance<'_, T>,
    engine: &Engine,
    interface: &str,
    wanted: &ComponentInstance,
) -> Result<()> {
    for (name, item) in wanted.exports(engine) {
        match item.ty {
            ComponentItem::Resource(_) => resource(linker, name)?,
            ComponentItem::ComponentFunc(_) => {
                let offered = clocks::offer(linker, interface, name)?
                    || random::offer(linker, interface, name)?
                    || streams::offer(linker, interface, name)?
                    || process::offer(linker, interface, name)?;
                if !offered {
                    let absent = format!("{NAMESPACE}{interface}#{name}");
                    linker.func_new(name, move |_, _, _, _| Err(Error::new(Ended::Absent(absent.clone()))))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn resource<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    match name {
        "pollable" => linker.resource(name, ResourceType::host::<Pollable>(), clocks::drop_pollable),
        "input-stream" => linker.resource(name, ResourceType::host::<InputStream>(), nothing_to_drop),
        "output-stream" => linker.resource(name, ResourceType::host::<OutputStream>(), nothing_to_drop),
        "error" => linker.resource(name, ResourceType::host::<StreamFault>(), nothing_to_drop),
        _ => linker.resource(name, ResourceType::host::<Absent>(), nothing_to_drop),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a destructor")]
fn nothing_to_drop<T>(_: StoreContextMut<'_, T>, _: u32) -> Result<()> {
    Ok(())
}

/// So many bytes, if the plugin could have room for them.
fn bounded(wanted: u64, allowed: usize) -> Result<usize> {
    match usize::try_from(wanted) {
        Ok(bytes) if bytes <= allowed => Ok(bytes),
        _ => Err(Error::new(Ended::TooMuch { used: wanted, allowed: allowed as u64 })),
    }
}

impl PluginFailure {
    /// A call of WASI ended the run.
    pub(super) fn from_wasi(ended: &Ended, frames: &str) -> Self {
        let message = format!("{ended}{frames}");
        match *ended {
            Ended::Absent(_) => Self::new("plugin.forbidden_call", message),
            Ended::Exit => Self::new("plugin.crashed", message),
            Ended::TooMuch { used, allowed } => {
                Self::limit("plugin.out_of_memory", message, "memory_bytes", used, allowed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_0_2_is_offered_and_nothing_else() {
        assert_eq!(interface("wasi:clocks/wall-clock@0.2.0"), Some("clocks/wall-clock"));
        assert_eq!(interface("wasi:io/poll@0.2.12"), Some("io/poll"));
        for other in ["wasi:io/poll", "wasi:io/poll@0.3.0", "wasi:io/poll@0.20.0", "wasix:io/poll@0.2.0", "wasi:"] {
            assert_eq!(interface(other), None, "{other}");
        }
    }
}

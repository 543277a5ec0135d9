//! Clocks that begin when the event was received and go on only as they are looked at and waited for.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};
use wasmtime::{Error, Result, StoreContextMut};

use super::{Wasi, WithWasi};
use crate::domain::clock::Millis;

/// How far the clocks go on each time they are looked at, so that who waits for them in a loop gets there.
const STEP_NS: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;

/// The time of one run.
#[derive(Debug)]
pub(super) struct Clock {
    started_at: Millis,
    elapsed_ns: u64,
}

impl Clock {
    pub(super) const fn new(started_at: Millis) -> Self {
        Self { started_at, elapsed_ns: 0 }
    }

    fn look(&mut self) -> u64 {
        self.elapsed_ns = self.elapsed_ns.saturating_add(STEP_NS);
        self.elapsed_ns
    }

    fn wait_until(&mut self, instant_ns: u64) {
        self.elapsed_ns = self.elapsed_ns.max(instant_ns);
    }

    fn wall(&mut self) -> Datetime {
        let started_ms = u64::try_from(self.started_at.0).unwrap_or(0);
        let elapsed_ns = self.look();
        let ms = started_ms.saturating_add(elapsed_ns / NS_PER_MS);
        let nanoseconds = ms % 1_000 * NS_PER_MS + elapsed_ns % NS_PER_MS;
        Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) }
    }
}

/// `wasi:clocks/wall-clock`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// Something to wait for: an instant of the monotonic clock. What is ready at once is ready at 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pollable(u64);

impl Wasi {
    /// Something that is ready at this instant.
    pub(super) fn pollable(&mut self, instant_ns: u64) -> Result<Resource<Pollable>> {
        self.pollables.push(Pollable(instant_ns)).map_err(Error::from)
    }

    /// Something that is ready.
    pub(super) fn ready(&mut self) -> Result<Resource<Pollable>> {
        self.pollable(0)
    }

    fn instant(&self, pollable: &Resource<Pollable>) -> Result<u64> {
        Ok(self.pollables.get(pollable)?.0)
    }

    fn is_ready(&self, instant_ns: u64) -> bool {
        instant_ns <= self.clock.elapsed_ns
    }
}

/// Ends with the plugin's handle.
pub(super) fn drop_pollable<T: WithWasi>(mut store: StoreContextMut<'_, T>, rep: u32) -> Result<()> {
    store.data_mut().wasi().0.pollables.delete(Resource::<Pollable>::new_own(rep))?;
    Ok(())
}

pub(super) fn offer<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, interface: &str, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    type Poll = Resource<Pollable>;
    match (interface, name) {
        ("clocks/monotonic-clock", "now") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (): ()| Ok((cx.data_mut().wasi().0.clock.look(),)))?;
        }
        ("clocks/monotonic-clock", "resolution") => linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((STEP_NS,)))?,
        ("clocks/monotonic-clock", "subscribe-instant") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (at,): (u64,)| Ok((cx.data_mut().wasi().0.pollable(at)?,)))?;
        }
        ("clocks/monotonic-clock", "subscribe-duration") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (duration,): (u64,)| {
                let wasi = cx.data_mut().wasi().0;
                let at = wasi.clock.look().saturating_add(duration);
                Ok((wasi.pollable(at)?,))
            })?;
        }
        ("clocks/wall-clock", "now") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (): ()| Ok((cx.data_mut().wasi().0.clock.wall(),)))?;
        }
        ("clocks/wall-clock", "resolution") => {
            let resolution = Datetime { seconds: 0, nanoseconds: u32::try_from(STEP_NS).unwrap_or(1) };
            linker.func_wrap(name, move |_: Cx<'_, T>, (): ()| Ok((resolution,)))?;
        }
        ("io/poll", "[method]pollable.ready") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (pollable,): (Poll,)| {
                let wasi = cx.data_mut().wasi().0;
                let instant = wasi.instant(&pollable)?;
                Ok((wasi.is_ready(instant),))
            })?;
        }
        ("io/poll", "[method]pollable.block") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (pollable,): (Poll,)| {
                let wasi = cx.data_mut().wasi().0;
                let instant = wasi.instant(&pollable)?;
                wasi.clock.wait_until(instant);
                Ok(())
            })?;
        }
        ("io/poll", "poll") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (pollables,): (Vec<Poll>,)| {
                let wasi = cx.data_mut().wasi().0;
                let instants = pollables.iter().map(|pollable| wasi.instant(pollable)).collect::<Result<Vec<_>>>()?;
                // The first of them comes, and with it all of the same instant.
                wasi.clock.wait_until(instants.iter().copied().min().unwrap_or(0));
                let ready = (0_u32..).zip(&instants).filter(|(_, instant)| wasi.is_ready(**instant));
                Ok((ready.map(|(index, _)| index).collect::<Vec<u32>>(),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_begins_at_the_event_and_goes_on_by_looking_and_waiting() {
        let mut clock = Clock::new(Millis(1_700_000_000_999));
        assert_eq!(clock.wall(), Datetime { seconds: 1_700_000_000, nanoseconds: 999_001_000 });
        clock.wait_until(2_500_000);
        clock.wait_until(1);
        assert_eq!(clock.wall(), Datetime { seconds: 1_700_000_001, nanoseconds: 1_501_000 });
        clock.wait_until(u64::MAX);
        assert_eq!(clock.look(), u64::MAX);
    }
}

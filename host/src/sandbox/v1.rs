//! Version 1 of the contract: what a plugin can reach, and how its functions are called.

mod given;
mod got;

use std::collections::BTreeMap;
use std::time::Instant;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::code::Code;
use super::failure::{Reached, Unrecallable};
use super::limits::{Budget, RunLimits, Usage};
use super::log::Log;
use super::wasi::{self, Wasi, WithWasi};
use super::words::LastWords;
use super::{Answered, Input, Memory, Ran, Transformed, Used};
use crate::domain::plugin::PluginFailure;
use crate::domain::recording::Recalled;
use crate::domain::verdict::Verdict;

/// What every plugin exports.
#[allow(clippy::pedantic, reason = "generated from the contract")]
mod bindings {
    wasmtime::component::bindgen!({ path: "../wit/v1", world: "plugin" });
}

/// What a plugin exports that reads answers, and all that any plugin may import.
#[allow(clippy::pedantic, reason = "generated from the contract")]
mod interpreting {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin-interpreting",
        with: {
            "hookwright:plugin/types": super::bindings::hookwright::plugin::types,
            "hookwright:plugin/logging": super::bindings::hookwright::plugin::logging,
        },
        imports: { "hookwright:plugin/memory.recall": trappable },
    });
}

use bindings::PluginPre;
use bindings::hookwright::plugin::logging::{Host as Logging, Level};
use bindings::hookwright::plugin::types;
use interpreting::hookwright::plugin::memory::Host as Recalling;
use interpreting::{PluginInterpreting, PluginInterpretingPre};

/// The interface of the contract that reads answers.
const INTERPRETER: &str = "hookwright:plugin/interpreter@1.0.0";

/// What a running plugin can reach.
struct State {
    usage: Usage,
    limits: RunLimits,
    log: Log,
    wasi: Wasi,
    budget: Budget,
    /// None where there is nothing to remember: a trial, a golden case, an answer.
    memory: Option<Memory>,
    /// What was recalled, by key: the same key gives the same all through a run.
    recalled: BTreeMap<String, Option<String>>,
    recalls: usize,
}

impl types::Host for State {}

impl Logging for State {
    fn log(&mut self, level: Level, message: String) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.log.push(level, message);
    }
}

impl WithWasi for State {
    fn wasi(&mut self) -> (&mut Wasi, &mut Log) {
        (&mut self.wasi, &mut self.log)
    }

    fn check(&self) -> wasmtime::Result<()> {
        self.budget.check().map_err(wasmtime::Error::new)
    }
}

impl Recalling for State {
    fn recall(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.recalls += 1;
        if self.recalls > self.limits.recalls {
            let (used, allowed) = (self.recalls as u64, self.limits.recalls as u64);
            return Err(wasmtime::Error::new(Reached::Recalls { used, allowed }));
        }
        if let Some(known) = self.recalled.get(&key) {
            return Ok(known.clone());
        }
        // Nothing was ever remembered under such a key.
        if key.is_empty() || key.contains('\0') || key.chars().count() > self.limits.verdict.fact_key_chars {
            return Ok(None);
        }
        let asked = Instant::now();
        let value = match &self.memory {
            Some(memory) => memory.recall(&key).map_err(|reason| wasmtime::Error::new(Unrecallable(reason)))?,
            None => None,
        };
        // The store's time is not the plugin's.
        self.budget.pause(asked.elapsed());
        self.recalled.insert(key, value.clone());
        Ok(value)
    }
}

/// A compiled and linked component of this version.
pub(super) struct Prepared {
    pre: PluginPre<State>,
    /// None for a plugin that does not read answers.
    interpreting: Option<PluginInterpretingPre<State>>,
}

impl Prepared {
    /// Loads and links. What the contract does not offer is refused by name.
    pub(super) fn link(engine: &Engine, code: &Code) -> Result<Self, PluginFailure> {
        let incompatible = |error: wasmtime::Error| PluginFailure::new("plugin.incompatible", format!("{error:#}"));
        let component = code.load(engine).map_err(incompatible)?;
        let mut linker: Linker<State> = Linker::new(engine);
        PluginInterpreting::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(incompatible)?;
        wasi::link(&mut linker, engine, &component).map_err(incompatible)?;
        let pre = linker.instantiate_pre(&component).map_err(incompatible)?;
        let interpreting = match component.get_export_index(None, INTERPRETER) {
            Some(_) => Some(PluginInterpretingPre::new(pre.clone()).map_err(incompatible)?),
            None => None,
        };
        Ok(Self { pre: PluginPre::new(pre).map_err(incompatible)?, interpreting })
    }

    fn store(engine: &Engine, limits: &RunLimits, input: Option<&Input>) -> Store<State> {
        let event = input.map(|input| &*input.event);
        let state = State {
            usage: Usage::new(limits),
            limits: *limits,
            log: Log::new(limits),
            wasi: Wasi::new(event, limits.handles, limits.memory_bytes),
            budget: Budget::start(limits),
            memory: input.and_then(|input| input.memory.clone()),
            recalled: BTreeMap::new(),
            recalls: 0,
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.usage);
        store.set_hostcall_fuel(limits.result_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| match context.data().budget.check() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(reached) => Err(wasmtime::Error::new(reached)),
        });
        store
    }

    /// Makes an instance and throws it away: a start function that loops, or types that do not fit, show here.
    pub(super) fn try_instance(&self, engine: &Engine, limits: &RunLimits) -> Result<(), PluginFailure> {
        let mut store = Self::store(engine, limits, None);
        match self.pre.instantiate(&mut store) {
            Ok(_) => Ok(()),
            Err(error) => {
                let words = LastWords::among(store.data().log.errors());
                let failure = PluginFailure::from_engine(&error, limits, words);
                let incompatible = failure.limit.is_none() && error.downcast_ref::<wasmtime::Trap>().is_none();
                Err(if incompatible {
                    PluginFailure::new("plugin.incompatible", format!("{error:#}"))
                } else {
                    failure
                })
            }
        }
    }

    /// Runs `transform` on a fresh instance.
    pub(super) fn transform(&self, engine: &Engine, limits: &RunLimits, input: &Input) -> Ran<Transformed> {
        let mut store = Self::store(engine, limits, Some(input));
        let (event, subscription) = (given::event(input), given::subscription(input));
        let called = self.pre.instantiate(&mut store).and_then(|instance| {
            instance.hookwright_plugin_transformer().call_transform(&mut store, &event, &subscription)
        });
        ended(store, called, |result| match result {
            Ok(outcome) => got::transformed(outcome),
            Err(failure) => Ok(Transformed::Failed {
                code: failure.code,
                message: failure.message,
                retry_after_ms: failure.retry_after_ms,
            }),
        })
    }

    /// Runs `interpret` on a fresh instance; none for a plugin that does not read answers.
    pub(super) fn interpret(
        &self,
        engine: &Engine,
        limits: &RunLimits,
        input: &Input,
        answered: &Answered,
    ) -> Option<Ran<Verdict>> {
        let plugin = self.interpreting.as_ref()?;
        let mut store = Self::store(engine, limits, Some(input));
        let exchange = given::exchange(input, answered);
        let called = plugin
            .instantiate(&mut store)
            .and_then(|instance| instance.hookwright_plugin_interpreter().call_interpret(&mut store, &exchange));
        Some(ended(store, called, got::verdict))
    }
}

/// What a run came to and used.
fn ended<C, R>(
    store: Store<State>,
    called: wasmtime::Result<C>,
    read: impl FnOnce(C) -> Result<R, PluginFailure>,
) -> Ran<R> {
    let mut state = store.into_data();
    state.wasi.finish(&mut state.log);
    let result = match called {
        Ok(given) => read(given),
        Err(error) => Err(PluginFailure::from_engine(&error, &state.limits, LastWords::among(state.log.errors()))),
    };
    let (logs, logs_dropped) = state.log.into_lines();
    let used = Used {
        cpu_us: u64::try_from(state.budget.cpu_used().as_micros()).unwrap_or(u64::MAX),
        memory_bytes: state.usage.memory_bytes(),
        recalled: state.recalled.into_iter().map(|(key, value)| Recalled { key, value }).collect(),
        logs,
        logs_dropped,
    };
    Ran { used, result }
}

//! Compiled code that may be run: it comes from the compiler, or from the cache with its seal unbroken.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled code. The only ways to get one are the two that vouch for it.
#[derive(Debug)]
pub(super) struct Code(Vec<u8>);

impl Code {
    /// What the process that compiles gave.
    pub(super) fn of_compiler(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What the cache kept, after its seal was checked.
    pub(super) fn of_cache(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Loads it. Code for another engine is an error, not a danger.
    #[expect(unsafe_code, reason = "the engine cannot check what code does; whoever made it vouches for it")]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes were made by `Engine::precompile_component` in a process of ours, and nobody could change
        // them since: they never left memory, or were sealed with a key that only the server has.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

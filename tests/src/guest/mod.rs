//! Plugins that misbehave, assembled here so that no tool chain for WebAssembly is needed.

mod forge;
mod output;
mod wasi;

pub use self::{
    forge::Forge,
    output::{Credential, Field, Output, Request, Verdict},
};

/// What every guest logs before it misbehaves.
pub const LAST_WORDS: &str = "about to misbehave";

/// What a guest does instead of transforming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// Runs for ever.
    Looper,
    /// Takes memory until it gets no more.
    Hoarder,
    /// Executes `unreachable`.
    Trapper,
}

impl Guest {
    pub fn name(self) -> &'static str {
        match self {
            Self::Looper => "looper",
            Self::Hoarder => "hoarder",
            Self::Trapper => "trapper",
        }
    }

    /// The component with its manifest, ready for an upload.
    pub fn component(self) -> Vec<u8> {
        Forge::new(self.name()).transform(self.mischief()).component()
    }

    fn mischief(self) -> &'static str {
        match self {
            Self::Looper => "(loop (br 0))",
            // Falls through to the `unreachable` when refused, as an allocator that panics does.
            Self::Hoarder => "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))",
            Self::Trapper => "",
        }
    }
}

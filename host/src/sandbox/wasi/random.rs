//! Randomness that derives from the event: the same for every run on it, and not to be used for secrets.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use wasmtime::component::LinkerInstance;
use wasmtime::{Result, StoreContextMut};

use super::{WithWasi, bounded};

const BLOCK_BYTES: usize = 32;
/// After so many bytes the limits of the run are looked at.
const PIECE_BYTES: usize = 64 * 1024;
/// Keeps these bytes apart from every other use of the hash.
const PURPOSE: &[u8] = b"hookwright plugin randomness 1";

/// A stream of bytes: SHA-256 over the event's id and a counter.
#[derive(Debug)]
pub(super) struct Random {
    seed: Uuid,
    blocks: u64,
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl Random {
    pub(super) const fn new(seed: Uuid) -> Self {
        Self { seed, blocks: 0, block: [0; BLOCK_BYTES], used: BLOCK_BYTES }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == BLOCK_BYTES {
                let hash = Sha256::new().chain_update(PURPOSE).chain_update(self.seed);
                self.block = hash.chain_update(self.blocks.to_le_bytes()).finalize().into();
                self.blocks += 1;
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

pub(super) fn offer<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, interface: &str, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    match (interface, name) {
        ("random/random", "get-random-bytes") | ("random/insecure", "get-insecure-random-bytes") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (length,): (u64,)| {
                let mut bytes = vec![0; bounded(length, cx.data_mut().wasi().0.bytes_max)?];
                // Nobody looks at the time while the plugin waits for us.
                for piece in bytes.chunks_mut(PIECE_BYTES) {
                    cx.data_mut().wasi().0.random.fill(piece);
                    cx.data().check()?;
                }
                Ok((bytes,))
            })?;
        }
        ("random/random", "get-random-u64") | ("random/insecure", "get-insecure-random-u64") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (): ()| Ok((cx.data_mut().wasi().0.random.number(),)))?;
        }
        ("random/insecure-seed", "insecure-seed") => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (): ()| {
                let random = &mut cx.data_mut().wasi().0.random;
                Ok(((random.number(), random.number()),))
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
    fn the_same_event_gives_the_same_bytes_however_they_are_asked_for() {
        let seed = Uuid::from_u128(7);
        let (mut whole, mut pieces) = ([0; 100], [0; 100]);
        Random::new(seed).fill(&mut whole);
        let mut random = Random::new(seed);
        for piece in pieces.chunks_mut(7) {
            random.fill(piece);
        }
        assert_eq!(whole, pieces);
        assert_ne!(whole[..32], whole[32..64]);
        let mut other = [0; 100];
        Random::new(Uuid::from_u128(8)).fill(&mut other);
        assert_ne!(whole, other);
    }
}

//! Where randomness comes from: passed to whatever needs it, so that tests can repeat a run.

use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// A source of random bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Entropy {
    /// The operating system's, by a generator in each thread.
    System,
    /// The same bytes for the same seed.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Entropy {
    /// A source that repeats itself.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            Self::System => rand::rng().fill_bytes(bytes),
            Self::Seeded(rng) => rng.lock().fill_bytes(bytes),
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// For an id.
    pub fn id(&self) -> u128 {
        u128::from_le_bytes(self.bytes())
    }

    /// For a wait.
    pub fn jitter(&self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    /// For a lease; never 0.
    pub fn token(&self) -> i64 {
        i64::from_le_bytes(self.bytes()) | 1
    }
}

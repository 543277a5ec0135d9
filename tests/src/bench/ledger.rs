//! Which numbers have come: one bit for each, because lost and repeated are told by number, not by count.

/// More numbers than any run posts; what is above it is not counted, so that a broken body cannot take all memory.
const NUMBERS_MAX: u64 = 1 << 27;

/// The numbers from `first` on.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    first: u64,
    bits: Vec<u64>,
}

/// What a number was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    New,
    Repeated,
    /// Too large to be one of ours.
    Strange,
}

impl Ledger {
    /// All numbers below `first` count as seen.
    pub(super) fn new(first: u64) -> Self {
        Self { first, bits: Vec::new() }
    }

    pub(super) fn enter(&mut self, n: u64) -> Entry {
        let Some(index) = n.checked_sub(self.first) else { return Entry::Repeated };
        if index >= NUMBERS_MAX {
            return Entry::Strange;
        }
        let (word, bit) = place(index);
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            return Entry::Repeated;
        }
        self.bits[word] |= bit;
        Entry::New
    }

    /// The numbers below `end` that did not come, at most so many of them.
    pub(super) fn missing(&self, end: u64, max: usize) -> Vec<u64> {
        let has = |n: &u64| {
            let (word, bit) = place(n - self.first);
            self.bits.get(word).is_some_and(|bits| bits & bit != 0)
        };
        (self.first..end.min(self.first + NUMBERS_MAX)).filter(|n| !has(n)).take(max).collect()
    }
}

fn place(index: u64) -> (usize, u64) {
    let word = usize::try_from(index / u64::from(u64::BITS)).expect("bounded by NUMBERS_MAX");
    (word, 1 << (index % u64::from(u64::BITS)))
}

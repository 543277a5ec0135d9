//! What one evaluation has cost so far. An evaluation never leaves its thread, and the engine hands nothing of ours to
//! the functions that it calls, so the count is the thread's.

use std::cell::Cell;

use rhai::{EvalAltResult, Position};

/// Text that is looked at for one operation.
const BYTES_PER_OPERATION: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Budget {
    allowed: u64,
    /// Steps of the expression, as the engine counts them.
    steps: u64,
    /// What functions have looked at.
    looks: u64,
}

impl Budget {
    const fn used(self) -> u64 {
        self.steps.saturating_add(self.looks)
    }
}

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(Budget { allowed: 0, steps: 0, looks: 0 }) };
}

/// Runs an evaluation that may cost so many operations, and says what it cost.
pub(super) fn within<T>(allowed: u64, run: impl FnOnce() -> T) -> (T, u64) {
    BUDGET.set(Budget { allowed, steps: 0, looks: 0 });
    let result = run();
    (result, BUDGET.get().used().min(allowed))
}

/// The engine has come to this step; false when that is one too many.
pub(super) fn step(steps: u64) -> bool {
    let budget = Budget { steps, ..BUDGET.get() };
    BUDGET.set(budget);
    budget.used() <= budget.allowed
}

/// A function looks at so many elements.
pub(super) fn look_at(elements: usize) -> Result<(), Box<EvalAltResult>> {
    let mut budget = BUDGET.get();
    budget.looks = budget.looks.saturating_add(elements as u64);
    BUDGET.set(budget);
    if budget.used() <= budget.allowed {
        Ok(())
    } else {
        Err(EvalAltResult::ErrorTooManyOperations(Position::NONE).into())
    }
}

/// A function reads a text of so many bytes.
pub(super) fn read(bytes: usize) -> Result<(), Box<EvalAltResult>> {
    look_at(bytes / BYTES_PER_OPERATION)
}

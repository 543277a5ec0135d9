//! The one place that polls: for what can only be asked, never told.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see; panics with `what` after the deadline.
pub async fn eventually<T>(deadline: Duration, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(deadline, look).await.unwrap_or_else(|| panic!("not within {deadline:?}: {what}"))
}

/// Looks until there is something to see, or the deadline is over.
pub async fn within<T>(deadline: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! The one place that polls: for what the API can only be asked, never told.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see; panics with `what` after the deadline.
pub async fn eventually<T>(deadline: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

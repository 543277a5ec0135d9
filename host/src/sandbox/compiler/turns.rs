//! Who compiles next: one component of a project at a time, a few in all, and projects take turns.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::domain::id::ProjectId;

type Line = Arc<tokio::sync::Mutex<()>>;

#[derive(Debug)]
pub(super) struct Turns {
    /// Who waits in a project's line; the first of each waits for a place.
    lines: Mutex<HashMap<ProjectId, Line>>,
    places: Arc<Semaphore>,
}

/// The right to compile one component, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _place: OwnedSemaphorePermit,
    _first: OwnedMutexGuard<()>,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Self { lines: Mutex::default(), places: Arc::new(Semaphore::new(at_once)) }
    }

    /// Both lines are first come, first served, and a project has one in the second: so one with many components holds up
    /// another by one of them.
    pub(super) async fn wait(&self, project: ProjectId) -> Turn {
        let line = {
            let mut lines = self.lines.lock();
            lines.retain(|_, line| Arc::strong_count(line) > 1);
            lines.entry(project).or_default().clone()
        };
        let first = line.lock_owned().await;
        let place = self.places.clone().acquire_owned().await.expect("places are never closed");
        Turn { _place: place, _first: first }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn project(number: u128) -> ProjectId {
        ProjectId::from_uuid(uuid::Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn a_project_has_one_turn_and_all_have_as_many_as_there_are_places() {
        let turns = Turns::new(2);
        let first = turns.wait(project(1)).await;
        assert!(turns.wait(project(1)).now_or_never().is_none());
        let second = turns.wait(project(2)).await;
        assert!(turns.wait(project(3)).now_or_never().is_none());
        drop(first);
        assert!(turns.wait(project(1)).now_or_never().is_some());
        drop(second);
        assert!(turns.wait(project(3)).now_or_never().is_some());
        assert!(turns.lines.lock().len() <= 1, "who waits no longer is forgotten");
    }

    #[tokio::test]
    async fn who_has_many_waiting_holds_up_another_by_one() {
        let turns = Arc::new(Turns::new(1));
        let held = turns.wait(project(9)).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (number, count) in [(1, 3), (2, 1)] {
            for _ in 0..count {
                let (turns, told) = (turns.clone(), told.clone());
                tokio::spawn(async move {
                    let _turn = turns.wait(project(number)).await;
                    told.send(number).unwrap();
                });
                // It stands in its line before the next one comes.
                tokio::task::yield_now().await;
            }
        }
        drop((held, told));
        let mut served = Vec::new();
        while let Some(number) = order.recv().await {
            served.push(number);
        }
        assert_eq!(served, [1, 2, 1, 1]);
    }
}

//! Schedules that are due emit their events.

use super::{Timetable, is_done};
use crate::domain::id::EventId;
use crate::domain::schedule::{Decision, Schedule, decide};
use crate::store::{Firing, StoreError};

/// Schedules that are looked at together.
const AT_ONCE: u32 = 100;

impl Timetable {
    /// Fires each schedule that is due once; what is due again by then is seen in the next round. Gives how many.
    pub(super) async fn emit_due(&self) -> Result<usize, StoreError> {
        let mut done = 0;
        for schedule in self.0.store.due_schedules(self.now(), AT_ONCE).await? {
            done += usize::from(is_done(self.emit(schedule).await));
        }
        Ok(done)
    }

    async fn emit(&self, schedule: Schedule) -> Result<bool, StoreError> {
        let (now, config) = (self.now(), &self.0.config);
        let Some(due) = schedule.next_run else { return Ok(false) };
        let Schedule { id, expression, zone, missed, .. } = &schedule;
        let Decision { fires, skipped, next } = decide(expression, *zone, due, now, *missed, config.late_ms);
        if let Some(skipped) = skipped {
            tracing::info!(schedule = %id, due = %skipped, "a run was missed and is not made");
        }
        let event = fires.map(|due| schedule.event(EventId::new(now, self.0.entropy.id()), due, now));
        fail::fail_point!("before-schedule-firing", |_| std::process::abort());
        let fired = self.0.store.fire_schedule(Firing { schedule, event, skipped, next }).await?;
        if fired {
            fail::fail_point!("after-schedule-firing", |_| std::process::abort());
        }
        Ok(fired)
    }
}

//! Many deliveries of a project that are sent again or given up, oldest first.

use super::{Forecast, Jobs, Parts};
use crate::domain::clock::Millis;
use crate::domain::id::{DeliveryId, ProjectId};
use crate::domain::selection::Selection;
use crate::store::{ClaimedJob, JobStep, Many, Search, StoreError};

/// What came after it was asked for is none of a job's business.
fn until(selection: &Selection, asked_at: Millis) -> Selection {
    let latest = asked_at.plus(1);
    Selection { until: Some(selection.until.map_or(latest, |until| until.min(latest))), ..selection.clone() }
}

impl Jobs {
    /// What a job over this selection would find.
    pub async fn forecast(
        &self,
        project: ProjectId,
        selection: &Selection,
    ) -> Result<Forecast<DeliveryId>, StoreError> {
        let Parts { store, config, .. } = &self.0.parts;
        let search = Search::new(until(selection, self.now()), config.count_rows);
        let found = store.find_deliveries(project, &search, None, config.count_rows).await?;
        Ok(Forecast::of(&found.ids, found.next.is_none()))
    }

    pub(super) async fn step_many(
        &self,
        job: &ClaimedJob,
        selection: &Selection,
        many: &Many,
    ) -> Result<Option<JobStep>, StoreError> {
        let Parts { store, config, log_rows, .. } = &self.0.parts;
        let search = Search::new(until(selection, job.created_at), *log_rows);
        let most = u32::try_from(config.step).unwrap_or(u32::MAX);
        let found = store.find_deliveries(job.project, &search, job.cursor, most).await?;
        store.step_many(job, many, selection.status, found, self.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_a_job_was_asked_for_is_none_of_its_business() {
        let asked = Millis(10);
        let end = |chosen| until(&Selection { until: chosen, ..Selection::default() }, asked).until;
        assert_eq!([end(None), end(Some(Millis(50)))], [Some(Millis(11)); 2]);
        assert_eq!(end(Some(Millis(5))), Some(Millis(5)), "and no more than was chosen");
    }
}

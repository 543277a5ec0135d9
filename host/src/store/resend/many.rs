//! Many deliveries, in steps of a job.

use super::super::db::{Tx, again};
use super::super::jobs::{ClaimedJob, JobStep, advance, hold};
use super::super::{Found, Store, StoreError, nodes};
use super::cancel::cancel;
use super::standing::{Standing, lock};
use super::{Acted, Chosen, resend};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::job::JobState;

/// What is done to each.
#[derive(Debug, Clone)]
pub enum Many {
    /// What of it did not arrive is sent again.
    Resend,
    /// It is given up, for this reason.
    Cancel(String),
}

impl Many {
    /// Whether a delivery still stands as it did when the job was made.
    fn is_meant(standing: &Standing, status: Option<DeliveryStatus>, job: &ClaimedJob) -> bool {
        let stands_so = status.is_none_or(|status| status == standing.status);
        // What another job sent again meanwhile, and what failed once more, is another story.
        stands_so && standing.settled_at.is_none_or(|settled| settled <= job.created_at)
    }
}

impl Store {
    /// Does a step of a job to deliveries that were found: each only if it still stands as it was asked for (`status`), all in
    /// one transaction with the job's progress. None when the lease has passed to somebody else, or the job was cancelled.
    pub async fn step_many(
        &self,
        job: &ClaimedJob,
        many: &Many,
        status: Option<DeliveryStatus>,
        found: Found,
        now: Millis,
    ) -> Result<Option<JobStep>, StoreError> {
        let (job, many) = (job.clone(), many.clone());
        let others_idle = self.others_idle();
        let step = async move |tx: &mut Tx| {
            if !hold(tx, &job).await? {
                return Ok(None);
            }
            let (mut done, mut failed) = (0, 0);
            for id in &found.ids {
                let Some(standing) = lock(tx, job.project, *id).await? else { continue };
                if !Many::is_meant(&standing, status, &job) {
                    continue;
                }
                let acted = match &many {
                    Many::Resend => resend(tx, &standing, &Chosen::default(), now).await?,
                    Many::Cancel(reason) => cancel(tx, &standing, &Chosen::default(), reason, now).await?,
                };
                match acted {
                    Acted::Done(_) => done += 1,
                    _ => failed += 1,
                }
            }
            let end = found.next.is_none().then_some((JobState::Succeeded, None));
            let step = JobStep { done, failed, cursor: found.next, end };
            advance(tx, &job, &step, now).await?;
            if others_idle && done > 0 {
                nodes::notify(tx).await?;
            }
            Ok(Some(step))
        };
        let step = again!({
            let step = step.clone();
            self.db.transact(move |tx| Box::pin(async move { step(tx).await })).await
        })?;
        self.release();
        Ok(step)
    }
}

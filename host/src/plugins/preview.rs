//! Runs for somebody who looks: nothing of them is stored or sent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Plugins;
use crate::domain::id::ProjectId;
use crate::domain::plugin::PluginVersion;
use crate::domain::plugin_limits::PluginLimits;
use crate::sandbox::{Busy, CompileError, Input, Loaded, Ran, RunLimits, Transformed};
use crate::store::StoreError;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The project has as many at once as it may.
    #[error("{0} previews of the project run already")]
    TooMany(usize),
    /// No plugin thread comes free.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It is not compiled, and cannot be now.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Its bytes cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many previews each project has running.
#[derive(Debug, Clone, Default)]
pub(super) struct Previews(Arc<Mutex<HashMap<ProjectId, usize>>>);

/// One of them; gone when dropped.
#[derive(Debug)]
struct Place(Previews, ProjectId);

impl Previews {
    fn place(&self, project: ProjectId, most: usize) -> Option<Place> {
        let mut running = self.0.lock();
        let count = running.get(&project).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        running.insert(project, count + 1);
        Some(Place(self.clone(), project))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.0.0.lock();
        if let Entry::Occupied(mut count) = running.entry(self.1) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Plugins {
    /// Runs a version on an event when no delivery wants the thread.
    pub async fn preview(
        &self,
        version: &Arc<PluginVersion>,
        limits: RunLimits,
        input: Input,
    ) -> Result<Ran<Transformed>, PreviewError> {
        let most = self.0.config.previews_at_once;
        let _place = self.1.place(version.project, most).ok_or(PreviewError::TooMany(most))?;
        self.run_idle(version, limits, input).await
    }

    /// The same, past the bound on previews: for whoever makes one run after the other.
    pub async fn run_idle(
        &self,
        version: &Arc<PluginVersion>,
        limits: RunLimits,
        input: Input,
    ) -> Result<Ran<Transformed>, PreviewError> {
        let loaded = self.loaded(version).await?;
        Ok(self.0.sandbox.run_idle(loaded, limits, input).await?)
    }

    /// The limits of runs for a webhook that has these of its own.
    pub fn limits(&self, own: &PluginLimits) -> RunLimits {
        self.0.sandbox.limits(own)
    }

    /// Has a version ready to be run, however long compiling it takes.
    pub async fn load(&self, version: &Arc<PluginVersion>) -> Result<(), PreviewError> {
        self.loaded(version).await.map(drop)
    }

    /// The version's code, compiled now if nobody has.
    async fn loaded(&self, version: &Arc<PluginVersion>) -> Result<Arc<Loaded>, PreviewError> {
        let sandbox = &self.0.sandbox;
        if let Some((loaded, _)) = sandbox.loaded(version.id) {
            return Ok(loaded);
        }
        let loaded = if let Some(loaded) = sandbox.cached(version.digest).await {
            loaded
        } else {
            let turn = sandbox.turn(version.project).await;
            let gone = || CompileError::Unavailable("it was deleted meanwhile".to_owned());
            let component = self.0.store.component(version.id).await?.ok_or_else(gone)?;
            sandbox.compile(turn, version.digest, component).await?
        };
        sandbox.keep(version.clone(), loaded.clone());
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_so_many_at_once_and_others_have_their_own() {
        let (previews, project) = (Previews::default(), |n| ProjectId::from_uuid(uuid::Uuid::from_u128(n)));
        let first = previews.place(project(1), 2).unwrap();
        let _second = previews.place(project(1), 2).unwrap();
        assert!(previews.place(project(1), 2).is_none());
        let other = previews.place(project(2), 2).unwrap();
        drop((first, other));
        assert!(previews.place(project(1), 2).is_some());
        assert_eq!(previews.0.lock().len(), 1, "what is over is forgotten");
    }
}

//! Plugins on their way in: stored, checked, ready or refused, whatever happens to the server meanwhile.

mod gallery;
mod preview;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::PluginConfig;
use crate::domain::audit::{Entry, Target};
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::id::{PluginVersionId, ProjectId};
use crate::domain::plugin::{Digest, LimitHit, PluginFailure, PluginState, PluginVersion};
use crate::sandbox::{CompileError, Sandbox};
use crate::store::{Deleted, Quota, Store, StoreError, Stored};

pub use self::gallery::Exhibit;
use self::gallery::Gallery;
pub use self::preview::PreviewError;
use self::preview::Previews;

/// A check that nobody says to be going on for so long is taken over.
const CHECK_LEASE_MS: u64 = 30_000;
/// How often a check is said to be going on.
const RENEW: Duration = Duration::from_secs(10);
/// How often checks are looked for that nobody does.
const SWEEP: Duration = Duration::from_secs(5);
/// A check that could not be done is tried again after this.
const AGAIN_MS: u64 = 5000;
/// A check is begun so often: a component that brings the server down must not do so for ever.
const CHECKS_MAX: u64 = 5;

/// What an upload came to.
#[derive(Debug)]
pub enum Uploaded {
    /// It was checked: ready or refused.
    Checked(Arc<PluginVersion>),
    /// It is still being checked.
    Checking(Arc<PluginVersion>),
    /// The same bytes are there already.
    Same(PluginVersion),
    /// The same name and version are there with other bytes.
    Different(PluginVersion),
    /// The project has as much as it may have.
    OverQuota(LimitHit),
    /// It was refused before anything was stored.
    Refused(PluginFailure),
}

/// Takes plugins in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plugins(Arc<Parts>, Previews, Option<Entry>, Gallery);

/// What plugins are taken in with.
#[derive(Debug)]
pub struct Parts {
    /// Where they are kept.
    pub store: Store,
    /// Checks them.
    pub sandbox: Sandbox,
    /// The time.
    pub clock: Clock,
    /// For ids.
    pub entropy: Entropy,
    /// Limits.
    pub config: PluginConfig,
}

impl Plugins {
    /// Takes plugins in with these.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts), Previews::default(), None, Gallery::default())
    }

    /// The same; what is asked for through it is told of by this line of the audit log.
    #[must_use]
    pub fn audited(&self, entry: Entry) -> Self {
        Self(self.0.clone(), self.1.clone(), Some(entry), self.3.clone())
    }

    /// The store, for what somebody asks to be done to a version.
    fn asked(&self, name: &str, version: &str) -> Store {
        let told = |entry| Entry { target: Target::new("plugin", format!("{name} {version}")), ..entry };
        self.2.clone().map_or_else(|| self.0.store.clone(), |entry| self.0.store.audited(told(entry)))
    }

    /// The time by which checks are taken over: the database's, which all nodes share.
    fn now(&self) -> Millis {
        self.0.store.time(self.0.clock.now())
    }

    /// Takes a component in and waits a short time for what checking it comes to.
    pub async fn upload(&self, project: ProjectId, component: Bytes) -> Result<Uploaded, StoreError> {
        let (sandbox, bytes) = (self.0.sandbox.clone(), component.clone());
        let inspect = move || (sandbox.inspect(&bytes), Digest::of(&bytes));
        let ((manifest, abilities), digest) = match tokio::task::spawn_blocking(inspect).await {
            Ok((Ok(inspected), digest)) => (inspected, digest),
            Ok((Err(failure), _)) => return Ok(Uploaded::Refused(failure)),
            Err(_) => {
                let failure = PluginFailure::new("plugin.not_a_component", "the component cannot be read");
                return Ok(Uploaded::Refused(failure));
            }
        };
        let now = self.0.clock.now();
        let new = PluginVersion {
            id: PluginVersionId::new(now, self.0.entropy.id()),
            project,
            manifest,
            abilities,
            digest,
            size_bytes: component.len() as u64,
            state: PluginState::Checking,
            created_at: now,
            paused: None,
        };
        let quota = Quota { versions: self.0.config.versions_per_project, bytes: self.0.config.bytes_per_project };
        let until = self.now().plus(CHECK_LEASE_MS);
        let store = self.asked(&new.manifest.name, &new.manifest.version);
        let id = match store.insert_plugin(&new, component.into(), quota, until).await? {
            Stored::New(id) => id,
            Stored::Same(existing) => return Ok(Uploaded::Same(existing)),
            Stored::Different(existing) => return Ok(Uploaded::Different(existing)),
            Stored::OverQuota(limit) => return Ok(Uploaded::OverQuota(limit)),
        };
        let version = Arc::new(PluginVersion { id, ..new });
        let checked = self.start_check(version.clone());
        let wait = Duration::from_millis(self.0.config.upload_wait_ms);
        Ok(match tokio::time::timeout(wait, checked).await {
            Ok(Ok(checked)) => Uploaded::Checked(checked),
            Ok(Err(_)) | Err(_) => Uploaded::Checking(version),
        })
    }

    /// Deletes a version that nothing uses any more.
    pub async fn delete(&self, project: ProjectId, name: &str, version: &str) -> Result<Deleted, StoreError> {
        let deleted = self.asked(name, version).delete_plugin(project, name, version, self.0.clock.now()).await?;
        if let Deleted::Yes(id) = deleted {
            self.0.sandbox.forget(id);
        }
        Ok(deleted)
    }

    /// Lets a version be run again that was paused; gives it, if it is there.
    pub async fn resume(
        &self,
        project: ProjectId,
        name: &str,
        version: &str,
    ) -> Result<Option<PluginVersion>, StoreError> {
        let Some(found) = self.0.store.plugin(project, name, version).await? else { return Ok(None) };
        self.asked(name, version).resume_plugin(found.id, self.now()).await?;
        self.0.store.plugin(project, name, version).await
    }

    /// Does the checks that a server began that is gone, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let now = self.now();
            match self.0.store.take_check(now, now.plus(CHECK_LEASE_MS)).await {
                Ok(Some((version, checks))) if checks > CHECKS_MAX => {
                    let message = format!("checking the component was begun {CHECKS_MAX} times and never ended");
                    let failure = PluginFailure::new("plugin.interrupted", message);
                    self.finish(&Arc::new(version), PluginState::Refused(failure)).await;
                    continue;
                }
                Ok(Some((version, _))) => {
                    tracing::info!(plugin = %version.id, "a check that was interrupted goes on");
                    drop(self.start_check(Arc::new(version)));
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "interrupted checks of plugins cannot be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Checks a version, whoever waits for it; tells what it came to.
    fn start_check(&self, version: Arc<PluginVersion>) -> oneshot::Receiver<Arc<PluginVersion>> {
        let (told, checked) = oneshot::channel();
        let this = self.clone();
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = this.check(&version) => outcome,
                never = this.keep_check(version.id) => match never {},
            };
            let state = match outcome {
                Ok(()) => PluginState::Ready,
                Err(CompileError::Refused(failure)) => PluginState::Refused(failure),
                Err(CompileError::Unavailable(reason)) => {
                    tracing::warn!(plugin = %version.id, reason, "a plugin cannot be checked now");
                    let again = this.now().plus(AGAIN_MS);
                    if let Err(error) = this.0.store.keep_check(version.id, again).await {
                        tracing::warn!(%error, plugin = %version.id, "the check is taken up when its time is over");
                    }
                    return;
                }
            };
            if let Some(version) = this.finish(&version, state).await {
                let _ = told.send(version);
            }
        });
        checked
    }

    async fn check(&self, version: &Arc<PluginVersion>) -> Result<(), CompileError> {
        let turn = self.0.sandbox.turn(version.project).await;
        // Read only now: what waits for its turn takes no memory.
        let component = self.0.store.component(version.id).await;
        let component = component.map_err(|error| CompileError::Unavailable(error.to_string()))?;
        let gone = || CompileError::Unavailable("it was deleted meanwhile".to_owned());
        let loaded = self.0.sandbox.admit(turn, version, component.ok_or_else(gone)?).await?;
        let ready = PluginVersion { state: PluginState::Ready, ..PluginVersion::clone(version) };
        self.0.sandbox.keep(Arc::new(ready), loaded);
        Ok(())
    }

    /// Says now and then that the check goes on.
    async fn keep_check(&self, id: PluginVersionId) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(RENEW).await;
            if let Err(error) = self.0.store.keep_check(id, self.now().plus(CHECK_LEASE_MS)).await {
                tracing::warn!(%error, plugin = %id, "a check cannot be said to be going on");
            }
        }
    }

    async fn finish(&self, version: &Arc<PluginVersion>, state: PluginState) -> Option<Arc<PluginVersion>> {
        match self.0.store.finish_check(version, &state).await {
            Ok(()) => Some(Arc::new(PluginVersion { state, ..PluginVersion::clone(version) })),
            Err(error) => {
                tracing::error!(%error, plugin = %version.id, "what a check came to cannot be stored; it is done again");
                None
            }
        }
    }
}

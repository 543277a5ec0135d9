//! Versions of plugins: stored once, checked by somebody, deleted when nothing uses them.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, PluginVersionId, ProjectId};
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::plugin::{Abilities, Digest, LimitHit, Manifest, Pause, PluginFailure, PluginState, PluginVersion};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::webhook::{Configuration, ContentType, Envelope, OnPluginFailure, PluginUse, Webhook};
use crate::store::{
    ClaimedTransform, ClaimedWork, Deleted, Freeze, Lease, LoadedRequest, OpenWork, PluginFilter, Postpone, Quota,
    RequestEnd, Settle, StoreError, Stored, WorkKind,
};

on_both!(
    a_version_is_stored_once_and_never_with_other_bytes,
    a_check_is_taken_over_when_its_time_is_over,
    what_a_check_came_to_stays,
    a_refused_version_may_be_replaced,
    a_project_has_no_more_than_its_quota,
    a_version_that_a_webhook_uses_is_not_deleted,
    at_most_five_webhooks_are_named_that_use_a_version,
    what_a_configuration_was_stays_also_when_its_plugin_is_gone,
    a_version_that_open_work_needs_is_not_deleted,
    a_deleted_versions_number_is_not_given_to_other_bytes,
    what_is_done_when_a_plugin_fails_comes_back_as_it_was_stored,
    an_event_that_goes_out_unchanged_is_a_request_like_any_other,
    a_paused_version_is_known_to_every_node_until_it_is_resumed,
    what_waits_for_a_paused_version_goes_on_when_it_is_resumed,
    what_waits_for_a_paused_version_takes_the_one_that_its_webhook_is_moved_to,
    a_version_that_was_deleted_comes_back_without_its_pause,
);

const QUOTA: Quota = Quota { versions: 10, bytes: 1000 };

impl Stage {
    fn version(&self, number: &str, bytes: &[u8]) -> PluginVersion {
        let manifest = format!(r#"{{"name":"slack","version":"{number}"}}"#);
        PluginVersion {
            id: PluginVersionId::new(NOW, self.entropy.id()),
            project: DEFAULT_PROJECT,
            manifest: Manifest::parse(manifest.as_bytes()).unwrap(),
            abilities: Abilities::default(),
            digest: Digest::of(bytes),
            size_bytes: bytes.len() as u64,
            state: PluginState::Checking,
            created_at: NOW,
            paused: None,
        }
    }

    async fn upload(&self, number: &str, bytes: &[u8], quota: Quota) -> Stored {
        let version = self.version(number, bytes);
        self.store.insert_plugin(&version, bytes.to_vec(), quota, NOW.plus(10)).await.unwrap()
    }

    async fn uploaded(&self, number: &str, bytes: &[u8], state: PluginState) -> PluginVersion {
        let Stored::New(id) = self.upload(number, bytes, QUOTA).await else { panic!("{number} is new") };
        let version = PluginVersion { id, ..self.version(number, bytes) };
        self.store.finish_check(&version, &state).await.unwrap();
        PluginVersion { state, ..version }
    }

    fn with_plugin(webhook: Webhook, version: &PluginVersion) -> Webhook {
        let plugin = PluginUse {
            version_id: version.id,
            name: version.manifest.name.clone(),
            version: version.manifest.version.clone(),
            config: "{}".to_owned(),
            limits: PluginLimits { cpu_ms: Some(7), ..PluginLimits::default() },
            abilities: Abilities::default(),
        };
        let configuration = Configuration { plugin: Some(plugin), ..Configuration::clone(&webhook.configuration) };
        Webhook { configuration: Arc::new(configuration), ..webhook }
    }

    /// A webhook with version 1.0.0 of a plugin.
    pub(super) async fn webhook_with_plugin(&self) -> Webhook {
        let version = self.uploaded("1.0.0", b"one", PluginState::Ready).await;
        Self::with_plugin(self.webhook(), &version)
    }

    async fn delete(&self, number: &str) -> Deleted {
        self.store.delete_plugin(DEFAULT_PROJECT, "slack", number, NOW).await.unwrap()
    }

    async fn found(&self, number: &str) -> Option<PluginVersion> {
        self.store.plugin(DEFAULT_PROJECT, "slack", number).await.unwrap()
    }
}

fn refused() -> PluginState {
    PluginState::Refused(PluginFailure::limit("plugin.timeout", "too slow", "cpu_ms", 51, 50))
}

async fn a_version_is_stored_once_and_never_with_other_bytes(stage: Stage) {
    let first = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    assert!(matches!(stage.upload("1.0.0", b"one", QUOTA).await, Stored::Same(existing) if existing.id == first.id));
    assert!(
        matches!(stage.upload("1.0.0", b"two", QUOTA).await, Stored::Different(existing) if existing.id == first.id)
    );
    assert_eq!(stage.store.component(first.id).await.unwrap().unwrap(), b"one");
    for alias in ["1.0.0", &first.digest.to_string()] {
        assert_eq!(stage.found(alias).await.unwrap().id, first.id, "{alias}");
    }
    assert!(stage.found(&Digest::of(b"two").to_string()).await.is_none());
}

async fn a_check_is_taken_over_when_its_time_is_over(stage: Stage) {
    let Stored::New(id) = stage.upload("1.0.0", b"one", QUOTA).await else { panic!("it is new") };
    assert_eq!(stage.found("1.0.0").await.unwrap().state, PluginState::Checking);
    assert!(stage.store.take_check(NOW.plus(9), NOW.plus(20)).await.unwrap().is_none());
    let (version, checks) = stage.store.take_check(NOW.plus(10), NOW.plus(20)).await.unwrap().unwrap();
    assert_eq!((version.id, checks), (id, 2));
    assert!(stage.store.take_check(NOW.plus(10), NOW.plus(20)).await.unwrap().is_none());
    stage.store.keep_check(id, NOW.plus(30)).await.unwrap();
    assert!(stage.store.take_check(NOW.plus(29), NOW.plus(40)).await.unwrap().is_none());
    let taken = stage.store.take_check(NOW.plus(30), NOW.plus(40)).await.unwrap();
    assert_eq!(taken.map(|(version, checks)| (version.id, checks)), Some((id, 3)));
}

async fn what_a_check_came_to_stays(stage: Stage) {
    let ready = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    let bad = stage.uploaded("2.0.0", b"two", refused()).await;
    for version in [&ready, &bad] {
        // Somebody else did the same check and came to another result.
        stage.store.finish_check(version, &refused()).await.unwrap();
        stage.store.finish_check(version, &PluginState::Ready).await.unwrap();
        assert_eq!(stage.found(&version.manifest.version).await.unwrap().state, version.state);
    }
    assert!(stage.store.take_check(NOW.plus(1_000_000), NOW).await.unwrap().is_none());
    assert_eq!(stage.store.component(ready.id).await.unwrap().unwrap(), b"one");
    assert!(stage.store.component(bad.id).await.unwrap().unwrap().is_empty(), "what is refused keeps no bytes");
}

async fn a_refused_version_may_be_replaced(stage: Stage) {
    let bad = stage.uploaded("1.0.0", b"one", refused()).await;
    let good = stage.uploaded("1.0.0", b"two", PluginState::Ready).await;
    assert_eq!(good.id, bad.id);
    let found = stage.found("1.0.0").await.unwrap();
    assert_eq!((found.digest, found.size_bytes, found.state), (good.digest, 3, PluginState::Ready));
    assert_eq!(stage.store.component(good.id).await.unwrap().unwrap(), b"two");
    // The check of what was replaced says nothing of what came after.
    stage.uploaded("2.0.0", b"one", refused()).await;
    let Stored::New(_) = stage.upload("2.0.0", b"three", QUOTA).await else { panic!("it is new") };
    let late = PluginVersion { id: stage.found("2.0.0").await.unwrap().id, ..stage.version("2.0.0", b"one") };
    stage.store.finish_check(&late, &PluginState::Ready).await.unwrap();
    assert_eq!(stage.found("2.0.0").await.unwrap().state, PluginState::Checking);
}

async fn a_project_has_no_more_than_its_quota(stage: Stage) {
    let quota = Quota { versions: 2, bytes: 10 };
    assert!(matches!(stage.upload("1.0.0", &[0; 10], quota).await, Stored::New(_)));
    let over = |limit: &str, used, allowed| LimitHit { limit: limit.to_owned(), used, allowed };
    let Stored::OverQuota(hit) = stage.upload("2.0.0", &[0; 1], quota).await else { panic!("11 bytes of 10") };
    assert_eq!(hit, over("bytes_per_project", 11, 10));
    assert!(matches!(stage.upload("1.0.0", &[0; 10], quota).await, Stored::Same(_)), "it is there already");
    stage.uploaded("2.0.0", &[0; 0], refused()).await;
    let Stored::OverQuota(hit) = stage.upload("3.0.0", &[], quota).await else { panic!("3 versions of 2") };
    assert_eq!(hit, over("versions_per_project", 3, 2));
    assert!(matches!(stage.delete("1.0.0").await, Deleted::Yes(_)));
    assert!(matches!(stage.upload("3.0.0", &[0; 10], quota).await, Stored::New(_)));
}

async fn a_version_that_a_webhook_uses_is_not_deleted(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    let webhook = Stage::with_plugin(stage.webhook(), &version);
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let stored = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!(stored.configuration, webhook.configuration);
    assert_eq!(stage.delete("1.0.0").await, Deleted::UsedBy(vec![webhook.id]));
    let mut moved = webhook.clone();
    moved.configuration =
        Arc::new(Configuration { revision: 2, plugin: None, ..Configuration::clone(&webhook.configuration) });
    moved.version = 2;
    assert!(stage.store.update_webhook(&moved, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(stage.delete("1.0.0").await, Deleted::Yes(version.id));
    assert_eq!(stage.delete("1.0.0").await, Deleted::NotThere);
    let late = Stage::with_plugin(stage.webhook(), &version);
    let error = stage.store.insert_webhook(&late, &stage.entropy).await.unwrap_err();
    assert!(matches!(error, StoreError::Constraint(_)), "{error}");
}

async fn at_most_five_webhooks_are_named_that_use_a_version(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    for used in 1..=6 {
        let webhook = Stage::with_plugin(stage.webhook(), &version);
        stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
        let Deleted::UsedBy(webhooks) = stage.delete("1.0.0").await else { panic!("{used} use it") };
        assert_eq!(webhooks.len(), used.min(5));
    }
}

async fn what_a_configuration_was_stays_also_when_its_plugin_is_gone(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    let mut webhook = Stage::with_plugin(stage.webhook(), &version);
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let other = stage.stored_webhook().await;
    let mut expected = vec![(Configuration::clone(&webhook.configuration), NOW)];
    for number in 2..=4_i64 {
        let envelope = if number % 2 == 0 { Envelope::Raw } else { Envelope::Standard };
        let configuration = Configuration {
            revision: number,
            envelope,
            content_type: ContentType::Form,
            body_token: number == 3,
            plugin: None,
        };
        webhook.configuration = Arc::new(configuration.clone());
        (webhook.version, webhook.updated_at) = (number, NOW.plus(number.unsigned_abs()));
        assert!(stage.store.update_webhook(&webhook, number - 1, OpenWork::Keep, &stage.entropy).await.unwrap());
        expected.insert(0, (configuration, webhook.updated_at));
    }
    // A change of something else is no new revision.
    webhook.version = 5;
    assert!(stage.store.update_webhook(&webhook, 4, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(stage.delete("1.0.0").await, Deleted::Yes(version.id));
    let page = |limit, cursor| stage.store.revisions(DEFAULT_PROJECT, webhook.id, PageRequest { limit, cursor });
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let Page { items, next_cursor } = page(2, cursor).await.unwrap();
        assert!(items.len() <= 2);
        found.extend(items.into_iter().map(|revision| (revision.configuration, revision.created_at)));
        let Some(next) = next_cursor else { break };
        cursor = Some(Cursor::decode(&next).unwrap());
    }
    assert_eq!(found, expected);
    let all = PageRequest { limit: 10, cursor: None };
    assert_eq!(stage.store.revisions(DEFAULT_PROJECT, other.id, all).await.unwrap().items.len(), 1);
    let elsewhere = ProjectId::from_uuid(uuid::Uuid::from_u128(7));
    assert!(stage.store.revisions(elsewhere, webhook.id, all).await.unwrap().items.is_empty());
}

async fn a_version_that_open_work_needs_is_not_deleted(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    let webhook = Stage::with_plugin(stage.webhook(), &version);
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let (lease, other) = (stage.lease(), stage.lease());
    let waiting = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let sending = stage.accepted(&webhook, WorkKind::Transform, Some(other)).await;
    assert!(stage.store.freeze(Stage::freeze(&webhook, sending, other, 2)).await.unwrap());
    let mut moved = webhook.clone();
    moved.configuration =
        Arc::new(Configuration { revision: 2, plugin: None, ..Configuration::clone(&webhook.configuration) });
    moved.version = 2;
    assert!(stage.store.update_webhook(&moved, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    // Work of the new revision needs no plugin.
    stage.accepted(&moved, WorkKind::Send, None).await;
    let settle = |delivery, lease| Settle {
        delivery,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Skipped,
        reason: "done".to_owned(),
        run: None,
        raise: None,
        now: NOW,
    };
    assert_eq!(stage.delete("1.0.0").await, Deleted::Awaited(vec![webhook.id]));
    assert!(stage.store.settle(settle(waiting, lease)).await.unwrap());
    assert_eq!(stage.delete("1.0.0").await, Deleted::Awaited(vec![webhook.id]), "its requests are on their way");
    stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap();
    assert_eq!(stage.delete("1.0.0").await, Deleted::Yes(version.id));
}

async fn a_deleted_versions_number_is_not_given_to_other_bytes(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    assert_eq!(stage.delete("1.0.0").await, Deleted::Yes(version.id));
    assert!(stage.found("1.0.0").await.is_none() && stage.store.component(version.id).await.unwrap().is_none());
    let all = PageRequest { limit: 10, cursor: None };
    assert!(stage.store.plugins(DEFAULT_PROJECT, &PluginFilter::default(), all).await.unwrap().items.is_empty());
    assert!(matches!(stage.upload("1.0.0", b"two", QUOTA).await, Stored::Different(_)));
    let again = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    assert_eq!((again.id, stage.found("1.0.0").await.unwrap().state), (version.id, PluginState::Ready));
    assert_eq!(stage.store.component(again.id).await.unwrap().unwrap(), b"one");
}

async fn what_is_done_when_a_plugin_fails_comes_back_as_it_was_stored(stage: Stage) {
    let mut webhook = Webhook { on_plugin_failure: OnPluginFailure::SendUnchanged, ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    for next in [OnPluginFailure::Drop, OnPluginFailure::Park] {
        let read = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
        assert_eq!(read.on_plugin_failure, webhook.on_plugin_failure);
        let version = webhook.version;
        webhook = Webhook { version: version + 1, on_plugin_failure: next, ..webhook };
        assert!(stage.store.update_webhook(&webhook, version, OpenWork::Keep, &stage.entropy).await.unwrap());
    }
    assert_eq!(stage.store.subscriptions().webhook(webhook.id).unwrap().on_plugin_failure, OnPluginFailure::Park);
}

async fn an_event_that_goes_out_unchanged_is_a_request_like_any_other(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    let webhook = Stage::with_plugin(stage.webhook(), &version);
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let unchanged = Freeze { leases: vec![None], ..Stage::freeze(&webhook, delivery, lease, 0) };
    assert!(stage.store.freeze(unchanged).await.unwrap());
    let claimed = stage.claimed(NOW).await;
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert!(matches!(work.content, LoadedRequest::Plain) && work.only_request, "{work:?}");
    let mut finish = Stage::finish(&webhook, work.request, work.lease, RequestEnd::Succeeded);
    (finish.only_request, finish.is_plain) = (true, true);
    assert_eq!(stage.store.finish(finish).await.unwrap().delivery, DeliveryStatus::Succeeded);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Succeeded, (1, 1)));
    assert_eq!(view.requests[0].status, RequestStatus::Succeeded);
    assert!(view.requests[0].content.body.starts_with(b"{\"type\":\"ticket.created\""), "{view:?}");
}

fn pause() -> Pause {
    Pause { since: NOW, reason: "20 runs in a row failed".to_owned() }
}

/// Later than anything that waits by itself.
const YEARS_LATER: Millis = Millis(NOW.0 * 2);

impl Stage {
    /// A webhook with a plugin that is paused, and the plugin.
    async fn paused(&self) -> (Webhook, PluginVersion) {
        let version = self.uploaded("1.0.0", b"one", PluginState::Ready).await;
        let webhook = Self::with_plugin(self.webhook(), &version);
        self.store.insert_webhook(&webhook, &self.entropy).await.unwrap();
        assert!(self.store.pause_plugin(version.id, &pause(), None).await.unwrap());
        (webhook, version)
    }

    /// Gives a delivery back because its plugin is paused.
    async fn wait_for_resume(&self, delivery: DeliveryId, lease: Lease) {
        let (work, due) = (delivery.uuid(), Millis::ON_RESUME);
        let postpone = Postpone { work, lease, due, reason: Some("waits".to_owned()), counts: false, run: None };
        assert!(self.store.postpone(postpone).await.unwrap());
    }

    async fn claimed_transform(&self) -> ClaimedTransform {
        let claimed = self.claimed(NOW).await;
        let [ClaimedWork::Transform(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
        work.clone()
    }
}

async fn a_paused_version_is_known_to_every_node_until_it_is_resumed(stage: Stage) {
    let other = stage.beside().await;
    let (_, version) = stage.paused().await;
    let later = Pause { since: NOW.plus(1), reason: "again".to_owned() };
    assert!(!stage.store.pause_plugin(version.id, &later, None).await.unwrap(), "it is paused already");
    other.sync_subscriptions().await.unwrap();
    for store in [&stage.store, &other] {
        assert_eq!(store.subscriptions().paused(version.id), Some(&pause()));
    }
    assert_eq!(stage.found("1.0.0").await.unwrap().paused, Some(pause()));
    assert!(other.resume_plugin(version.id, NOW).await.unwrap());
    assert!(!other.resume_plugin(version.id, NOW).await.unwrap(), "once");
    stage.store.sync_subscriptions().await.unwrap();
    for store in [&stage.store, &other] {
        assert_eq!(store.subscriptions().paused(version.id), None);
    }
    assert_eq!(stage.found("1.0.0").await.unwrap().paused, None);
}

async fn what_waits_for_a_paused_version_goes_on_when_it_is_resumed(stage: Stage) {
    let (webhook, version) = stage.paused().await;
    let (early, late) = (stage.lease(), stage.lease());
    let first = stage.accepted(&webhook, WorkKind::Transform, Some(early)).await;
    stage.wait_for_resume(first, early).await;
    let (claimed, outlook) = stage.claim(YEARS_LATER, 10).await;
    assert!(claimed.is_empty() && outlook.next_due.is_none(), "nobody looks for it in vain: {outlook:?}");
    assert_eq!(stage.status(first).await, DeliveryStatus::Pending);
    let second = stage.accepted(&webhook, WorkKind::Transform, Some(late)).await;
    assert!(stage.store.resume_plugin(version.id, NOW).await.unwrap());
    assert_eq!(stage.claimed_transform().await.head.id, first);
    // Whoever had the second in hand saw the plugin paused and gives it back only now.
    stage.wait_for_resume(second, late).await;
    assert_eq!(stage.claimed_transform().await.head.id, second);
}

async fn what_waits_for_a_paused_version_takes_the_one_that_its_webhook_is_moved_to(stage: Stage) {
    let (webhook, version) = stage.paused().await;
    let next = stage.uploaded("2.0.0", b"two", PluginState::Ready).await;
    let (early, late) = (stage.lease(), stage.lease());
    let first = stage.accepted(&webhook, WorkKind::Transform, Some(early)).await;
    let second = stage.accepted(&webhook, WorkKind::Transform, Some(late)).await;
    stage.wait_for_resume(first, early).await;
    let mut moved = Stage::with_plugin(webhook.clone(), &next);
    moved.configuration = Arc::new(Configuration { revision: 2, ..Configuration::clone(&moved.configuration) });
    moved.version = 2;
    assert!(stage.store.update_webhook(&moved, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    let used = |work: &ClaimedTransform| work.head.configuration.plugin.as_ref().map(|plugin| plugin.version_id);
    // It looks again, sees that its own version is still paused, and takes the other one.
    let again = stage.claimed_transform().await;
    assert_eq!((again.head.id, used(&again)), (first, Some(version.id)));
    stage.wait_for_resume(first, again.lease).await;
    let again = stage.claimed_transform().await;
    assert_eq!((again.head.id, used(&again)), (first, Some(next.id)));
    // One that was in hand meanwhile does so as it is given back.
    stage.wait_for_resume(second, late).await;
    let again = stage.claimed_transform().await;
    assert_eq!((again.head.id, used(&again)), (second, Some(next.id)));
}

async fn a_version_that_was_deleted_comes_back_without_its_pause(stage: Stage) {
    let version = stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    assert!(stage.store.pause_plugin(version.id, &pause(), None).await.unwrap());
    assert_eq!(stage.delete("1.0.0").await, Deleted::Yes(version.id));
    assert!(!stage.store.pause_plugin(version.id, &pause(), None).await.unwrap());
    stage.uploaded("1.0.0", b"one", PluginState::Ready).await;
    assert_eq!(stage.found("1.0.0").await.unwrap().paused, None);
}

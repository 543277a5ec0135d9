//! What projects say of types of events, and what every node holds payloads against.

use serde_json::json;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::event_types::{Described, Validation};
use crate::domain::id::DEFAULT_PROJECT;
use crate::domain::pattern::EventType;
use crate::store::{Store, StoreError, StoredType};

on_both!(
    types_come_back_as_they_were_stored_and_changed,
    a_project_describes_no_more_types_than_it_may,
    every_node_holds_payloads_against_the_same,
    a_rule_that_is_as_it_was_keeps_its_counts,
);

fn described(name: &str, validation: Validation) -> Described {
    Described {
        name: EventType::parse(name).unwrap(),
        description: "A build has ended".to_owned(),
        schema: Some(json!({ "type": "object", "required": ["n"] })),
        example: Some(json!({ "n": 1 })),
        validation,
        version: 1,
        created_at: Some(NOW),
        updated_at: Some(NOW),
    }
}

async fn put(store: &Store, described: &Described, expected: Option<i64>) -> StoredType {
    store.put_event_type(DEFAULT_PROJECT, described, expected, 2).await.unwrap()
}

async fn types_come_back_as_they_were_stored_and_changed(stage: Stage) {
    let own = described("build.done", Validation::Off);
    assert_eq!(put(&stage.store, &own, None).await, StoredType::Yes);
    assert_eq!(put(&stage.store, &own, None).await, StoredType::Stale, "it is there");
    assert_eq!(stage.store.event_type(DEFAULT_PROJECT, "build.done").await.unwrap(), Some(own.clone()));
    let changed = Described { schema: None, example: None, version: 2, updated_at: Some(NOW.plus(1)), ..own };
    assert_eq!(put(&stage.store, &changed, Some(1)).await, StoredType::Yes);
    assert_eq!(put(&stage.store, &changed, Some(1)).await, StoredType::Stale);
    assert_eq!(stage.store.event_types(DEFAULT_PROJECT).await.unwrap(), [changed]);
    let other = stage.stored_project().await;
    assert!(stage.store.event_types(other).await.unwrap().is_empty());
    assert!(!stage.store.delete_event_type(other, "build.done").await.unwrap());
    assert!(stage.store.delete_event_type(DEFAULT_PROJECT, "build.done").await.unwrap());
    assert!(stage.store.event_type(DEFAULT_PROJECT, "build.done").await.unwrap().is_none());
}

async fn a_project_describes_no_more_types_than_it_may(stage: Stage) {
    for (name, expected) in [("a.b", StoredType::Yes), ("a.c", StoredType::Yes), ("a.d", StoredType::TooMany)] {
        assert_eq!(put(&stage.store, &described(name, Validation::Off), None).await, expected, "{name}");
    }
    let nowhere = crate::domain::id::ProjectId::new(NOW, 9);
    let refused = stage.store.put_event_type(nowhere, &described("a.b", Validation::Off), None, 2).await;
    assert!(matches!(refused, Err(StoreError::NoProject)), "{refused:?}");
}

async fn every_node_holds_payloads_against_the_same(stage: Stage) {
    let name = EventType::parse("build.done").unwrap();
    let validation = |store: &Store| store.subscriptions().rule(DEFAULT_PROJECT, &name).map(|rule| rule.validation());
    put(&stage.store, &described("build.done", Validation::Enforce), None).await;
    assert_eq!(validation(&stage.store), Some(Validation::Enforce), "at once where it was said");
    // On SQLite one process has the file; it reads the same again.
    let stage = stage.reopen().await;
    assert_eq!(validation(&stage.store), Some(Validation::Enforce));
    let weaker = Described { validation: Validation::Warn, version: 2, ..described("build.done", Validation::Warn) };
    put(&stage.store, &weaker, Some(1)).await;
    assert_eq!(validation(&stage.store), Some(Validation::Warn));
    stage.store.delete_event_type(DEFAULT_PROJECT, "build.done").await.unwrap();
    assert_eq!(validation(&stage.store), None);
}

async fn a_rule_that_is_as_it_was_keeps_its_counts(stage: Stage) {
    let name = EventType::parse("build.done").unwrap();
    put(&stage.store, &described("build.done", Validation::Warn), None).await;
    stage.store.subscriptions().rule(DEFAULT_PROJECT, &name).unwrap().count(true);
    stage.stored_webhook().await;
    let counts = || stage.store.subscriptions().rule(DEFAULT_PROJECT, &name).unwrap().counts();
    assert_eq!(counts(), (1, 1), "another change leaves it alone");
    let strict = Described { validation: Validation::Enforce, version: 2, ..described("build.done", Validation::Warn) };
    put(&stage.store, &strict, Some(1)).await;
    assert_eq!(counts(), (0, 0));
}

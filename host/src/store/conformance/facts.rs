//! What plugins remember of answers.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::id::{DEFAULT_PROJECT, ProjectId};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::verdict::Fact;
use crate::domain::webhook::Webhook;
use crate::store::{FactView, Finish, Learnt, Lease, RequestEnd, WorkKind};

on_both!(
    facts_are_remembered_with_the_result_that_taught_them,
    a_fact_is_replaced_and_forgotten,
    the_oldest_facts_are_forgotten_when_there_are_too_many,
    a_late_result_teaches_only_what_is_not_known,
    facts_are_shown_page_by_page_and_erased,
    facts_go_with_their_webhook,
);

const MOST: usize = 3;

fn fact(key: &str, value: Option<&str>) -> Fact {
    Fact { key: key.to_owned(), value: value.map(str::to_owned) }
}

fn learnt(facts: &[(&str, Option<&str>)]) -> Learnt {
    let facts = facts.iter().map(|(key, value)| fact(key, *value)).collect();
    Learnt { plugin: "trello".to_owned(), facts, most: MOST }
}

/// The result of a delivery's only attempt.
async fn result(stage: &Stage, webhook: &Webhook, facts: &[(&str, Option<&str>)], now: Millis) -> Finish {
    let lease = stage.lease();
    let delivery = stage.accepted(webhook, WorkKind::Send, Some(lease)).await;
    let mut finish = Stage::finish(webhook, delivery.request(0), lease, RequestEnd::Succeeded);
    (finish.only_request, finish.learnt, finish.now) = (true, Some(learnt(facts)), now);
    finish
}

async fn learn(stage: &Stage, webhook: &Webhook, facts: &[(&str, Option<&str>)], now: Millis) {
    let finish = result(stage, webhook, facts, now).await;
    stage.store.finish(finish).await.unwrap();
}

async fn recall(stage: &Stage, webhook: &Webhook, key: &str) -> Option<String> {
    stage.store.recall(webhook.id, "trello", key).await.unwrap()
}

async fn all(stage: &Stage, webhook: &Webhook) -> Vec<FactView> {
    let page = PageRequest { limit: 200, cursor: None };
    stage.store.facts(DEFAULT_PROJECT, webhook.id, None, page).await.unwrap().items
}

async fn facts_are_remembered_with_the_result_that_taught_them(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await, stage.stored_webhook().await);
    let finish = result(&stage, &webhook, &[("ticket:42", Some("card1"))], NOW).await;
    let delivery = finish.request.delivery();
    assert_eq!(recall(&stage, &webhook, "ticket:42").await, None);
    stage.store.finish(finish).await.unwrap();
    assert_eq!(recall(&stage, &webhook, "ticket:42").await.as_deref(), Some("card1"));
    assert_eq!(recall(&stage, &webhook, "ticket:4").await, None);
    assert_eq!(recall(&stage, &other, "ticket:42").await, None, "each webhook has its own");
    assert_eq!(stage.store.recall(webhook.id, "jira", "ticket:42").await.unwrap(), None, "and each plugin");
    let [fact] = <[FactView; 1]>::try_from(all(&stage, &webhook).await).unwrap();
    assert_eq!((fact.plugin.as_str(), fact.key.as_str(), fact.value.as_str()), ("trello", "ticket:42", "card1"));
    assert_eq!((fact.delivery, fact.updated_at), (delivery, NOW));
}

async fn a_fact_is_replaced_and_forgotten(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    learn(&stage, &webhook, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))], NOW).await;
    assert_eq!(recall(&stage, &webhook, "a").await.as_deref(), Some("2"), "the last word counts");
    learn(&stage, &webhook, &[("a", Some("3")), ("b", None), ("c", None)], NOW.plus(1)).await;
    assert_eq!(recall(&stage, &webhook, "a").await.as_deref(), Some("3"));
    assert_eq!(recall(&stage, &webhook, "b").await, None);
    // Two are free again.
    learn(&stage, &webhook, &[("d", Some("1")), ("e", Some("1"))], NOW.plus(2)).await;
    assert_eq!(recall(&stage, &webhook, "a").await.as_deref(), Some("3"));
}

async fn the_oldest_facts_are_forgotten_when_there_are_too_many(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for (key, age) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
        learn(&stage, &webhook, &[(key, Some("1"))], NOW.plus(age)).await;
    }
    assert_eq!(all(&stage, &webhook).await.len(), MOST, "as many as there may be");
    learn(&stage, &webhook, &[("d", Some("1"))], NOW.plus(5)).await;
    assert_eq!(recall(&stage, &webhook, "b").await, None, "a is younger: it was told again");
    assert_eq!(all(&stage, &webhook).await.len(), MOST);
    let many = ["e", "f", "g", "h", "i"].map(|key| (key, Some("1")));
    learn(&stage, &webhook, &many, NOW.plus(6)).await;
    assert_eq!(all(&stage, &webhook).await.len(), MOST);
    assert_eq!(recall(&stage, &webhook, "d").await, None);
}

async fn a_late_result_teaches_only_what_is_not_known(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    learn(&stage, &webhook, &[("a", Some("1")), ("b", Some("1"))], NOW).await;
    let mut late = result(&stage, &webhook, &[("a", Some("2")), ("b", None), ("c", Some("2"))], NOW).await;
    late.lease = Lease { token: stage.entropy.token(), ..late.lease };
    assert!(stage.store.finish(late).await.unwrap().late);
    assert_eq!(recall(&stage, &webhook, "a").await.as_deref(), Some("1"));
    assert_eq!(recall(&stage, &webhook, "b").await.as_deref(), Some("1"));
    assert_eq!(recall(&stage, &webhook, "c").await.as_deref(), Some("2"));
}

async fn facts_are_shown_page_by_page_and_erased(stage: Stage) {
    let (webhook, store) = (stage.stored_webhook().await, &stage.store);
    learn(&stage, &webhook, &[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))], NOW).await;
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { limit: 2, cursor };
        let page = store.facts(DEFAULT_PROJECT, webhook.id, None, page).await.unwrap();
        keys.extend(page.items.into_iter().map(|fact| fact.key));
        let Some(next) = page.next_cursor else { break };
        cursor = Cursor::decode(&next);
    }
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c"]);
    let page = PageRequest { limit: 2, cursor: None };
    let only = store.facts(DEFAULT_PROJECT, webhook.id, Some("b"), page).await.unwrap().items;
    assert_eq!(only.iter().map(|fact| fact.value.as_str()).collect::<Vec<_>>(), ["2"]);
    let stranger = ProjectId::new(NOW, stage.entropy.id());
    assert!(store.facts(stranger, webhook.id, None, page).await.unwrap().items.is_empty());
    assert_eq!(store.forget_facts(stranger, webhook.id, None).await.unwrap(), 0);
    assert_eq!(store.forget_facts(DEFAULT_PROJECT, webhook.id, Some("b".to_owned())).await.unwrap(), 1);
    assert_eq!(recall(&stage, &webhook, "b").await, None);
    // The place is free again.
    learn(&stage, &webhook, &[("d", Some("1"))], NOW).await;
    assert_eq!(store.forget_facts(DEFAULT_PROJECT, webhook.id, None).await.unwrap(), 3);
    assert!(all(&stage, &webhook).await.is_empty());
}

async fn facts_go_with_their_webhook(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    learn(&stage, &webhook, &[("a", Some("1"))], NOW).await;
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    assert_eq!(recall(&stage, &webhook, "a").await, None);
}

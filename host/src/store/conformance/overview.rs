//! What is counted of recent deliveries, and how much is looked at for that.

use super::on_both;
use super::resends::failed;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::id::{DEFAULT_PROJECT, ProjectId, first_at};
use crate::store::RequestEnd;

on_both!(recent_deliveries_are_read_up_to_a_bound, what_stands_still_is_counted, what_is_new_is_told_of_all_projects);

const OTHER: ProjectId = ProjectId::from_uuid(uuid::Uuid::from_u128(7));

async fn recent_deliveries_are_read_up_to_a_bound(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut ids = Vec::new();
    for after in 0..4 {
        ids.push(stage.logged(&webhook, "a.b", "{}", after * 1000).await);
    }
    stage.answered(&webhook, ids[3], 200, b"", RequestEnd::Succeeded).await;
    let all = stage.store.recent(DEFAULT_PROJECT, NOW, 100).await.unwrap();
    assert!(all.is_complete && all.since == NOW && all.runs.is_empty());
    assert_eq!(all.deliveries.len(), 4);
    assert_eq!(all.deliveries[0].status, DeliveryStatus::Succeeded, "newest first");
    assert!(all.deliveries[0].settled_at.is_some() && all.deliveries[1].settled_at.is_none());
    assert_eq!(all.deliveries[3].created_at, NOW);
    let some = stage.store.recent(DEFAULT_PROJECT, NOW, 2).await.unwrap();
    assert!(!some.is_complete && some.deliveries.len() == 2);
    assert_eq!(some.since, NOW.plus(2000), "from then on it is all of them");
    assert_eq!(stage.store.recent(DEFAULT_PROJECT, NOW.plus(3000), 100).await.unwrap().deliveries.len(), 1);
    assert!(stage.store.recent(OTHER, NOW, 100).await.unwrap().deliveries.is_empty());
}

async fn what_stands_still_is_counted(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lost = stage.logged(&webhook, "a.b", "{}", 0).await;
    stage.answered(&webhook, lost, 400, b"no", failed()).await;
    let count =
        async |project, status, since: Millis| stage.store.count_standing(project, status, since).await.unwrap();
    assert_eq!(count(DEFAULT_PROJECT, DeliveryStatus::Failed, NOW).await, 1);
    assert_eq!(count(DEFAULT_PROJECT, DeliveryStatus::Failed, NOW.plus(1)).await, 0, "it was made before");
    assert_eq!(count(DEFAULT_PROJECT, DeliveryStatus::Parked, NOW).await, 0);
    assert_eq!(count(OTHER, DeliveryStatus::Failed, NOW).await, 0);
}

async fn what_is_new_is_told_of_all_projects(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (first, second) = (stage.logged(&webhook, "a.b", "{}", 0).await, stage.logged(&webhook, "a.b", "{}", 10).await);
    let made = stage.store.made_since(first_at(NOW), 10).await.unwrap();
    assert_eq!(made, [(second, DEFAULT_PROJECT), (first, DEFAULT_PROJECT)]);
    assert_eq!(stage.store.made_since(first_at(NOW.plus(1)), 10).await.unwrap().len(), 1);
    assert_eq!(stage.store.made_since(first_at(NOW), 1).await.unwrap(), [(second, DEFAULT_PROJECT)]);
}

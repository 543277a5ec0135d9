//! Schedules: exactly one of those who see a run due makes it, with its event.

use bytes::Bytes;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::event::{Event, Idempotency};
use crate::domain::id::{DEFAULT_PROJECT, EventId, ProjectId, ScheduleId};
use crate::domain::page::PageRequest;
use crate::domain::pattern::EventType;
use crate::domain::schedule::{Expression, LastRun, Missed, Schedule};
use crate::store::{Firing, RanByHand, Store, StoredSchedule};

on_both!(
    schedules_come_back_as_they_were_stored,
    a_project_has_no_more_schedules_than_it_may,
    a_run_is_made_by_one_node_with_its_event,
    nothing_fires_that_was_changed_or_deleted_meanwhile,
    a_change_that_says_nothing_of_times_brings_no_run_back,
    a_run_that_is_passed_over_emits_nothing,
    a_run_by_hand_under_the_same_key_is_the_same,
);

const MOST: u64 = 100;

fn schedule(stage: &Stage) -> Schedule {
    Schedule {
        id: ScheduleId::new(NOW, stage.entropy.id()),
        project: DEFAULT_PROJECT,
        name: "report".to_owned(),
        description: Some("each morning".to_owned()),
        expression: Expression::parse("0 9 * * 1-5").unwrap(),
        zone: "Europe/Berlin".parse().unwrap(),
        event_type: EventType::parse("report.due").unwrap(),
        subject: Some("sales".to_owned()),
        payload: Bytes::from_static(b"{ \"n\": 1.0 }"),
        missed: Missed::Skip,
        enabled: true,
        next_run: Some(NOW),
        last_run: None,
        skipped_at: None,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn stored(stage: &Stage) -> Schedule {
    let schedule = schedule(stage);
    assert_eq!(stage.store.insert_schedule(&schedule, MOST).await.unwrap(), StoredSchedule::Yes);
    schedule
}

fn event(stage: &Stage, schedule: &Schedule) -> Event {
    schedule.event(EventId::new(NOW, stage.entropy.id()), NOW, NOW)
}

fn firing(stage: &Stage, schedule: &Schedule) -> Firing {
    let event = Some(event(stage, schedule));
    Firing { schedule: schedule.clone(), event, skipped: None, next: Some(NOW.plus(1000)) }
}

async fn read(store: &Store, schedule: &Schedule) -> Schedule {
    store.schedule(DEFAULT_PROJECT, schedule.id).await.unwrap().unwrap()
}

async fn events(stage: &Stage) -> usize {
    let page = PageRequest { limit: 100, cursor: None };
    stage.store.events(DEFAULT_PROJECT, None, page).await.unwrap().items.len()
}

async fn schedules_come_back_as_they_were_stored(stage: Stage) {
    let schedule = stored(&stage).await;
    let read = read(&stage.store, &schedule).await;
    assert_eq!(format!("{read:?}"), format!("{schedule:?}"));
    let other = ProjectId::new(NOW, 1);
    assert!(stage.store.schedule(other, schedule.id).await.unwrap().is_none());
    let page = PageRequest { limit: 10, cursor: None };
    assert_eq!(stage.store.schedules(DEFAULT_PROJECT, page).await.unwrap().items.len(), 1);
    assert!(stage.store.schedules(other, page).await.unwrap().items.is_empty());
    assert!(!stage.store.delete_schedule(other, schedule.id).await.unwrap());
    assert!(stage.store.delete_schedule(DEFAULT_PROJECT, schedule.id).await.unwrap());
    assert!(stage.store.schedule(DEFAULT_PROJECT, schedule.id).await.unwrap().is_none());
}

async fn a_project_has_no_more_schedules_than_it_may(stage: Stage) {
    for expected in [StoredSchedule::Yes, StoredSchedule::Yes, StoredSchedule::TooMany] {
        assert_eq!(stage.store.insert_schedule(&schedule(&stage), 2).await.unwrap(), expected);
    }
}

async fn a_run_is_made_by_one_node_with_its_event(stage: Stage) {
    let schedule = stored(&stage).await;
    assert!(stage.store.due_schedules(Millis(NOW.0 - 1), 10).await.unwrap().is_empty());
    assert_eq!(stage.store.next_schedule().await.unwrap(), Some(NOW));
    // Many that have all seen it due, as nodes do.
    let firings: Vec<Firing> = (0..8).map(|_| firing(&stage, &schedule)).collect();
    let fire = |firing: &Firing| {
        let (store, firing) = (stage.store.clone(), firing.clone());
        tokio::spawn(async move { store.fire_schedule(firing).await.unwrap() })
    };
    let tasks: Vec<_> = firings.iter().map(fire).collect();
    let mut fired = Vec::new();
    for task in tasks {
        fired.push(task.await.unwrap());
    }
    assert_eq!(fired.iter().filter(|fired| **fired).count(), 1, "{fired:?}");
    let winner = fired.iter().position(|fired| *fired).unwrap();
    let event = firings[winner].event.as_ref().unwrap();
    let read = read(&stage.store, &schedule).await;
    assert_eq!(read.last_run, Some(LastRun { due_at: NOW, ran_at: NOW, event: event.id }));
    assert_eq!((read.next_run, read.version), (Some(NOW.plus(1000)), 1), "no person changed it");
    assert_eq!(events(&stage).await, 1);
    let step = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    assert_eq!((step.event.id, step.trigger, step.webhooks.is_empty()), (event.id, Trigger::Schedule, true));
    assert_eq!(step.event.payload, event.payload);
}

async fn nothing_fires_that_was_changed_or_deleted_meanwhile(stage: Stage) {
    let old = stored(&stage).await;
    let changed = Schedule { version: 2, name: "renamed".to_owned(), ..old.clone() };
    assert_eq!(stage.store.update_schedule(&changed, 1, false).await.unwrap(), StoredSchedule::Yes);
    assert_eq!(stage.store.update_schedule(&changed, 1, false).await.unwrap(), StoredSchedule::Stale);
    assert!(!stage.store.fire_schedule(firing(&stage, &old)).await.unwrap());
    stage.store.delete_schedule(DEFAULT_PROJECT, old.id).await.unwrap();
    assert!(!stage.store.fire_schedule(firing(&stage, &changed)).await.unwrap());
    assert_eq!(events(&stage).await, 0);
}

async fn a_change_that_says_nothing_of_times_brings_no_run_back(stage: Stage) {
    let old = stored(&stage).await;
    assert!(stage.store.fire_schedule(firing(&stage, &old)).await.unwrap());
    let renamed = Schedule { version: 2, name: "renamed".to_owned(), ..old.clone() };
    assert_eq!(stage.store.update_schedule(&renamed, 1, false).await.unwrap(), StoredSchedule::Yes);
    assert_eq!(read(&stage.store, &old).await.next_run, Some(NOW.plus(1000)));
    let retimed = Schedule { version: 3, next_run: Some(NOW.plus(7000)), ..renamed };
    assert_eq!(stage.store.update_schedule(&retimed, 2, true).await.unwrap(), StoredSchedule::Yes);
    assert_eq!(read(&stage.store, &old).await.next_run, Some(NOW.plus(7000)));
}

async fn a_run_that_is_passed_over_emits_nothing(stage: Stage) {
    let schedule = stored(&stage).await;
    let over = Firing { event: None, skipped: Some(NOW), ..firing(&stage, &schedule) };
    assert!(stage.store.fire_schedule(over.clone()).await.unwrap());
    assert!(!stage.store.fire_schedule(over).await.unwrap());
    let read = read(&stage.store, &schedule).await;
    assert_eq!((read.skipped_at, read.last_run, read.next_run), (Some(NOW), None, Some(NOW.plus(1000))));
    assert_eq!(events(&stage).await, 0);
}

async fn a_run_by_hand_under_the_same_key_is_the_same(stage: Stage) {
    let schedule = stored(&stage).await;
    let run = |key| stage.store.run_schedule(schedule.id, event(&stage, &schedule), key);
    let key = |said: &[u8]| Some(Idempotency::new(DEFAULT_PROJECT, "key:run", said));
    let RanByHand::Yes(first) = run(key(b"x")).await.unwrap() else { panic!("it runs") };
    assert_eq!(run(key(b"x")).await.unwrap(), RanByHand::Yes(first));
    assert_eq!(run(key(b"y")).await.unwrap(), RanByHand::KeyReused);
    assert_eq!(events(&stage).await, 1);
    assert!(matches!(run(None).await.unwrap(), RanByHand::Yes(another) if another != first));
    let read = read(&stage.store, &schedule).await;
    assert_eq!((read.next_run, events(&stage).await), (Some(NOW), 2), "when it is due stays");
    stage.store.delete_schedule(DEFAULT_PROJECT, schedule.id).await.unwrap();
    assert_eq!(run(None).await.unwrap(), RanByHand::NotThere);
}

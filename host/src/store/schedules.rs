//! Schedules: made, changed, deleted, and fired. Whoever moves a schedule's next run stores its event in the same
//! transaction: of many nodes one does, and no crash leaves the one without the other.

use bytes::Bytes;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::batch::raise_by;
use super::db::{Tx, again, reading};
use super::idempotency::{self, Used};
use super::projects::hold_project;
use super::value::{Value, values};
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::event::{Event, Idempotency};
use crate::domain::id::{EventId, ProjectId, ScheduleId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::pattern::EventType;
use crate::domain::schedule::{Expression, LastRun, Missed, Schedule};

/// What storing a schedule came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredSchedule {
    /// It is done.
    Yes,
    /// Somebody else changed it meanwhile.
    Stale,
    /// The project has as many as it may have.
    TooMany,
}

/// A run that is due.
#[derive(Debug, Clone)]
pub struct Firing {
    /// The schedule as it was read.
    pub schedule: Schedule,
    /// What it emits; nothing when it was missed.
    pub event: Option<Event>,
    /// The last run that was missed and is not made.
    pub skipped: Option<Millis>,
    /// When it is due next.
    pub next: Option<Millis>,
}

/// What running a schedule by hand came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanByHand {
    /// This event was emitted, now or under the same key before.
    Yes(EventId),
    /// The schedule was deleted.
    NotThere,
    /// The key was used for something else.
    KeyReused,
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    name: String,
    description: Option<String>,
    expression: String,
    time_zone: String,
    event_type: String,
    subject: Option<String>,
    payload: Vec<u8>,
    missed: String,
    enabled: bool,
    next_at: Option<i64>,
    last_due_at: Option<i64>,
    last_ran_at: Option<i64>,
    last_event_id: Option<Uuid>,
    skipped_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn into_schedule(self) -> Result<Schedule, StoreError> {
        let id = ScheduleId::from_uuid(self.id);
        let corrupt = |column| StoreError::Corrupt { table: "schedules", column, id: id.to_string() };
        let last_run = match (self.last_due_at, self.last_ran_at, self.last_event_id) {
            (Some(due_at), Some(ran_at), Some(event)) => {
                Some(LastRun { due_at: Millis(due_at), ran_at: Millis(ran_at), event: EventId::from_uuid(event) })
            }
            _ => None,
        };
        Ok(Schedule {
            id,
            project: ProjectId::from_uuid(self.project_id),
            name: self.name,
            description: self.description,
            expression: Expression::parse(&self.expression).map_err(|_| corrupt("expression"))?,
            zone: self.time_zone.parse().map_err(|_| corrupt("time_zone"))?,
            event_type: EventType::parse(&self.event_type).map_err(|_| corrupt("event_type"))?,
            subject: self.subject,
            payload: Bytes::from(self.payload),
            missed: Missed::parse(&self.missed).ok_or_else(|| corrupt("missed"))?,
            enabled: self.enabled,
            next_run: self.next_at.map(Millis),
            last_run,
            skipped_at: self.skipped_at.map(Millis),
            version: self.version,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        })
    }
}

const COLUMNS: &str =
    "id, project_id, name, description, expression, time_zone, event_type, subject, payload, missed, enabled,
    next_at, last_due_at, last_ran_at, last_event_id, skipped_at, version, created_at, updated_at";

/// What a person says of a schedule, in the order of both statements that store it.
fn said(schedule: &Schedule) -> Vec<Value<'_>> {
    values![
        schedule.id.uuid(),
        schedule.project.uuid(),
        schedule.name.as_str(),
        schedule.description.as_deref(),
        schedule.expression.source(),
        schedule.zone.as_str(),
        schedule.event_type.as_str(),
        schedule.subject.as_deref(),
        &schedule.payload[..],
        schedule.missed.as_str(),
        schedule.enabled,
        schedule.next_run.map(|next| next.0),
        schedule.version,
        schedule.updated_at.0,
    ]
    .to_vec()
}

impl Store {
    /// Stores a new schedule, if the project has less than `most`.
    pub async fn insert_schedule(&self, schedule: &Schedule, most: u64) -> Result<StoredSchedule, StoreError> {
        const COUNT: &str = "SELECT count(*) FROM schedules WHERE project_id = $1";
        const INSERT: &str =
            "INSERT INTO schedules (id, project_id, name, description, expression, time_zone, event_type,
                subject, payload, missed, enabled, next_at, version, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)";
        let (store, schedule) = (self.clone(), schedule.clone());
        let insert = async move |tx: &mut Tx| {
            hold_project(tx, schedule.project).await?;
            let there: Vec<(i64,)> = tx.fetch(COUNT, &values![schedule.project.uuid()]).await?;
            if there.first().is_some_and(|(there,)| u64::try_from(*there).unwrap_or(0) >= most) {
                return Ok(StoredSchedule::TooMany);
            }
            tx.execute(INSERT, &said(&schedule)).await?;
            store.note(tx).await?;
            Ok(StoredSchedule::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Stores a changed schedule if nobody else changed it meanwhile. Its next run is stored only if it is `retimed`: it may
    /// have run since it was read.
    pub async fn update_schedule(
        &self,
        schedule: &Schedule,
        expected: i64,
        retimed: bool,
    ) -> Result<StoredSchedule, StoreError> {
        const UPDATE: &str = "UPDATE schedules SET name = $3, description = $4, expression = $5, time_zone = $6,
                event_type = $7, subject = $8, payload = $9, missed = $10, enabled = $11,
                next_at = CASE WHEN $16 THEN $12 ELSE next_at END, version = $13, updated_at = $14
            WHERE id = $1 AND project_id = $2 AND version = $15";
        let (store, schedule) = (self.clone(), schedule.clone());
        let update = async move |tx: &mut Tx| {
            let mut values = said(&schedule);
            values.extend(values![expected, retimed]);
            if tx.execute(UPDATE, &values).await? == 0 {
                return Ok(StoredSchedule::Stale);
            }
            store.note(tx).await?;
            Ok(StoredSchedule::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Deletes a schedule; its events stay. False when there is none.
    pub async fn delete_schedule(&self, project: ProjectId, id: ScheduleId) -> Result<bool, StoreError> {
        const DELETE: &str = "DELETE FROM schedules WHERE id = $1 AND project_id = $2";
        let store = self.clone();
        let delete = async move |tx: &mut Tx| {
            if tx.execute(DELETE, &values![id.uuid(), project.uuid()]).await? == 0 {
                return Ok(false);
            }
            store.note(tx).await?;
            Ok(true)
        };
        self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await
    }

    /// One schedule.
    pub async fn schedule(&self, project: ProjectId, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM schedules WHERE id = $1 AND project_id = $2");
        let row: Option<Row> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.uuid()).bind(project.uuid()).fetch_optional(pool).await?
        });
        row.map(Row::into_schedule).transpose()
    }

    /// A project's schedules, newest first.
    pub async fn schedules(&self, project: ProjectId, page: PageRequest) -> Result<Page<Schedule>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM schedules WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows: Vec<Row> = reading!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let schedules = rows.into_iter().map(Row::into_schedule).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(schedules, page.limit, |schedule| schedule.id.uuid()))
    }

    /// Schedules of all projects that are due at `until`, the longest due first. One that cannot be read is passed over, so
    /// that it does not keep the others.
    pub async fn due_schedules(&self, until: Millis, most: u32) -> Result<Vec<Schedule>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM schedules WHERE next_at <= $1 ORDER BY next_at LIMIT $2");
        let rows: Vec<Row> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(until.0).bind(i64::from(most)).fetch_all(pool).await?
        });
        let readable = |row: Row| row.into_schedule().inspect_err(|error| tracing::error!(%error, "schedules")).ok();
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// When the next schedule of all is due.
    pub async fn next_schedule(&self) -> Result<Option<Millis>, StoreError> {
        const SELECT: &str = "SELECT min(next_at) FROM schedules WHERE next_at IS NOT NULL";
        let next: Option<i64> = reading!(&self.db, pool => sqlx::query_scalar(SELECT).fetch_one(pool).await?);
        Ok(next.map(Millis))
    }

    /// Makes a run that is due, or passes over it: its event is stored with the schedule's next run, or neither. False when
    /// another node did, or a person changed the schedule meanwhile.
    pub async fn fire_schedule(&self, firing: Firing) -> Result<bool, StoreError> {
        const FIRE: &str = "UPDATE schedules SET next_at = $1, last_due_at = $2, last_ran_at = $3, last_event_id = $4,
                skipped_at = coalesce($5, skipped_at)
            WHERE id = $6 AND version = $7 AND next_at = $8";
        const PASS_OVER: &str = "UPDATE schedules SET next_at = $1, skipped_at = coalesce($2, skipped_at)
            WHERE id = $3 AND version = $4 AND next_at = $5";
        let raises = firing.event.is_some();
        let fire = async move |tx: &mut Tx| {
            let Firing { schedule, event, skipped, next } = firing;
            let (next, skipped) = (next.map(|at| at.0), skipped.map(|at| at.0));
            let due = schedule.next_run.map(|due| due.0);
            let Some(event) = event else {
                let values = values![next, skipped, schedule.id.uuid(), schedule.version, due];
                return Ok(tx.execute(PASS_OVER, &values).await? == 1);
            };
            let (occurred_at, received_at, id) = (event.occurred_at.0, event.received_at.0, event.id.uuid());
            let values =
                values![next, occurred_at, received_at, id, skipped, schedule.id.uuid(), schedule.version, due];
            if tx.execute(FIRE, &values).await? == 0 {
                return Ok(false);
            }
            raise_by(tx, &[&event], Trigger::Schedule).await?;
            fail::fail_point!("within-schedule-firing", |_| std::process::abort());
            Ok(true)
        };
        let fired = self.db.transact(move |tx| Box::pin(async move { fire(tx).await })).await?;
        if fired && raises {
            self.raised();
        }
        Ok(fired)
    }

    /// Emits a schedule's event because a person asks for it; when it is due next stays as it is.
    pub async fn run_schedule(
        &self,
        id: ScheduleId,
        event: Event,
        key: Option<Idempotency>,
    ) -> Result<RanByHand, StoreError> {
        const RUN: &str = "UPDATE schedules SET last_due_at = $1, last_ran_at = $1, last_event_id = $2
            WHERE id = $3 AND project_id = $4";
        let store = self.clone();
        let run = async move |tx: &mut Tx| {
            let now = event.received_at;
            match idempotency::used(tx, key, now).await? {
                Some(Used::Same(event)) => return Ok(RanByHand::Yes(EventId::from_uuid(event))),
                Some(Used::Otherwise) => return Ok(RanByHand::KeyReused),
                None => {}
            }
            let values = values![now.0, event.id.uuid(), id.uuid(), event.project.uuid()];
            if tx.execute(RUN, &values).await? == 0 {
                return Ok(RanByHand::NotThere);
            }
            raise_by(tx, &[&event], Trigger::Schedule).await?;
            idempotency::keep(tx, key, event.project, event.id.uuid(), now).await?;
            store.note(tx).await?;
            Ok(RanByHand::Yes(event.id))
        };
        let ran = again!({
            let run = run.clone();
            self.db.transact(move |tx| Box::pin(async move { run(tx).await })).await
        })?;
        self.raised();
        Ok(ran)
    }
}

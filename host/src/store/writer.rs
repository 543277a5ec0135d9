//! Grouped commits: what arrives while one commit is on its way to the disk shares the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify, mpsc, oneshot};

use super::batch::{Batch, Done};
use super::claims::{Claim, ClaimedRow, Outlook};
use super::db::Db;
use super::record::{Accept, Accepted, Finish, Finished, Freeze, NewEvent, Postpone, Settle};
use super::{Store, StoreError, claims};

/// A group that another node's writes stood in the way of is tried again so often.
const TRIES: u32 = 3;

/// How the writer groups.
#[derive(Debug, Clone, Copy)]
pub struct WriterSettings {
    /// Records that may wait for a commit; more wait for a place.
    pub queue: usize,
    /// Most records of one commit.
    pub batch: usize,
    /// Commits on their way at once; SQLite has one writer whatever is said here.
    pub writers: usize,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Called with what was to be stored and what came of it, before anybody is answered.
type Then = Box<dyn FnOnce(Vec<NewEvent>, &[Accepted]) + Send + Sync>;

enum Command {
    Accept(Accept, Then, Reply<Vec<Accepted>>),
    Freeze(Freeze, Reply<bool>),
    Settle(Settle, Reply<bool>),
    Postpone(Postpone, Reply<bool>),
    Finish(Arc<Finish>, Reply<Finished>),
    Claim(Claim, Reply<claims::Claimed>),
}

impl Command {
    /// How many deliveries it makes.
    fn deliveries(&self) -> usize {
        match self {
            Self::Accept(accept, ..) => accept.events.iter().map(|event| event.deliveries.len()).sum(),
            _ => 0,
        }
    }

    fn refuse(self, error: StoreError) {
        // A caller that has gone away needs no answer.
        match self {
            Self::Accept(_, _, reply) => drop(reply.send(Err(error))),
            Self::Freeze(_, reply) | Self::Settle(_, reply) | Self::Postpone(_, reply) => drop(reply.send(Err(error))),
            Self::Finish(_, reply) => drop(reply.send(Err(error))),
            Self::Claim(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

fn batch(commands: &[Command]) -> Batch<'_> {
    let mut batch = Batch::default();
    for command in commands {
        match command {
            Command::Accept(accept, ..) => batch.accepts.push(accept),
            Command::Freeze(freeze, _) => batch.freezes.push(freeze),
            Command::Settle(settle, _) => batch.settles.push(settle),
            Command::Postpone(postpone, _) => batch.postpones.push(postpone),
            Command::Finish(finish, _) => batch.finishes.push(finish),
            Command::Claim(claim, _) => batch.claims.push(claim),
        }
    }
    batch
}

fn answer<T>(reply: Reply<T>, output: Option<T>) {
    let missing = || StoreError::Unavailable("a record was passed over".to_owned());
    drop(reply.send(output.ok_or_else(missing)));
}

/// Tells each caller what came of its record; each kind is in the order in which it came.
fn tell(commands: Vec<Command>, done: Done) {
    let (mut freezes, mut settles, mut postpones) =
        (done.freezes.into_iter(), done.settles.into_iter(), done.postpones.into_iter());
    let (mut accepts, mut finishes, mut claims) =
        (done.accepts.into_iter(), done.finishes.into_iter(), done.claims.into_iter());
    for command in commands {
        match command {
            Command::Accept(accept, then, reply) => {
                let accepted = accepts.next();
                if let Some(accepted) = &accepted {
                    then(accept.events, accepted);
                }
                answer(reply, accepted);
            }
            Command::Freeze(_, reply) => answer(reply, freezes.next()),
            Command::Settle(_, reply) => answer(reply, settles.next()),
            Command::Postpone(_, reply) => answer(reply, postpones.next()),
            Command::Finish(_, reply) => answer(reply, finishes.next()),
            Command::Claim(_, reply) => answer(reply, claims.next()),
        }
    }
}

/// What the writers tell others, and are told.
#[derive(Debug, Default)]
struct Shared {
    released: Notify,
    raised: Notify,
    others_idle: AtomicBool,
}

/// Takes records from many callers and commits them in groups.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    tasks: tokio_util::task::TaskTracker,
    stop: tokio_util::sync::CancellationToken,
}

impl Writer {
    pub(super) fn start(db: &Db, settings: WriterSettings) -> Self {
        let (commands, inbox) = mpsc::channel(settings.queue);
        let inbox = Arc::new(Mutex::new(inbox));
        let (tasks, stop) = (tokio_util::task::TaskTracker::new(), tokio_util::sync::CancellationToken::new());
        let shared = Arc::new(Shared::default());
        let writers = match db {
            Db::Sqlite { .. } => 1,
            Db::Postgres(_) => settings.writers,
        };
        for _ in 0..writers {
            tasks.spawn(run(db.clone(), inbox.clone(), settings.batch, shared.clone(), stop.clone()));
        }
        tasks.close();
        Self { commands, shared, tasks, stop }
    }

    /// Whether another node has time for work that is left.
    pub(super) fn others_idle(&self) -> &AtomicBool {
        &self.shared.others_idle
    }

    /// Commits what is waiting, and takes no more.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    /// The same, but refuses at once when the queue is full.
    async fn call_now<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Self::gone(),
        })?;
        answer.await.map_err(|_| Self::gone())?
    }

    fn gone() -> StoreError {
        StoreError::Unavailable("the store is closed".to_owned())
    }

    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Self::gone())?;
        answer.await.map_err(|_| Self::gone())?
    }
}

async fn run(
    db: Db,
    inbox: Arc<Mutex<mpsc::Receiver<Command>>>,
    most: usize,
    shared: Arc<Shared>,
    stop: tokio_util::sync::CancellationToken,
) {
    loop {
        let mut commands = Vec::with_capacity(most);
        let taken = {
            let mut inbox = inbox.lock().await;
            tokio::select! {
                biased;
                taken = inbox.recv_many(&mut commands, most) => taken,
                () = stop.cancelled() => {
                    inbox.close();
                    inbox.recv_many(&mut commands, most).await
                }
            }
        };
        if taken == 0 {
            return;
        }
        for group in groups(commands) {
            commit(&db, group, &shared).await;
        }
    }
}

/// Deliveries that a group makes; only a record that makes more by itself is in a larger one.
const DELIVERIES_MAX: usize = 10_000;

/// Splits what came together where a commit would keep others waiting for too long.
fn groups(commands: Vec<Command>) -> Vec<Vec<Command>> {
    let mut groups = vec![Vec::with_capacity(commands.len())];
    let mut deliveries = 0;
    for command in commands {
        let own = command.deliveries();
        deliveries += own;
        match groups.last_mut() {
            Some(group) if deliveries <= DELIVERIES_MAX || group.is_empty() => group.push(command),
            _ => {
                deliveries = own;
                groups.push(vec![command]);
            }
        }
    }
    groups
}

/// Commits all commands together. If one of them cannot be written, each gets a transaction of its own, so that the
/// one is set aside and the rest stored.
async fn commit(db: &Db, commands: Vec<Command>, shared: &Shared) {
    let commands = Arc::new(commands);
    let mut tries = 0;
    let result = loop {
        tries += 1;
        match attempt(db, commands.clone(), shared.others_idle.load(Ordering::Relaxed)).await {
            Err(StoreError::Contended) if tries < TRIES => {}
            result => break result,
        }
    };
    // The transaction has let go of them.
    let Some(commands) = Arc::into_inner(commands) else { return };
    match result {
        Ok(done) => {
            if done.released > 0 {
                shared.released.notify_one();
            }
            tell(commands, done);
        }
        Err(error @ StoreError::Constraint(_)) if commands.len() > 1 => {
            tracing::warn!(%error, "a record cannot be written; its group is written one by one");
            for command in commands {
                Box::pin(commit(db, vec![command], shared)).await;
            }
        }
        Err(error) => {
            tracing::error!(%error, records = commands.len(), "a commit failed");
            for command in commands {
                command.refuse(error.again());
            }
        }
    }
}

async fn attempt(db: &Db, commands: Arc<Vec<Command>>, others_idle: bool) -> Result<Done, StoreError> {
    db.transact(move |tx| Box::pin(async move { Batch { others_idle, ..batch(&commands) }.write(tx).await })).await
}

impl Store {
    /// Stores events with their deliveries, all or none; when this answers, they are on disk. Refuses when too much
    /// waits for a commit already: what is in memory is bounded, what is stored is not. `then` is called as soon as they
    /// are on disk, also when the caller no longer waits.
    pub async fn accept_then(
        &self,
        accept: Accept,
        then: impl FnOnce(Vec<NewEvent>, &[Accepted]) + Send + Sync + 'static,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.writer.call_now(|reply| Command::Accept(accept, Box::new(then), reply)).await
    }

    /// The same for a step of a wide event, which waits for its turn instead of being refused.
    pub async fn fan_out_then(
        &self,
        accept: Accept,
        then: impl FnOnce(Vec<NewEvent>, &[Accepted]) + Send + Sync + 'static,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.writer.call(|reply| Command::Accept(accept, Box::new(then), reply)).await
    }

    /// Waits until something that waited, for an earlier delivery or for a plugin, may go on.
    pub async fn released(&self) {
        self.writer.shared.released.notified().await;
    }

    /// Whether another node has time for work that is left.
    pub(super) fn others_idle(&self) -> bool {
        self.writer.others_idle().load(Ordering::Relaxed)
    }

    /// Says that something that waited may go on.
    pub(super) fn release(&self) {
        self.writer.shared.released.notify_one();
    }

    /// Says that there may be an event of the server's own.
    pub(super) fn raised(&self) {
        self.writer.shared.raised.notify_one();
    }

    /// Waits until there may be an event of the server's own, whose deliveries are to be made.
    pub async fn some_raised(&self) {
        self.writer.shared.raised.notified().await;
    }

    /// Stores a plugin's requests, to be sent later; false when the lease has passed to somebody else.
    pub async fn freeze(&self, freeze: Freeze) -> Result<bool, StoreError> {
        self.writer.call(|reply| Command::Freeze(freeze, reply)).await
    }

    /// Ends a delivery without requests; false when the lease has passed to somebody else.
    pub async fn settle(&self, settle: Settle) -> Result<bool, StoreError> {
        let raises = settle.raise.is_some();
        let settled = self.writer.call(|reply| Command::Settle(settle, reply)).await?;
        if raises {
            self.raised();
        }
        Ok(settled)
    }

    /// Gives work back; false when the lease has passed to somebody else.
    pub async fn postpone(&self, postpone: Postpone) -> Result<bool, StoreError> {
        self.writer.call(|reply| Command::Postpone(postpone, reply)).await
    }

    /// Stores the result of an attempt.
    pub async fn finish(&self, finish: impl Into<Arc<Finish>>) -> Result<Finished, StoreError> {
        let finish = finish.into();
        let raises = [&finish.raise, &finish.exhausted, &finish.recovered].into_iter().any(Option::is_some);
        let finished = self.writer.call(|reply| Command::Finish(finish, reply)).await?;
        if raises {
            self.raised();
        }
        Ok(finished)
    }

    pub(super) async fn claim_rows(&self, claim: Claim) -> Result<(Vec<ClaimedRow>, Outlook), StoreError> {
        let claimed = self.writer.call(|reply| Command::Claim(claim, reply)).await?;
        Ok((claimed.rows, claimed.outlook))
    }
}

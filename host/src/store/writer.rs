//! Grouped commits: what arrives while one commit is on its way to the disk shares the next one.

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::claims::{self, Claim, ClaimedRow};
use super::record::{Accept, Finish, Finished, Freeze, Postpone, Settle};
use super::{Store, StoreError, deliveries, events};

/// How the writer groups.
#[derive(Debug, Clone, Copy)]
pub struct WriterSettings {
    /// Records that may wait for a commit; more wait for a place.
    pub queue: usize,
    /// Most records of one commit.
    pub batch: usize,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Command {
    Accept(Accept, Reply<()>),
    Freeze(Freeze, Reply<bool>),
    Settle(Settle, Reply<bool>),
    Postpone(Postpone, Reply<bool>),
    Finish(Box<Finish>, Reply<Finished>),
    Claim(Claim, Reply<claims::Claimed>),
    Stop(oneshot::Sender<()>),
}

/// What a command did inside the transaction: told only once it is committed.
enum Output {
    Accepted,
    Held(bool),
    Finished(Finished),
    Claimed(claims::Claimed),
}

impl Command {
    /// Does the work on the open transaction.
    async fn apply(&self, conn: &mut SqliteConnection) -> Result<Output, StoreError> {
        match self {
            Self::Accept(accept, _) => events::insert(conn, accept).await.map(|()| Output::Accepted),
            Self::Freeze(freeze, _) => deliveries::freeze(conn, freeze).await.map(Output::Held),
            Self::Settle(settle, _) => deliveries::settle(conn, settle).await.map(Output::Held),
            Self::Postpone(postpone, _) => deliveries::postpone(conn, postpone).await.map(Output::Held),
            Self::Finish(finish, _) => deliveries::finish(conn, finish).await.map(Output::Finished),
            Self::Claim(claim, _) => claims::claim(conn, claim).await.map(Output::Claimed),
            Self::Stop(_) => Ok(Output::Accepted),
        }
    }

    /// Tells the caller; one that has gone away needs no answer.
    fn answer(self, output: Output) {
        match (self, output) {
            (Self::Accept(_, reply), Output::Accepted) => drop(reply.send(Ok(()))),
            (Self::Freeze(_, reply) | Self::Settle(_, reply) | Self::Postpone(_, reply), Output::Held(held)) => {
                drop(reply.send(Ok(held)));
            }
            (Self::Finish(_, reply), Output::Finished(finished)) => drop(reply.send(Ok(finished))),
            (Self::Claim(_, reply), Output::Claimed(claimed)) => drop(reply.send(Ok(claimed))),
            (command, _) => command.refuse(StoreError::Unavailable("the answer does not fit the question".to_owned())),
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Self::Accept(_, reply) => drop(reply.send(Err(error))),
            Self::Freeze(_, reply) | Self::Settle(_, reply) | Self::Postpone(_, reply) => drop(reply.send(Err(error))),
            Self::Finish(_, reply) => drop(reply.send(Err(error))),
            Self::Claim(_, reply) => drop(reply.send(Err(error))),
            Self::Stop(reply) => {
                let _ = reply.send(());
            }
        }
    }
}

/// Takes records from many callers and commits them in groups.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    pub(super) fn start(pool: SqlitePool, settings: WriterSettings) -> Self {
        let (commands, inbox) = mpsc::channel(settings.queue);
        tokio::spawn(run(pool, inbox, settings.batch));
        Self { commands }
    }

    pub(super) async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(reply)).await.is_ok() {
            // An error means that the writer is gone already.
            let _ = stopped.await;
        }
    }

    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the store is closed".to_owned());
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn run(pool: SqlitePool, mut inbox: mpsc::Receiver<Command>, batch: usize) {
    let mut waiting = Vec::with_capacity(batch);
    while inbox.recv_many(&mut waiting, batch).await > 0 {
        let mut stop = None;
        let mut commands = Vec::with_capacity(waiting.len());
        for command in waiting.drain(..) {
            match command {
                Command::Stop(reply) => stop = Some(reply),
                command => commands.push(command),
            }
        }
        commit(&pool, commands).await;
        if let Some(reply) = stop {
            inbox.close();
            let _ = reply.send(());
            return;
        }
    }
}

/// Commits all commands together. If one of them cannot be written, each gets a transaction of its own, so that the
/// one is set aside and the rest stored.
async fn commit(pool: &SqlitePool, commands: Vec<Command>) {
    if commands.is_empty() {
        return;
    }
    match attempt(pool, &commands).await {
        Ok(outputs) => commands.into_iter().zip(outputs).for_each(|(command, output)| command.answer(output)),
        Err(StoreError::Unavailable(reason)) => {
            tracing::error!(reason, "a commit failed");
            for command in commands {
                command.refuse(StoreError::Unavailable(reason.clone()));
            }
        }
        Err(error) if commands.len() > 1 => {
            tracing::warn!(%error, "a record cannot be written; its group is written one by one");
            for command in commands {
                Box::pin(commit(pool, vec![command])).await;
            }
        }
        Err(error) => {
            if let Some(command) = commands.into_iter().next() {
                command.refuse(error);
            }
        }
    }
}

/// One transaction; dropped without a commit it is rolled back.
async fn attempt(pool: &SqlitePool, commands: &[Command]) -> Result<Vec<Output>, StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut outputs = Vec::with_capacity(commands.len());
    for command in commands {
        outputs.push(command.apply(&mut transaction).await?);
    }
    transaction.commit().await?;
    Ok(outputs)
}

impl Store {
    /// Stores an event with its deliveries; when this answers, they are on disk.
    pub async fn accept(&self, accept: Accept) -> Result<(), StoreError> {
        self.writer.call(|reply| Command::Accept(accept, reply)).await
    }

    /// Stores a plugin's requests; false when the lease has passed to somebody else.
    pub async fn freeze(&self, freeze: Freeze) -> Result<bool, StoreError> {
        self.writer.call(|reply| Command::Freeze(freeze, reply)).await
    }

    /// Ends a delivery without requests; false when the lease has passed to somebody else.
    pub async fn settle(&self, settle: Settle) -> Result<bool, StoreError> {
        self.writer.call(|reply| Command::Settle(settle, reply)).await
    }

    /// Gives work back; false when the lease has passed to somebody else.
    pub async fn postpone(&self, postpone: Postpone) -> Result<bool, StoreError> {
        self.writer.call(|reply| Command::Postpone(postpone, reply)).await
    }

    /// Stores the result of an attempt.
    pub async fn finish(&self, finish: Finish) -> Result<Finished, StoreError> {
        self.writer.call(|reply| Command::Finish(Box::new(finish), reply)).await
    }

    pub(super) async fn claim_rows(&self, claim: Claim) -> Result<(Vec<ClaimedRow>, claims::Outlook), StoreError> {
        let claimed = self.writer.call(|reply| Command::Claim(claim, reply)).await?;
        Ok((claimed.rows, claimed.outlook))
    }
}

//! The durable relay: the least that any webhook server must do, and so the limit that this one is measured by. It
//! appends each event to a file, answers 202 once that is on disk, and forwards it.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
};

use super::Failure;

/// Events that may wait for the disk, and that may wait to be forwarded.
const QUEUE: usize = 65_536;
/// Written batches that may wait for their answers.
const BATCHES: usize = 64;
/// Requests on their way to receivers.
const IN_FLIGHT: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a relay has done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Stats {
    /// How often it waited for the disk.
    pub commits: u32,
}

struct Record {
    body: Bytes,
    on_disk: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Relay {
    records: mpsc::Sender<Record>,
    commits: Arc<AtomicU32>,
}

/// Serves until the process ends; each event goes to all targets.
pub async fn serve(listener: TcpListener, file: &Path, targets: Vec<Url>) -> Result<ExitCode, Failure> {
    let file = File::options().create(true).append(true).open(file)?;
    let (records, waiting) = mpsc::channel(QUEUE);
    let (batches, written) = mpsc::channel(BATCHES);
    let (forwards, accepted) = mpsc::channel(QUEUE);
    let commits = Arc::<AtomicU32>::default();
    let counter = Arc::clone(&commits);
    // A failing disk ends the writer; then no event is accepted any more.
    thread::spawn(move || {
        if let Err(error) = write(file, waiting, &batches, &counter) {
            eprintln!("the file cannot be written: {error}");
        }
    });
    tokio::spawn(answer(written, forwards));
    tokio::spawn(forward(accepted, targets));
    let router = Router::new()
        .route("/events", post(accept))
        .route("/__stats", get(stats))
        .with_state(Relay { records, commits });
    let listener = listener.tap_io(|stream| {
        // Only slower if it fails.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(ExitCode::SUCCESS)
}

async fn accept(State(relay): State<Relay>, body: Bytes) -> StatusCode {
    let (on_disk, done) = oneshot::channel();
    if relay.records.send(Record { body, on_disk }).await.is_ok() && done.await.is_ok() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn stats(State(relay): State<Relay>) -> Json<Stats> {
    Json(Stats { commits: relay.commits.load(Ordering::Relaxed) })
}

/// Writes whatever waits, all of it with one wait for the disk.
fn write(
    mut file: File,
    mut waiting: mpsc::Receiver<Record>,
    batches: &mpsc::Sender<Vec<Record>>,
    commits: &AtomicU32,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(record) = waiting.blocking_recv() {
        let mut batch = vec![record];
        while let Ok(record) = waiting.try_recv() {
            batch.push(record);
        }
        bytes.clear();
        for Record { body, .. } in &batch {
            bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
            bytes.extend_from_slice(body);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        commits.fetch_add(1, Ordering::Relaxed);
        // As a whole, because waking a task from another thread is dear.
        if batches.blocking_send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

async fn answer(mut written: mpsc::Receiver<Vec<Record>>, forwards: mpsc::Sender<Bytes>) {
    while let Some(batch) = written.recv().await {
        for Record { body, on_disk } in batch {
            // Whoever does not wait any more has gone away.
            let _ = on_disk.send(());
            if forwards.send(body).await.is_err() {
                return;
            }
        }
    }
}

async fn forward(mut accepted: mpsc::Receiver<Bytes>, targets: Vec<Url>) {
    let client = Client::builder().no_proxy().timeout(TIMEOUT).pool_max_idle_per_host(IN_FLIGHT).build();
    let client = client.expect("a client");
    let free = Arc::new(Semaphore::new(IN_FLIGHT));
    while let Some(body) = accepted.recv().await {
        for target in &targets {
            let permit = Arc::clone(&free).acquire_owned().await.expect("never closed");
            let request = client.post(target.clone()).header(CONTENT_TYPE, "application/json").body(body.clone());
            tokio::spawn(async move {
                if let Err(error) = send(request).await {
                    eprintln!("not forwarded: {error}");
                }
                drop(permit);
            });
        }
    }
}

async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<()> {
    let response = request.send().await?.error_for_status()?;
    // Read to its end, so that the connection can be used again.
    response.bytes().await?;
    Ok(())
}

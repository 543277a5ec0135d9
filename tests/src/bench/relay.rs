//! The durable relay: the least that any webhook server must do, and so the limit that this one is measured by. It
//! appends each event to a file, answers 202 once that is on disk, and forwards it.

use std::{net::SocketAddr, path::Path, process::ExitCode, sync::Arc, thread, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use reqwest::{
    Client, Method, Request, Url,
    header::{CONTENT_TYPE, HeaderValue},
    redirect, retry,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Failure, listen,
    log::{Batch, Log},
};

/// Batches on disk that may wait to be forwarded.
const BATCHES: usize = 4096;
/// Requests on their way to receivers.
const IN_FLIGHT: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a relay has done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Stats {
    /// How often it waited for the disk.
    pub commits: u64,
}

/// Serves until the process ends; each event goes to all targets.
pub async fn serve(address: SocketAddr, file: &Path, targets: Vec<Url>) -> Result<ExitCode, Failure> {
    let log = Arc::new(Log::create(file)?);
    let listener = listen(address).await?;
    let (batches, written) = mpsc::channel(BATCHES);
    let (records, accepted) = mpsc::channel(BATCHES);
    let writer = Arc::clone(&log);
    // A failing disk ends the process; nobody is told that an event is kept.
    thread::spawn(move || {
        if let Err(error) = writer.write(&batches) {
            eprintln!("the file cannot be written: {error}");
            std::process::exit(1);
        }
    });
    tokio::spawn(answer(written, records));
    tokio::spawn(forward(accepted, targets.into_iter().map(request).collect()));
    let router = Router::new().route("/events", post(accept)).route("/__stats", get(stats)).with_state(log);
    let listener = listener.tap_io(|stream| {
        // Only slower if it fails.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(ExitCode::SUCCESS)
}

async fn accept(State(log): State<Arc<Log>>, body: Bytes) -> StatusCode {
    let on_disk = log.append(&body);
    // The connection can read into the same memory again.
    drop(body);
    if on_disk.await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn stats(State(log): State<Arc<Log>>) -> Json<Stats> {
    Json(Stats { commits: log.commits() })
}

async fn answer(mut written: mpsc::Receiver<Batch>, records: mpsc::Sender<Vec<Bytes>>) {
    while let Some(batch) = written.recv().await {
        if records.send(batch.tell()).await.is_err() {
            return;
        }
    }
}

/// Everything but the body, made once.
fn request(target: Url) -> Request {
    let mut request = Request::new(Method::POST, target);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

async fn forward(mut accepted: mpsc::Receiver<Vec<Bytes>>, requests: Vec<Request>) {
    let client = client().expect("a client");
    let free = Arc::new(Semaphore::new(IN_FLIGHT));
    while let Some(records) = accepted.recv().await {
        for record in records {
            for request in &requests {
                let permit = Arc::clone(&free).acquire_owned().await.expect("never closed");
                let mut request = request.try_clone().expect("there is no body yet");
                *request.body_mut() = Some(record.clone().into());
                let sent = client.execute(request);
                tokio::spawn(async move {
                    if let Err(error) = finish(sent).await {
                        eprintln!("not forwarded: {error}");
                    }
                    drop(permit);
                });
            }
        }
    }
}

/// Without what it could do beyond sending.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        .http1_only()
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .retry(retry::never().max_retries_per_request(0))
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(IN_FLIGHT)
        .build()
}

async fn finish(sent: impl Future<Output = reqwest::Result<reqwest::Response>>) -> reqwest::Result<()> {
    let response = sent.await?.error_for_status()?;
    // Read to its end, so that the connection can be used again.
    response.bytes().await?;
    Ok(())
}

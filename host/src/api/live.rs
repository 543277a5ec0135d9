//! `/live`: whoever looks at a list is told when there is something new. One look at the database each second serves all who
//! listen at this node, whichever node made what is new.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Api;
use super::auth::Caller;
use super::problem::Answer;
use crate::domain::clock::{Clock, Millis};
use crate::domain::id::{DeliveryId, ProjectId, first_at};
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::store::Store;

/// How often the database is looked at while somebody listens.
const LOOK: Duration = Duration::from_secs(1);
/// What is committed so much later than its id says is still seen, in milliseconds.
const OVERLAP_MS: i64 = 5000;
/// Deliveries that one look reads; when there are more, there is something new anyway.
const ROWS: u32 = 1000;
/// A stream that says nothing for so long says that it is there, or a proxy would end it.
const ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after so long, so that who listens is asked for again; browsers come back by themselves.
const LISTENS_FOR: Duration = Duration::from_mins(5);
/// Streams of one caller at one node.
const STREAMS_PER_CALLER: usize = 30;
/// Streams of one node.
const STREAMS: usize = 5000;

/// How many deliveries of a project this node has seen being made since somebody listened first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
struct Tick {
    made: u64,
    newest: Option<DeliveryId>,
}

#[derive(Debug, Default)]
struct Listeners {
    projects: HashMap<ProjectId, watch::Sender<Tick>>,
    callers: HashMap<Uuid, usize>,
    count: usize,
    is_over: bool,
}

/// Who listens at this node.
#[derive(Debug, Default)]
pub struct Live {
    listeners: Mutex<Listeners>,
    somebody: Notify,
}

/// One stream; it no longer counts when dropped.
#[derive(Debug)]
struct Listener {
    live: Arc<Live>,
    caller: Uuid,
    ticks: watch::Receiver<Tick>,
    until: Instant,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listeners = self.live.listeners.lock();
        listeners.count -= 1;
        if let Some(count) = listeners.callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                listeners.callers.remove(&self.caller);
            }
        }
    }
}

impl Live {
    fn listen(self: &Arc<Self>, project: ProjectId, caller: Uuid) -> Option<Listener> {
        let mut listeners = self.listeners.lock();
        let own = listeners.callers.get(&caller).copied().unwrap_or(0);
        if listeners.is_over || listeners.count >= STREAMS || own >= STREAMS_PER_CALLER {
            return None;
        }
        listeners.count += 1;
        listeners.callers.insert(caller, own + 1);
        let ticks =
            listeners.projects.entry(project).or_insert_with(|| watch::Sender::new(Tick::default())).subscribe();
        self.somebody.notify_one();
        Some(Listener { live: self.clone(), caller, ticks, until: Instant::now() + LISTENS_FOR })
    }

    /// Forgets projects to which nobody listens; false when that are all.
    fn is_listened_to(&self) -> bool {
        let mut listeners = self.listeners.lock();
        listeners.projects.retain(|_, ticks| ticks.receiver_count() > 0);
        !listeners.projects.is_empty()
    }

    /// Tells those who listen, until the server stops; then their streams end.
    pub async fn run(&self, store: &Store, clock: &Clock, stop: &CancellationToken) {
        let mut seen = HashSet::new();
        while !stop.is_cancelled() {
            if !self.is_listened_to() {
                seen.clear();
                tokio::select! {
                    () = self.somebody.notified() => {}
                    () = stop.cancelled() => break,
                }
                continue;
            }
            let since = first_at(Millis(store.time(clock.now()).0.saturating_sub(OVERLAP_MS)));
            match store.made_since(since, ROWS).await {
                Ok(made) => {
                    let new: Vec<_> = made.iter().filter(|(id, _)| !seen.contains(id)).copied().collect();
                    seen = made.into_iter().map(|(id, _)| id).collect();
                    self.tell(&new);
                }
                Err(error) => tracing::warn!(%error, "what is new cannot be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => break,
            }
        }
        self.end();
    }

    /// Ends every stream, and lets none begin.
    pub fn end(&self) {
        let mut listeners = self.listeners.lock();
        listeners.is_over = true;
        listeners.projects.clear();
    }

    fn tell(&self, new: &[(DeliveryId, ProjectId)]) {
        let listeners = self.listeners.lock();
        for (project, ticks) in &listeners.projects {
            let of_project = || new.iter().filter(|(_, of)| of == project).map(|(id, _)| *id);
            let count = of_project().count() as u64;
            if count > 0 {
                ticks.send_modify(|tick| *tick = Tick { made: tick.made + count, newest: of_project().max() });
            }
        }
    }
}

/// What is said next; none at the end.
async fn next(mut listener: Listener) -> Option<(Result<Bytes, Infallible>, Listener)> {
    let alive = (Instant::now() + ALIVE).min(listener.until);
    let line = match timeout_at(alive, listener.ticks.changed()).await {
        Ok(Ok(())) => {
            let tick = *listener.ticks.borrow_and_update();
            let data = serde_json::to_string(&tick).expect("a tick is plain data");
            format!("event: deliveries\ndata: {data}\n\n")
        }
        Ok(Err(_)) => return None,
        Err(_) if Instant::now() >= listener.until => return None,
        Err(_) => ": alive\n\n".to_owned(),
    };
    Some((Ok(Bytes::from(line)), listener))
}

/// A stream of server-sent events: `deliveries` when deliveries of the project were made, with how many since the stream began
/// (`made`) and the newest of them. It says that there is something new, not what; lists say that.
#[utoipa::path(
    get,
    path = "/live",
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = String, content_type = "text/event-stream", description = "What is new, as it comes."))
)]
pub(super) async fn listen(State(api): State<Api>, caller: Caller) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRead)?;
    let listener = api.live.listen(caller.project(), caller.principal().counted_as());
    let detail = "too many streams are open; close some";
    let listener = listener
        .ok_or_else(|| Problem { retry_after_s: Some(10), ..Problem::new(ProblemCode::TooManyRequests, detail) })?;
    let begun = stream::iter([Ok(Bytes::from_static(b"retry: 3000\n\n"))]);
    let body = futures_util::StreamExt::chain(begun, stream::unfold(listener, next));
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(n: u128) -> ProjectId {
        ProjectId::from_uuid(Uuid::from_u128(n))
    }

    fn delivery(n: u128) -> DeliveryId {
        DeliveryId::from_uuid(Uuid::from_u128(n))
    }

    async fn said(listener: Listener) -> (String, Listener) {
        let (line, listener) = next(listener).await.unwrap();
        (String::from_utf8(line.unwrap().to_vec()).unwrap(), listener)
    }

    #[tokio::test]
    async fn each_hears_of_its_own_project() {
        let live = Arc::new(Live::default());
        let first = live.listen(project(1), Uuid::nil()).unwrap();
        let mut other = live.listen(project(2), Uuid::nil()).unwrap();
        live.tell(&[(delivery(5), project(1)), (delivery(7), project(1)), (delivery(6), project(3))]);
        let (line, first) = said(first).await;
        assert!(line.contains("\"made\":2") && line.contains(&delivery(7).to_string()), "{line}");
        assert!(!other.ticks.has_changed().unwrap());
        drop((first, other.ticks.borrow_and_update().made));
        drop(other);
        assert!(!live.is_listened_to());
        assert_eq!(live.listeners.lock().count, 0);
    }

    #[tokio::test]
    async fn one_caller_does_not_take_all_streams() {
        let live = Arc::new(Live::default());
        let (one, another) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut open: Vec<_> = (0..STREAMS_PER_CALLER).map(|_| live.listen(project(1), one).unwrap()).collect();
        assert!(live.listen(project(1), one).is_none() && live.listen(project(1), another).is_some());
        open.pop();
        assert!(live.listen(project(1), one).is_some());
    }

    #[tokio::test]
    async fn streams_end_with_the_server() {
        let live = Arc::new(Live::default());
        let listener = live.listen(project(1), Uuid::nil()).unwrap();
        live.end();
        assert!(next(listener).await.is_none() && live.listen(project(1), Uuid::nil()).is_none());
    }

    #[tokio::test]
    async fn a_stream_ends_in_time_so_that_who_listens_is_asked_for_again() {
        let live = Arc::new(Live::default());
        let mut listener = live.listen(project(1), Uuid::nil()).unwrap();
        listener.until = Instant::now() + Duration::from_millis(5);
        assert!(next(listener).await.is_none());
        assert_eq!(live.listeners.lock().count, 0);
    }
}

//! From a socket to the log and the script, and back.

use std::{convert::Infallible, future, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Recorded, State, reply::Body};

/// An error of the service makes hyper close the connection without a word: that is the cut.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and all connections with it.
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("a connection is accepted");
                open.spawn(serve(stream, Arc::clone(&state)));
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request| respond(request, Arc::clone(&state)));
    // Fails whenever a client goes away or is cut off: what came is in the log.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> Result<Answer, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let recorded = Arc::new(Recorded {
        at: Instant::now(),
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
    });
    // Scripted before it is logged: a test that is woken by the log may change the script.
    let reply = state.script.reply(&recorded);
    state.log.push(Arc::clone(&recorded));

    tokio::time::sleep(reply.delay).await;
    let (more, body) = match reply.body {
        Body::Fixed(bytes) => (HeaderMap::new(), whole(bytes)),
        Body::Composed(compose) => {
            let (headers, bytes) = compose(&recorded);
            (headers, whole(bytes))
        }
        Body::Endless => (HeaderMap::new(), endless()),
        Body::Hang => future::pending().await,
        Body::Cut => return Err("cut by the script".into()),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = reply.status;
    answer.headers_mut().extend(reply.headers);
    answer.headers_mut().extend(more);
    Ok(answer)
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes).boxed_unsync()
}

fn endless() -> UnsyncBoxBody<Bytes, Infallible> {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let frames = stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
    StreamBody::new(frames).boxed_unsync()
}

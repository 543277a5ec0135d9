//! From a socket to the log and the script, and back.

use std::{
    convert::Infallible,
    future,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Frame, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Recorded, State, reply::Body};

/// An error of the service makes hyper close the connection without a word: that is the cut.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// How a client gets in.
#[derive(Clone)]
pub(super) enum Door {
    Plain,
    Tls(TlsAcceptor),
}

pub(super) async fn accept(listener: TcpListener, door: Door, state: Arc<State>) {
    // Dropped with this task, and all connections with it.
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("a connection is accepted");
                state.connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(enter(stream, door.clone(), Arc::clone(&state)));
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn enter(stream: TcpStream, door: Door, state: Arc<State>) {
    match door {
        Door::Plain => serve(stream, false, state).await,
        Door::Tls(acceptor) => {
            // A client that does not trust the certificate goes away again.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve(stream, http2, state).await;
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, http2: bool, state: Arc<State>) {
    let service = service_fn(move |request| respond(request, Arc::clone(&state)));
    let stream = TokioIo::new(stream);
    // Fails whenever a client goes away or is cut off: what came is in the log.
    let _ = if http2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
    } else {
        http1::Builder::new().serve_connection(stream, service).await
    };
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> Result<Answer, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let recorded = Arc::new(Recorded {
        at: Instant::now(),
        version: head.version,
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

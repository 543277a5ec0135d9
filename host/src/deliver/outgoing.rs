//! The body of a request, which notes that a connection took it, and is given to none when its time is over.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Whether a connection took the request: until then the receiver cannot have got anything of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken(Arc<AtomicBool>);

impl Taken {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection wanted the request when its time was over: another node may have it by now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the time of the attempt was over before it was sent")]
pub(super) struct TooLate;

#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Bytes,
    taken: Taken,
    until: Instant,
}

impl Outgoing {
    /// A body that must be taken before `until`. A process that was frozen can find itself with a connection and without
    /// its lease, so this is looked at last, when the connection is about to write.
    pub(super) fn new(bytes: Bytes, taken: Taken, until: Instant) -> Self {
        Self { bytes, taken, until }
    }

    /// One that was taken is under way, and never too late.
    fn is_too_late(&self) -> bool {
        !self.taken.is_set() && Instant::now() >= self.until
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if self.is_too_late() {
            return Poll::Ready(Some(Err(TooLate)));
        }
        self.taken.set();
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    /// Asked by a connection that is about to write the head. An empty body is not asked for anything else, so one that is
    /// too late does not say that it is at its end.
    fn is_end_stream(&self) -> bool {
        if self.is_too_late() {
            return false;
        }
        self.taken.set();
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.bytes.len() as u64;
        SizeHint::with_exact(if self.is_too_late() { bytes.max(1) } else { bytes })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::Request;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const SOON: Duration = Duration::from_mins(1);

    fn request(body: &'static str, until: Instant) -> (Request<Outgoing>, Taken) {
        let taken = Taken::default();
        let mut request = Request::new(Outgoing::new(Bytes::from_static(body.as_bytes()), taken.clone(), until));
        *request.uri_mut() = "http://receiver/marker".parse().unwrap();
        (request, taken)
    }

    /// Whether a request counts as taken, how often it gets onto a connection, and why not.
    async fn written(body: &'static str, until: Instant) -> (bool, usize, String) {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let (request, taken) = request(body, until);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = tokio::spawn(async move { sender.send_request(request).await });
        // Ends with the end of the connection, or with the head of the request.
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") && theirs.read_buf(&mut bytes).await.unwrap() > 0 {
            bytes.truncate(bytes.windows(4).position(|part| part == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4));
        }
        drop(theirs);
        let error = answer.await.unwrap().map(|_| ()).unwrap_err();
        connection.await.unwrap().ok();
        (taken.is_set(), bytes.windows(7).filter(|part| part == b"/marker").count(), format!("{error:?}"))
    }

    #[tokio::test]
    async fn a_request_whose_time_is_over_is_not_written() {
        for body in ["{}", ""] {
            let (taken, written, error) = written(body, Instant::now()).await;
            assert!(!taken && written == 0, "{body:?}");
            assert!(error.contains("TooLate"), "{body:?}: {error}");
        }
    }

    #[tokio::test]
    async fn a_request_in_time_is_written() {
        for body in ["{}", ""] {
            let (taken, written, error) = written(body, Instant::now() + SOON).await;
            assert!(taken && written == 1, "{body:?}: {error}");
        }
    }
}

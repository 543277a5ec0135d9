//! One keep-alive connection and what is posted over it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Failure, load::Shared, mark::Mark};

/// After so many failures in a row there is nobody to post to.
const FAILURES_IN_A_ROW: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Publisher {
    address: SocketAddr,
    /// Everything but the body.
    head: Request<()>,
    sender: SendRequest<Full<Bytes>>,
}

impl Publisher {
    pub(super) async fn connect(url: &str, token: Option<&str>) -> Result<Self, Failure> {
        let url: Uri = url.parse()?;
        let authority = url.authority().ok_or("the URL names no host")?.as_str();
        let address = authority.parse().map_err(|_| "the URL names an address with its port")?;
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let mut head = Request::post(path).header(HOST, authority).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            head = head.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(Self { address, head: head.body(())?, sender: open(address).await? })
    }

    /// Posts until there is nothing more to post.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut failures = 0;
        while failures < FAILURES_IN_A_ROW {
            let Some((n, sent_ns)) = shared.next().await else { return };
            match self.post(shared.template.with(Mark { n, sent_ns })).await {
                Ok(()) => {
                    failures = 0;
                    shared.accepted(sent_ns);
                }
                Err(error) => {
                    failures += 1;
                    shared.failed(n, error.as_ref());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn post(&mut self, body: Bytes) -> Result<(), Failure> {
        if self.sender.is_closed() {
            self.sender = open(self.address).await?;
        }
        self.sender.ready().await?;
        let request = self.head.clone().map(|()| Full::new(body));
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        if status.is_success() { Ok(()) } else { Err(format!("answered with {status}").into()) }
    }
}

async fn open(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

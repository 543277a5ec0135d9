//! One keep-alive connection and what is posted over it, one POST at a time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Failure, body::Template, load::Shared, mark::Mark, message::Message};

/// After so many failures in a row there is nobody to post to.
const FAILURES_IN_A_ROW: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);
const ANSWER_BYTES: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct Publisher {
    address: SocketAddr,
    /// None after a failure.
    stream: Option<TcpStream>,
    /// Head and body; only the mark changes.
    request: Vec<u8>,
    mark_at: usize,
    answer: Vec<u8>,
}

impl Publisher {
    pub(super) async fn connect(url: &str, token: Option<&str>, template: &Template) -> Result<Self, Failure> {
        let rest = url.strip_prefix("http://").ok_or("the URL begins with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = authority.parse().map_err(|_| "the URL names an address with its port")?;
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n{authorization}\
             content-length: {}\r\n\r\n",
            if path.is_empty() { "/" } else { path },
            template.bytes.len(),
        )
        .into_bytes();
        let mark_at = request.len() + template.mark_at;
        request.extend_from_slice(&template.bytes);
        let stream = Some(open(address).await?);
        Ok(Self { address, stream, request, mark_at, answer: Vec::with_capacity(ANSWER_BYTES) })
    }

    /// Posts until there is nothing more to post.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut failures = 0;
        while failures < FAILURES_IN_A_ROW {
            let Some((n, sent_ns)) = shared.next().await else { return };
            match self.post(Mark { n, sent_ns }).await {
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

    async fn post(&mut self, mark: Mark) -> Result<(), Failure> {
        mark.write(&mut self.request[self.mark_at..]);
        // Put back only when the answer has come whole.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(self.address).await?,
        };
        stream.write_all(&self.request).await?;
        self.answer.clear();
        let accepted = loop {
            if stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some(answer) = Message::read(&self.answer)? {
                break if answer.subject.starts_with('2') { Ok(()) } else { Err(told(&answer)) };
            }
        };
        self.stream = Some(stream);
        accepted
    }
}

fn told(answer: &Message<'_>) -> Failure {
    format!("answered with {}: {}", answer.subject, String::from_utf8_lossy(answer.body)).into()
}

async fn open(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

//! A receiver that a test plays byte by byte: for answers that no HTTP library would give.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

/// Connections of one listener, each handed to the test. Closed when it is dropped.
#[derive(Debug)]
pub struct Raw {
    address: SocketAddr,
    /// One permit for each connection that ended.
    ended: Arc<Semaphore>,
    accepted: Arc<Semaphore>,
    accepting: JoinHandle<()>,
}

impl Raw {
    /// What `serve` does with a connection may fail: the client goes when it has had enough.
    pub async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("the port");
        let (accepted, ended) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (count, end) = (Arc::clone(&accepted), Arc::clone(&ended));
        let accepting = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    connection = listener.accept() => {
                        count.add_permits(1);
                        let (stream, _) = connection.expect("a connection is accepted");
                        stream.set_nodelay(true).expect("a TCP option");
                        open.spawn(serve(stream));
                    }
                    Some(_) = open.join_next() => end.add_permits(1),
                }
            }
        });
        Self { address, ended, accepted, accepting }
    }

    /// Reads each request and answers it with these bytes; then the connection is closed.
    pub async fn says(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::start(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                read_request(&mut stream).await?;
                stream.write_all(&answer).await?;
                stream.shutdown().await?;
                // Until the client has gone: what it still sends would reset the connection, and the answer with it.
                drain(&mut stream).await
            }
        })
        .await
    }

    /// `SCHEME://127.0.0.1:PORT/hook`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/hook", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.accepted.available_permits()
    }

    /// Waits until so many connections have ended.
    pub async fn ended(&self, n: u32) {
        self.ended.acquire_many(n).await.expect("it is never closed").forget();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads one request, its body as well; gives its head.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
    });
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
    Ok(head)
}

/// Reads until the client has gone.
pub async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(drop)
}

/// Writes the same for ever.
pub async fn flood(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
    }
}

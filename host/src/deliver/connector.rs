//! From a host to a connection: look up, check, dial, secure. What is dialled is what was checked: no name is looked up in
//! between, and a connection that is kept goes on to lead where it was checked to lead.

use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use super::client::SenderError;
use super::guard::{self, Guard, UrlRefused};
use super::names::Unresolved;
use super::proxy::{NoTunnel, Proxy};
use super::tls::Tls;
use crate::config::NetworkConfig;

/// Most addresses of one name that are tried for one connection.
const DIALLED_MAX: usize = 8;
/// How long a connection is silent before it is asked whether it is still there, and how long between two such questions.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    #[error(transparent)]
    Refused(#[from] UrlRefused),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the connection cannot be secured: {0}")]
    Tls(String),
    #[error("no connection: {0}")]
    Tunnel(#[from] NoTunnel),
    #[error("no connection: the proxy's name does not resolve: {0}")]
    ProxyName(Unresolved),
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector(Arc<Parts>);

struct Parts {
    guard: Guard,
    tls: Tls,
    proxy: Option<Proxy>,
    proxy_resolves: bool,
    timeout: Duration,
}

/// Where a connection leads.
enum Route {
    Direct(Vec<SocketAddr>),
    /// Through the proxy, to the first of these that it can reach.
    Tunnel(Vec<String>),
}

impl Connector {
    pub(super) fn new(guard: Guard, config: &NetworkConfig) -> Result<Self, SenderError> {
        Ok(Self(Arc::new(Parts {
            tls: Tls::new(config.ca_file.as_deref())?,
            proxy: config.proxy()?.as_ref().map(Proxy::new),
            proxy_resolves: config.proxy_resolves,
            timeout: Duration::from_millis(config.connect_timeout_ms),
            guard,
        })))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Unreachable;
    type Future = BoxFuture<'static, Result<Self::Response, Unreachable>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let parts = self.0.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(parts.timeout, parts.connect(&uri)).await;
            connected.map_err(|_| Unreachable::Timeout(parts.timeout))?.map(TokioIo::new)
        })
    }
}

impl Parts {
    async fn connect(&self, uri: &Uri) -> Result<Stream, Unreachable> {
        let plain_http = uri.scheme() == Some(&Scheme::HTTP);
        let host = uri.host().ok_or(UrlRefused::NoHost)?;
        let service = guard::Service { plain_http, port: uri.port_u16().unwrap_or(if plain_http { 80 } else { 443 }) };
        let io = match self.route(host, service).await? {
            Route::Direct(addresses) => self.dial(addresses).await?,
            Route::Tunnel(targets) => self.tunnel(&targets).await?,
        };
        if plain_http {
            return Ok(Stream { io, http2: false });
        }
        let secured = secure(&self.tls.receivers, host, io).await?;
        let http2 = secured.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Stream { io: Box::new(secured), http2 })
    }

    /// Addresses that were checked. A proxy is told the address too, unless it is the one to look names up: it could be
    /// given another answer than we were.
    async fn route(&self, host: &str, service: guard::Service) -> Result<Route, UrlRefused> {
        let looked_up = self.guard.addresses(host, service).await;
        let proxied = self.proxy.is_some();
        match looked_up {
            Ok(mut addresses) => {
                if !proxied || addresses.iter().all(|address| self.guard.is_opened(address.ip())) {
                    addresses.truncate(DIALLED_MAX);
                    return Ok(Route::Direct(addresses));
                }
                Ok(Route::Tunnel(if self.proxy_resolves {
                    vec![format!("{host}:{}", service.port)]
                } else {
                    addresses.iter().take(DIALLED_MAX).map(ToString::to_string).collect()
                }))
            }
            Err(UrlRefused::Dns(_)) if proxied && self.proxy_resolves => {
                self.guard.check_public(service)?;
                Ok(Route::Tunnel(vec![format!("{host}:{}", service.port)]))
            }
            Err(refused) => Err(refused),
        }
    }

    async fn dial(&self, addresses: Vec<SocketAddr>) -> Result<Io, Unreachable> {
        let mut connector = HttpConnector::new_with_resolver(Checked(addresses));
        connector.set_nodelay(true);
        // Divided by the addresses, so that one that does not answer leaves time for the others.
        connector.set_connect_timeout(Some(self.timeout));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(KEEPALIVE_PROBES));
        // A name and no port, so that the connector asks for the addresses, and dials them as they are.
        let checked = Uri::from_static("http://checked");
        let stream = connector.call(checked).await.map_err(|error| {
            if timed_out(&error) { Unreachable::Timeout(self.timeout) } else { Unreachable::Connect(innermost(&error)) }
        })?;
        Ok(Box::new(stream.into_inner()))
    }

    async fn tunnel(&self, targets: &[String]) -> Result<Io, Unreachable> {
        let proxy = self.proxy.as_ref().expect("a tunnel goes through a proxy");
        let mut refused = None;
        for target in targets {
            // The administrator's own name, so it is not judged.
            let addresses = self.guard.names().lookup(&proxy.host).await.map_err(Unreachable::ProxyName)?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, proxy.port)).collect();
            let mut io = self.dial(addresses).await?;
            if proxy.tls {
                io = Box::new(secure(&self.tls.proxy, &proxy.host, io).await?);
            }
            match proxy.tunnel(&mut io, target).await {
                Ok(()) => return Ok(io),
                Err(no_tunnel) => refused = Some(no_tunnel),
            }
        }
        Err(refused.map_or_else(|| Unreachable::Connect("no address".to_owned()), Unreachable::Tunnel))
    }
}

async fn secure(
    tls: &tokio_rustls::TlsConnector,
    host: &str,
    io: Io,
) -> Result<tokio_rustls::client::TlsStream<Io>, Unreachable> {
    // A certificate holds addresses without brackets, and names without the dot at their end.
    let name = host.trim_start_matches('[').trim_end_matches([']', '.']);
    let unusable = |_| Unreachable::Tls("the host cannot be in a certificate".to_owned());
    let name = ServerName::try_from(name.to_owned()).map_err(unusable)?;
    tls.connect(name, io).await.map_err(|error| Unreachable::Tls(innermost(&error)))
}

/// The last cause, in which the operating system or the other side says what is wrong. None of them holds the URL.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and what caused it.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let kind = |cause: &(dyn Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    causes(error).any(|cause| kind(cause) == Some(io::ErrorKind::TimedOut))
}

/// Gives the connector the addresses that were checked, whatever it asks.
#[derive(Debug, Clone)]
struct Checked(Vec<SocketAddr>);

impl Service<Name> for Checked {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0).into_iter()))
    }
}

/// What bytes go over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}
type Io = Box<dyn Wire>;

/// A connection as the client uses it.
pub(super) struct Stream {
    io: Io,
    http2: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.http2 { connected.negotiated_h2() } else { connected }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

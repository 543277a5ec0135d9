//! A tunnel through the administrator's proxy (RFC 9110 §9.3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use url::{Host, Url};

/// Longest head of a proxy's answer, in bytes.
const HEAD_MAX_BYTES: usize = 8 * 1024;

/// Where the proxy is, and who we are to it.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    authorization: Option<String>,
}

/// The proxy opened no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTunnel {
    #[error("the proxy answered {0}")]
    Status(u16),
    #[error("the proxy's answer is no HTTP")]
    NoHttp,
    #[error("the proxy broke off: {0}")]
    Broken(#[from] std::io::Error),
}

impl Proxy {
    /// A proxy by its URL, which the configuration has checked.
    pub(super) fn new(url: &Url) -> Self {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        let has_user = !url.username().is_empty() || url.password().is_some();
        Self {
            host: match url.host() {
                Some(Host::Ipv6(address)) => address.to_string(),
                host => host.map(|host| host.to_string()).unwrap_or_default(),
            },
            port: url.port_or_known_default().unwrap_or(0),
            tls: url.scheme() == "https",
            authorization: has_user.then(|| format!("Basic {}", STANDARD.encode(pair))),
        }
    }

    /// Asks for a tunnel to `target` (`host:port`).
    pub(super) async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        target: &str,
    ) -> Result<(), NoTunnel> {
        let mut ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            ask.extend(["Proxy-Authorization: ", authorization, "\r\n"]);
        }
        ask.push_str("\r\n");
        stream.write_all(ask.as_bytes()).await?;
        stream.flush().await?;
        // Byte by byte, so that nothing is taken from what comes through the tunnel.
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_MAX_BYTES {
                return Err(NoTunnel::NoHttp);
            }
            head.push(stream.read_u8().await?);
        }
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(status) => Err(NoTunnel::Status(status)),
            None => Err(NoTunnel::NoHttp),
        }
    }
}

/// `HTTP/1.1 200 Connection established`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, after) = rest.split_first_chunk::<3>()?;
    let ends = matches!(after.first(), Some(b' ' | b'\r'));
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.filter(|_| ends)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> Proxy {
        Proxy::new(&url.parse().unwrap())
    }

    /// What the proxy was asked, and what came of its answer.
    async fn ask(proxy: &Proxy, answer: &[u8]) -> (String, Result<(), NoTunnel>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let result = proxy.tunnel(&mut ours, "203.0.113.7:443").await;
        drop(ours);
        let mut asked = String::new();
        theirs.read_to_string(&mut asked).await.unwrap();
        (asked, result)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_the_password_when_there_is_one() {
        let opened = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        let (asked, result) = ask(&proxy("http://proxy.example:3128"), opened).await;
        assert!(result.is_ok());
        assert_eq!(asked, "CONNECT 203.0.113.7:443 HTTP/1.1\r\nHost: 203.0.113.7:443\r\n\r\n");
        let (asked, _) = ask(&proxy("https://us%40er:p%3Aw@[2001:db8::1]"), opened).await;
        let pair = STANDARD.encode("us@er:p:w");
        assert!(asked.contains(&format!("\r\nProxy-Authorization: Basic {pair}\r\n")), "{asked}");
        let proxy = proxy("https://us%40er:p%3Aw@[2001:db8::1]");
        assert_eq!((proxy.host.as_str(), proxy.port, proxy.tls), ("2001:db8::1", 443, true));
    }

    #[tokio::test]
    async fn what_is_no_consent_opens_no_tunnel() {
        let proxy = proxy("http://proxy.example");
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(2000)].concat();
        for (answer, said) in [
            (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "the proxy answered 407"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy answered 403"),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "the proxy's answer is no HTTP"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy's answer is no HTTP"),
            (b"HTTP/1.1 +20 OK\r\n\r\n", "the proxy's answer is no HTTP"),
            (&endless, "the proxy's answer is no HTTP"),
            (b"HTTP/1.1 200 OK\r\n", "the proxy broke off"),
            (b"", "the proxy broke off"),
        ] {
            let refused = ask(&proxy, answer).await.1.unwrap_err().to_string();
            assert!(refused.starts_with(said), "{answer:?}: {refused}");
        }
    }

    #[tokio::test]
    async fn what_comes_through_the_tunnel_is_left_in_it() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\nHELLO").await.unwrap();
        proxy("http://proxy.example").tunnel(&mut ours, "203.0.113.7:443").await.unwrap();
        let mut first = [0; 5];
        ours.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HELLO");
    }
}

//! What TLS connections trust: the operating system's authorities, and those of the administrator's own file.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::client::SenderError;

/// HTTP/2 where the receiver offers it, else 1.1.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What connections are secured with; `for_proxy` is without HTTP/2, which tunnels are not asked for in.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) receivers: TlsConnector,
    pub(super) proxy: TlsConnector,
}

impl Tls {
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, SenderError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if let Some(path) = ca_file {
            for certificate in read(path)? {
                let unusable = |error: rustls::Error| SenderError::ca_file(path, error.to_string());
                roots.add(certificate).map_err(unusable)?;
            }
        }
        if roots.is_empty() {
            // Plain http to opened networks works without, so this is no reason not to start.
            tracing::warn!(errors = ?system.errors, "no certificate authorities are installed: no https receiver can be trusted");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SenderError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let proxy = Arc::new(config.clone()).into();
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(Self { receivers: Arc::new(config).into(), proxy })
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, SenderError> {
    let wrong = |reason: String| SenderError::ca_file(path, reason);
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        for (content, said) in [
            ("", "no certificate"),
            ("not PEM", "no certificate"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", ""),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", ""),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = Tls::new(Some(&file)).err().unwrap_or_else(|| panic!("{content:?} was taken")).to_string();
            assert!(error.contains("network.ca_file") && error.contains("ca.pem"), "{error}");
            assert!(error.contains(said), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(Tls::new(Some(&file)).is_err());
        assert!(Tls::new(None).is_ok());
    }
}

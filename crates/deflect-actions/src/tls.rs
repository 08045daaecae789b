//! Connections that may go by TLS (rustls), to services that speak no HTTP.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What is read from and written to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that the machine trusts.
    Machine,
    /// Those that come from these, PEM.
    Only(Vec<u8>),
}

/// There is no certificate to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no certificate in it, as PEM")]
pub struct NoCertificate;

impl Trust {
    /// Only certificates that come from those of a PEM file.
    ///
    /// # Errors
    /// There is none in it, or one that can't be used.
    pub fn only(pem: Vec<u8>) -> Result<Self, NoCertificate> {
        roots(&pem)?;
        Ok(Self::Only(pem))
    }

    /// A connection to `host`, which must prove that it is that.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<Box<dyn Wire>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = match self {
            Self::Machine => of_machine()?,
            Self::Only(pem) => {
                let roots = roots(pem).map_err(io::Error::other)?;
                Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth())
            }
        };
        Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, NoCertificate> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| NoCertificate)?;
        roots.add(certificate).map_err(|_| NoCertificate)?;
    }
    if roots.is_empty() { Err(NoCertificate) } else { Ok(roots) }
}

fn of_machine() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let config =
        builder()?.with_platform_verifier().map_err(io::Error::other)?.with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

fn builder() -> io::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)
}

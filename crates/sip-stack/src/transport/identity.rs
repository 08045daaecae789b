//! Who a listener is over TLS, and whom it trusts (RFC 3261 §26.3, RFC 5922).

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
    client::WantsClientCert,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use sha2::{Digest as _, Sha256};

/// A listener's certificate with its key, and the authorities whose certificates it takes from
/// those that it connects to.
///
/// Two are equal that were made from the same bytes. It shows no key.
#[derive(Clone)]
pub struct Identity {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    certificate: CertificateDer<'static>,
    fingerprint: [u8; 32],
}

/// Why there is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The chain holds no certificate.
    #[error("there is no certificate in it (PEM, the listener's own first)")]
    NoCertificate,
    /// No key that can be read.
    #[error("there is no private key in it (PEM, without a password)")]
    NoKey,
    /// They do not belong together, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
    /// No certificate of an authority that can be used.
    #[error("there is no certificate of an authority in it")]
    NoAuthority,
    /// The system's own authorities cannot be had.
    #[error("the system's authorities cannot be had: {0}")]
    NoSystem(String),
}

impl Identity {
    /// Makes one from PEM: the chain, the listener's own certificate first, its key, and the
    /// certificates of the authorities to trust; `None` trusts whom the system trusts.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        authorities: Option<&[u8]>,
    ) -> Result<Self, IdentityError> {
        let fingerprint = fingerprint(&[chain, key, authorities.unwrap_or_default()]);
        let chain = certificates(chain).ok_or(IdentityError::NoCertificate)?;
        let certificate = chain.first().cloned().ok_or(IdentityError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::NoKey)?;
        let unusable = |error: rustls::Error| IdentityError::Unusable(error.to_string());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&ring))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unusable)?;
        let client = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let client =
            trusting(client, authorities)?.with_client_auth_cert(chain, key).map_err(unusable)?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client), certificate, fingerprint })
    }

    /// Returns what a server shows and speaks by it: TLS 1.2 and 1.3, and nothing older.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Returns the listener's own certificate (DER).
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

fn trusting(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    authorities: Option<&[u8]>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, IdentityError> {
    let Some(pem) = authorities else {
        let trusting = builder.with_platform_verifier();
        return trusting.map_err(|error| IdentityError::NoSystem(error.to_string()));
    };
    let certificates = certificates(pem).ok_or(IdentityError::NoAuthority)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(IdentityError::NoAuthority);
    }
    Ok(builder.with_root_certificates(roots))
}

/// `None`: something in it is no PEM.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
}

fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

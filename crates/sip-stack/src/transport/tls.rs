//! TLS on connections: who we are on each listener, and whom we mean at an address.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError, RwLock},
};

use rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::Identity;

/// Peers whose names are kept; only those that are configured are told.
const NAMES: usize = 4_096;

/// What connections need to know.
#[derive(Debug, Default)]
pub(super) struct Tls {
    /// By the address a listener is bound to.
    identities: RwLock<HashMap<SocketAddr, Identity>>,
    /// Of those who listen at these addresses.
    names: Mutex<HashMap<SocketAddr, ServerName<'static>>>,
}

impl Tls {
    /// From now on the listener at `local` is this; connections that are open stay as they are.
    pub(super) fn be(&self, local: SocketAddr, identity: Identity) {
        self.identities.write().unwrap_or_else(PoisonError::into_inner).insert(local, identity);
    }

    fn identity(&self, local: SocketAddr) -> io::Result<Identity> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        identities.get(&local).cloned().ok_or_else(|| io::Error::other("no certificate of ours"))
    }

    /// Who listens at `remote` must prove to be `host`, a name or an address; returns it. `None`: it
    /// is neither, and nothing changes.
    pub(super) fn expect(&self, remote: SocketAddr, host: &str) -> Option<ServerName<'static>> {
        let bare = host.trim_matches(['[', ']']).trim_end_matches('.');
        let name = ServerName::try_from(bare.to_owned()).ok()?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES && !names.contains_key(&remote) {
            names.clear();
        }
        names.insert(remote, name.clone());
        Some(name)
    }

    /// Returns who must listen at `remote`: who is expected there, else its address.
    pub(super) fn name(&self, remote: SocketAddr) -> ServerName<'static> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&remote).cloned().unwrap_or_else(|| ServerName::from(remote.ip()))
    }

    /// The handshake with who connected to us.
    pub(super) async fn accept(
        &self,
        local: SocketAddr,
        stream: TcpStream,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        TlsAcceptor::from(self.identity(local)?.server).accept(stream).await
    }

    /// The handshake, from the listener at `local`, with whom we connected to, who must be `name`
    /// (RFC 5922 §7.2).
    pub(super) async fn connect(
        &self,
        local: SocketAddr,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        TlsConnector::from(self.identity(local)?.client).connect(name, stream).await
    }
}

/// Whether a certificate is one of `name`.
pub(super) fn is_of(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(certificate)
        .and_then(|certificate| verify_server_name(&certificate, name))
        .is_ok()
}

/// The certificate that the peer of a connection of ours has shown.
pub(super) fn shown(stream: &client::TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
}

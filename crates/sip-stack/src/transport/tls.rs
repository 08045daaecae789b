//! TLS on connections: who we are on each listener, and whom we mean at an address.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
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
use crate::endpoint::Path;

/// Peers whose names are kept; only those that are configured are told.
const NAMES: usize = 4_096;

/// What connections need to know.
#[derive(Debug, Default)]
pub(super) struct Tls {
    /// By the address a listener is bound to.
    identities: RwLock<HashMap<SocketAddr, Identity>>,
    names: Mutex<HashMap<IpAddr, ServerName<'static>>>,
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

    /// Who at `ip` is connected to must prove to be `host`, a name or an address.
    pub(super) fn expect(&self, ip: IpAddr, host: &str) {
        let bare = host.trim_matches(['[', ']']).trim_end_matches('.');
        let Ok(name) = ServerName::try_from(bare.to_owned()) else { return };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES && !names.contains_key(&ip) {
            names.clear();
        }
        names.insert(ip, name);
    }

    fn name(&self, ip: IpAddr) -> ServerName<'static> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&ip).cloned().unwrap_or_else(|| ServerName::from(ip))
    }

    /// Whether a peer that has shown this certificate is who is meant at its address now: a
    /// connection is used again by its name only (RFC 5923 §9.2).
    pub(super) fn is_meant(&self, ip: IpAddr, certificate: &CertificateDer<'_>) -> bool {
        ParsedCertificate::try_from(certificate)
            .and_then(|certificate| verify_server_name(&certificate, &self.name(ip)))
            .is_ok()
    }

    /// The handshake with who connected to us.
    pub(super) async fn accept(
        &self,
        local: SocketAddr,
        stream: TcpStream,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        TlsAcceptor::from(self.identity(local)?.server).accept(stream).await
    }

    /// The handshake with whom we connected to, who must be the one that is meant there (RFC 5922
    /// §7.2).
    pub(super) async fn connect(
        &self,
        path: Path,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let (identity, name) = (self.identity(path.local)?, self.name(path.remote.ip()));
        TlsConnector::from(identity.client).connect(name, stream).await
    }
}

/// The certificate that the peer of a connection of ours has shown.
pub(super) fn shown(stream: &client::TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
}

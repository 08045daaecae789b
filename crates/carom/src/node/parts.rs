//! From the configuration to the parts of a node: keys, store, sockets.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
};

use anyhow::{Context as _, bail};
use deflect_actions::{
    keys::{BusinessKeys, Keys, NumberKey, Seal, StoreKeys, secret_file},
    link::{Signer, SigningKey},
    store::NodeInfo,
};
use sip_stack::{
    endpoint::{EndpointConfig, HostPort, LoopGuard, Transport},
    transport::Listen,
};

use super::clock::wall_ms;
use crate::config::{self, Config, Listener, SecretRef};

/// What every SQLite database begins with (its file format, §1.3).
const SQLITE_HEAD: &[u8; 16] = b"SQLite format 3\0";
/// How often one call may come by before it is taken for a loop.
const PASSES: usize = 3;

/// The keys of the callers' hashes, the opt-out list and the encrypted columns.
///
/// # Errors
/// A key that can be neither read nor made.
pub fn keys(config: &Config) -> anyhow::Result<Keys> {
    let seal = store_keys(&config.store.aead_key).context("[store] aead_key")?;
    let days = config.privacy.epoch_days;
    let mut businesses = BTreeMap::new();
    for business in &config.businesses {
        let at = |key: &str| format!("[business.{}] {key}", business.key);
        let number_key = match &business.number_key {
            SecretRef::File(path) => NumberKey::from_file(path, days, wall_ms()),
            SecretRef::Env(_) => secret(&business.number_key).map(|s| NumberKey::from_secret(&s)),
        };
        let number_key = number_key.with_context(|| at("number_key"))?;
        let opt_out_key = secret(&business.opt_out_key).with_context(|| at("opt_out_key"))?;
        let brand = business.brand.clone();
        businesses.insert(business.key.clone(), BusinessKeys { brand, number_key, opt_out_key });
    }
    Ok(Keys::new(Seal::of(&seal), days, businesses))
}

/// The keys of `[store] aead_key`.
pub(super) fn store_keys(reference: &SecretRef) -> io::Result<StoreKeys> {
    StoreKeys::parse(&secret(reference)?)
}

/// What statements of links are signed with.
///
/// # Errors
/// A key of `[http] link_keys` is none.
pub(super) fn signer(config: &Config, keys: &Keys) -> anyhow::Result<Signer> {
    let given = config.http.link_keys.iter();
    let given = given.map(|key| SigningKey::from_pem(key.reveal().as_bytes()));
    let given: Result<Vec<_>, _> = given.collect();
    Ok(Signer::new(given.context("[http] link_keys")?, keys.seal().signing_key()))
}

fn secret(reference: &SecretRef) -> io::Result<Vec<u8>> {
    match reference {
        SecretRef::File(path) => secret_file(path),
        SecretRef::Env(_) => {
            let secret = reference.resolve().map_err(io::Error::other)?;
            Ok(secret.reveal().as_bytes().to_vec())
        }
    }
}

/// Who this node is: its name stays over restarts, kept beside the store's key, or beside the
/// control socket where that key is in no file.
///
/// # Errors
/// The name can be neither read nor made.
pub fn node_info(config: &Config) -> anyhow::Result<NodeInfo> {
    let path = match &config.store.aead_key {
        SecretRef::File(key) => key.with_file_name("node-id"),
        SecretRef::Env(_) => config.control.socket.with_file_name("node-id"),
    };
    let id = secret_file(&path).with_context(|| format!("{}", path.display()))?;
    let id = String::from_utf8_lossy(&id);
    Ok(NodeInfo {
        node_id: id.chars().take(12).collect(),
        node_boot: uuid::Uuid::now_v7().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease: config.store.lease,
    })
}

/// The listeners as the transports want them.
#[must_use]
pub fn listeners(config: &Config) -> Vec<Listen> {
    let listen = |listener: &Listener| Listen {
        transport: transport(listener.transport),
        at: listener.bind,
        identity: listener.identity.clone(),
    };
    config.listeners.iter().map(listen).collect()
}

fn transport(transport: config::Transport) -> Transport {
    match transport {
        config::Transport::Udp => Transport::Udp,
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::Tls => Transport::Tls,
    }
}

/// The endpoint's configuration; `bound` are the listeners as they were bound, in order.
#[must_use]
pub fn endpoint(config: &Config, bound: &[(Transport, SocketAddr)], seed: u64) -> EndpointConfig {
    let name = concat!("Carom/", env!("CARGO_PKG_VERSION"));
    let mut endpoint = EndpointConfig::new(name, seed);
    for (listener, (transport, at)) in config.listeners.iter().zip(bound) {
        let shown = if listener.advertise == listener.bind.to_string() {
            HostPort::from(*at)
        } else {
            host_port(&listener.advertise, at.port())
        };
        endpoint = endpoint.advertise(*transport, *at, shown);
    }
    endpoint.loop_guard = Some(loop_guard(bound));
    endpoint.drain_retry_after_s = 30;
    endpoint
}

/// The mark of calls that we passed on: the same after a restart.
#[must_use]
pub fn loop_guard(bound: &[(Transport, SocketAddr)]) -> LoopGuard {
    let first = bound.first().map_or_else(String::new, |(_, at)| at.to_string());
    LoopGuard { mark: format!("carom-{first}"), passes: PASSES }
}

fn host_port(text: &str, port: u16) -> HostPort {
    match text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => HostPort { host: host.to_owned(), port },
        None => HostPort { host: text.to_owned(), port },
    }
}

/// Refuses what would only fail later, in words: an RTP address that is not of this machine.
///
/// # Errors
/// The address cannot be bound.
pub fn check_media_address(config: &Config) -> anyhow::Result<()> {
    let at = config.media_bind();
    if let Err(error) = std::net::UdpSocket::bind((at, 0)) {
        bail!("[media] bind: no socket at {at}: {error}");
    }
    Ok(())
}

/// Makes the folder that the SQLite file will be in.
///
/// # Errors
/// It cannot be made, or the file is there and is no database.
pub fn make_store_folder(url: &str) -> io::Result<()> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(()) };
    let path = path.trim_start_matches("//");
    let mut head = [0; SQLITE_HEAD.len()];
    let begins = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if begins.is_ok() && head != *SQLITE_HEAD {
        return Err(io::Error::other(format!("{path} is no SQLite database")));
    }
    match Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    }
}

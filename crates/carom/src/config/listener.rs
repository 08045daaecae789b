//! `[[listener]]`: where SIP is heard.

use std::net::SocketAddr;

use deflect_actions::destination::certificate_ends_ms;
use ivr_runtime::{
    diagnose::Code,
    flow::way::{Socket, Way},
};
use jiff::{Timestamp, tz::TimeZone};
use sip_stack::transport::{Identity, IdentityError};

use super::read::Table;
use crate::node::clock::wall_ms;

/// A certificate of ours that ends so soon is told of, ms.
const CERTIFICATE_MS: i64 = 21 * DAY_MS;
/// A day, ms.
pub const DAY_MS: i64 = 86_400_000;

/// A SIP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// UDP, TCP or TLS.
    pub transport: Transport,
    /// Where it is bound.
    pub bind: SocketAddr,
    /// Host and port that Via and Contact show; `bind` unless told otherwise.
    pub advertise: String,
    /// Certificate and key of a TLS listener, and whom it trusts.
    pub identity: Option<Identity>,
}

/// Transports that can be listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

/// A certificate of ours, where it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The address of the listener.
    pub at: SocketAddr,
    pub(super) identity: &'a Identity,
}

impl Shown<'_> {
    /// When it ends, ms UTC.
    #[must_use]
    pub fn ends_ms(&self) -> Option<i64> {
        certificate_ends_ms(self.identity.certificate())
    }

    /// What is to be told of it at `now_ms`; `None`: it does for a while.
    #[must_use]
    pub fn ends_soon(&self, now_ms: i64) -> Option<String> {
        let until_ms = self.ends_ms()?;
        (until_ms - now_ms < CERTIFICATE_MS).then(|| told_of(&self.at, until_ms, now_ms))
    }
}

impl Listener {
    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<Shown<'_>> {
        Some(Shown { at: self.bind, identity: self.identity.as_ref()? })
    }

    /// It as the check of targets sees it.
    #[must_use]
    pub fn socket(&self) -> Socket {
        let way = match self.transport {
            Transport::Udp => Way::Udp,
            Transport::Tcp => Way::Tcp,
            Transport::Tls => Way::Tls,
        };
        Socket { way, is_ipv4: self.bind.is_ipv4() }
    }

    /// Whether `other` is the same socket, whatever certificate it shows.
    #[must_use]
    pub fn is_socket(&self, other: &Self) -> bool {
        let socket = |one: &Self| (one.transport, one.bind, one.advertise.clone());
        socket(self) == socket(other)
    }
}

const DEFAULT_BIND: &str = "127.0.0.1:5060";
const DEFAULT_TLS_BIND: &str = "127.0.0.1:5061";

pub(super) fn read(table: &Table<'_>) -> Option<Listener> {
    let kinds = [("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
    let transport = table.required("transport", |t| t.choice("transport", &kinds, &[]));
    let identity = identity(table, transport);
    let usual = if transport == Some(Transport::Tls) { DEFAULT_TLS_BIND } else { DEFAULT_BIND };
    let bind: SocketAddr = table.parsed("bind").or_else(|| usual.parse().ok())?;
    let advertise = table.text("advertise").map(|host| with_port(&host.value, bind.port()));
    if bind.ip().is_unspecified() && advertise.is_none() {
        let message = format!(
            "`{bind}` is every address of the machine, so peers can't be told where to answer"
        );
        let help = "add `advertise = \"…\"` with the address that peers reach";
        table.note(Code::E00, "bind", message, help);
    }
    let advertise = advertise.unwrap_or_else(|| bind.to_string());
    let listener = Listener { transport: transport?, bind, advertise, identity };
    note_end(table, listener.certificate());
    Some(listener)
}

/// Certificate and key of the HTTP side, which connects to nobody by them.
pub(super) fn of_http(table: &Table<'_>, at: SocketAddr) -> Option<Identity> {
    let (cert, key) = (table.pem("cert"), table.secret_value("key"));
    if !table.has("cert") && !table.has("key") {
        return None;
    }
    for name in ["cert", "key"] {
        table.require(name, Code::E00);
    }
    let (cert, key) = (cert?, key?);
    let identity = from_pem(table, &cert, key.reveal().as_bytes(), Some(&cert))?;
    note_end(table, Some(Shown { at, identity: &identity }));
    Some(identity)
}

fn note_end(table: &Table<'_>, shown: Option<Shown<'_>>) {
    if let Some(message) = shown.and_then(|shown| shown.ends_soon(wall_ms())) {
        table.note(Code::W13, "cert", message, "`carom reload` shows a renewed one");
    }
}

fn told_of(bind: &SocketAddr, until_ms: i64, now_ms: i64) -> String {
    let until = Timestamp::from_millisecond(until_ms).unwrap_or(Timestamp::MAX);
    let day = until.to_zoned(TimeZone::UTC).strftime("%F").to_string();
    match (until_ms - now_ms) / DAY_MS {
        _ if until_ms <= now_ms => format!("the certificate of `{bind}` ended on {day}"),
        0 => format!("the certificate of `{bind}` ends on {day}, within a day"),
        1 => format!("the certificate of `{bind}` ends on {day}, in 1 day"),
        days => format!("the certificate of `{bind}` ends on {day}, in {days} days"),
    }
}

/// Certificate, key and authorities; looked at on every listener, so that what is wrong is told.
fn identity(table: &Table<'_>, transport: Option<Transport>) -> Option<Identity> {
    let is_tls = transport == Some(Transport::Tls);
    let (cert, key, ca) = (table.pem("cert"), table.secret_value("key"), table.pem("ca"));
    for name in ["cert", "key", "ca"] {
        if !is_tls && transport.is_some() && table.has(name) {
            let message = format!("`{name}` is for `transport = \"tls\"`");
            table.note(Code::E00, name, message, "leave it out here");
        }
    }
    if !is_tls {
        return None;
    }
    for name in ["cert", "key"] {
        table.require(name, Code::E00);
    }
    // A file that is named and cannot be read trusts nobody else instead.
    if table.has("ca") && ca.is_none() {
        return None;
    }
    from_pem(table, &cert?, key?.reveal().as_bytes(), ca.as_deref())
}

fn from_pem(
    table: &Table<'_>,
    cert: &[u8],
    key: &[u8],
    authorities: Option<&[u8]>,
) -> Option<Identity> {
    let told = |why: IdentityError| {
        let name = match why {
            IdentityError::NoCertificate | IdentityError::Unusable(_) => "cert",
            IdentityError::NoKey => "key",
            IdentityError::NoAuthority | IdentityError::NoSystem(_) => "ca",
        };
        table.note(Code::E00, name, format!("`{name}`: {why}"), "");
    };
    Identity::from_pem(cert, key, authorities).map_err(told).ok()
}

/// Adds the port where `host` has none; a bare IPv6 address gets its brackets.
fn with_port(host: &str, port: u16) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("[{host}]:{port}");
    }
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(h, p)| p.parse::<u16>().is_ok() && (h.ends_with(']') || !h.contains(':')));
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_a_certificate_ends_or_has_ended() {
        let bind = "192.0.2.1:5061".parse().unwrap();
        // 2026-12-05, noon.
        let until_ms = 1_796_472_000_000;
        for (left_ms, told) in [
            (20 * DAY_MS, "ends on 2026-12-05, in 20 days"),
            (2 * DAY_MS - 1, "ends on 2026-12-05, in 1 day"),
            (DAY_MS - 1, "ends on 2026-12-05, within a day"),
            (1, "ends on 2026-12-05, within a day"),
            (0, "ended on 2026-12-05"),
            (-50 * DAY_MS, "ended on 2026-12-05"),
        ] {
            let expected = format!("the certificate of `192.0.2.1:5061` {told}");
            assert_eq!(told_of(&bind, until_ms, until_ms - left_ms), expected);
        }
    }
}

//! `[[listener]]`: where SIP is heard.

use std::net::SocketAddr;

use ivr_runtime::diagnose::Code;

use super::read::Table;

/// A SIP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// UDP or TCP.
    pub transport: Transport,
    /// Where it is bound.
    pub bind: SocketAddr,
    /// Host and port that Via and Contact show; `bind` unless told otherwise.
    pub advertise: String,
}

/// Transports that can be listened on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

const DEFAULT_BIND: &str = "127.0.0.1:5060";

pub(super) fn read(table: &Table<'_>) -> Option<Listener> {
    let kinds = [("udp", Transport::Udp), ("tcp", Transport::Tcp)];
    let transport = table.required("transport", |t| t.choice("transport", &kinds, &["tls"]));
    table.not_yet("cert", "TLS");
    table.not_yet("key", "TLS");
    let bind: SocketAddr = table.parsed("bind").or_else(|| DEFAULT_BIND.parse().ok())?;
    let advertise = table.text("advertise").map(|host| with_port(&host.value, bind.port()));
    if bind.ip().is_unspecified() && advertise.is_none() {
        let message = format!(
            "`{bind}` is every address of the machine, so peers can't be told where to answer"
        );
        let help = "add `advertise = \"…\"` with the address that peers reach";
        table.note(Code::E00, "bind", message, help);
    }
    let advertise = advertise.unwrap_or_else(|| bind.to_string());
    Some(Listener { transport: transport?, bind, advertise })
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

//! Over which transport an address is asked, and whether a socket of ours can.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::lint::addresses;

/// The `transport` of a target that does not say.
pub const AUTO: &str = "auto";

/// How requests go to an address of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// UDP, whatever the size.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// TCP when large, back to UDP where that is refused (RFC 3261 §18.1.1).
    BySize,
}

/// A socket of ours that calls leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Its transport; never [`Way::BySize`].
    pub way: Way,
    /// It is bound to an IPv4 address, else to an IPv6 address.
    pub is_ipv4: bool,
}

impl Way {
    /// The way to `address` of a target whose `transport` is this: a `sips` address goes by TLS
    /// (RFC 3261 §26.2.2), else an explicit transport counts, else that of the address itself
    /// (§19.1.1).
    #[must_use]
    pub fn to(address: &str, transport: &str) -> Self {
        if addresses::is_sips(address) {
            return Self::Tls;
        }
        let own = addresses::transport(address).map(str::to_ascii_lowercase);
        match (transport, own.as_deref()) {
            ("udp", _) | (AUTO, Some("udp")) => Self::Udp,
            ("tcp", _) | (AUTO, Some("tcp")) => Self::Tcp,
            ("tls", _) | (AUTO, Some("tls")) => Self::Tls,
            _ => Self::BySize,
        }
    }

    /// The port of an address that names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp | Self::BySize => 5_060,
            Self::Tls => 5_061,
        }
    }

    fn is_served_by(self, socket: &Socket) -> bool {
        match self {
            Self::BySize => matches!(socket.way, Self::Udp | Self::Tcp),
            way => socket.way == way,
        }
    }

    /// In words, and the `transport` of a listener for it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Udp => ("UDP", "udp"),
            Self::Tcp => ("TCP", "tcp"),
            Self::Tls => ("TLS", "tls"),
            Self::BySize => ("UDP or TCP", "udp"),
        }
    }
}

/// Why none of our sockets can ask `address` of a target with this `transport`, and how to mend
/// it. Without any socket nothing is known of them.
#[must_use]
pub fn unreached(address: &str, transport: &str, sockets: &[Socket]) -> Option<(String, String)> {
    let way = Way::to(address, transport);
    let (by, word) = way.words();
    let mut serving = sockets.iter().filter(|socket| way.is_served_by(socket)).peekable();
    if sockets.is_empty() {
        return None;
    }
    let listener = format!("add a `[[listener]]` with `transport = \"{word}\"`");
    if serving.peek().is_none() {
        return Some((format!("is to be reached by {by}, and no listener is"), listener));
    }
    let host = addresses::host(address)?;
    let is_ipv4 = host.parse::<Ipv4Addr>().is_ok();
    let family = match (is_ipv4, host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok()) {
        (true, _) => "IPv4",
        (false, true) => "IPv6",
        // A name may lead anywhere.
        (false, false) => return None,
    };
    if serving.any(|socket| socket.is_ipv4 == is_ipv4) {
        return None;
    }
    let what = format!("is at an {family} address, and no listener by {by} is");
    Some((what, format!("{listener} and such an address as `bind`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_transport_counts_before_that_of_its_address_and_sips_before_both() {
        for (address, transport, way) in [
            ("sip:a@192.0.2.1", "auto", Way::BySize),
            ("sip:a@192.0.2.1;transport=TCP", "auto", Way::Tcp),
            ("sip:a@192.0.2.1;transport=TLS", "auto", Way::Tls),
            ("sip:a@192.0.2.1;lr;transport=udp", "auto", Way::Udp),
            ("sip:a@192.0.2.1;transport=tcp", "udp", Way::Udp),
            ("sip:a@192.0.2.1", "tcp", Way::Tcp),
            ("sip:a@192.0.2.1", "tls", Way::Tls),
            ("sips:a@192.0.2.1", "auto", Way::Tls),
            ("SIPS:a@192.0.2.1;transport=tcp", "udp", Way::Tls),
            ("sip:a;transport=tls@192.0.2.1", "auto", Way::BySize),
            ("sip:192.0.2.1;transport=tcp?subject=a", "auto", Way::Tcp),
        ] {
            assert_eq!(Way::to(address, transport), way, "{address} {transport}");
        }
    }

    #[test]
    fn an_address_is_reached_by_a_socket_of_its_transport_and_family() {
        let (v4, v6) = (true, false);
        let socket = |(way, is_ipv4)| Socket { way, is_ipv4 };
        let of = |address: &str, sockets: &[(Way, bool)]| {
            let sockets: Vec<Socket> = sockets.iter().copied().map(socket).collect();
            unreached(address, AUTO, &sockets).map(|(what, _)| what)
        };
        assert_eq!(of("sips:a@pbx.example.net", &[]), None, "nothing is known");
        for (address, sockets, what) in [
            ("sip:a@pbx.example.net", &[(Way::Udp, v4)][..], ""),
            ("sip:a@192.0.2.1", &[(Way::Tcp, v4)], ""),
            ("sip:a@[2001:db8::1]:5080", &[(Way::Udp, v4), (Way::Udp, v6)], ""),
            ("sips:a@192.0.2.1", &[(Way::Udp, v4), (Way::Tls, v4)], ""),
            (
                "sip:a@192.0.2.1",
                &[(Way::Tls, v4)],
                "is to be reached by UDP or TCP, and no listener is",
            ),
            (
                "sip:a@b;transport=tcp",
                &[(Way::Udp, v4)],
                "is to be reached by TCP, and no listener is",
            ),
            (
                "sip:a@b;transport=udp",
                &[(Way::Tcp, v4)],
                "is to be reached by UDP, and no listener is",
            ),
            ("sips:a@b", &[(Way::Tcp, v4)], "is to be reached by TLS, and no listener is"),
            (
                "sip:a@[2001:db8::1]",
                &[(Way::Udp, v4), (Way::Tls, v6)],
                "is at an IPv6 address, and no listener by UDP or TCP is",
            ),
            (
                "sips:192.0.2.1:5071",
                &[(Way::Udp, v4), (Way::Tls, v6)],
                "is at an IPv4 address, and no listener by TLS is",
            ),
        ] {
            assert_eq!(of(address, sockets).unwrap_or_default(), what, "{address} {sockets:?}");
        }
    }
}

//! Over which transport a target is asked.

use sip_stack::{Uri, endpoint::Transport};

/// The `transport` of a target that does not say.
pub(super) const AUTO: &str = "auto";

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

impl Way {
    /// The way to `address` of a target whose `transport` is this: a `sips` address goes by TLS
    /// (RFC 3261 §26.2.2), else an explicit transport counts, else that of the address itself
    /// (§19.1.1).
    #[must_use]
    pub fn to(address: &str, transport: &str) -> Self {
        let uri = Uri::parse(address).ok();
        if uri.is_some_and(|uri| uri.is_sips()) {
            return Self::Tls;
        }
        let own = uri.and_then(|uri| uri.params.get("transport").map(str::to_ascii_lowercase));
        match (transport, own.as_deref()) {
            ("udp", _) | ("auto", Some("udp")) => Self::Udp,
            ("tcp", _) | ("auto", Some("tcp")) => Self::Tcp,
            ("tls", _) | ("auto", Some("tls")) => Self::Tls,
            _ => Self::BySize,
        }
    }

    /// The port of an address that names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp | Self::BySize => Transport::Udp.default_port(),
            Self::Tls => Transport::Tls.default_port(),
        }
    }
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
            ("sips:a@192.0.2.1;transport=tcp", "udp", Way::Tls),
        ] {
            assert_eq!(Way::to(address, transport), way, "{address} {transport}");
        }
    }
}

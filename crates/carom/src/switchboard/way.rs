//! Over which transport a target is asked.

use sip_stack::Uri;

/// How requests go to an address of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// UDP, whatever the size.
    Udp,
    /// TCP.
    Tcp,
    /// TCP when large, back to UDP where that is refused (RFC 3261 §18.1.1).
    BySize,
}

impl Way {
    /// The way to `address` of a target whose `transport` is this: an explicit one counts, else
    /// that of the address itself (RFC 3261 §19.1.1).
    pub fn to(address: &str, transport: &str) -> Self {
        let uri = Uri::parse(address).ok();
        let own = uri.and_then(|uri| uri.params.get("transport").map(str::to_ascii_lowercase));
        match (transport, own.as_deref()) {
            ("udp", _) | ("auto", Some("udp")) => Self::Udp,
            ("tcp", _) | ("auto", Some("tcp")) => Self::Tcp,
            _ => Self::BySize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_transport_counts_before_that_of_its_address() {
        for (address, transport, way) in [
            ("sip:a@192.0.2.1", "auto", Way::BySize),
            ("sip:a@192.0.2.1;transport=TCP", "auto", Way::Tcp),
            ("sip:a@192.0.2.1;lr;transport=udp", "auto", Way::Udp),
            ("sip:a@192.0.2.1;transport=tcp", "udp", Way::Udp),
            ("sip:a@192.0.2.1", "tcp", Way::Tcp),
        ] {
            assert_eq!(Way::to(address, transport), way, "{address} {transport}");
        }
    }
}

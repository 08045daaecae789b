//! Ranges of addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses in CIDR notation; one address alone is its own range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Net {
    addr: IpAddr,
    prefix: u8,
}

impl Net {
    /// The first address of the range.
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// Bits that every address of the range shares with [`Net::addr`].
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `addr` is in the range; an IPv4 address mapped into IPv6 counts as itself.
    pub fn contains(self, addr: IpAddr) -> bool {
        let keep = |bits: u128, width: u8| match width - self.prefix {
            128 => 0,
            host => bits >> host << host,
        };
        match (self.addr, addr.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(addr)) => {
                keep(u32::from(addr).into(), 32) == u128::from(u32::from(net))
            }
            (IpAddr::V6(net), IpAddr::V6(addr)) => keep(addr.into(), 128) == u128::from(net),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// No address before the slash.
    #[error("`{0}` is no IP address or range such as `198.51.100.16/28`")]
    Address(String),
    /// The prefix is longer than the address.
    #[error("`/{0}` is no prefix length of this address")]
    Prefix(String),
    /// Bits are set beyond the prefix, which is more often a slip than meant.
    #[error("`{written}` has bits beyond its prefix; the range that begins here is `{meant}`")]
    HostBits {
        /// As written.
        written: String,
        /// The range it lies in.
        meant: Net,
    },
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let (addr, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let addr: IpAddr = addr.parse().map_err(|_| NetError::Address(text.to_owned()))?;
        let width = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|p| *p <= width)
                .ok_or_else(|| NetError::Prefix(digits.to_owned()))?,
        };
        let clear = |bits: u128| match width - prefix {
            128 => 0,
            host => bits >> host << host,
        };
        let first = match addr {
            IpAddr::V4(v4) => IpAddr::V4((clear(u32::from(v4).into()) as u32).into()),
            IpAddr::V6(v6) => IpAddr::V6(clear(v6.into()).into()),
        };
        let net = Net { addr: first, prefix };
        if first == addr {
            Ok(net)
        } else {
            Err(NetError::HostBits { written: text.to_owned(), meant: net })
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (net, inside, outside) in [
            ("198.51.100.16/28", "198.51.100.31", "198.51.100.32"),
            ("127.0.0.0/8", "127.255.0.1", "128.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("192.0.2.0/24", "::ffff:192.0.2.3", "::ffff:192.0.3.3"),
        ] {
            let net: Net = net.parse().unwrap();
            assert!(net.contains(inside.parse().unwrap()), "{net} {inside}");
            assert!(!net.contains(outside.parse().unwrap()), "{net} {outside}");
        }
    }

    #[test]
    fn what_is_no_range_is_told_why() {
        for (text, why) in [
            (
                "carrier.example",
                "`carrier.example` is no IP address or range such as `198.51.100.16/28`",
            ),
            ("192.0.2.0/33", "`/33` is no prefix length of this address"),
            (
                "192.0.2.9/24",
                "`192.0.2.9/24` has bits beyond its prefix; the range that begins here is `192.0.2.0/24`",
            ),
        ] {
            assert_eq!(text.parse::<Net>().unwrap_err().to_string(), why);
        }
    }
}

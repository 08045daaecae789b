use std::{fmt, net::IpAddr};

use super::{
    HeaderName, Headers, Malformed, Params,
    scan::{self, trim},
};
use crate::{
    endpoint::Transport,
    uri::{host_ip, host_port_parts},
};

/// One Via element (RFC 3261 §20.42, RFC 3581).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, … as written.
    pub transport: &'a str,
    /// The host of sent-by; an IPv6 address with its brackets.
    pub host: &'a str,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The branch; without it, or without the magic cookie, the sender is an RFC 2543 one.
    pub branch: Option<&'a str>,
    /// `Some(None)`: asked for; `Some(Some(port))`: filled in.
    pub rport: Option<Option<u16>>,
    /// Where the request came from, as its receiver saw it.
    pub received: Option<IpAddr>,
    /// All parameters as written; `rport`, `received` and `branch` among them are replaced by
    /// the fields above when this is written.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// The start of every branch made since RFC 3261 (§8.1.1.7).
    pub const COOKIE: &'static str = "z9hG4bK";

    /// Reads one element.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        const PROTOCOL: Malformed = Malformed("SIP/2.0/transport expected");
        let (name, rest) = text.split_once('/').ok_or(PROTOCOL)?;
        let (version, rest) = rest.split_once('/').ok_or(PROTOCOL)?;
        if !trim(name).eq_ignore_ascii_case("SIP") || trim(version) != "2.0" {
            return Err(PROTOCOL);
        }
        let (transport, rest) = scan::word(trim(rest));
        if !scan::is_token(transport) {
            return Err(PROTOCOL);
        }
        let (sent_by, params) = match rest.split_once(';') {
            Some((sent_by, params)) => (sent_by, Params::parse(params)?),
            None => (rest, Params::default()),
        };
        let (host, port) = host_port_parts(trim(sent_by))?;
        let blank =
            Self { transport, host, port, branch: None, rport: None, received: None, params };
        params.iter().try_fold(blank, Self::with_param)
    }

    /// Returns the top Via of a message.
    pub fn top(headers: &'a Headers) -> Result<Self, Malformed> {
        Self::parse(headers.values(HeaderName::Via).next().ok_or(Malformed("no Via"))?)
    }

    /// Whether the branch identifies the transaction as RFC 3261 has it.
    pub fn has_cookie(&self) -> bool {
        let magic = |b: &str| b.get(..7).is_some_and(|c| c.eq_ignore_ascii_case(Self::COOKIE));
        self.branch.is_some_and(|branch| branch.len() > Self::COOKIE.len() && magic(branch))
    }

    /// Returns the port to answer to when nothing better is known (RFC 3261 §18.2.2).
    pub fn port_or_default(&self) -> u16 {
        let transport = Transport::named(self.transport).unwrap_or(Transport::Udp);
        self.port.unwrap_or(transport.default_port())
    }
}

impl<'a> Via<'a> {
    /// Takes in a parameter; of a repeated one the first counts.
    fn with_param(mut self, (name, value): (&'a str, Option<&'a str>)) -> Result<Self, Malformed> {
        if name.eq_ignore_ascii_case("branch") {
            self.branch = self.branch.or(value);
        } else if name.eq_ignore_ascii_case("rport") && self.rport.is_none() {
            self.rport = Some(value.map(scan::number).transpose()?);
        } else if name.eq_ignore_ascii_case("received") && self.received.is_none() {
            // One that is no address is of no use; the rest still is.
            self.received = value.and_then(host_ip);
        }
        Ok(self)
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        let ours = ["rport", "received", "branch"];
        for (name, value) in self.params.iter() {
            if ours.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                continue;
            }
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        match self.rport {
            Some(Some(port)) => write!(f, ";rport={port}")?,
            Some(None) => f.write_str(";rport")?,
            None => {}
        }
        if let Some(received) = self.received {
            write!(f, ";received={received}")?;
        }
        if let Some(branch) = self.branch {
            write!(f, ";branch={branch}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_may_stand_anywhere() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     [2001:db8::9]:5061   ;  branch  = z9hG4bKx").unwrap();
        assert_eq!((via.transport, via.host, via.port), ("TCP", "[2001:db8::9]", Some(5061)));
        assert_eq!(via.branch, Some("z9hG4bKx"));
        assert!(via.has_cookie());
    }

    #[test]
    fn rport_and_received_are_filled_in_and_the_rest_kept() {
        let mut via = Via::parse("SIP/2.0/UDP h;rport;x=1;branch=z9hG4bK1;alias").unwrap();
        assert_eq!(via.rport, Some(None));
        via.rport = Some(Some(5070));
        via.received = Some([192, 0, 2, 1].into());
        assert_eq!(
            via.to_string(),
            "SIP/2.0/UDP h;x=1;alias;rport=5070;received=192.0.2.1;branch=z9hG4bK1"
        );
    }

    #[test]
    fn stray_separators_are_refused() {
        for text in
            ["SIP/2.0/UDP h;;", "SIP/2.0/UDP ;a", "SIP/2.0/UDP", "SIP/2.0 h", "SIP/3.0/UDP h", ""]
        {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }
}

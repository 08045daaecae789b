use std::net::IpAddr;

use super::Direction;

/// One media description, with what it inherits from the session.
#[derive(Debug, Clone, Copy)]
pub struct Media<'a> {
    session: &'a sdp_types::Session,
    line: &'a sdp_types::Media,
}

/// Where media is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// To this address; the unspecified one means hold in the manner of RFC 2543.
    Address(IpAddr),
    /// To a host by name, or it is not said.
    Unknown,
}

/// What a payload type stands for (RFC 8866 §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// The encoding name, as written.
    pub name: &'a str,
    /// The clock rate.
    pub clock_hz: u32,
    /// The number of channels.
    pub channels: u8,
}

impl<'a> Media<'a> {
    pub(super) fn new(session: &'a sdp_types::Session, line: &'a sdp_types::Media) -> Self {
        Self { session, line }
    }

    /// Returns the kind: `audio`, `video`, `image`, …
    pub fn kind(self) -> &'a str {
        &self.line.media
    }

    /// Returns the port; 0 means refused or removed.
    pub fn port(self) -> u16 {
        self.line.port
    }

    /// Returns the transport protocol, such as `RTP/AVP`.
    pub fn proto(self) -> &'a str {
        &self.line.proto
    }

    /// Returns the format list as written.
    pub fn formats(self) -> &'a str {
        &self.line.fmt
    }

    /// Returns those formats that are RTP payload types, in the order of preference.
    pub fn payload_types(self) -> impl Iterator<Item = u8> + use<'a> {
        let numbers = self.line.fmt.split_ascii_whitespace().filter_map(|f| f.parse().ok());
        numbers.filter(|&payload_type: &u8| payload_type < 128)
    }

    /// Returns what a payload type stands for: its `rtpmap`, else the static assignment of the
    /// narrow-band codecs (RFC 3551 §6).
    pub fn rtpmap(self, payload_type: u8) -> Option<RtpMap<'a>> {
        let written = self.values("rtpmap").find_map(|value| {
            let (number, encoding) = value.trim().split_once(' ')?;
            (number.parse() == Ok(payload_type)).then(|| RtpMap::parse(encoding.trim()))
        });
        let assigned = match payload_type {
            0 => "PCMU/8000",
            3 => "GSM/8000",
            4 => "G723/8000",
            8 => "PCMA/8000",
            9 => "G722/8000",
            13 => "CN/8000",
            15 => "G728/8000",
            18 => "G729/8000",
            _ => return written?,
        };
        written.unwrap_or_else(|| RtpMap::parse(assigned))
    }

    /// Returns which way media flows, seen from the description's sender.
    pub fn direction(self) -> Direction {
        let find = |attributes: &[sdp_types::Attribute]| {
            attributes.iter().find_map(|a| Direction::from_attribute(&a.attribute))
        };
        find(&self.line.attributes).or_else(|| find(&self.session.attributes)).unwrap_or_default()
    }

    /// Returns where media is to be sent.
    pub fn connection(self) -> Connection {
        let connection = self.line.connections.first().or(self.session.connection.as_ref());
        let address = connection.map(|connection| {
            let address = connection.connection_address.split('/').next().unwrap_or_default();
            address.parse().ok()
        });
        address.flatten().map_or(Connection::Unknown, Connection::Address)
    }

    /// Returns where RTCP is to be sent when that is said (RFC 3605): the port, and the address
    /// when it differs.
    pub fn rtcp(self) -> Option<(u16, Option<IpAddr>)> {
        let value = self.values("rtcp").next()?;
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok().filter(|&port| port != 0)?;
        Some((port, words.nth(2).and_then(|address| address.parse().ok())))
    }

    /// Returns the keys that are offered for SRTP (RFC 4568), as written.
    pub fn crypto(self) -> impl Iterator<Item = &'a str> {
        self.values("crypto")
    }

    /// Returns the most audio that a packet may carry, in milliseconds.
    pub fn maxptime_ms(self) -> Option<u16> {
        self.milliseconds("maxptime")
    }

    /// Returns how much audio the sender wants in a packet, in milliseconds.
    pub fn ptime_ms(self) -> Option<u16> {
        self.milliseconds("ptime")
    }

    fn milliseconds(self, attribute: &str) -> Option<u16> {
        // Some write `20.0`.
        let whole = self.values(attribute).next()?.trim().split('.').next()?;
        whole.parse().ok().filter(|&ms| ms > 0)
    }

    fn values(self, attribute: &str) -> impl Iterator<Item = &'a str> {
        let named = self.line.attributes.iter().filter(move |a| a.attribute == attribute);
        named.filter_map(|a| a.value.as_deref())
    }
}

impl<'a> RtpMap<'a> {
    /// Whether this is the encoding, without case, at the clock rate, in one channel.
    pub fn is(&self, name: &str, clock_hz: u32) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.clock_hz == clock_hz && self.channels == 1
    }

    fn parse(encoding: &'a str) -> Option<Self> {
        let mut parts = encoding.split('/');
        let (name, clock) = (parts.next()?, parts.next()?);
        let channels = parts.next().map_or(Some(1), |channels| channels.trim().parse().ok())?;
        Some(Self { name, clock_hz: clock.trim().parse().ok()?, channels })
    }
}

//! What a peer's description says about its audio.

use std::net::{IpAddr, SocketAddr};

use super::{Codec, Direction, LocalMedia, Rejected, crypto::Crypto};
use crate::sdp::{Connection, Media, Session};

/// The name of telephone-events in an `rtpmap` (RFC 4733 §7.1).
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";

/// One audio line of a peer that we can use.
pub(super) struct PeerAudio {
    /// Its place among the m-lines.
    pub(super) index: usize,
    /// Payload types that are codecs of ours, in the peer's order.
    pub(super) codecs: Vec<(u8, Codec)>,
    /// Payload types of telephone-events with their clock rates, in the peer's order.
    pub(super) events: Vec<(u8, u32)>,
    pub(super) rtp: Option<SocketAddr>,
    pub(super) rtcp: Option<SocketAddr>,
    /// Seen from the peer; an unspecified address takes no media.
    pub(super) direction: Direction,
    pub(super) maxptime_ms: Option<u16>,
    /// Keys that we can use, in the peer's order; none where we use none.
    pub(super) crypto: Vec<Crypto>,
}

impl PeerAudio {
    /// Picks the first audio line that fits; why the last one did not if none does.
    pub(super) fn find(session: &Session, local: &LocalMedia) -> Result<Self, Rejected> {
        let mut why = Rejected::NoAudio;
        for (index, media) in session.media().enumerate() {
            match Self::read(index, media, local) {
                Ok(audio) => return Ok(audio),
                Err(Rejected::NoAudio) => {}
                Err(other) => why = other,
            }
        }
        Err(why)
    }

    /// Reads the line if we can use it.
    pub(super) fn read(
        index: usize,
        media: Media<'_>,
        local: &LocalMedia,
    ) -> Result<Self, Rejected> {
        if !media.kind().eq_ignore_ascii_case("audio") || media.port() == 0 {
            return Err(Rejected::NoAudio);
        }
        let crypto = crypto(media, local)?;
        let codecs: Vec<_> =
            media.payload_types().filter_map(|pt| codec(media, pt, local)).collect();
        if codecs.is_empty() {
            return Err(Rejected::NoCommonCodec);
        }
        let events = if local.telephone_event { events(media) } else { Vec::new() };
        let (rtp, held) = match media.connection() {
            Connection::Unknown => (None, false),
            Connection::Address(addr) if addr.is_unspecified() => (None, true),
            Connection::Address(addr) if !reachable(addr, local) => return Err(Rejected::Address),
            Connection::Address(addr) => (Some(SocketAddr::new(addr, media.port())), false),
        };
        let rtcp = rtp.and_then(|rtp| match media.rtcp() {
            Some((_, Some(addr))) if !reachable(addr, local) => None,
            Some((port, addr)) => Some(SocketAddr::new(addr.unwrap_or(rtp.ip()), port)),
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        });
        let said = media.direction();
        let direction = if held { Direction::from_flags(said.sends(), false) } else { said };
        let maxptime_ms = media.maxptime_ms();
        Ok(Self { index, codecs, events, rtp, rtcp, direction, maxptime_ms, crypto })
    }

    /// Whether the peer takes no media from us.
    pub(super) fn holds(&self) -> bool {
        !self.direction.receives()
    }

    /// Returns how much audio to send in a packet: ours, unless the peer takes less.
    pub(super) fn ptime_ms(&self, local: &LocalMedia) -> u8 {
        let most = self.maxptime_ms.map_or(u8::MAX, |ms| u8::try_from(ms).unwrap_or(u8::MAX));
        if most >= local.ptime_ms { local.ptime_ms } else { (most / 10 * 10).max(10) }
    }
}

/// The keys of a line, whose transport is RTP with or without encryption; feedback (RFC 4585)
/// costs us nothing. There are peers that offer keys for `RTP/AVP`: encryption as we like.
fn crypto(media: Media<'_>, local: &LocalMedia) -> Result<Vec<Crypto>, Rejected> {
    let is = |proto: &str| media.proto().eq_ignore_ascii_case(proto);
    let secure = is("RTP/SAVP") || is("RTP/SAVPF");
    if !secure && !is("RTP/AVP") && !is("RTP/AVPF") {
        return Err(Rejected::Transport);
    }
    let Some(ours) = &local.crypto else {
        return if secure { Err(Rejected::Transport) } else { Ok(Vec::new()) };
    };
    let keys: Vec<_> = media.crypto().filter_map(Crypto::parse).collect();
    if keys.is_empty() && (secure || ours.required) {
        return Err(Rejected::Transport);
    }
    Ok(keys)
}

fn codec(media: Media<'_>, payload_type: u8, local: &LocalMedia) -> Option<(u8, Codec)> {
    let map = media.rtpmap(payload_type)?;
    let allowed = |codec: &&Codec| map.is(codec.name(), Codec::CLOCK_HZ);
    local.codecs.iter().find(allowed).map(|&codec| (payload_type, codec))
}

fn events(media: Media<'_>) -> Vec<(u8, u32)> {
    let event = |pt| {
        let map = media.rtpmap(pt)?;
        map.name.eq_ignore_ascii_case(TELEPHONE_EVENT).then_some((pt, map.clock_hz))
    };
    media.payload_types().filter_map(event).collect()
}

fn reachable(addr: IpAddr, local: &LocalMedia) -> bool {
    let one_host = !addr.is_multicast() && addr != IpAddr::from([255, 255, 255, 255]);
    one_host && addr.is_ipv4() == local.addr.is_ipv4()
}

use bytes::Bytes;

use super::{
    Codec, LocalMedia, Negotiated, NegotiatedCrypto, Rejected, TelephoneEvent,
    crypto::Crypto,
    peer::PeerAudio,
    write::{AudioLine, Line, Shape},
};
use crate::sdp::{Media, Session};

/// Answers an offer: the answer to send and what it settles.
///
/// One audio stream is taken, with the peer's first codec that is allowed and one telephone-event
/// of its clock rate; where only other clock rates are offered, the first of those, so that keys
/// are not lost. Every other m-line is refused in its place. `rtcp-mux`, ICE and bundling are not
/// taken up.
pub fn answer(offer: &[u8], local: &LocalMedia) -> Result<(Bytes, Negotiated), Rejected> {
    let (shape, negotiated) = settle(offer, local)?;
    Ok((shape.write(local, negotiated.direction), negotiated))
}

/// Returns a first offer: all our codecs, and telephone-events if allowed.
pub fn offer(local: &LocalMedia) -> Bytes {
    Shape::first_offer(local).write(local, local.direction)
}

/// Reads the answer to [`offer`] with the same `local`.
pub fn conclude(local: &LocalMedia, answer: &[u8]) -> Result<Negotiated, Rejected> {
    conclude_shape(&Shape::first_offer(local), local, answer)
}

/// Settles the m-lines of an answer, and the session.
pub(super) fn settle(offer: &[u8], local: &LocalMedia) -> Result<(Shape, Negotiated), Rejected> {
    let session = Session::parse(offer).map_err(|_| Rejected::Malformed)?;
    let peer = PeerAudio::find(&session, local)?;
    let &(payload_type, codec) = peer.codecs.first().ok_or(Rejected::NoCommonCodec)?;
    let event = peer.events.iter().find(|(_, clock)| *clock == Codec::CLOCK_HZ);
    let event = event.or(peer.events.first()).copied();
    let theirs = peer.crypto.first();
    let crypto = local.crypto.as_ref().zip(theirs).map(|(ours, theirs)| ours.answer(theirs));
    let line = |(index, media): (usize, Media<'_>)| {
        if index == peer.index {
            Line::Audio(AudioLine {
                proto: media.proto().to_owned(),
                codecs: vec![(payload_type, codec)],
                events: event.into_iter().collect(),
                crypto: crypto.clone().into_iter().collect(),
            })
        } else {
            Line::Refused {
                kind: media.kind().to_owned(),
                proto: media.proto().to_owned(),
                formats: media.formats().to_owned(),
            }
        }
    };
    let agreed = crypto.as_ref().zip(theirs).map(|(ours, theirs)| ours.settled(theirs));
    let lines = session.media().enumerate().map(line).collect();
    let negotiated = Negotiated {
        remote_rtp: peer.rtp,
        remote_rtcp: peer.rtcp,
        codec,
        send_pt: payload_type,
        recv_pt: payload_type,
        telephone_event: event
            .map(|(send_pt, _)| TelephoneEvent { send_pt, recv_pts: peer.events.clone() }),
        direction: peer.direction.reversed().and(local.direction),
        ptime_ms: peer.ptime_ms(local),
        theirs: peer.direction,
        hold: peer.holds(),
        crypto: agreed,
    };
    Ok((Shape { time: session.time(), lines }, negotiated))
}

/// Reads the answer to an offer with these m-lines.
pub(super) fn conclude_shape(
    shape: &Shape,
    local: &LocalMedia,
    answer: &[u8],
) -> Result<Negotiated, Rejected> {
    let session = Session::parse(answer).map_err(|_| Rejected::Malformed)?;
    let (index, ours) = shape.audio().ok_or(Rejected::Mismatch)?;
    let media = session.media().nth(index).ok_or(Rejected::Mismatch)?;
    let peer = PeerAudio::read(index, media, local)?;
    // The first codec of the answer that we offered, under the peer's number and under ours.
    let agreed = peer.codecs.iter().find_map(|&(send_pt, codec)| {
        let offered = ours.codecs.iter().find(|(_, offered)| *offered == codec);
        offered.map(|&(recv_pt, _)| (send_pt, recv_pt, codec))
    });
    let (send_pt, recv_pt, codec) = agreed.ok_or(Rejected::NoCommonCodec)?;
    Ok(Negotiated {
        remote_rtp: peer.rtp,
        remote_rtcp: peer.rtcp,
        codec,
        send_pt,
        recv_pt,
        telephone_event: agreed_events(ours, &peer),
        direction: peer.direction.reversed().and(local.direction),
        ptime_ms: peer.ptime_ms(local),
        theirs: peer.direction,
        hold: peer.holds(),
        crypto: agreed_crypto(ours, &peer)?,
    })
}

/// The keys of an answer: one of those that we offered, or none where none had to be.
fn agreed_crypto(ours: &AudioLine, peer: &PeerAudio) -> Result<Option<NegotiatedCrypto>, Rejected> {
    let agreed = peer.crypto.iter().find_map(|theirs| {
        let same = |ours: &&Crypto| (ours.tag, ours.suite) == (theirs.tag, theirs.suite);
        ours.crypto.iter().find(same).map(|ours| ours.settled(theirs))
    });
    match agreed {
        None if ours.is_secure() || (!ours.crypto.is_empty() && !peer.crypto.is_empty()) => {
            Err(Rejected::Mismatch)
        }
        agreed => Ok(agreed),
    }
}

/// Telephone-events that both named. The peer should send with our number, but some send with
/// the one they named.
fn agreed_events(ours: &AudioLine, peer: &PeerAudio) -> Option<TelephoneEvent> {
    let offered = |clock: u32| ours.events.iter().any(|(_, ours)| *ours == clock);
    let &(send_pt, clock) = peer.events.iter().find(|(_, clock)| offered(*clock))?;
    let mut recv_pts = ours.events.clone();
    if recv_pts.iter().all(|(pt, _)| *pt != send_pt) {
        recv_pts.push((send_pt, clock));
    }
    Some(TelephoneEvent { send_pt, recv_pts })
}

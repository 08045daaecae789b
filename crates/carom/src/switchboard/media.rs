//! A negotiated m-line becomes what the media worker is told; nothing is decided here.

use std::{net::IpAddr, time::Duration};

use rtp_media::{
    codec::Law,
    session::{EventFormats, StreamConfig},
    srtp::{MasterKey, Protection, Suite},
};
use sip_stack::offer_answer::{
    Codec, CryptoKey, CryptoSuite, KEY_BYTES, LocalCrypto, Negotiated, NegotiatedCrypto,
};

use crate::config::{self, InBandDtmf};

/// What of the configuration a stream needs besides what was negotiated.
#[derive(Debug, Clone)]
pub struct StreamRules {
    /// Networks media may come from; empty: any.
    pub media_nets: Vec<(IpAddr, u8)>,
    /// Media time-out.
    pub timeout: Duration,
    /// When tones are listened for in the audio.
    pub in_band: InBandDtmf,
    /// Whether media has to come at all by now.
    pub expects: bool,
}

/// Translates one negotiated stream.
#[must_use]
pub fn stream_config(negotiated: &Negotiated, rules: &StreamRules) -> StreamConfig {
    let events = negotiated.telephone_event.as_ref().map(|event| EventFormats {
        send_pt: Some(event.send_pt),
        recv_pts: event.recv_pts.clone(),
    });
    let inband = match rules.in_band {
        InBandDtmf::Off => false,
        InBandDtmf::IfNeeded => events.is_none(),
        InBandDtmf::Always => true,
    };
    StreamConfig {
        remote_rtp: negotiated.remote_rtp,
        remote_rtcp: negotiated.remote_rtcp,
        codec: coding(negotiated.codec),
        send_pt: negotiated.send_pt,
        recv_pt: negotiated.recv_pt,
        events,
        may_send: negotiated.direction.sends(),
        expect: rules.expects && negotiated.direction.receives(),
        media_nets: rules.media_nets.clone(),
        timeout: rules.timeout,
        inband,
        srtp: negotiated.crypto.as_ref().map(protection),
    }
}

fn protection(crypto: &NegotiatedCrypto) -> Protection {
    Protection {
        suite: match crypto.suite {
            CryptoSuite::AesCm128HmacSha1_80 => Suite::Sha1_80,
            CryptoSuite::AesCm128HmacSha1_32 => Suite::Sha1_32,
        },
        send: MasterKey(crypto.send.0),
        receive: MasterKey(crypto.receive.0),
    }
}

/// Keys of our own for a dialog; `offered`: its offers have them.
///
/// # Errors
/// The system has no random numbers, and SRTP may be left out.
pub fn local_crypto(
    srtp: config::Srtp,
    offered: bool,
) -> Result<Option<LocalCrypto>, getrandom::Error> {
    let required = match srtp {
        config::Srtp::Off => return Ok(None),
        config::Srtp::Optional => false,
        config::Srtp::Required => true,
    };
    let mut keys = [[0; KEY_BYTES]; 2];
    for key in &mut keys {
        getrandom::fill(key)?;
    }
    Ok(Some(LocalCrypto { required, offered, keys: keys.map(CryptoKey) }))
}

/// A negotiated codec as the media workers name it.
#[must_use]
pub fn coding(codec: Codec) -> rtp_media::Codec {
    match codec {
        Codec::Pcmu => Law::Pcmu.into(),
        Codec::Pcma => Law::Pcma.into(),
        Codec::G722 => rtp_media::Codec::G722,
    }
}

/// A configured codec as offer/answer names it; `None` for one that we can't play prompts in, and
/// so agree to with nobody.
#[must_use]
pub fn codec(codec: config::Codec) -> Option<Codec> {
    match codec {
        config::Codec::Pcmu => Some(Codec::Pcmu),
        config::Codec::Pcma => Some(Codec::Pcma),
        config::Codec::G722 => Some(Codec::G722),
        config::Codec::Opus => None,
    }
}

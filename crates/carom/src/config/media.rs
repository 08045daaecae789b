//! `[media]`: RTP ports, codecs and workers.

use std::{net::IpAddr, time::Duration};

use ivr_runtime::diagnose::Code;

use super::read::Table;

/// How media flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Address the RTP sockets are bound to; `None`: the address of the first listener.
    pub bind: Option<IpAddr>,
    /// Address that SDP shows; `None`: `bind`.
    pub advertise: Option<IpAddr>,
    /// UDP ports: even ones RTP, odd ones RTCP.
    pub ports: PortRange,
    /// Worker threads; 0: one per spare core.
    pub workers: u16,
    /// Codecs in order of preference; at least one.
    pub codecs: Vec<Codec>,
    /// Silence of RTP and RTCP, where media is expected, after which a call is ended.
    pub timeout: Duration,
    /// Whether RTP is protected.
    pub srtp: Srtp,
    /// When the in-band detector runs.
    pub in_band_dtmf: InBandDtmf,
}

/// Ports, both ends included: the first even, the last odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Audio codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Opus, which no leg is agreed in: we could not play a prompt to it.
    Opus,
}

/// `srtp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Srtp {
    /// Never.
    Off,
    /// Where the peer has keys for us; ours are offered over TLS.
    Optional,
    /// Always: who has no keys has no call.
    Required,
}

/// `in_band_dtmf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InBandDtmf {
    /// Never.
    Off,
    /// Where no telephone-event was agreed.
    IfNeeded,
    /// On every leg.
    Always,
}

impl PortRange {
    /// The first port, even.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port, odd.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Pairs of ports: how many legs can have media at once.
    pub fn pairs(self) -> u16 {
        (self.last - self.first).div_ceil(2)
    }
}

impl std::str::FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?))
        });
        match ends {
            Some((first, last))
                if first >= 1024 && first % 2 == 0 && last % 2 == 1 && first < last =>
            {
                Ok(Self { first, last })
            }
            Some(_) => Err(format!(
                "`{text}` is no range from an even port (1024 or more) up to an odd one"
            )),
            None => Err(format!("`{text}` is no range such as `20000-29999`")),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            bind: None,
            advertise: None,
            ports: PortRange { first: 20_000, last: 29_999 },
            workers: 0,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            timeout: Duration::from_secs(60),
            srtp: Srtp::Optional,
            in_band_dtmf: InBandDtmf::IfNeeded,
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Media {
    let default = Media::default();
    let in_band = [
        ("off", InBandDtmf::Off),
        ("if-needed", InBandDtmf::IfNeeded),
        ("always", InBandDtmf::Always),
    ];
    let srtp = [("off", Srtp::Off), ("optional", Srtp::Optional), ("required", Srtp::Required)];
    Media {
        bind: table.parsed("bind"),
        advertise: table.parsed("advertise"),
        ports: table.parsed("ports").unwrap_or(default.ports),
        workers: table.number("workers", 0..=256).map_or(default.workers, |n| n as u16),
        codecs: codecs(table).unwrap_or(default.codecs),
        timeout: table.duration("timeout_seconds", 1, 1..=86_400).unwrap_or(default.timeout),
        srtp: table.choice("srtp", &srtp, &[]).unwrap_or(default.srtp),
        in_band_dtmf: table.choice("in_band_dtmf", &in_band, &[]).unwrap_or(default.in_band_dtmf),
    }
}

/// The codecs, of which at least one is one that we can play.
fn codecs(table: &Table<'_>) -> Option<Vec<Codec>> {
    let words = [
        ("PCMA", Codec::Pcma),
        ("PCMU", Codec::Pcmu),
        ("G722", Codec::G722),
        ("opus", Codec::Opus),
    ];
    let codecs = table.choices("codecs", &words, &[])?;
    if codecs.iter().all(|codec| *codec == Codec::Opus) {
        let message = "prompts can't be played in opus, so that no call could be answered";
        table.note(Code::E00, "codecs", message, "add `PCMA`, `PCMU` or `G722`");
    }
    Some(codecs)
}

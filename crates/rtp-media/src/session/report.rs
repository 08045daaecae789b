//! When RTCP reports are due, and what is in them (RFC 3550 §6.2, §6.4).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rtcp::{
    NtpTime, ReportBlock, SenderInfo, Writer, write_bye, write_cname, write_receiver_report,
    write_sender_report,
};

use super::receiver::Receiver;
use super::sender::Sender;

/// Mean time between reports.
const INTERVAL: Duration = Duration::from_secs(5);

/// The reports of one leg.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reporter {
    /// UTC since 1970 at moment zero.
    wall: Duration,
    random: u64,
    due: Option<Duration>,
    packets_at_last: u64,
}

impl Reporter {
    /// A reporter; `seed` varies its intervals.
    pub fn new(wall: Duration, seed: u64) -> Self {
        Self { wall, random: seed | 1, due: None, packets_at_last: 0 }
    }

    /// Begins to report, the first time after half an interval.
    pub fn start(&mut self, now: Duration) {
        if self.due.is_none() {
            self.due = Some(now + self.interval() / 2);
        }
    }

    /// Whether a report is due.
    pub fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Writes the report that is due and sets the time of the next.
    pub fn report(
        &mut self,
        now: Duration,
        sender: &Sender,
        receiver: Option<&mut Receiver>,
        out: &mut [u8],
    ) -> usize {
        self.due = Some(now + self.interval());
        let mut writer = Writer::new(out);
        self.write_report(now, sender, receiver, &mut writer);
        writer.len()
    }

    /// Writes a last report that says goodbye.
    pub fn bye(
        &mut self,
        now: Duration,
        sender: &Sender,
        receiver: Option<&mut Receiver>,
        out: &mut [u8],
    ) -> usize {
        let mut writer = Writer::new(out);
        self.write_report(now, sender, receiver, &mut writer);
        write_bye(&mut writer, sender.ssrc());
        writer.len()
    }

    /// The round trip that a block about our stream tells (RFC 3550 figure 2).
    pub fn round_trip(&self, now: Duration, block: &ReportBlock) -> Option<Duration> {
        if block.last_sr == 0 {
            return None;
        }
        let middle = self.ntp(now).middle();
        let units = middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_sr);
        // A clock step of the far end gives nonsense of minutes.
        let micros = (u64::from(units) * 1_000_000) >> 16;
        (micros < 60_000_000).then(|| Duration::from_micros(micros))
    }

    fn write_report(
        &mut self,
        now: Duration,
        sender: &Sender,
        receiver: Option<&mut Receiver>,
        writer: &mut Writer,
    ) {
        let ssrc = sender.ssrc();
        let block = receiver.map(|receiver| receiver.report(now));
        let sent = sender.packets() != self.packets_at_last;
        self.packets_at_last = sender.packets();
        if sent {
            let info = SenderInfo {
                ntp: self.ntp(now),
                timestamp: sender.clock(now),
                packets: sender.packets() as u32,
                octets: sender.octets() as u32,
            };
            write_sender_report(writer, ssrc, &info, block.as_ref());
        } else {
            write_receiver_report(writer, ssrc, block.as_ref());
        }
        write_cname(writer, ssrc, CName::of(ssrc).as_str());
    }

    fn ntp(&self, now: Duration) -> NtpTime {
        NtpTime::from_unix(self.wall + now)
    }

    /// Half to one and a half intervals, shortened as RFC 3550 §6.3.1 asks, so that the two ends
    /// of many calls do not fall into step.
    fn interval(&mut self) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = (self.random % 1_000) as u32;
        INTERVAL * (500 + part) / 1_218
    }
}

/// A canonical name that lasts as long as the stream (RFC 7022 §4.2).
struct CName([u8; 14]);

impl CName {
    fn of(ssrc: u32) -> Self {
        let mut name = *b"carom-00000000";
        for (n, place) in name[6..].iter_mut().enumerate() {
            let digit = (ssrc >> (28 - 4 * n)) & 0xF;
            *place = b"0123456789abcdef"[digit as usize];
        }
        Self(name)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

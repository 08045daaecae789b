//! What a leg heard: how far off its grid each packet came, what was lost, how soon a key worked.

use rtp_media::{Law, rtp::Header};

/// A frame, in nanoseconds per sample of its timestamp.
const SAMPLE_NS: i64 = 125_000;

/// The packets of one stream.
#[derive(Debug, Default)]
pub struct Heard {
    /// Audio packets, from the start.
    pub packets: u64,
    last: Option<Last>,
    measured: Option<Measured>,
    /// When the key that waits for its effect was over.
    key: Option<u64>,
    /// Key to prompt, µs.
    pub reactions_us: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: u64,
    seq: u16,
    timestamp: u32,
}

/// Of the interval that is measured.
#[derive(Debug)]
struct Measured {
    first: Last,
    /// Sequence numbers since the first, repeats of the 16 bits counted.
    span: u64,
    packets: u64,
    /// Arrival against the grid through the first packet, µs.
    offsets_us: Vec<i32>,
    /// Time between neighbours against what their timestamps say, µs.
    steps_us: Vec<i32>,
}

/// Sums over streams.
#[derive(Debug, Default)]
pub struct Pacing {
    /// Packets measured.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Lateness against the grid of the stream's earliest packet, µs, sorted.
    pub late_us: Vec<u32>,
    /// How far the time between two neighbours was from what it should be, µs, sorted.
    pub step_us: Vec<u32>,
}

impl Heard {
    /// Takes a packet that came at `at`.
    pub fn packet(&mut self, at: u64, header: &Header, payload: &[u8], measuring: bool) {
        self.packets += 1;
        let now = Last { at, seq: header.seq, timestamp: header.timestamp };
        if measuring {
            match &mut self.measured {
                None => self.measured = Some(Measured::from(now)),
                Some(measured) => measured.add(self.last, now),
            }
        }
        self.last = Some(now);
        if let Some(ended) = self.key.filter(|&ended| at > ended && sounds(payload)) {
            self.reactions_us.push(((at - ended) / 1_000) as u32);
            self.key = None;
        }
    }

    /// The first end packet of a key goes out now: the next sound is its effect.
    pub fn key_ended(&mut self, at: u64) {
        self.key = Some(at);
    }

    /// Forgets what was measured.
    pub fn start_measuring(&mut self) {
        self.measured = None;
        self.reactions_us.clear();
    }

    /// Adds what was measured.
    pub fn add_to(&self, sum: &mut Pacing) {
        let Some(measured) = &self.measured else { return };
        sum.packets += measured.packets;
        sum.lost += (measured.span + 1).saturating_sub(measured.packets);
        let earliest = measured.offsets_us.iter().min().copied().unwrap_or(0);
        sum.late_us.extend(measured.offsets_us.iter().map(|&us| us.abs_diff(earliest)));
        sum.step_us.extend(measured.steps_us.iter().map(|us| us.unsigned_abs()));
    }
}

impl Measured {
    fn from(first: Last) -> Self {
        Self { first, span: 0, packets: 1, offsets_us: vec![0], steps_us: Vec::new() }
    }

    fn add(&mut self, before: Option<Last>, now: Last) {
        self.packets += 1;
        self.offsets_us.push(off_us(self.first, now));
        let Some(before) = before else { return };
        let ahead = now.seq.wrapping_sub(before.seq);
        if ahead < 0x8000 {
            self.span += u64::from(ahead);
        }
        if ahead == 1 {
            self.steps_us.push(off_us(before, now));
        }
    }
}

/// How much later `now` came after `then` than its timestamp says.
fn off_us(then: Last, now: Last) -> i32 {
    let samples = now.timestamp.wrapping_sub(then.timestamp) as i32;
    let took = now.at as i64 - then.at as i64;
    ((took - i64::from(samples) * SAMPLE_NS) / 1_000) as i32
}

fn sounds(payload: &[u8]) -> bool {
    let silence = Law::Pcma.encode(0);
    payload.iter().any(|&byte| byte & 0x7F != silence & 0x7F)
}

impl Pacing {
    /// Sorts what was added.
    pub fn sort(&mut self) {
        self.late_us.sort_unstable();
        self.step_us.sort_unstable();
    }

    /// Share of packets later than `us`, in percent.
    pub fn later_than(&self, us: u32) -> f64 {
        let late = self.late_us.len() - self.late_us.partition_point(|&late| late <= us);
        100.0 * late as f64 / self.late_us.len().max(1) as f64
    }
}

/// The value below which `share` of the sorted values lie.
pub fn quantile(sorted: &[u32], share: f64) -> u32 {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(arrivals_ms: &[(u16, u64)]) -> Pacing {
        let mut heard = Heard::default();
        for &(seq, ms) in arrivals_ms {
            let timestamp = u32::from(seq) * 160;
            let payload = 12..172;
            let header =
                Header { marker: false, payload_type: 8, seq, timestamp, ssrc: 1, payload };
            heard.packet(ms * 1_000_000, &header, &[0xD5; 160], true);
        }
        let mut sum = Pacing::default();
        heard.add_to(&mut sum);
        sum.sort();
        sum
    }

    #[test]
    fn a_packet_6_ms_late_is_late_and_its_neighbours_are_not() {
        let sum = stream(&[(0, 0), (1, 20), (2, 46), (3, 60)]);
        assert_eq!((sum.packets, sum.lost), (4, 0));
        assert_eq!(sum.late_us, [0, 0, 0, 6_000]);
        assert_eq!(sum.step_us, [0, 6_000, 6_000]);
        assert!((sum.later_than(5_000) - 25.0).abs() < 1e-9);
    }

    #[test]
    fn a_missing_number_is_a_lost_packet_even_across_the_wrap() {
        assert_eq!(stream(&[(7, 0), (8, 20), (10, 60)]).lost, 1);
        let mut heard = Heard::default();
        for (n, seq) in [65_534u16, 65_535, 1, 2].into_iter().enumerate() {
            let payload = 12..172;
            let header =
                Header { marker: false, payload_type: 8, seq, timestamp: 0, ssrc: 1, payload };
            heard.packet(n as u64, &header, &[0xD5; 160], true);
        }
        let mut sum = Pacing::default();
        heard.add_to(&mut sum);
        assert_eq!((sum.packets, sum.lost), (4, 1));
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|q| quantile(&sorted, q)), [50, 99, 100]);
        assert_eq!(quantile(&[], 0.5), 0);
    }
}

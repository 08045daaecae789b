//! What happens to a datagram on its way.

use std::time::Duration;

use sip_stack::random::Random;

/// How a network treats datagrams; streams only know the delay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The shortest time on the way.
    pub delay: Duration,
    /// What a datagram may take longer; more than the gap between two of them reorders them.
    pub jitter: Duration,
    /// The share that is lost.
    pub loss: f64,
    /// The share that arrives twice.
    pub duplication: f64,
    /// The share that arrives with a byte changed.
    pub corruption: f64,
}

impl Link {
    /// Loses nothing and keeps the order: 10 ms each way.
    pub fn clean() -> Self {
        let delay = Duration::from_millis(10);
        Self { delay, jitter: Duration::ZERO, loss: 0.0, duplication: 0.0, corruption: 0.0 }
    }

    /// Loses `loss`, repeats 5 %, and reorders what is sent within 80 ms.
    pub fn lossy(loss: f64) -> Self {
        Self { jitter: Duration::from_millis(80), loss, duplication: 0.05, ..Self::clean() }
    }

    /// Returns when the copies of a datagram arrive, counted from now: none, one or two.
    pub(crate) fn carry(&self, random: &mut Random) -> Vec<Duration> {
        let mut way = || {
            let most = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX - 1);
            self.delay + Duration::from_micros(random.number() % (most + 1))
        };
        let (first, second) = (way(), way());
        match () {
            () if chance(random, self.loss) => Vec::new(),
            () if chance(random, self.duplication) => vec![first, second],
            () => vec![first],
        }
    }
}

/// Characters that mean something to a reader of SIP.
const ODD: &[u8] = b"\r\n :;,<>\"@=0192azTI";

impl Link {
    /// Returns a datagram as it arrives.
    pub(crate) fn wear(&self, random: &mut Random, text: &str) -> String {
        if !chance(random, self.corruption) || text.is_empty() {
            return text.to_owned();
        }
        let mut bytes = text.as_bytes().to_vec();
        let mut below = |len: usize| (random.number() % len.max(1) as u64) as usize;
        let at = below(bytes.len());
        bytes[at] = ODD[below(ODD.len())];
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn chance(random: &mut Random, share: f64) -> bool {
    let part = random.number() % 1_000_000;
    (part as f64) < share * 1_000_000.0
}

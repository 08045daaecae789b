//! A system that failed several times in a row is left alone for a while: callers are spared the
//! wait, and it the load. Then one question is let through to see.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Failures in a row until it is left alone.
const FAILURES: u32 = 5;
/// For so long.
const REST: Duration = Duration::from_secs(10);
/// Systems remembered; a flow names a few.
const MOST: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Circuits(HashMap<String, Circuit>);

#[derive(Debug)]
struct Circuit {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Circuits {
    /// Whether to ask; who is let through after a rest is alone until it is known how it went.
    pub fn lets_through(&mut self, origin: &str, now: Instant) -> bool {
        let Some(circuit) = self.0.get_mut(origin) else { return true };
        match circuit.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                circuit.rests_until = Some(now + REST);
                true
            }
            None => true,
        }
    }

    /// How a question went.
    pub fn note(&mut self, origin: &str, works: bool, now: Instant) {
        if works {
            self.0.remove(origin);
            return;
        }
        if self.0.len() >= MOST && !self.0.contains_key(origin) {
            self.0.clear();
        }
        let circuit =
            self.0.entry(origin.to_owned()).or_insert(Circuit { failures: 0, rests_until: None });
        circuit.failures += 1;
        if circuit.failures >= FAILURES {
            circuit.rests_until = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_five_times_in_a_row_is_left_alone_and_then_tried_by_one() {
        let (mut circuits, start) = (Circuits::default(), Instant::now());
        for _ in 0..4 {
            circuits.note("a", false, start);
            assert!(circuits.lets_through("a", start));
        }
        circuits.note("a", true, start);
        for _ in 0..5 {
            assert!(circuits.lets_through("a", start), "a success begins the count anew");
            circuits.note("a", false, start);
        }
        assert!(!circuits.lets_through("a", start));
        assert!(circuits.lets_through("b", start), "another one");
        let later = start + REST;
        assert!(circuits.lets_through("a", later));
        assert!(!circuits.lets_through("a", later), "one only");
        circuits.note("a", true, later);
        assert!(circuits.lets_through("a", later));
    }
}

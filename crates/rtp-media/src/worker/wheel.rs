//! Which sessions are due when: 20 slots of a millisecond, over which sessions are spread.

use std::time::Duration;

/// Slots, each a millisecond of the 20 ms frame.
const SLOTS: u64 = 20;
/// Behind by more than this, frames are left out instead of sent in one burst.
const TOO_LATE_MS: u64 = 100;

/// Keys of sessions by the millisecond in which their frame is due.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    slots: [Vec<u32>; SLOTS as usize],
    /// The millisecond since the epoch that is turned next.
    next_ms: u64,
    /// Where the search for an empty slot begins; moves on, so that few sessions lie far apart.
    cursor: usize,
}

impl Wheel {
    /// A wheel that turns from now on.
    pub(super) fn new(now: Duration) -> Self {
        Self { next_ms: now.as_millis() as u64, ..Self::default() }
    }

    /// Adds a session to the slot with the fewest; returns the slot.
    pub(super) fn insert(&mut self, key: u32) -> usize {
        // Seven steps through twenty slots visit all of them.
        self.cursor = (self.cursor + 7) % self.slots.len();
        let order = (0..self.slots.len()).map(|n| (self.cursor + n) % self.slots.len());
        let slot = order.min_by_key(|&slot| self.slots[slot].len()).unwrap_or(0);
        self.slots[slot].push(key);
        slot
    }

    /// Takes a session out of its slot.
    pub(super) fn remove(&mut self, slot: usize, key: u32) {
        self.slots[slot].retain(|&other| other != key);
    }

    /// When the next session is due; `None` when there is none.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let ahead = (self.next_ms..self.next_ms + SLOTS).find(|&ms| !self.slot(ms).is_empty());
        ahead.map(Duration::from_millis)
    }

    /// The next millisecond that has come, with the sessions due in it; `None` when all are done.
    pub(super) fn turn(&mut self, now: Duration) -> Option<(Duration, &[u32])> {
        let now_ms = now.as_millis() as u64;
        if self.next_ms + TOO_LATE_MS < now_ms {
            self.next_ms = now_ms + 1 - SLOTS;
        }
        while self.next_ms <= now_ms {
            let ms = self.next_ms;
            self.next_ms += 1;
            if !self.slot(ms).is_empty() {
                return Some((Duration::from_millis(ms), self.slot(ms)));
            }
        }
        None
    }

    fn slot(&self, ms: u64) -> &[u32] {
        &self.slots[(ms % SLOTS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn sessions_are_spread_evenly() {
        let mut wheel = Wheel::new(Duration::ZERO);
        let slots: Vec<usize> = (0..400).map(|key| wheel.insert(key)).collect();
        for slot in 0..20 {
            assert_eq!(slots.iter().filter(|&&s| s == slot).count(), 20);
        }
        let gap = slots[0].abs_diff(slots[1]);
        assert!((5..=15).contains(&gap), "two sessions lie {gap} ms apart");
    }

    #[test]
    fn each_session_is_due_every_20_ms_and_never_twice() {
        let mut wheel = Wheel::new(MS * 1_000);
        let slots = [wheel.insert(0), wheel.insert(1), wheel.insert(2)];
        wheel.remove(slots[1], 1);
        let mut due = vec![Vec::new(); 3];
        for ms in (1_000..2_000).step_by(3) {
            while let Some((at, keys)) = wheel.turn(MS * ms) {
                keys.iter().for_each(|&key| due[key as usize].push(at));
            }
        }
        assert!(due[1].is_empty());
        for key in [0, 2] {
            assert!((49..=50).contains(&due[key].len()));
            assert!(due[key].windows(2).all(|pair| pair[1] - pair[0] == MS * 20));
        }
    }

    #[test]
    fn after_a_long_stall_each_session_is_due_once() {
        let mut wheel = Wheel::new(Duration::ZERO);
        wheel.insert(0);
        let mut count = 0;
        while wheel.turn(MS * 5_000).is_some() {
            count += 1;
        }
        assert_eq!(count, 1);
        assert!(wheel.next_due().is_some_and(|due| due > MS * 5_000 && due <= MS * 5_020));
    }
}

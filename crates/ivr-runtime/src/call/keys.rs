//! Keys: kept until a step wants them, and gathered under three time-outs.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::key::Key;

/// Keys remembered beyond what a step took; later ones push out the oldest.
const TYPED_AHEAD: usize = 32;

/// Keys typed before a step listens to them, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyBuffer {
    keys: VecDeque<Key>,
    /// A key that says nothing if it comes next, and until when.
    idle: Option<(Key, Duration)>,
}

impl KeyBuffer {
    /// Keeps a key for the step that listens next.
    pub fn push(&mut self, key: Key) {
        if self.keys.len() == TYPED_AHEAD {
            self.keys.pop_front();
        }
        self.keys.push_back(key);
    }

    /// The oldest key, forgotten with this.
    pub fn take(&mut self) -> Option<Key> {
        self.keys.pop_front()
    }

    /// Forgets all keys.
    pub fn flush(&mut self) {
        self.keys.clear();
    }

    /// The digits are complete without their end key: callers press it all the same.
    pub fn expect_end(&mut self, key: Key, until: Duration) {
        if self.keys.front() == Some(&key) {
            self.keys.pop_front();
        } else {
            self.idle = Some((key, until));
        }
    }

    /// Whether this key only ends digits that had ended already.
    pub fn is_idle(&self, now: Duration, key: Key) -> bool {
        self.idle.is_some_and(|(idle, until)| idle == key && now <= until)
    }

    /// A key came: what was expected next has come, or will not.
    pub fn took(&mut self) {
        self.idle = None;
    }
}

/// How many keys are wanted and how long each may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Fewer than this are no input.
    pub min: u8,
    /// With so many it is over at once.
    pub max: u8,
    /// Ends the input before `max`; not part of it.
    pub end_key: Option<Key>,
    /// From the end of the prompt to the first key.
    pub first: Duration,
    /// From one key to the next.
    pub gap: Duration,
    /// From the first key to the last.
    pub total: Duration,
}

/// What a [`Gather`] came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gathered {
    /// Enough keys.
    Keys(Vec<Key>),
    /// No key at all.
    Silence,
    /// Fewer keys than wanted.
    TooFew(Vec<Key>),
}

/// Gathers keys: first-key, inter-key and total time-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    wanted: Wanted,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// The prompt plays: no time-out runs.
    Prompting,
    /// Silence since the end of the prompt.
    First { until: Duration },
    /// Some keys came.
    Some { keys: Vec<Key>, gap_until: Duration, total_until: Duration },
    /// It was reported.
    Done,
}

impl Gather {
    /// Gathers from the first key on; the first-key time-out waits for [`Gather::listen`].
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, stage: Stage::Prompting }
    }

    /// One key, which may take `first` to come.
    pub fn one_key(first: Duration) -> Self {
        Self::new(Wanted { min: 1, max: 1, end_key: None, first, gap: first, total: first })
    }

    /// No key has come.
    pub fn is_empty(&self) -> bool {
        matches!(self.stage, Stage::Prompting | Stage::First { .. })
    }

    /// The prompt is over: the first-key time-out begins.
    pub fn listen(&mut self, now: Duration) {
        if self.stage == Stage::Prompting {
            self.stage = Stage::First { until: now + self.wanted.first };
        }
    }

    /// A key counts.
    pub fn key(&mut self, now: Duration, key: Key) -> Option<Gathered> {
        let gap_until = now + self.wanted.gap;
        if self.wanted.end_key == Some(key) {
            return match &self.stage {
                Stage::Prompting | Stage::First { .. } | Stage::Some { .. } => Some(self.finish()),
                Stage::Done => None,
            };
        }
        match &mut self.stage {
            Stage::Prompting | Stage::First { .. } => {
                let total_until = now + self.wanted.total;
                // Room for all of them: what grows leaves copies behind.
                let mut keys = Vec::with_capacity(usize::from(self.wanted.max));
                keys.push(key);
                self.stage = Stage::Some { keys, gap_until, total_until };
            }
            Stage::Some { keys, gap_until: until, .. } => {
                keys.push(key);
                *until = gap_until;
            }
            Stage::Done => return None,
        }
        let Stage::Some { keys, .. } = &self.stage else { return None };
        (keys.len() >= usize::from(self.wanted.max)).then(|| self.finish())
    }

    /// A time-out has passed, or has not: late and early calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<Gathered> {
        (self.poll_timeout()? <= now).then(|| self.finish())
    }

    /// The next moment at which [`Gather::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Prompting | Stage::Done => None,
            Stage::First { until } => Some(*until),
            Stage::Some { gap_until, total_until, .. } => Some(*gap_until.min(total_until)),
        }
    }

    fn finish(&mut self) -> Gathered {
        let gathered = match &mut self.stage {
            Stage::Some { keys, .. } if keys.len() >= usize::from(self.wanted.min) => {
                Gathered::Keys(std::mem::take(keys))
            }
            Stage::Some { keys, .. } => Gathered::TooFew(std::mem::take(keys)),
            Stage::Prompting | Stage::First { .. } | Stage::Done => Gathered::Silence,
        };
        self.stage = Stage::Done;
        gathered
    }
}

/// What was typed may be a secret.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Self::Some { keys, .. } = self {
            keys.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_after_the_prompt_ends_at_the_first_key_timeout() {
        let mut gather = Gather::new(four_digits());
        assert_eq!(gather.poll_timeout(), None, "no time-out runs while the prompt plays");
        gather.listen(ms(10_000));
        assert_eq!(gather.handle_timeout(ms(17_999)), None);
        assert_eq!(gather.handle_timeout(ms(18_000)), Some(Gathered::Silence));
        assert_eq!(gather.handle_timeout(ms(18_001)), None, "a late time-out is harmless");
    }

    #[test]
    fn each_key_starts_the_gap_anew() {
        let mut gather = Gather::new(four_digits());
        gather.listen(ms(0));
        assert_eq!(gather.key(ms(7_999), key('1')), None);
        assert_eq!(gather.key(ms(11_000), key('2')), None);
        assert_eq!(gather.handle_timeout(ms(14_999)), None);
        assert_eq!(
            gather.handle_timeout(ms(15_000)),
            Some(Gathered::Keys(vec![key('1'), key('2')]))
        );
    }

    #[test]
    fn the_total_ends_a_caller_who_types_slowly_for_ever() {
        let mut gather = Gather::new(Wanted { max: 20, ..four_digits() });
        gather.listen(ms(0));
        for second in [1, 4, 7, 10] {
            assert_eq!(gather.key(ms(second * 1_000), key('5')), None);
        }
        assert_eq!(gather.poll_timeout(), Some(ms(13_000)), "12 s after the first key");
        assert_eq!(gather.handle_timeout(ms(13_000)), Some(Gathered::Keys(vec![key('5'); 4])));
    }

    #[test]
    fn the_end_key_and_the_last_wanted_key_end_at_once() {
        let mut gather = Gather::new(four_digits());
        gather.key(ms(0), key('1'));
        assert_eq!(gather.key(ms(1), key('#')), Some(Gathered::TooFew(vec![key('1')])));
        let mut gather = Gather::new(four_digits());
        let all: Vec<_> = "1234".chars().map(key).collect();
        let done: Vec<_> = all.iter().filter_map(|digit| gather.key(ms(0), *digit)).collect();
        assert_eq!(done, [Gathered::Keys(all)]);
    }

    #[test]
    fn keys_typed_ahead_are_bounded_and_come_out_in_order() {
        let mut buffer = KeyBuffer::default();
        buffer.push(key('9'));
        for _ in 0..TYPED_AHEAD {
            buffer.push(key('1'));
        }
        assert_eq!(buffer.take(), Some(key('1')), "the oldest was pushed out");
        buffer.flush();
        assert_eq!(buffer.take(), None);
    }

    fn four_digits() -> Wanted {
        Wanted {
            min: 2,
            max: 4,
            end_key: Some(key('#')),
            first: ms(8_000),
            gap: ms(4_000),
            total: ms(12_000),
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn key(label: char) -> Key {
        Key::try_from(label).unwrap()
    }
}

//! What happened to a call, as an engineer reads it: a bounded memory, never a number or a digit.

use std::{borrow::Cow, collections::VecDeque};

use serde::{Deserialize, Serialize};

/// Entries kept per call; the first and the last ones matter most, the middle is dropped.
const MAX_ENTRIES: usize = 400;
/// Ended calls kept.
const MAX_ENDED: usize = 1_000;

/// One line of a time line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds UTC.
    pub at_ms: i64,
    /// `sip`, `step`, `key`, `media`, `message`, `forward`, `end`.
    pub kind: Cow<'static, str>,
    /// The fact in words.
    pub text: Cow<'static, str>,
}

/// The time line of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeLine {
    /// In order of time.
    pub entries: Vec<Entry>,
    /// Entries left out because there were too many.
    pub dropped: u32,
}

impl TimeLine {
    /// Adds one entry.
    pub fn note(&mut self, at_ms: i64, kind: &'static str, text: impl Into<Cow<'static, str>>) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(Entry { at_ms, kind: kind.into(), text: text.into() });
        } else {
            self.dropped += 1;
        }
    }
}

/// A call that ended, for `carom calls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// Call id.
    pub call: String,
    /// Milliseconds UTC of the INVITE.
    pub started_ms: i64,
    /// Milliseconds UTC of the end; `None` while it runs.
    pub ended_ms: Option<i64>,
    /// Trunk it came from.
    pub trunk: String,
    /// Called number.
    pub called: String,
    /// Caller: country and last two digits.
    pub caller: String,
    /// The flow's name.
    pub flow: String,
    /// The step it is in or was in last.
    pub step: String,
    /// `end_reason`, or `running`.
    pub end: String,
}

/// The last ended calls, oldest first.
#[derive(Debug, Default)]
pub struct Ended {
    calls: VecDeque<(CallSummary, TimeLine)>,
}

impl Ended {
    /// Keeps one more, letting the oldest go when full.
    pub fn keep(&mut self, summary: CallSummary, line: TimeLine) {
        if self.calls.len() == MAX_ENDED {
            self.calls.pop_front();
        }
        self.calls.push_back((summary, line));
    }

    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &(CallSummary, TimeLine)> {
        self.calls.iter().rev()
    }
}

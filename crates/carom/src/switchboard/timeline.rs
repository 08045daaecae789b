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
        if self.entries.len() == MAX_ENTRIES {
            self.entries.remove(MAX_ENTRIES / 2);
            self.dropped += 1;
        }
        self.entries.push(Entry { at_ms, kind: kind.into(), text: text.into() });
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
    /// Revision of the flow, as `carom flows` names it; empty where there was none.
    #[serde(default)]
    pub flow_rev: String,
    /// The step it is in or was in last.
    pub step: String,
    /// `end_reason`, or `running`.
    pub end: String,
}

/// An entry as it is kept of an ended call: milliseconds since the call's start, kind, text.
#[derive(Serialize, Deserialize)]
struct Kept<'a>(i64, Cow<'a, str>, Cow<'a, str>);

/// The last ended calls, oldest first, as JSON in one run of bytes: a thousand calls that each
/// left dozens of small pieces all over the heap would keep it from ever shrinking.
#[derive(Debug, Default)]
pub struct Ended {
    bytes: VecDeque<u8>,
    /// Bytes of each call.
    lengths: VecDeque<usize>,
}

impl Ended {
    /// Keeps one more, letting the oldest go when full.
    pub fn keep(&mut self, summary: &CallSummary, line: &TimeLine) {
        if self.lengths.len() == MAX_ENDED
            && let Some(oldest) = self.lengths.pop_front()
        {
            self.bytes.drain(..oldest);
        }
        let entries: Vec<Kept<'_>> = line
            .entries
            .iter()
            .map(|entry| {
                Kept(entry.at_ms - summary.started_ms, (&*entry.kind).into(), (&*entry.text).into())
            })
            .collect();
        // Texts and numbers: nothing that JSON could refuse.
        let Ok(text) = serde_json::to_vec(&(summary, line.dropped, entries)) else { return };
        self.bytes.extend(&text);
        self.lengths.push_back(text.len());
    }

    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = (CallSummary, TimeLine)> {
        self.texts().filter_map(|text| read(&text))
    }

    /// The newest whose id begins so.
    pub fn find(&self, id: &str) -> Option<(CallSummary, TimeLine)> {
        let begin = format!("[{{\"call\":\"{id}");
        let found = self.texts().find(|text| text.starts_with(begin.as_bytes()))?;
        read(&found)
    }

    fn texts(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut end = self.bytes.len();
        self.lengths.iter().rev().map(move |length| {
            let begin = end - length;
            let text = self.bytes.range(begin..end).copied().collect();
            end = begin;
            text
        })
    }
}

fn read(text: &[u8]) -> Option<(CallSummary, TimeLine)> {
    let (summary, dropped, entries): (CallSummary, u32, Vec<Kept<'_>>) =
        serde_json::from_slice(text).ok()?;
    let entries = entries
        .into_iter()
        .map(|Kept(after_ms, kind, text)| Entry {
            at_ms: summary.started_ms + after_ms,
            kind: kind.into_owned().into(),
            text: text.into_owned().into(),
        })
        .collect();
    Some((summary, TimeLine { entries, dropped }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_begin_and_the_end_are_kept() {
        let mut line = TimeLine::default();
        (0..1_000).for_each(|at| line.note(at, "sip", "INFO"));
        let at: Vec<i64> = line.entries.iter().map(|entry| entry.at_ms).collect();
        assert_eq!(at, (0..200).chain(800..1_000).collect::<Vec<_>>());
        assert_eq!(line.dropped, 600);
    }

    #[test]
    fn the_last_thousand_are_kept_and_found_by_the_begin_of_their_id() {
        let mut ended = Ended::default();
        for n in 0..1_500 {
            let summary = CallSummary {
                call: format!("{n:04}-abc"),
                started_ms: n,
                ended_ms: Some(n + 1),
                trunk: "carrier".to_owned(),
                called: "+442071838750".to_owned(),
                caller: "a \"caller\"".to_owned(),
                flow: "demo".to_owned(),
                flow_rev: String::new(),
                step: "welcome".to_owned(),
                end: "deflected".to_owned(),
            };
            let mut line = TimeLine { dropped: 3, ..TimeLine::default() };
            (0..n % 7).for_each(|at| line.note(n + at, "sip", format!("→ {at} of {n}")));
            ended.keep(&summary, &line);
        }
        let all: Vec<_> = ended.newest().collect();
        assert_eq!(all.len(), 1_000);
        assert_eq!((&*all[0].0.call, &*all[999].0.call), ("1499-abc", "0500-abc"));
        assert_eq!(all[1].1.entries.len(), 0);
        let (found, line) = ended.find("0503").unwrap();
        assert_eq!((&*found.caller, line.entries.len()), ("a \"caller\"", 503 % 7));
        let last = Entry { at_ms: 508, kind: "sip".into(), text: "→ 5 of 503".into() };
        assert_eq!((&line.entries[5], line.dropped), (&last, 3));
        assert_eq!(ended.find("0499-abc"), None);
        assert_eq!(ended.find("\""), None);
    }
}

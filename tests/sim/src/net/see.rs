//! Waiting for what happens on a net, and looking at what did.

use std::time::Duration;

use sip_stack::endpoint::Event;

use super::{Heard, Net, Sent, Station};
use crate::text;

/// How long something may be waited for.
const PATIENCE: Duration = Duration::from_secs(300);

impl Net {
    /// Lets time pass.
    pub fn run_ms(&mut self, for_ms: u64) {
        let until = self.now + Duration::from_millis(for_ms);
        while self.step(until) {}
    }

    /// Lets time pass until a moment.
    pub fn run_to_ms(&mut self, at_ms: u64) {
        while self.step(Duration::from_millis(at_ms)) {}
    }

    /// Waits for a raw peer's next message, which must be of this name; returns it.
    pub fn expect(&mut self, peer: Station, name: &str) -> Heard {
        let heard = self.hear(peer);
        assert_eq!(text::name(&heard.text), name, "at {} ms{}", heard.at_ms, self.trace());
        heard
    }

    /// Waits for a raw peer's next message of this name; passes over those before it.
    pub fn expect_after(&mut self, peer: Station, name: &str) -> Heard {
        loop {
            let heard = self.hear(peer);
            if text::name(&heard.text) == name {
                return heard;
            }
        }
    }

    /// Waits for a raw peer's next message.
    pub fn hear(&mut self, peer: Station) -> Heard {
        let until = self.now + PATIENCE;
        loop {
            if let Some(heard) = self.machines[peer.0].inbox.pop_front() {
                return heard;
            }
            assert!(self.step(until), "nothing more came{}", self.trace());
        }
    }

    /// Returns a raw peer's messages that have not been read yet, by name.
    pub fn unread(&mut self, peer: Station) -> Vec<String> {
        self.machines[peer.0].inbox.drain(..).map(|heard| text::name(&heard.text)).collect()
    }

    /// Waits for an endpoint's event that `pick` takes; passes over those before it.
    pub fn event<T>(&mut self, station: Station, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let until = self.now + PATIENCE;
        loop {
            while let Some((_, event)) = self.machines[station.0].events.pop_front() {
                if let Some(picked) = pick(&event) {
                    return picked;
                }
            }
            assert!(self.step(until), "the event never came{}", self.trace());
        }
    }

    /// Returns an endpoint's events that have not been read yet, with their times in ms.
    pub fn events(&mut self, station: Station) -> Vec<(u64, Event)> {
        self.machines[station.0].events.drain(..).collect()
    }

    /// Returns when a machine sent messages of this name, in ms.
    pub fn sent_at(&self, station: Station, name: &str) -> Vec<u64> {
        self.sent(station, name).map(|sent| sent.at_ms).collect()
    }

    /// Returns the messages of this name that a machine sent.
    pub fn sent(&self, station: Station, name: &str) -> impl Iterator<Item = &Sent> {
        let ip = self.machines[station.0].at.ip();
        self.wire.iter().filter(move |s| s.from.ip() == ip && text::name(&s.text) == name)
    }

    /// Returns a line for each message that was sent.
    pub fn trace(&self) -> String {
        self.trace_of("")
    }

    /// Returns a line for each message of a call that was sent.
    pub fn trace_of(&self, call_id: &str) -> String {
        let line = |sent: &Sent| {
            let Sent { at_ms, from, to, text, copies } = sent;
            let name = text::name(text);
            format!("\n{at_ms:>8} {from} → {to} {name} {} ×{copies}", text::header(text, "Call-ID"))
        };
        let of = |sent: &&Sent| text::header(&sent.text, "Call-ID").contains(call_id);
        self.wire.iter().filter(of).map(line).collect()
    }
}

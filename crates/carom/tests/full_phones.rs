//! Callers of the shipped line, and the phones that they have: SIPp, baresip, our own.

use std::path::Path;

use carom_blackbox::{Press, Recorder, Scenario, Softphone, call, millis, sound};

use crate::full_line::{LINE, Line};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// What a caller calls with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phone {
    /// `carom call`.
    Ours,
    /// SIPp, its keys in telephone-events.
    Events,
    /// SIPp without telephone-events, its keys in the audio. It can't tell what it hears.
    Tones,
    /// baresip, which speaks all the time.
    Baresip,
}

/// A caller: who, with which keys, until when.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub from: &'static str,
    pub to: &'static str,
    pub phone: Phone,
    /// Keys and when they are pressed after the answer: `1@2s 999@4500ms`.
    pub keys: &'static str,
    /// One more header line of the INVITE, by SIPp only.
    pub header: Option<&'static str>,
    /// `None`: until the far end hangs up.
    pub leaves: Option<&'static str>,
}

/// A caller of the British number by our own phone.
pub const fn caller(from: &'static str, keys: &'static str) -> Caller {
    Caller { from, to: LINE, phone: Phone::Ours, keys, header: None, leaves: None }
}

/// By SIPp.
pub const fn sipp(from: &'static str, keys: &'static str) -> Caller {
    Caller { phone: Phone::Events, ..caller(from, keys) }
}

/// By SIPp's audio. `~` is somebody who speaks for three seconds.
pub const fn tones(from: &'static str, keys: &'static str) -> Caller {
    Caller { phone: Phone::Tones, ..caller(from, keys) }
}

/// By baresip.
pub const fn baresip(from: &'static str, keys: &'static str) -> Caller {
    Caller { phone: Phone::Baresip, ..caller(from, keys) }
}

impl Caller {
    pub const fn leaves(self, after: &'static str) -> Self {
        Self { leaves: Some(after), ..self }
    }

    pub const fn calls(self, to: &'static str) -> Self {
        Self { to, ..self }
    }

    pub const fn header(self, header: &'static str) -> Self {
        Self { header: Some(header), ..self }
    }

    /// Calls, and keeps what is heard in `recording`, where the phone can tell it.
    pub fn rings(&self, line: &Line, recording: &Path) {
        match self.phone {
            Phone::Ours => self.by_ours(line, recording),
            Phone::Events => {
                let at = line.free_ip();
                let recorder = Recorder::at(at);
                let sipp = Scenario::new("carrier-presses", at);
                self.by_sipp(line, sipp.presses(&self.presses(), self.leaves_ms(), &recorder));
                sound::write(recording, &recorder.heard());
            }
            Phone::Tones => {
                let sipp = Scenario::new("carrier-presses", line.free_ip());
                self.by_sipp(line, sipp.sounds(&self.presses(), self.leaves_ms()));
            }
            Phone::Baresip => self.by_baresip(line, recording),
        }
    }

    fn by_ours(&self, line: &Line, recording: &Path) {
        let mut args = vec!["--from", self.from, "--record", recording.to_str().unwrap()];
        args.extend(self.keys.split_whitespace().flat_map(|key| ["--press", key]));
        args.extend(self.leaves.into_iter().flat_map(|after| ["--hang-up-after", after]));
        let answer = call(BIN, &line.place, &self.uri(line), &args);
        let expected = if self.leaves.is_some() { 3 } else { 0 };
        let told = || line.engine.cli(&["calls", &line.id(self.from)]).out;
        assert_eq!(answer.status.code(), Some(expected), "{}: {answer:?}\n{}", self.from, told());
    }

    fn by_sipp(&self, line: &Line, sipp: Scenario) {
        let sipp = sipp.key("called", self.to).key("caller", self.from);
        let sipp = self.header.into_iter().fold(sipp, Scenario::line);
        sipp.call(&line.place).succeeds();
    }

    fn by_baresip(&self, line: &Line, recording: &Path) {
        let phone = Softphone::new(line.free_ip(), 1_000.0).user(self.from);
        let mut phone = phone.start(&line.place);
        phone.dial(&self.uri(line));
        phone.saw("CALL_ESTABLISHED");
        phone.presses(&self.presses(), self.leaves_ms());
        sound::write(recording, &phone.heard());
    }

    fn presses(&self) -> Vec<Press> {
        Press::all(self.keys)
    }

    fn leaves_ms(&self) -> Option<u64> {
        self.leaves.map(millis)
    }

    fn uri(&self, line: &Line) -> String {
        format!("sip:{}@{}", self.to, line.place.engine())
    }
}

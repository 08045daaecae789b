//! What goes wrong around a call, in per cent of the occasions.

/// Shares of faults; what is left goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// A play that can't be played, or of which nothing is heard again.
    pub prompt: u8,
    /// A text that is refused, limited, ambiguous or never reported.
    pub text: u8,
    /// A target that is busy, silent, broken or never reported.
    pub target: u8,
    /// A store that records nothing, or does not answer.
    pub store: u8,
    /// A lookup or an action that fails, or is never reported.
    pub fetch: u8,
    /// Facts that are not known.
    pub facts: u8,
    /// A caller who hangs up at a random moment.
    pub hang_up: u8,
    /// A caller leg that is lost while we answer it.
    pub answer: u8,
    /// A node that drains in the middle of the call.
    pub drain: u8,
}

impl Faults {
    /// A day on which nothing fails.
    pub const NONE: Self = Self {
        prompt: 0,
        text: 0,
        target: 0,
        store: 0,
        fetch: 0,
        facts: 0,
        hang_up: 0,
        answer: 0,
        drain: 0,
    };

    /// Everything fails now and then.
    pub const SOME: Self = Self {
        prompt: 3,
        text: 40,
        target: 50,
        store: 30,
        fetch: 30,
        facts: 30,
        hang_up: 25,
        answer: 2,
        drain: 5,
    };

    /// What the parts are called, for who chooses their shares.
    pub const PARTS: [&str; 9] =
        ["prompt", "provider", "target", "store", "lookup", "facts", "hang-up", "answer", "drain"];

    /// The share of a part of [`PARTS`](Self::PARTS).
    pub fn share_of(&mut self, part: &str) -> Option<&mut u8> {
        Some(match part {
            "prompt" => &mut self.prompt,
            "provider" => &mut self.text,
            "target" => &mut self.target,
            "store" => &mut self.store,
            "lookup" => &mut self.fetch,
            "facts" => &mut self.facts,
            "hang-up" => &mut self.hang_up,
            "answer" => &mut self.answer,
            "drain" => &mut self.drain,
            _ => return None,
        })
    }

    /// Nothing works but the signalling.
    pub const ALL: Self = Self {
        prompt: 60,
        text: 100,
        target: 100,
        store: 100,
        fetch: 100,
        facts: 100,
        hang_up: 10,
        answer: 5,
        drain: 10,
    };
}

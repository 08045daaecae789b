//! The states of a call in its flow, as far as what may follow depends on them.

use std::fmt;

use crate::{
    call::route::Route,
    flow::model::{Flow, Go, StepId, TargetId},
    key::Key,
};

/// Where a call is, and what it remembers that decides where it can go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub place: Place,
    /// What the caller has asked for by key: no text is sent unasked.
    pub asked: Asked,
    /// Something failed or was closed, and the caller has not chosen since.
    pub failing: bool,
    /// A message was left, or a callback booked, and no target was chosen since.
    pub kept: bool,
    /// The one offer in line was made.
    pub offered: bool,
    /// The notice of `emergency_notice` was heard, or there is none.
    pub noticed: bool,
    /// The targets that failed; the call machine's own, so that the way out is the same.
    pub route: Route,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A step is entered.
    Step(StepId),
    /// Its prompt is played, for the so manieth time.
    Playing(StepId, u8),
    /// The prompt was heard: the caller may press a key, or not.
    Asking(StepId, u8),
    /// What the caller keyed in is checked, or done.
    Doing(StepId, u8),
    /// A target is chosen: open or closed?
    Target(TargetId),
    /// The call rings there.
    Ringing(TargetId),
    /// The call is in line there until a person answers.
    Line(TargetId),
    /// It is over for the flow.
    End(End),
}

/// How a call ends without ringing anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// Everybody of the way out was tried.
    Apology,
    /// A failure ends the call where `fallback = false` says that it may.
    ByLeave,
    /// The flow says `hangup`.
    HungUp,
    /// It says so after a message was left or a callback booked.
    Kept,
}

/// What a `text` step finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    Nothing,
    ByMenu,
    ByOffer,
}

/// What makes a call go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller pressed a key.
    Key(Key),
    /// The caller keyed in digits.
    Digits,
    /// The caller spoke.
    Speech,
    /// The caller pressed a key that means nothing here, or digits that are wrong.
    Wrong,
    /// The caller pressed nothing.
    Silence,
    /// Something that may or may not be so, and is no failure.
    So(&'static str),
    /// Something failed, or is closed.
    Failure(&'static str),
}

/// One way on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Move {
    pub cause: Cause,
    /// At most so long until then, ms.
    pub ms: u64,
    /// Keys pressed for it.
    pub keys: u32,
    pub to: State,
}

impl State {
    pub fn at(go: Go, route: Route) -> Self {
        Self {
            place: Place::of(go),
            asked: Asked::Nothing,
            failing: false,
            kept: false,
            offered: false,
            noticed: true,
            route,
        }
    }
}

impl Place {
    /// A hang-up is one that the flow says.
    pub fn of(go: Go) -> Self {
        match go {
            Go::Step(id) => Self::Step(id),
            Go::Target(id) => Self::Target(id),
            Go::HangUp => Self::End(End::HungUp),
        }
    }

    /// The step that the call is in.
    pub fn step(self) -> Option<StepId> {
        match self {
            Self::Step(id) | Self::Playing(id, _) | Self::Asking(id, _) | Self::Doing(id, _) => {
                Some(id)
            }
            Self::Target(_) | Self::Ringing(_) | Self::Line(_) | Self::End(_) => None,
        }
    }

    /// How the place is called in a path.
    pub fn name(self, flow: &Flow) -> &str {
        let step = |id: StepId| flow.steps.get(usize::from(id.0)).map(|step| step.name.as_str());
        let target = |id: TargetId| flow.targets.get(usize::from(id.0)).map(|t| t.name.as_str());
        match self {
            Self::Target(id) | Self::Ringing(id) | Self::Line(id) => target(id).unwrap_or("?"),
            Self::End(End::Apology) => "apology",
            Self::End(End::ByLeave | End::HungUp | End::Kept) => "hangup",
            Self::Step(_) | Self::Playing(..) | Self::Asking(..) | Self::Doing(..) => {
                self.step().and_then(step).unwrap_or("?")
            }
        }
    }
}

impl Cause {
    /// The caller decides whether it happens.
    pub fn is_callers(self) -> bool {
        match self {
            Self::Key(_) | Self::Digits | Self::Speech | Self::Wrong | Self::Silence => true,
            Self::So(_) | Self::Failure(_) => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Digits => f.write_str("digits"),
            Self::Speech => f.write_str("speech"),
            Self::Wrong => f.write_str("wrong key"),
            Self::Silence => f.write_str("silence"),
            Self::So(what) | Self::Failure(what) => f.write_str(what),
        }
    }
}

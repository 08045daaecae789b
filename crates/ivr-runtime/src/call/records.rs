//! What a call leaves behind: rows of the store, as the machine knows them.

use serde::{Deserialize, Serialize};

use crate::key::Key;

/// A fact for the call's record. Moments are ms UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The call's arm, fixed before the first step.
    Arm {
        /// It hears no offer: the control group.
        holdout: bool,
    },
    /// A step began.
    StepEntered {
        /// Counts from 1 within the call.
        seq: u32,
        /// Its name.
        step: String,
        /// `menu`, `offer`, …
        kind: String,
        /// When.
        at_ms: i64,
    },
    /// A step ended.
    StepLeft {
        /// As in [`Record::StepEntered`].
        seq: u32,
        /// A key's label, `timeout`, `wrong`, `hangup`, `error` or `next`.
        exit: String,
        /// When the first key of the step counted.
        first_key_ms: Option<i64>,
        /// E.g. the case taken, `unknown:long_wait`.
        note: Option<String>,
        /// How often its prompt was played in vain, plus one.
        tries: u8,
        /// When.
        at_ms: i64,
    },
    /// An offer was made, suppressed, or is implied by a key that asked for a text.
    Offer {
        /// Counts from 1 within the call.
        n: u32,
        /// Name of the step.
        step: String,
        /// `use-case`, `menu`, …
        stage: String,
        /// The call's intent.
        intent: Option<String>,
        /// When.
        offered_ms: i64,
        /// What became of it so far.
        response: OfferResponse,
        /// The key that answered it.
        pressed: Option<Key>,
        /// Why it was suppressed; `agent_initiated` where a person wanted it sent.
        reason: Option<String>,
    },
    /// A pending offer was answered.
    OfferResponse {
        /// As in [`Record::Offer`].
        n: u32,
        /// The answer.
        response: OfferResponse,
        /// The key that answered it.
        pressed: Option<Key>,
        /// Why it counts as suppressed after all: `prompt_failed`.
        reason: Option<String>,
        /// When.
        at_ms: i64,
    },
    /// A row of `outcome`, e.g. `answered_in_ivr`.
    Outcome {
        /// Its kind.
        kind: String,
        /// When.
        at_ms: i64,
    },
    /// The call's intent changed.
    Intent {
        /// The new one.
        intent: String,
    },
    /// The call's language changed.
    Language {
        /// The new one.
        language: String,
    },
    /// The flow set a flag.
    Flag {
        /// Its name.
        name: String,
    },
    /// The caller gave a consent.
    Consent {
        /// Its name.
        name: String,
        /// The step that took it.
        step: String,
        /// The prompt that asked for it; empty: none did.
        prompt: String,
        /// The key that gave it.
        pressed: Option<Key>,
        /// When.
        at_ms: i64,
    },
    /// A message that the caller agreed to follows the call, or does not.
    FollowUp {
        /// `X` of `[after_call.X]`.
        name: String,
        /// When it is due, ms UTC.
        due_ms: Option<i64>,
        /// Why there is none: `intent`, `only_if:textable`, `no_hour`, …
        why_not: Option<String>,
    },
    /// The caller leg was answered.
    Answered {
        /// When.
        at_ms: i64,
    },
    /// A target is being called.
    ForwardStarted {
        /// Its name.
        target: String,
        /// When.
        at_ms: i64,
    },
    /// The target answered; a person, or a queue.
    ForwardAnswered {
        /// Its name.
        target: String,
        /// When.
        at_ms: i64,
    },
    /// The target could not be reached.
    ForwardFailed {
        /// Its name.
        target: String,
        /// `busy`, `no-answer`, `failed`, `closed`.
        why: String,
        /// The target's code.
        status: Option<u16>,
        /// When.
        at_ms: i64,
    },
    /// A voice bot took the caller.
    AgentAnswered {
        /// Name of its target.
        target: String,
        /// When.
        at_ms: i64,
    },
    /// A person is there.
    HumanAnswered {
        /// When.
        at_ms: i64,
    },
    /// A person who talks with the caller wanted a link sent (EX-30).
    SendLink {
        /// Why none is; `None`: it is on its way.
        why_not: Option<String>,
        /// When.
        at_ms: i64,
    },
    /// The conversation with the person is over.
    HumanEnded {
        /// When.
        at_ms: i64,
    },
    /// The call left its flow for the human target: `max_minutes`, `max_steps`, `drain`,
    /// `protected`, `overload`, `store-down`, `draining`.
    Bypassed {
        /// Why.
        why: String,
    },
    /// The call is over. Nothing follows it.
    End {
        /// How it ended.
        reason: EndReason,
        /// Whether a person answered.
        handled: Handled,
        /// When.
        at_ms: i64,
    },
}

/// `offer.response`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferResponse {
    /// Spoken, not answered yet.
    Pending,
    /// A key said yes.
    Accepted,
    /// A key said no.
    Declined,
    /// Silence, or the offer was taken away.
    Timeout,
    /// The caller hung up.
    Hangup,
    /// Not spoken.
    Suppressed,
}

/// `call.end_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// A text was sent and no person was asked for after it, whoever hung up.
    Deflected,
    /// An answer was heard to its end, or an opt-out recorded, and no person was asked for after
    /// it.
    AnsweredInIvr,
    /// The call was bridged to a target.
    Forwarded,
    /// A callback was booked.
    CallbackBooked,
    /// A message was left.
    Voicemail,
    /// The caller hung up before anything of the above.
    CallerHangup,
    /// Nobody could be reached; the caller was told so.
    Apology,
    /// Nobody could be reached and the call was never answered (the PBX's code went back), or
    /// the flow hung up without having answered or sent anything.
    NoRoute,
    /// The call broke.
    Error,
    /// Refused by a limit.
    Rejected,
    /// A priority call or a PSAP's callback that was put through.
    EmergencyBypass,
    /// The operator's own test.
    TestCall,
}

/// `call.handled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handled {
    /// A person answered.
    Human,
    /// None did.
    NoHuman,
    /// The target that answered never tells.
    Unknown,
}

impl EndReason {
    /// The word of the store and of every report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deflected => "deflected",
            Self::AnsweredInIvr => "answered_in_ivr",
            Self::Forwarded => "forwarded",
            Self::CallbackBooked => "callback_booked",
            Self::Voicemail => "voicemail",
            Self::CallerHangup => "caller_hangup",
            Self::Apology => "apology",
            Self::NoRoute => "no_route",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::EmergencyBypass => "emergency_bypass",
            Self::TestCall => "test_call",
        }
    }
}

impl Handled {
    /// The word of the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::NoHuman => "no_human",
            Self::Unknown => "unknown",
        }
    }
}

impl OfferResponse {
    /// The word of the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Timeout => "timeout",
            Self::Hangup => "hangup",
            Self::Suppressed => "suppressed",
        }
    }
}

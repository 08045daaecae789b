//! What the call machine is told, and what it asks for.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{records::Record, report::Report};
use crate::{
    flow::model::{Level, Method, Save, SaveHeader, TargetId},
    key::Key,
};

/// Something happened to the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Onset of a key: stops a prompt that allows it; nothing is decided yet.
    KeyDown(Key),
    /// A key that counts (its end was heard, or given up on).
    Key(Key),
    /// The prompts of [`Output::Play`] with this id ended; `completed`: all was heard.
    PlayDone {
        /// Id of the play.
        id: u32,
        /// Played to the end, not stopped.
        completed: bool,
    },
    /// The prompts of this id cannot be played.
    PlayFailed {
        /// Id of the play.
        id: u32,
    },
    /// After [`Output::Answer`]: the 200 went out and media may flow.
    Answered,
    /// After [`Output::Answer`]: the leg is gone (no ACK, no media port).
    AnswerFailed,
    /// What became of [`Output::SendText`], by the number of its offer.
    Text(Report<TextOutcome>),
    /// What became of [`Output::FindSlot`] or [`Output::BookCallback`], by its number.
    Callback(Report<CallbackOutcome>),
    /// Whether [`Output::RecordOptOut`] was recorded.
    OptOut(bool),
    /// After [`Output::TakeVoice`]: it is over by itself, and is being kept.
    VoiceOver,
    /// What became of [`Output::TakeVoice`].
    Voice(VoiceOutcome),
    /// What became of [`Output::Fetch`].
    Fetched {
        /// Id of the request.
        id: u32,
        /// What became of it.
        outcome: FetchOutcome,
    },
    /// What became of [`Output::Forward`], [`Output::CallAgent`].
    Target(TargetOutcome),
    /// What the bot of [`Output::CallAgent`] said in its headers, by field; before it is told that
    /// it answered, or that its leg ended.
    AgentSaid(BTreeMap<String, String>),
    /// A person who talks with the caller wants a link sent: by the feature code, or by the API.
    SendLink,
    /// The same, and the person was told by the caller that the number is right.
    SendLinkConfirmed,
    /// The caller is gone: BYE, CANCEL, media time-out.
    HungUp,
    /// The node drains: bridge to the human target now, whatever the flow does.
    OperatorBridge,
}

/// What became of a request to a system of the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FetchOutcome {
    /// It answered; fields that the answer lacks are left out.
    Values(BTreeMap<String, String>),
    /// No answer in time, or none that can be used.
    Failed {
        /// Why, in one word.
        why: String,
    },
}

/// What became of what the caller said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VoiceOutcome {
    /// It is stored.
    Kept {
        /// How long it is.
        length_ms: u32,
    },
    /// Nothing was said.
    Nothing,
    /// It could not be stored.
    Failed {
        /// Why, in one word.
        why: String,
    },
}

/// What became of a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallbackOutcome {
    /// There is room; nothing is booked.
    Free(FreeSlot),
    /// It is booked.
    Booked {
        /// The day, `YYYY-MM-DD`, where it is not today.
        day: Option<String>,
        /// The time there, `HH:MM`.
        time: Option<String>,
    },
    /// The next hours are full.
    Full,
    /// The number is none that we call, or have called back often enough.
    NotCallable {
        /// Why.
        why: String,
    },
    /// It could not be booked.
    Failed {
        /// Why, in one word.
        why: String,
    },
}

/// The first time that has room for a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeSlot {
    /// It begins then, ms UTC.
    #[serde(default)]
    pub from_ms: i64,
    /// It ends then, ms UTC.
    pub until_ms: i64,
    /// Where those before it are full: the day, `YYYY-MM-DD`, where it is not today, and the time
    /// there, `HH:MM`.
    pub next: Option<(Option<String>, String)>,
}

/// A value that no log and no record shows, wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl Hidden {
    /// The value, for whom it is meant, and who wipes it then.
    #[must_use]
    pub fn take(mut self) -> Zeroizing<String> {
        Zeroizing::new(std::mem::take(&mut self.0))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextOutcome {
    /// A provider has accepted it.
    Accepted {
        /// Name of the sender that took it.
        sender: String,
    },
    /// It is durably queued; no provider has it yet.
    Queued,
    /// No provider took it, definitely.
    Failed {
        /// Class of the last failure.
        class: String,
    },
    /// Written and unanswered: it may still arrive.
    Ambiguous,
    /// The caller wants no texts.
    OptedOut,
    /// A limit bit.
    Limited {
        /// Name of the limit.
        rule: String,
    },
    /// The number can't be texted.
    NotTextable {
        /// Why.
        reason: String,
    },
    /// The same text went to the same number within the window.
    Duplicate,
}

/// What became of a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetOutcome {
    /// A provisional response came.
    Ringing,
    /// A 200 came and the legs are bridged. Where the call was not answered yet, the
    /// switchboard answers it with this 200; no [`Output::Answer`] is asked for.
    Answered {
        /// A person is there already.
        human: bool,
    },
    /// The target's `human_signal` came.
    HumanAnswered,
    /// Its `human_signal` can't be heard, or could not for a while: from now on a person may be
    /// there whom nobody tells of.
    SignalLost,
    /// The call goes on there without us, and can't come back.
    HandedOver {
        /// The carrier said that it was answered; else nobody tells.
        answered: bool,
    },
    /// 486 or 600.
    Busy {
        /// The target's code.
        status: u16,
    },
    /// 480, 408 after ringing, or `ring_seconds` over.
    NoAnswer {
        /// The target's code; `None`: nobody answered our ringing.
        status: Option<u16>,
    },
    /// Anything else, after the last address.
    Failed {
        /// The target's code; `None`: no response at all.
        status: Option<u16>,
    },
    /// The bridge is over.
    Ended {
        /// The caller hung up, not the target.
        by_caller: bool,
    },
}

/// What the call machine wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Answer the caller leg with 200; report [`Input::Answered`].
    Answer,
    /// Play; replaces what plays.
    Play {
        /// Named in the reports about it.
        id: u32,
        /// Language of the prompt set.
        language: String,
        /// Names of the prompt set, gap-free one after the other.
        prompts: Vec<String>,
        /// The onset of a key stops it.
        barge_in: bool,
    },
    /// Play from the start again and again, until something else is to be heard.
    Hold {
        /// Named in the reports about it.
        id: u32,
        /// Language of the prompt set.
        language: String,
        /// Names of the prompt set.
        prompts: Vec<String>,
    },
    /// Stop playing; silence flows on.
    StopPlay,
    /// Send a text; report [`Input::Text`].
    SendText(TextRequest),
    /// Send a text later: the caller has agreed to it, and the call is over.
    FollowUp {
        /// The text.
        text: TextRequest,
        /// When, ms UTC.
        due_ms: i64,
        /// Not from then on, ms UTC.
        until_ms: i64,
    },
    /// Ask a system of the business; report [`Input::Fetched`].
    Fetch(FetchRequest),
    /// Take what the caller says from now on; report [`Input::Voice`], and [`Input::VoiceOver`]
    /// before it where it ended by itself.
    TakeVoice {
        /// Name of the step.
        step: String,
        /// The longest it may take, ms.
        max_ms: u32,
        /// It is over after so long a silence, ms.
        silence_ms: u32,
    },
    /// The caller has said all; report [`Input::Voice`].
    StopVoice,
    /// Find the first time that has room for such a callback; report [`Input::Callback`].
    FindSlot(CallbackRequest),
    /// Book a callback; report [`Input::Callback`].
    BookCallback(CallbackRequest),
    /// Nobody is to be called back after all: take back what this [`Output::BookCallback`] booked, or
    /// books yet. No [`Input::Callback`] tells of it any more.
    CancelCallback {
        /// Its number.
        booking: u32,
    },
    /// Record that the caller wants no texts; report [`Input::OptOut`].
    RecordOptOut {
        /// Topic, empty for all.
        topic: String,
    },
    /// Set up the target leg and bridge; report [`Input::Target`].
    Forward {
        /// The target.
        target: TargetId,
        /// The caller goes on hearing what plays; nothing is bridged until [`Output::Rebridge`].
        quiet: bool,
    },
    /// Set up the leg of a voice bot and bridge; report [`Input::AgentSaid`] and
    /// [`Input::Target`]. A bot that ends its leg hands the caller back: what it does not end itself
    /// is [`TargetOutcome::Failed`].
    CallAgent(AgentRequest),
    /// Bridge the caller to the target leg that is up.
    Rebridge,
    /// The caller hears prompts again; the target leg stays up, in silence.
    Unbridge,
    /// Give up the target leg, whether it is up or being set up.
    StopForward,
    /// Final response to a call that is not answered.
    Reject {
        /// SIP status.
        status: u16,
    },
    /// BYE.
    HangUp,
    /// A fact for the call's record.
    Record(Record),
}

/// A request to a system of the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// Named in the report about it.
    pub id: u32,
    /// Name of the step.
    pub step: String,
    /// It asks whether this link can be offered: the answer's fields are those below.
    pub link: Option<String>,
    /// GET or POST.
    pub method: Method,
    /// Its address, fields filled in.
    pub url: Hidden,
    /// `env:…` or `file:…` of a bearer token.
    pub token: Option<String>,
    /// The `[system.X]` that it goes to.
    pub system: Option<String>,
    /// Fields of the JSON body; empty: no body.
    pub body: BTreeMap<String, Hidden>,
    /// The answer must be there by then, ms.
    pub timeout_ms: u32,
    /// An answer to the same request is good for so long, seconds.
    pub cache_seconds: u32,
    /// With a deed: the same for every try of it.
    pub idempotency_key: Option<String>,
    /// What is read out of the answer.
    pub save: Vec<Save>,
}

impl FetchRequest {
    /// Whether anybody is there at a link.
    pub const AVAILABLE: &str = "available";
    /// Where.
    pub const URL: &str = "url";
    /// For so many seconds.
    pub const VALID: &str = "valid";
    /// What the provider calls the matter.
    pub const REFERENCE: &str = "reference";
}

impl TextRequest {
    /// Purpose of the text that asks how it went: it waits until a link of the call is opened.
    pub const RATING: &str = "rating";
}

/// A voice bot that takes the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRequest {
    /// Name of the step.
    pub step: String,
    /// Where the bot is.
    pub target: TargetId,
    /// Headers of its INVITE beside the target's.
    pub headers: BTreeMap<String, Hidden>,
    /// What is read out of its 200 and its BYE.
    pub save: Vec<SaveHeader>,
}

/// A callback that the caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackRequest {
    /// Name of the step.
    pub step: String,
    /// Its number among the call's questions for slots and bookings, from 1 on: named in the report
    /// about it.
    pub booking: u32,
    /// The target that is rung first.
    pub target: TargetId,
    /// Callbacks of the step's target in an hour; `None`: as the configuration says.
    pub per_hour: Option<u32>,
    /// How often it is tried.
    pub tries: u8,
    /// It is due from then on, ms UTC, where the caller was told a time.
    pub from_ms: Option<i64>,
    /// It is due before that, ms UTC: the end of the time that the caller was offered.
    pub before_ms: Option<i64>,
}

/// A text to be sent to the caller's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRequest {
    /// Name of the `text` step.
    pub step: String,
    /// Where to, E.164, where the caller typed it: nothing is known of who has that number, so that
    /// no link of it carries more than topic and language. `None`: the caller's own.
    pub to: Option<Hidden>,
    /// Number of the offer it fulfils, see [`Record::Offer`].
    pub offer: u32,
    /// Senders in the order tried.
    pub via: Vec<String>,
    /// Where the links of the text lead, by name.
    pub links: Vec<ResolvedLink>,
    /// The last of them is of no use any more then, ms UTC.
    pub not_after_ms: Option<i64>,
    /// The steps that the caller came by.
    pub path: Vec<String>,
    /// The text in the call's language; `{link}` and `{brand}` still stand in it.
    pub message: String,
    /// The call's language.
    pub language: String,
    /// `link`, or what the step names.
    pub purpose: String,
    /// The key that asked for it.
    pub pressed: Option<Key>,
    /// The step whose prompt the caller said yes to.
    pub asked_in: String,
    /// That prompt's names, joined by `+`.
    pub prompt: String,
    /// Budget of the whole step, ms.
    pub accept_within_ms: u32,
    /// Budget of one attempt, ms.
    pub attempt_ms: u32,
    /// A second send after an ambiguous one.
    pub allow_one_duplicate: bool,
    /// [`TextOutcome::Queued`] is enough to say "sent".
    pub sent_when_queued: bool,
    /// Minutes the message is worth sending.
    pub valid_minutes: u32,
    /// Minutes within which the same text is not sent again.
    pub repeat_after_minutes: u32,
    /// SMS that it may be long at most.
    pub max_segments: u8,
}

/// A link with its fields filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedLink {
    /// Name of the link, after `if_missing`.
    pub name: String,
    /// Where it leads; empty where its provider invites.
    pub url: String,
    /// What the provider calls the matter.
    pub reference: Option<String>,
    /// What is known of who the caller is, as far as the link hands it over.
    pub level: Level,
    /// What is handed over beside topic and language.
    pub context: BTreeMap<String, Hidden>,
}

//! A flow as it is served: every name resolved to an index, every default filled in.
//!
//! Built by [`crate::flow::load`] from text that passed the linter, and never changed afterwards.
//! Keys, units and defaults are those of the flow language's key table (docs/flow-language.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    after_call::AfterCall,
    agent::{Agent, FieldType, SaveHeader},
    ask::{Action, Check, Collect, Lookup, Method, Request, Save},
    callback::{Callback, Deliver},
    link::{Account, Check as LinkCheck, Level, Link, LinkKind},
    menu::{Menu, Offer},
    round_wait::{Direction, RoundWait},
    rule::{Bound, Fact, FieldTest, InLast, Rule},
    share::Share,
    wait::Wait,
};
pub use super::Sender;
pub use super::play::{Clip, PromptItem, PromptList, Spoken};
use crate::{hours::Hours, key::Key};

mod after_call;
mod agent;
mod ask;
mod callback;
mod link;
mod menu;
mod round_wait;
mod rule;
mod share;
mod wait;

/// Index into [`Flow::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub u16);
/// Index into [`Flow::targets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetId(pub u16);
/// Index into [`Flow::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleId(pub u16);
/// Index into [`Flow::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkId(pub u16);
/// Index into [`Flow::hours`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoursId(pub u16);

/// Where a call goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Go {
    /// Another step of this flow.
    Step(StepId),
    /// A configured target: the call is forwarded there.
    Target(TargetId),
    /// BYE, or a final response where the call is not answered yet.
    HangUp,
}

/// One flow, resolved and ready to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// `[flow] name`.
    pub name: String,
    /// SHA-256 of the flow file, lower-case hex; names the revision in every call's record.
    pub rev: String,
    /// Exact called numbers, E.164.
    pub numbers: Vec<String>,
    /// Called numbers given as bare digits.
    pub extensions: Vec<String>,
    /// `+digits`; the longest wins.
    pub prefixes: Vec<String>,
    /// Takes the calls that match no other flow.
    pub default: bool,
    /// `[business.X]`; `None`: the only one.
    pub business: Option<String>,
    /// Languages, the first is the one a call starts in.
    pub languages: Vec<String>,
    /// The first step.
    pub start: StepId,
    /// The person route.
    pub human: TargetId,
    /// `[fallback] target`; `None` where a flow is played without a configuration.
    pub fallback: Option<TargetId>,
    /// "If this is an emergency …" is said before anything else.
    pub emergency_notice: bool,
    /// The line takes no calls but protected ones: no key need lead to a person.
    pub digital_only: bool,
    /// Keys that lead to [`Flow::human`] in every menu, offer and answer.
    pub operator_keys: Vec<Key>,
    /// Fields that systems which ask for an offer tell of their callers (`[flow] told`).
    pub told: Vec<String>,
    /// Callers who hear no offer, 0–100 %.
    pub holdout_percent: u8,
    /// A caller who declined is not asked again for so many days.
    pub ask_again_days: u32,
    /// Minutes before a person answers; then → human.
    pub max_minutes: u32,
    /// Steps a call may enter; then → human.
    pub max_steps: u32,
    /// Minutes of an expected wait, as callers are told them.
    pub round_wait: RoundWait,
    /// Steps, in file order.
    pub steps: Vec<Step>,
    /// Targets of the flow and of the configuration.
    pub targets: Vec<Target>,
    /// Links.
    pub links: Vec<Link>,
    /// Named facts.
    pub rules: Vec<Rule>,
    /// Opening hours of the flow and of the configuration.
    pub hours: Vec<Hours>,
    /// What is sent after a call, in file order.
    pub after_call: Vec<AfterCall>,
    /// Senders, in file order; the default of `via`.
    pub senders: Vec<Sender>,
    /// Intents that need a picture: only senders that carry one are offered and used.
    pub media_intents: Vec<String>,
    /// Intents whose forwards carry `Priority: urgent` (RFC 3261 §20.26).
    pub priority_intents: Vec<String>,
}

/// A step: its name, the keys every step has, and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `X` of `[step.X]`.
    pub name: String,
    /// `false` permits an end in a hang-up without trying `[fallback]`.
    pub fallback: bool,
    /// The kind with its own keys.
    pub does: Does,
}

/// What a step does (`do = "…"`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Does {
    /// Plays and goes on.
    Say {
        /// What is played.
        play: PromptList,
        /// Where then.
        then: Go,
    },
    /// Plays and takes one key.
    Menu(Menu),
    /// A menu whose prompt is the answer: played to its end the caller is `answered_in_ivr`.
    Answer {
        /// Keys shared with a menu.
        menu: Menu,
        /// Fields without which the answer can't be given.
        needs: Vec<String>,
        /// Where to when one is missing; `None`: the way out.
        if_missing: Option<Go>,
    },
    /// A menu that offers the digital channel.
    Offer(Offer),
    /// First true case wins; unknown is skipped.
    Decide {
        /// In file order.
        case: Vec<(RuleId, Go)>,
        /// When none holds.
        otherwise: Go,
    },
    /// Sets facts of the call.
    Set {
        /// New intent.
        intent: Option<String>,
        /// New language; one of [`Flow::languages`].
        language: Option<String>,
        /// A consent given, by name.
        consent: Option<String>,
        /// A flag set, by name.
        flag: Option<String>,
        /// Where then.
        then: Go,
    },
    /// Sends a message.
    Text(Text),
    /// Plays and takes digits into a field.
    Collect(Collect),
    /// Asks a system of the business for fields.
    Lookup(Lookup),
    /// Has a system of the business do something.
    Action(Action),
    /// Keeps the caller in line at a target.
    Wait(Wait),
    /// Hands the caller to a voice bot, and takes him back.
    Agent(Agent),
    /// Takes a message.
    Voicemail(Voicemail),
    /// Books a callback.
    Callback(Callback),
    /// Asks for a confirming key and records the opt-out.
    OptOut {
        /// What is played.
        play: PromptList,
        /// The key that confirms.
        confirm: Key,
        /// Topic, empty for all.
        topic: String,
        /// After the opt-out was recorded.
        then: Go,
        /// No or another key.
        no_input: Go,
        /// It could not be recorded; `None`: the way out.
        if_fails: Option<Go>,
    },
}

impl Does {
    /// The keys and prompts of the three kinds that have them.
    pub fn menu(&self) -> Option<&Menu> {
        match self {
            Self::Menu(menu) | Self::Answer { menu, .. } => Some(menu),
            Self::Offer(offer) => Some(&offer.menu),
            Self::Say { .. }
            | Self::Decide { .. }
            | Self::Set { .. }
            | Self::Text(_)
            | Self::Collect(_)
            | Self::Lookup(_)
            | Self::Action(_)
            | Self::Wait(_)
            | Self::Agent(_)
            | Self::Voicemail(_)
            | Self::Callback(_)
            | Self::OptOut { .. } => None,
        }
    }

    /// Everything it plays.
    pub(crate) fn prompt_lists_mut(&mut self) -> Vec<&mut PromptList> {
        match self {
            Self::Say { play, .. } | Self::OptOut { play, .. } => vec![play],
            Self::Menu(menu) | Self::Answer { menu, .. } | Self::Offer(Offer { menu, .. }) => {
                [&mut menu.play].into_iter().chain(&mut menu.play_again).collect()
            }
            Self::Text(text) => {
                let own = [&mut text.wait_prompt, &mut text.sent_prompt, &mut text.failed_prompt];
                let ask = text.ask.iter_mut().flat_map(|ask| {
                    let (own, other) = (&mut ask.own, &mut ask.other);
                    [own, other, &mut ask.refused, &mut ask.read_back, &mut ask.elsewhere]
                });
                let own = own.into_iter().flatten().chain([&mut text.unsure_prompt]);
                own.chain(ask).collect()
            }
            Self::Collect(collect) => {
                let asked = [&mut collect.play].into_iter().chain(&mut collect.play_again);
                asked.chain(&mut collect.confirm).collect()
            }
            Self::Lookup(lookup) => lookup.wait_prompt.iter_mut().collect(),
            Self::Action(action) => {
                action.confirm.iter_mut().chain(&mut action.wait_prompt).collect()
            }
            Self::Wait(wait) => vec![&mut wait.music],
            Self::Voicemail(voicemail) => vec![&mut voicemail.play],
            Self::Callback(callback) => vec![&mut callback.play],
            Self::Decide { .. } | Self::Set { .. } | Self::Agent(_) => Vec::new(),
        }
    }
}

impl Does {
    /// What a system of the business is asked.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Lookup(lookup) => Some(&lookup.request),
            Self::Action(action) => Some(&action.request),
            _ => None,
        }
    }
}

/// `do = "text"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// Sender names in the order tried.
    pub via: Vec<String>,
    /// The link in the text; several make one page.
    pub links: Vec<LinkId>,
    /// Text by language; one entry under `""` serves all languages.
    pub message: BTreeMap<String, String>,
    /// `link` unless named.
    pub purpose: String,
    /// Whether the caller confirms the number.
    pub confirm_number: ConfirmNumber,
    /// What is played to a caller who is asked for it; `None`: nobody is.
    pub ask: Option<AskNumber>,
    /// Budget of the whole step, ms.
    pub accept_within_ms: u32,
    /// Budget of one attempt, ms.
    pub attempt_ms: u32,
    /// A second send after an ambiguous one.
    pub allow_one_duplicate: bool,
    /// The caller goes on waiting: a text that was sent does not end the call's deflection.
    pub keep_waiting: bool,
    /// Durably queued is enough to say "sent".
    pub sent_when_queued: bool,
    /// Minutes the message is worth sending.
    pub valid_minutes: u32,
    /// Minutes within which the same text to the same number is not sent again.
    pub repeat_after_minutes: u32,
    /// SMS that it may be long at most, 1–10; a longer one is not sent.
    pub max_segments: u8,
    /// `None`: silence.
    pub wait_prompt: Option<PromptList>,
    /// `None`: the flow says it itself.
    pub sent_prompt: Option<PromptList>,
    /// `None`: the flow says it itself.
    pub failed_prompt: Option<PromptList>,
    /// Said when the text may still arrive.
    pub unsure_prompt: PromptList,
    /// After the provider accepted.
    pub then: Go,
    /// `None`: the way out.
    pub if_fails: Option<Go>,
    /// `None`: as `if_fails`.
    pub if_ambiguous: Option<Go>,
    /// `None`: as `if_fails`.
    pub if_opted_out: Option<Go>,
    /// `None`: as `if_fails`.
    pub if_limited: Option<Go>,
}

/// The question for the number of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskNumber {
    /// Reads the caller's own number back.
    pub own: PromptList,
    /// Asks for another.
    pub other: PromptList,
    /// Said before, where no text reaches the number that was meant.
    pub refused: PromptList,
    /// Reads the typed number back.
    pub read_back: PromptList,
    /// Said where the number has the text already: a key has it sent to another. Empty: it is not said.
    pub elsewhere: PromptList,
    /// `confirm_number` is written in the step: an offer that leads there is also made to callers
    /// whose own number takes no texts.
    pub written: bool,
}

/// `do = "voicemail"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voicemail {
    /// What is played before the tone.
    pub play: PromptList,
    /// The longest message, seconds.
    pub max_seconds: u32,
    /// After the message.
    pub then: Go,
    /// It could not be kept; `None`: the way out.
    pub if_fails: Option<Go>,
}

/// `confirm_number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfirmNumber {
    /// Text the caller's number.
    Never,
    /// Ask where the number is no mobile.
    #[default]
    IfNotMobile,
    /// Always read it back.
    Always,
}

/// `[target.X]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `X`.
    pub name: String,
    /// Addresses in the order tried: `sip`, then `next_sip`.
    pub addresses: Vec<String>,
    /// Without a provisional for so long → next address, ms.
    pub no_reply_ms: u32,
    /// Ringing for so long is no answer, seconds.
    pub ring_seconds: u32,
    /// Between two OPTIONS that ask whether it is there, seconds; 0: never asked.
    pub ping_seconds: u32,
    /// How a call gets there.
    #[serde(default)]
    pub mode: TargetMode,
    /// `udp`, `tcp` or `auto`.
    pub transport: String,
    /// Opening hours; `None`: always open.
    pub hours: Option<HoursId>,
    /// Where to outside them.
    pub when_closed: Option<Go>,
    /// What a 200 means.
    pub answered_means: AnsweredMeans,
    /// How we learn that a person is there.
    pub human_signal: HumanSignal,
    /// Header name → template with `{call_id}`, `{context_url}`.
    pub headers: BTreeMap<String, String>,
    /// Keys by which its agents have a link sent; empty: none, and the bridge is blind to keys.
    pub feature_code: Vec<Key>,
    /// The `text` step whose message that is.
    pub send_link: Option<StepId>,
    /// 486, 600; `None`: `if_fails`.
    pub if_busy: Option<Go>,
    /// 480, 408 after ringing, `ring_seconds`; `None`: `if_fails`.
    pub if_no_answer: Option<Go>,
    /// `None`: human; at the human target `[fallback]`.
    pub if_fails: Option<Go>,
    /// `false` permits an end in a hang-up without trying `[fallback]`.
    pub fallback: bool,
}

/// `mode` of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetMode {
    /// We call the target and stay between.
    #[default]
    Bridge,
    /// A call that is answered is handed to the carrier by REFER (RFC 3515); bridged where the
    /// carrier does not take it there.
    Refer,
    /// A call that is not answered is sent on by a 302 (RFC 3261 §8.1.3.4); bridged once it is.
    Redirect,
}

/// `answered_means`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredMeans {
    /// A 200 is a person.
    Human,
    /// A 200 may be music.
    #[default]
    Queue,
}

/// `human_signal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HumanSignal {
    /// The 200 itself.
    Answer,
    /// A re-INVITE from the target.
    Reinvite,
    /// A header in an in-dialog request.
    Header(String),
    /// Asterisk's manager says so.
    Ami,
    /// FreeSWITCH's event socket says so.
    Esl,
    /// A client of our API says so.
    Api,
    /// We never learn it.
    None,
}

impl HumanSignal {
    /// As a target writes it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Reinvite => "reinvite",
            Self::Header(_) => "header",
            Self::Ami => "ami",
            Self::Esl => "esl",
            Self::Api => "api",
            Self::None => "none",
        }
    }
}

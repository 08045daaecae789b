//! What is known about a call when it arrives, and what its flow learns later.

use serde::{Deserialize, Serialize};

use super::{few::Few, io::Hidden};
use crate::{
    flow::{
        carry,
        model::{Fact, Flow, Level},
    },
    hours::OneOff,
};

/// Fields of one call.
const FIELDS: usize = 32;
/// Bytes of a field; a longer value is not kept.
pub(crate) const FIELD_LEN: usize = 100;

/// What the rules, the offers and the texts of one call are decided on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Our id of the call; also the stable hash's input where there is no caller.
    pub call_id: String,
    /// Name of the trunk it came on.
    pub trunk: String,
    /// The called number, E.164 or an extension's digits.
    pub called: String,
    /// The caller, E.164; `None` where there is no usable number.
    pub caller: Option<String>,
    /// The caller asked for privacy, or the number is not believed: it routes, but is not texted
    /// unasked.
    pub withheld: bool,
    /// The caller is to say whether the number is right before it is texted, whatever the step says.
    #[serde(default)]
    pub to_confirm: bool,
    /// Stable hash of the caller, else of the call; decides hold-out and `share`.
    pub caller_seed: u64,
    /// Whether a text can reach the caller's number; `None` where that is unknown.
    pub can_receive_text: Option<bool>,
    /// Nobody is texted now, for the business's opt-out list can't be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_texts: bool,
    /// `psap-callback`, `priority`, `relay-or-text-phone`, `withheld`, [`Facts::TEST_CALL`].
    pub call_is: Vec<String>,
    /// Flags of the operator that are set now; `None` while the store can't say.
    pub flags: Option<Vec<String>>,
    /// What the operator closed or opened for once, oldest first.
    pub one_offs: Vec<OneOff>,
    /// Earlier calls of this caller; `None` while unknown (store down, number withheld).
    pub history: Option<History>,
    /// Wall clock at [`Call::new`](super::Call::new)'s `now`, ms UTC.
    pub start_ms: i64,
    /// Country in which the numbers of the call are read, ISO code.
    pub country: String,
    /// What the carrier vouches for of the caller's number: `A`, `B`, `C`, `failed`, `none`.
    pub attestation: Option<String>,
    /// Headers of the INVITE that rules ask for, by name in lower case.
    pub headers: Few<String>,
    /// Targets that are asked by OPTIONS, by name: whether one of their addresses answers.
    pub targets_up: Few<bool>,
    /// Links whose destination fails its checks.
    pub links_down: Vec<String>,
    /// What the sources told last, by name.
    pub sources: Few<Told>,
    /// Fields of the call by name, for `{field}` in links, messages and `needs`.
    pub fields: Few<String>,
    /// Why the flow is not played at all; the call goes straight to its human target.
    pub bypass: Option<Bypass>,
    /// Fields that were collected as secrets: for the requests that name them, and nothing else.
    pub secrets: Few<Hidden>,
    /// What a lookup has proved of who the caller is.
    pub proved: Level,
    /// The call's intent, set by `intent` of a menu or a `set` step.
    pub intent: Option<String>,
    /// Channels that can't carry what the intent needs (EX-26).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels_barred: Vec<String>,
    /// The call's language; empty: the flow's first.
    pub language: String,
    /// Flags set by the flow in this call.
    pub set_flags: Vec<String>,
    /// Consents given in this call, by name.
    pub consents: Vec<String>,
    /// An offer was spoken in this call.
    #[serde(default)]
    pub offered: bool,
    /// Steps whose offers the caller declined for the phone, in this call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chose_phone_at: Vec<String>,
    /// The caller's opt-out was recorded, or met, in this call.
    pub opted_out: bool,
}

/// What a source of waiting times tells (KH-08).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    /// Expected wait, seconds.
    pub wait_seconds: Option<u32>,
    /// Agents who could take a call now.
    pub agents_available: Option<u32>,
    /// Callers who wait.
    pub callers_waiting: Option<u32>,
    /// So long this holds, ms UTC.
    pub until_ms: i64,
    /// What holds then; `None`: unknown.
    pub later_wait_seconds: Option<u32>,
    /// What holds then; `None`: unknown.
    pub later_agents_available: Option<u32>,
}

impl Told {
    /// Expected wait at `now_ms`, seconds.
    pub fn wait_at(&self, now_ms: i64) -> Option<u32> {
        if now_ms <= self.until_ms { self.wait_seconds } else { self.later_wait_seconds }
    }

    /// Callers who wait at `now_ms`; nobody guesses that later.
    pub fn callers_at(&self, now_ms: i64) -> Option<u32> {
        self.callers_waiting.filter(|_| now_ms <= self.until_ms)
    }

    /// Agents who could take a call at `now_ms`.
    pub fn agents_at(&self, now_ms: i64) -> Option<u32> {
        if now_ms <= self.until_ms { self.agents_available } else { self.later_agents_available }
    }
}

/// What earlier calls of the same caller to the same business left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// When earlier calls began, ms UTC; the present one is not among them.
    pub calls_ms: Vec<i64>,
    /// When earlier calls that ended deflected began, ms UTC.
    pub deflected_ms: Vec<i64>,
    /// The last text did not arrive, or may not have (24 h).
    pub failed_promise: bool,
    /// When an offer was last declined, ms UTC.
    pub declined_ms: Option<i64>,
    /// When an offer was last spoken to the caller, ms UTC.
    pub offered_ms: Option<i64>,
    /// The caller wants no texts from this brand.
    pub opted_out: bool,
}

/// Why a call skips its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bypass {
    /// The node is near its limits; the call is, deflection is not.
    Overload,
    /// The store is down.
    StoreDown,
    /// The node drains and lets go of what it can.
    Draining,
}

/// Why nobody is texted while the opt-out list can't be read.
pub(crate) const NO_TEXTS: &str = "opt_out_list";

impl Facts {
    /// One of [`Facts::call_is`]: a test call of the operator. It is protected, and no report
    /// counts it.
    pub const TEST_CALL: &str = "test-call";

    /// Calls that reach a person without any offer, whatever the flow says.
    pub fn is_protected(&self) -> bool {
        self.is_test()
            || self.call_is.iter().any(|is| {
                matches!(is.as_str(), "psap-callback" | "priority" | "relay-or-text-phone")
            })
    }

    /// Why a call is not played its flow.
    pub(super) fn bypassed(&self) -> Option<&'static str> {
        match self.bypass {
            _ if self.is_protected() => Some("protected"),
            Some(Bypass::Overload) => Some("overload"),
            Some(Bypass::StoreDown) => Some("store-down"),
            Some(Bypass::Draining) => Some("draining"),
            None => None,
        }
    }

    /// The operator tries the way to a person (requirements §7.6).
    pub(crate) fn is_test(&self) -> bool {
        self.call_is.iter().any(|is| is == Self::TEST_CALL)
    }

    /// Whether the caller wants no texts, as far as it is known.
    pub fn wants_no_texts(&self) -> bool {
        self.opted_out || self.history.as_ref().is_some_and(|history| history.opted_out)
    }

    /// What is known of who the caller is: a number that is on file counts where the carrier
    /// vouches for it.
    pub(crate) fn level(&self) -> Level {
        match self.proved {
            Level::L1 if self.attestation.as_deref() != Some("A") => Level::L0,
            proved => proved,
        }
    }

    /// What is known of who has the number that a text goes to: of one that was typed, or has to be,
    /// nothing (requirements §4.10).
    pub(crate) fn level_of(&self, typed: Option<&Hidden>) -> Level {
        let own = self.caller.as_deref().filter(|_| !self.withheld);
        let is_own = match typed {
            Some(typed) => own == Some(typed.0.as_str()),
            None => own.is_some() && self.can_receive_text != Some(false),
        };
        if is_own { self.level() } else { Level::L0 }
    }

    /// A protected call that is about an emergency.
    pub(crate) fn is_emergency(&self) -> bool {
        self.call_is.iter().any(|is| matches!(is.as_str(), "psap-callback" | "priority"))
    }

    /// Whether a field is known: given with the call, or one the call itself carries.
    pub fn field(&self, name: &str) -> Option<&str> {
        match name {
            "call_id" => Some(self.call_id.as_str()),
            "called" | "called_number" => Some(self.called.as_str()),
            "language" => Some(self.language.as_str()).filter(|language| !language.is_empty()),
            "intent" => self.intent.as_deref(),
            _ if carry::FIELDS.contains(&name) => {
                let barred = self.channels_barred.iter().any(|channel| name.ends_with(channel));
                (!barred).then_some("yes")
            }
            _ => self.fields.get(name).map(String::as_str),
        }
    }

    /// A field of a request to a system of the business: beside the others the caller's number
    /// and what was collected as a secret.
    pub(crate) fn field_of_request(&self, name: &str) -> Option<&str> {
        match name {
            "caller_number" => self.caller.as_deref().filter(|_| !self.withheld),
            _ => self.field(name).or_else(|| self.secrets.get(name).map(|hidden| &*hidden.0)),
        }
    }

    /// Keeps a value under a name. A call has room for so much; what is more is not kept.
    pub(crate) fn learn(&mut self, name: &str, value: &str, secret: bool) {
        self.fields.remove(name);
        self.secrets.remove(name);
        let room = self.fields.len() + self.secrets.len() < FIELDS;
        if !room || value.is_empty() || value.len() > FIELD_LEN {
            return;
        }
        if secret {
            self.secrets.insert(name.to_owned(), Hidden(value.to_owned()));
        } else {
            self.fields.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Keeps as many of the newest earlier calls as the flow's rules count, and no spare room, so that
    /// the state stays small.
    pub(crate) fn bound(&mut self, flow: &Flow) {
        self.one_offs.shrink_to_fit();
        self.links_down.shrink_to_fit();
        self.call_is.shrink_to_fit();
        let Some(history) = &mut self.history else { return };
        // By the newest deflected one offers know a returning caller.
        let (mut calls, mut deflected) = (0, 1);
        for rule in &flow.rules {
            match &rule.fact {
                Fact::CallsInLast(window) => calls = calls.max(window.bound.counts_to()),
                Fact::DeflectedInLast(window) => {
                    deflected = deflected.max(window.bound.counts_to());
                }
                _ => {}
            }
        }
        for (list, len) in [(&mut history.calls_ms, calls), (&mut history.deflected_ms, deflected)]
        {
            list.sort_unstable_by(|a, b| b.cmp(a));
            list.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            list.shrink_to_fit();
        }
    }
}

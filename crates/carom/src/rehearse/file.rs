//! `*.flowtest.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    places::Places,
    turns::{OneOrMore, TextsAre},
};

/// How a file of tests is called.
pub const SUFFIX: &str = ".flowtest.toml";

/// One call and what is expected of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Name of the flow; left out, the one that takes `called`.
    pub flow: Option<String>,
    /// Called number; left out, the flow's first.
    pub called: Option<String>,
    /// Caller, or `anonymous`; left out, somebody whom a text reaches.
    pub caller: Option<String>,
    /// When the call arrives: `2026-11-25T10:00[Europe/London]`.
    pub at: Option<String>,
    /// `priority`, `psap-callback`, `relay-or-text-phone`.
    #[serde(default)]
    pub call_is: Vec<String>,
    /// Flags of the operator that are set.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Headers of the INVITE.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `A`, `B`, `C`, `failed`, `none`.
    pub attestation: Option<String>,
    /// Left out, as the numbering plan tells.
    pub can_receive_text: Option<bool>,
    /// Hours since earlier calls of the caller.
    #[serde(default)]
    pub called_hours_ago: Vec<f64>,
    /// Hours since earlier calls that ended deflected.
    #[serde(default)]
    pub deflected_hours_ago: Vec<f64>,
    /// Hours since the caller declined an offer.
    pub declined_hours_ago: Option<f64>,
    /// The last text did not arrive.
    #[serde(default)]
    pub failed_promise: bool,
    /// The caller wants no texts.
    #[serde(default)]
    pub opted_out: bool,
    /// The store says nothing of the caller.
    #[serde(default)]
    pub history_unknown: bool,
    /// How often the caller was on the pages of the business within the last hour; left out: never.
    pub site_visits: Option<u32>,
    /// The control group, or not; left out: not.
    pub arm: Option<ArmIs>,
    /// Whether the caller is one of those who hear offers with a `share`; left out: one of them.
    pub share: Option<ShareIs>,
    /// Opening hours that are closed or open for once, by name.
    #[serde(default)]
    pub hours: BTreeMap<String, HoursAre>,
    /// Whether targets answer our OPTIONS, by name; of others nothing is known.
    #[serde(default)]
    pub target_up: BTreeMap<String, bool>,
    /// What sources tell.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceSays>,
    /// What lookups and actions answer, by step; others fail.
    #[serde(default)]
    pub answers: BTreeMap<String, BTreeMap<String, String>>,
    /// What the destinations of links say of themselves, by link, or that their checks fail; others
    /// are there.
    #[serde(default)]
    pub links: BTreeMap<String, LinkSays>,
    /// What voice bots do, by step: a table of fields that they hand back, or a word; others
    /// hand the caller back, and say nothing.
    #[serde(default)]
    pub agents: BTreeMap<String, AgentSays>,
    /// What becomes of texts: a word, a list of them, one text after the other, or either by step.
    #[serde(default)]
    pub text: TextsAre,
    /// What becomes of what a sender is given, by sender: after `failed` the next one has it.
    #[serde(default)]
    pub senders: BTreeMap<String, TextIs>,
    /// What becomes of callbacks.
    #[serde(default)]
    pub callback: CallbackIs,
    /// What becomes of what the caller says.
    #[serde(default)]
    pub voicemail: VoicemailIs,
    /// What becomes of opt-outs.
    #[serde(default)]
    pub opt_out: OptOutIs,
    /// Prompts that can't be played.
    #[serde(default)]
    pub missing_prompts: Vec<String>,
    /// What becomes of targets, by name; others are answered by a person.
    #[serde(default)]
    pub targets: BTreeMap<String, OneOrMore<TargetIs>>,
    /// What the caller does: keys, `silence`, `wait 30s`, `hang up`.
    #[serde(default, rename = "do")]
    pub does: Vec<String>,
    /// What must come of it.
    pub expect: Expect,
    /// Where all this stands in its file.
    #[serde(skip)]
    pub places: Places,
}

/// What must come of a call; what is left out is not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Every step with its exit: `welcome 1`.
    pub path: Option<Vec<String>>,
    /// Prompts among those heard, in this order.
    pub prompts: Option<Vec<String>>,
    /// Parts of the texts sent, one each; an empty list: none is sent.
    pub texts: Option<Vec<String>>,
    /// Parts of the texts that follow the call, one each; an empty list: none does.
    pub follow_ups: Option<Vec<String>>,
    /// Targets called, in order.
    pub targets: Option<Vec<String>>,
    /// Offers with their answer: `offer declined`, `offer suppressed:holdout`.
    pub offers: Option<Vec<String>>,
    /// How it ends: `deflected`, `forwarded`, …; where it has not ended, the step it is in.
    pub end: Option<String>,
    /// `human`, `no_human`, `unknown`.
    pub handled: Option<String>,
}

/// The arm of an experiment, as `call.arm` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmIs {
    /// Offers are made.
    On,
    /// The control group, which hears none.
    Holdout,
}

/// Whether offers with a `share` are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShareIs {
    /// They are.
    Inside,
    /// They are not.
    Outside,
}

/// Opening hours, whatever their calendar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoursAre {
    /// Open for once.
    Open,
    /// Closed for once.
    Closed,
}

/// What a source tells.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSays {
    /// Expected wait.
    pub wait_seconds: Option<u32>,
    /// Free agents.
    pub agents_available: Option<u32>,
}

/// What the destination of a link says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkSays {
    /// Somebody is there.
    Available,
    /// Nobody is.
    NotAvailable,
    /// Nothing.
    Down,
    /// Its `check_url` fails.
    Failing,
}

/// What a voice bot does with the caller.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AgentSays {
    /// It hands the caller back, with these values by field.
    Fields(BTreeMap<String, String>),
    /// Something else.
    Does(AgentDoes),
}

/// What else a voice bot may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentDoes {
    /// It talks for ever.
    Stays,
    /// It breaks off in the middle.
    BreaksOff,
}

/// What becomes of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextIs {
    /// A provider accepts them.
    #[default]
    Accepted,
    /// They are queued.
    Queued,
    /// No provider takes them.
    Failed,
    /// Nobody knows.
    Ambiguous,
    /// A limit bites.
    Limited,
    /// The number takes none.
    NotTextable,
    /// It went out a moment ago.
    Duplicate,
    /// Nothing is heard of them.
    Lost,
}

/// What becomes of opt-outs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptOutIs {
    /// They are recorded.
    #[default]
    Recorded,
    /// They can't be.
    Failed,
    /// Nothing is heard of them.
    Lost,
}

/// What becomes of callbacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackIs {
    /// They are booked.
    #[default]
    Booked,
    /// The first times are full; a later one is offered, and booked.
    Next,
    /// All times are full: nothing is spoken of.
    Full,
    /// The number is none that we call.
    NotCallable,
    /// They can't be booked.
    Failed,
    /// Nothing is heard of them.
    Lost,
}

/// What becomes of what the caller says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoicemailIs {
    /// The caller speaks, and it is kept.
    #[default]
    Kept,
    /// The caller says nothing.
    Nothing,
    /// It can't be kept.
    Failed,
    /// Nothing is heard of it.
    Lost,
}

/// What becomes of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetIs {
    /// A person answers.
    Person,
    /// A queue answers.
    Queue,
    /// 486.
    Busy,
    /// It rings out.
    NoAnswer,
    /// 503.
    Failed,
    /// Nothing is heard of it.
    Dead,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Test>,
}

/// Reads a file of tests.
///
/// # Errors
/// What is wrong with it, with its line.
pub fn read(text: &str) -> Result<Vec<Test>, String> {
    let mut file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.test.is_empty() {
        return Err("there is no `[[test]]` in it".to_owned());
    }
    for (test, places) in file.test.iter_mut().zip(Places::of(text)) {
        test.places = places;
    }
    Ok(file.test)
}

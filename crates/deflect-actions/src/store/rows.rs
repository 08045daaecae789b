//! What a call leaves behind, in the words of the store.

/// One fact for the [`super::Writer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A page of a link was fetched.
    LinkSeen(super::LinkSeen),
    /// A call arrived.
    CallStarted(CallStarted),
    /// Something about a running call that its record must not lose if the node dies.
    CallProgress(CallProgress),
    /// A call is over.
    CallEnded(CallEnded),
    /// A step is over.
    Step(StepRow),
    /// An offer was made, suppressed or answered; the newest row of an id counts.
    Offer(OfferRow),
    /// A fact learned later.
    Outcome(OutcomeRow),
    /// The caller agreed to something that is not, or not yet, a text.
    Consent(ConsentRow),
    /// What the call machine was told.
    CallInput(CallInput),
    /// Somebody came by an entry point.
    Contact(ContactRow),
    /// Something for the webhooks that want to know it.
    Event(super::Event),
    /// A text that is to follow a call.
    FollowUp(super::FollowUpRow),
    /// A limit bit.
    LimitHit(LimitHit),
    /// What came of an offer to a caller of another IVR; who it was for is forgotten.
    OfferAnswered(super::OfferAnswered),
}

/// A limit that bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHit {
    /// UUIDv7.
    pub hit_id: String,
    /// When, milliseconds UTC.
    pub at_ms: i64,
    /// The call that it was about; `None`: none was.
    pub call_id: Option<String>,
    /// Its name, as in `[limits]`.
    pub rule: String,
    /// What it counts by: `caller`, `prefix`, `line`, …
    pub scope: String,
    /// Which of these.
    pub scope_key: String,
}

/// A person at an entry point, before any call: who it is, is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// UUIDv7; the destination may tell later what became of it.
    pub contact_id: String,
    /// The entry's name.
    pub entry_point: String,
    /// Whose it is.
    pub business: String,
    /// When, milliseconds UTC.
    pub at_ms: i64,
}

/// When it was in the line's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTime {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// 1 = Monday … 7 = Sunday.
    pub dow: i16,
    /// 0–23.
    pub hour: i16,
    /// Quarter of an hour of the day, 0–95.
    pub quarter: i16,
}

/// A call at its arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStarted {
    /// UUIDv7.
    pub call_id: String,
    /// `trunk`, `api`, or `callback` where we called.
    pub origin: &'static str,
    /// Where it came from.
    pub trunk: Option<String>,
    /// The number called.
    pub did: Option<String>,
    /// On whose behalf it is taken.
    pub business: String,
    /// The flow.
    pub flow: Option<String>,
    /// Hash of the flow as served.
    pub flow_rev: Option<String>,
    /// Call-ID of the caller leg.
    pub sip_call_id_a: Option<String>,
    /// Arrival.
    pub started_ms: i64,
    /// Arrival in the line's zone.
    pub local: LocalTime,
    /// The caller's hash; `None`: withheld or unusable.
    pub caller_key: Option<String>,
    /// The same under the previous epoch's secret.
    pub caller_key_prev: Option<String>,
    /// ISO code.
    pub caller_region: Option<String>,
    /// `mobile`, `fixed`, …
    pub caller_line_type: Option<String>,
    /// Language at arrival.
    pub language: Option<String>,
}

/// What is known of a running call; `None` changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallProgress {
    /// The call.
    pub call_id: String,
    /// Our 200.
    pub answered_ms: Option<i64>,
    /// The target being called.
    pub forward_target: Option<String>,
    /// When it was called.
    pub forward_started_ms: Option<i64>,
    /// When a person was there.
    pub human_answered_ms: Option<i64>,
    /// The caller is in the control group.
    pub holdout: bool,
}

/// A call at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnded {
    /// The call.
    pub call_id: String,
    /// Call-ID of the target leg.
    pub sip_call_id_b: Option<String>,
    /// Our 200.
    pub answered_ms: Option<i64>,
    /// The end.
    pub ended_ms: i64,
    /// Language at the end.
    pub language: Option<String>,
    /// Intent at the end.
    pub intent: Option<String>,
    /// In the control group.
    pub holdout: bool,
    /// Name of the last step.
    pub last_step: Option<String>,
    /// Name of the target.
    pub forward_target: Option<String>,
    /// When it was first called.
    pub forward_started_ms: Option<i64>,
    /// When a person was there.
    pub human_answered_ms: Option<i64>,
    /// When the person was gone.
    pub human_ended_ms: Option<i64>,
    /// `human`, `no_human`, `unknown`.
    pub handled: String,
    /// `deflected`, `forwarded`, …
    pub end_reason: String,
    /// Final status on the caller leg.
    pub sip_final: Option<u16>,
}

/// A step of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// The call.
    pub call_id: String,
    /// Counts within the call.
    pub seq: u32,
    /// Its name.
    pub step: String,
    /// `menu`, `offer`, …
    pub kind: String,
    /// Begin.
    pub entered_ms: i64,
    /// End.
    pub left_ms: Option<i64>,
    /// The first key that counted.
    pub first_key_ms: Option<i64>,
    /// How it was left.
    pub exit: Option<String>,
    /// E.g. the case taken.
    pub note: Option<String>,
    /// Times its prompt was played.
    pub tries: u8,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRow {
    /// UUIDv7.
    pub offer_id: String,
    /// The call.
    pub call_id: String,
    /// The step.
    pub step: String,
    /// `menu`, `use-case`, …
    pub stage: String,
    /// The call's intent.
    pub intent: Option<String>,
    /// When.
    pub offered_ms: i64,
    /// `pending`, `accepted`, …
    pub response: String,
    /// The key that answered it.
    pub pressed: Option<String>,
    /// Why it was suppressed.
    pub reason: Option<String>,
    /// `sms`.
    pub channel: Option<String>,
}

/// A fact learned about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRow {
    /// UUIDv7.
    pub outcome_id: String,
    /// The call.
    pub call_id: String,
    /// `resolved`, `answered_in_ivr`, …
    pub kind: String,
    /// 1–5.
    pub csat: Option<i16>,
    /// When.
    pub at_ms: i64,
    /// Who says so.
    pub source: String,
}

/// A caller's consent by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// UUIDv7.
    pub consent_id: String,
    /// The call.
    pub call_id: String,
    /// The step that asked.
    pub step: String,
    /// What was asked: a prompt or step.
    pub prompt_id: String,
    /// Fixes the wording: a hash of the transcript, or the flow's revision.
    pub prompt_hash: String,
    /// Language it was asked in.
    pub language: String,
    /// The key pressed.
    pub pressed: Option<String>,
    /// What to.
    pub purpose: String,
    /// The caller's hash.
    pub dest_key: String,
    /// The same under the previous secret.
    pub dest_key_prev: Option<String>,
    /// When.
    pub at_ms: i64,
}

/// An input of the call machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInput {
    /// The call.
    pub call_id: String,
    /// Counts within the call.
    pub seq: u32,
    /// When.
    pub at_ms: i64,
    /// JSON, digits masked.
    pub input: String,
}

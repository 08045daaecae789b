//! Routes by the names that other systems have for them, so that an IVR which was made for one of
//! those needs no more than another address: LivePerson's Connect To Messaging, Khoros Flow.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use deflect_actions::provider::Channel;
use ivr_runtime::{call::TextOutcome, flow::may_be_told};
use message_text::E164;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Body, Problem};
use crate::{
    config::Snapshot,
    http::{Site, guard::Client},
    switchboard::{NoOffer, Overrides, Question},
};

/// LivePerson's codes of errors that tell more than the status.
const INVALID_PHONE: u32 = 1001;
const OTHER_VERSION: u32 = 1002;
const NOT_SENT: u32 = 1400;
const OTHER_CHANNEL: u32 = 1900;
const OTHER_SKILL: u32 = 1901;
/// The version of Connect To Messaging that is spoken.
const C2M: &str = "2.0";
/// Values of another system that are taken as fields.
const PARAMS: usize = 32;
/// What LivePerson calls a field of ours; all others keep their names.
const OF_THE_CUSTOMER: [(&str, &str); 2] =
    [("customerId", "customer_id"), ("ctype", "customer_type")];

/// The version, in the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

impl Version {
    /// Whether it is another one than `spoken`; one that is left out is the one.
    pub(super) fn is_other_than(&self, spoken: &str) -> bool {
        self.v.as_deref().is_some_and(|v| v != spoken)
    }
}

/// Connect To Messaging: eligibility.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mEligibility {
    skill: String,
    consumer_phone_number: String,
    ivr_number: Option<String>,
    /// The client's id of the call: the field `handoff_id`.
    handoff_id: Option<String>,
    /// The client's id of the person: the field `consumer_id`.
    consumer_id: Option<String>,
    /// What is known of the person: each value of an entry `ctmrinfo` becomes a field.
    sdes: Option<Vec<C2mEntry>>,
    /// What the conversation begins with: each becomes a field.
    template_variables: Option<BTreeMap<String, Value>>,
}

/// Connect To Messaging: one kind of what is known of a person.
#[derive(Debug, Deserialize, JsonSchema)]
struct C2mEntry {
    #[serde(rename = "type")]
    kind: String,
    /// Of an entry `ctmrinfo`.
    #[serde(default)]
    info: BTreeMap<String, Value>,
}

impl C2mEligibility {
    /// What it says of the person and the call, as fields. What is none of ours, or is long, is left
    /// out: the client means it for others, and wants its answer.
    fn fields(&mut self) -> Vec<(String, String)> {
        let entries = self.sdes.take().unwrap_or_default().into_iter();
        let of_customer = entries.filter(|entry| entry.kind == "ctmrinfo");
        let ours = |(name, value): (String, Value)| {
            let known = OF_THE_CUSTOMER.iter().find(|(theirs, _)| *theirs == name);
            (known.map_or(name, |(_, ours)| (*ours).to_owned()), value)
        };
        let mut all: BTreeMap<String, Value> =
            of_customer.flat_map(|entry| entry.info).map(ours).collect();
        all.append(&mut self.template_variables.take().unwrap_or_default());
        let ids =
            [("handoff_id", self.handoff_id.take()), ("consumer_id", self.consumer_id.take())];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.into())));
        all.extend(ids);
        let may_be_kept = |(name, value): &(String, String)| {
            let why_not = may_be_told(name, value).err();
            if let Some(why) = &why_not {
                tracing::debug!(why, "a value of an eligibility request is left out");
            }
            why_not.is_none()
        };
        texts(all).filter(may_be_kept).take(PARAMS).collect()
    }
}

/// Connect To Messaging: invite.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mInvite {
    call_id: String,
    /// `sms` or `wa`.
    override_channel: Option<String>,
    /// An SMS in place of the flow's, with `{link}` where its address is put.
    override_message: Option<String>,
    /// Another intent than was asked about.
    override_skill: Option<String>,
}

/// Connect To Messaging: whether a message may be sent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mTold {
    eligible: bool,
    available_channels: Vec<&'static str>,
    recommended_channel_name: Option<&'static str>,
    call_id: String,
}

/// Connect To Messaging: it is sent, or may have been.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mInvited {
    call_id: String,
    /// `ambiguous`: it may still arrive; whoever sends another may text the person twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// As LivePerson tells an error.
pub(crate) struct C2mError(StatusCode, u32, String);

/// Its body.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "C2mProblem")]
pub(crate) struct C2mErrorTold {
    /// A code of Connect To Messaging.
    error_code: u32,
    /// For people.
    error_message: String,
}

impl IntoResponse for C2mError {
    fn into_response(self) -> Response {
        let body = C2mErrorTold { error_code: self.1, error_message: self.2 };
        (self.0, Json(body)).into_response()
    }
}

impl C2mError {
    /// By the code that belongs to the status.
    pub fn of(status: StatusCode, message: impl Into<String>) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => 1100,
            StatusCode::FORBIDDEN => 1101,
            StatusCode::NOT_FOUND => 1004,
            StatusCode::METHOD_NOT_ALLOWED => 1005,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => 1015,
            StatusCode::TOO_MANY_REQUESTS => 1029,
            status if status.is_server_error() => 5000,
            _ => 1000,
        };
        Self(status, code, message.into())
    }

    fn bad(code: u32, message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, code, message.into())
    }

    fn unless_spoken(version: &Version) -> Result<(), Self> {
        match version.is_other_than(C2M) {
            true => Err(Self::bad(OTHER_VERSION, format!("v is {C2M}"))),
            false => Ok(()),
        }
    }
}

impl From<Problem> for C2mError {
    fn from(problem: Problem) -> Self {
        Self::of(problem.status, problem.message)
    }
}

/// `POST /api/account/{account}/eligibility`; the skill is the intent.
pub(crate) async fn c2m_eligibility(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Path(account): Path<String>,
    Query(version): Query<Version>,
    body: Result<Body<C2mEligibility>, Problem>,
) -> Result<Json<C2mTold>, C2mError> {
    C2mError::unless_spoken(&version)?;
    let Body(mut asked) = body?;
    let number: E164 = asked.consumer_phone_number.parse().map_err(|_| {
        C2mError::bad(INVALID_PHONE, "consumerPhoneNumber is no number with + and country code")
    })?;
    let snapshot = site.snapshot.load_full();
    let fields = asked.fields();
    let called = asked.ivr_number.or_else(|| line_of(&snapshot, &account));
    let question = Question { fields, ..question(number, called, Some(asked.skill), client) };
    let found = site.remote.ask(&snapshot, question.clone()).await;
    if let Some(offer) = &found.offer_id {
        site.remote.publish(offer, &question).await.map_err(Problem::from)?;
    }
    let channels: Vec<&'static str> =
        found.channels.iter().map(|channel| short(*channel)).collect();
    Ok(Json(C2mTold {
        eligible: found.offer_id.is_some(),
        recommended_channel_name: channels.first().copied(),
        available_channels: channels,
        call_id: found.call_id,
    }))
}

/// `POST /api/account/{account}/invite`.
pub(crate) async fn c2m_invite(
    State(site): State<Site>,
    Path(_account): Path<String>,
    Query(version): Query<Version>,
    body: Result<Body<C2mInvite>, Problem>,
) -> Result<Json<C2mInvited>, C2mError> {
    C2mError::unless_spoken(&version)?;
    let Body(wanted) = body?;
    let channel = match wanted.override_channel.as_deref() {
        None => None,
        Some("sms") => Some(Channel::Sms),
        Some("wa" | "whatsapp") => Some(Channel::WhatsApp),
        Some(_) => return Err(C2mError::bad(OTHER_CHANNEL, "overrideChannel is sms or wa")),
    };
    let (text, intent) = (wanted.override_message, wanted.override_skill);
    let overrides = Overrides { channel, text, intent };
    let snapshot = site.snapshot.load_full();
    // It has no key of its own: who asks twice is told the second time that it is used.
    let key = Uuid::now_v7().to_string();
    let invited = site.remote.invite(&snapshot, &wanted.call_id, &key, &overrides).await;
    let invited = invited.map_err(|why| match why {
        NoOffer::Store => {
            C2mError::of(StatusCode::INTERNAL_SERVER_ERROR, "the store does not answer")
        }
        NoOffer::Gone | NoOffer::UnderWay => {
            C2mError::of(StatusCode::NOT_FOUND, "no eligibility of this callId waits")
        }
        NoOffer::OtherChannel => C2mError::bad(OTHER_CHANNEL, "there is no text by this channel"),
        NoOffer::OtherIntent(why) => C2mError::bad(OTHER_SKILL, format!("overrideSkill: {why}")),
        NoOffer::OtherText(why) => {
            C2mError::of(StatusCode::BAD_REQUEST, format!("overrideMessage: {why}"))
        }
    })?;
    match came(&invited.outcome) {
        Ok(state) => Ok(Json(C2mInvited { call_id: invited.call_id, state })),
        Err(why) => Err(C2mError::bad(NOT_SENT, format!("the message was not sent: {why}"))),
    }
}

/// Khoros Flow: a broadcast to one person.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Broadcast {
    audience: Vec<Audience>,
    channel: BroadcastChannel,
    payload: Payload,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Audience {
    phone_number: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BroadcastChannel {
    channel_name: String,
    /// The number that was called.
    external_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(rename = "type")]
    kind: PayloadKind,
    /// An event is the intent.
    event_name: Option<String>,
    /// A text is sent in place of the flow's, with `{link}` where its address is put.
    speech: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PayloadKind {
    Event,
    Text,
}

/// What is known of the call.
#[derive(Debug, Deserialize, JsonSchema)]
struct Metadata {
    language: Option<String>,
    /// Become fields of the flow, the first value of each.
    #[serde(default)]
    params: BTreeMap<String, Vec<Param>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Param {
    value: Value,
}

/// Khoros Flow: it is sent, or may have been.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BroadcastTold {
    status: &'static str,
    /// `ambiguous`: it may still arrive; whoever sends another may text the person twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// `POST /rest/v1/broadcast/instant`: eligible or not, and invited, in one.
pub(crate) async fn broadcast(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Body(wanted): Body<Broadcast>,
) -> Result<Json<BroadcastTold>, Problem> {
    let [one] = wanted.audience.as_slice() else {
        return Err(Problem::bad("invalid_audience", "the audience is one person"));
    };
    let number = super::number(one.phone_number.as_deref().unwrap_or_default())?;
    let channel = match wanted.channel.channel_name.as_str() {
        "whatsapp" => Channel::WhatsApp,
        "twilio" | "messagemedia" | "telekom" => Channel::Sms,
        other => {
            let message = format!("`channelName`: there are texts and WhatsApp, no `{other}`");
            return Err(Problem::bad("invalid_channel", message));
        }
    };
    let Payload { kind, event_name, speech, metadata } = wanted.payload;
    let text = speech.filter(|_| kind == PayloadKind::Text);
    if kind == PayloadKind::Text && text.is_none() {
        return Err(Problem::bad("invalid_text", "a payload of type `text` has `speech`"));
    }
    let snapshot = site.snapshot.load_full();
    let called = wanted.channel.external_id.map(|id| line_of(&snapshot, &id).unwrap_or(id));
    let mut question = question(number, called, event_name, client);
    if let Some(Metadata { language, params }) = metadata {
        question.language = language;
        let first =
            |(name, values): (String, Vec<Param>)| Some((name, values.into_iter().next()?.value));
        question.fields = fields(params.into_iter().filter_map(first).collect())?;
    }
    let found = site.remote.ask(&snapshot, question).await;
    let Some(offer) = found.offer_id else {
        let reason = found.reason.unwrap_or_default();
        return Err(Problem::bad("not_eligible", reason));
    };
    let overrides = Overrides { channel: Some(channel), text, intent: None };
    match site.remote.invite_at_once(&offer, &overrides).await {
        Ok(invited) => match came(&invited.outcome) {
            Ok(state) => Ok(Json(BroadcastTold { status: "ok", state })),
            Err(why) => Err(Problem::bad("not_sent", why)),
        },
        Err(NoOffer::OtherText(why)) => Err(Problem::bad("invalid_text", why)),
        Err(_) => Err(Problem::bad("invalid_channel", "there is no text by this channel")),
    }
}

/// Values by the names that another system has for them, each as a field; what is null is none.
fn fields(told: BTreeMap<String, Value>) -> Result<Vec<(String, String)>, Problem> {
    if told.len() > PARAMS {
        let message = format!("there are more than {PARAMS} values to be kept");
        return Err(Problem::bad("invalid_params", message));
    }
    let fields: Vec<_> = texts(told).collect();
    for (name, value) in &fields {
        may_be_told(name, value).map_err(|why| Problem::bad("invalid_params", why))?;
    }
    Ok(fields)
}

/// Values as fields hold them; null is none.
fn texts(told: BTreeMap<String, Value>) -> impl Iterator<Item = (String, String)> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let known = told.into_iter().filter(|(_, value)| !value.is_null());
    known.map(move |(name, value)| (name, text(value)))
}

/// The number called that belongs to an account of a client.
pub(super) fn line_of(snapshot: &Snapshot, account: &str) -> Option<String> {
    snapshot.config.http.accounts.get(account).cloned()
}

pub(super) fn question(
    number: E164,
    called: Option<String>,
    intent: Option<String>,
    client: String,
) -> Question {
    Question {
        number,
        called: called.unwrap_or_default(),
        intent,
        language: None,
        wait_seconds: None,
        fields: Vec::new(),
        client,
    }
}

/// What became of a text, and more of it than "sent"; `Err`: why it was certainly not. One that
/// may have been is told as sent: its IVR would text the person another time.
fn came(outcome: &TextOutcome) -> Result<Option<&'static str>, &'static str> {
    match outcome {
        TextOutcome::Accepted { .. } | TextOutcome::Queued | TextOutcome::Duplicate => Ok(None),
        TextOutcome::Ambiguous => Ok(Some("ambiguous")),
        TextOutcome::OptedOut => Err("the person wants none"),
        TextOutcome::Limited { .. } => Err("a limit"),
        TextOutcome::NotTextable { .. } => Err("the number takes none"),
        TextOutcome::Failed { .. } => Err("no provider took it"),
    }
}

/// As LivePerson names a channel.
fn short(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "sms",
        Channel::WhatsApp => "wa",
    }
}

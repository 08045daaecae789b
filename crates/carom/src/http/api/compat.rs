//! Routes by the names that other systems have for them, so that an IVR which was made for one of
//! those needs no more than another address: LivePerson's Connect To Messaging, Khoros Flow.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use deflect_actions::provider::Channel;
use ivr_runtime::call::TextOutcome;
use message_text::E164;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Body, Problem};
use crate::{
    http::{Site, guard::Client},
    switchboard::{NoOffer, Question},
};

/// LivePerson's codes of errors.
const INVALID_REQUEST: u32 = 1000;
const INVALID_PHONE: u32 = 1001;
const NOT_SENT: u32 = 1400;
const NO_CHANNEL: u32 = 1501;

/// Connect To Messaging: eligibility.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mEligibility {
    skill: String,
    consumer_phone_number: String,
    ivr_number: Option<String>,
}

/// Connect To Messaging: invite.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mInvite {
    call_id: String,
    override_channel: Option<String>,
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

/// Connect To Messaging: it is sent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct C2mInvited {
    call_id: String,
}

/// As LivePerson tells an error.
pub(crate) struct C2mError(StatusCode, u32, String);

impl IntoResponse for C2mError {
    fn into_response(self) -> Response {
        let body = json!({ "errorCode": self.1, "errorMessage": self.2 });
        (self.0, Json(body)).into_response()
    }
}

impl From<Problem> for C2mError {
    fn from(problem: Problem) -> Self {
        Self(problem.status, INVALID_REQUEST, problem.message)
    }
}

/// `POST /api/account/{account}/eligibility`; the skill is the intent.
pub(crate) async fn c2m_eligibility(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Path(_account): Path<String>,
    body: Result<Body<C2mEligibility>, Problem>,
) -> Result<Json<C2mTold>, C2mError> {
    let Body(asked) = body?;
    let number: E164 = asked.consumer_phone_number.parse().map_err(|_| {
        let message = "consumerPhoneNumber is no number with + and country code";
        C2mError(StatusCode::BAD_REQUEST, INVALID_PHONE, message.to_owned())
    })?;
    let question = question(number, asked.ivr_number, Some(asked.skill), client);
    let snapshot = site.snapshot.load_full();
    let found = site.remote.ask(&snapshot, question).await;
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
    body: Result<Body<C2mInvite>, Problem>,
) -> Result<Json<C2mInvited>, C2mError> {
    let Body(wanted) = body?;
    let no_channel =
        |message: &str| C2mError(StatusCode::BAD_REQUEST, NO_CHANNEL, message.to_owned());
    let channel = match wanted.override_channel.as_deref() {
        None => None,
        Some("sms") => Some(Channel::Sms),
        Some("wa" | "whatsapp") => Some(Channel::WhatsApp),
        Some(_) => return Err(no_channel("overrideChannel is sms or wa")),
    };
    let invited = site.remote.invite(&wanted.call_id, channel).await.map_err(|why| match why {
        NoOffer::Gone => {
            let message = "no eligibility of this callId waits";
            C2mError(StatusCode::NOT_FOUND, 1004, message.to_owned())
        }
        NoOffer::OtherChannel => no_channel("there is no text by this channel"),
    })?;
    match &invited.outcome {
        TextOutcome::Accepted { .. } | TextOutcome::Queued | TextOutcome::Duplicate => {
            Ok(Json(C2mInvited { call_id: invited.call_id.clone() }))
        }
        other => {
            let message = format!("the message was not sent: {}", word(other));
            Err(C2mError(StatusCode::BAD_REQUEST, NOT_SENT, message))
        }
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
    /// The event is the intent.
    event_name: Option<String>,
}

/// Khoros Flow: it is sent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BroadcastTold {
    status: &'static str,
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
        _ => Channel::Sms,
    };
    let called = wanted.channel.external_id;
    let question = question(number, called, wanted.payload.event_name, client);
    let snapshot = site.snapshot.load_full();
    let found = site.remote.ask(&snapshot, question).await;
    let Some(offer) = found.offer_id else {
        let reason = found.reason.unwrap_or_default();
        return Err(Problem::bad("not_eligible", reason));
    };
    match site.remote.invite(&offer, Some(channel)).await {
        Ok(invited) if is_sent(&invited.outcome) => Ok(Json(BroadcastTold { status: "ok" })),
        Ok(invited) => Err(Problem::bad("not_sent", word(&invited.outcome))),
        Err(_) => Err(Problem::bad("invalid_channel", "there is no text by this channel")),
    }
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

fn is_sent(outcome: &TextOutcome) -> bool {
    matches!(outcome, TextOutcome::Accepted { .. } | TextOutcome::Queued | TextOutcome::Duplicate)
}

fn word(outcome: &TextOutcome) -> &'static str {
    match outcome {
        TextOutcome::Accepted { .. } => "accepted",
        TextOutcome::Queued => "queued",
        TextOutcome::Duplicate => "duplicate",
        TextOutcome::Ambiguous => "it may have been",
        TextOutcome::OptedOut => "the person wants none",
        TextOutcome::Limited { .. } => "a limit",
        TextOutcome::NotTextable { .. } => "the number takes none",
        TextOutcome::Failed { .. } => "no provider took it",
    }
}

/// As LivePerson names a channel.
fn short(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "sms",
        Channel::WhatsApp => "wa",
    }
}

//! `POST /v1/eligibility`, `POST /v1/invite`: an old IVR asks whether a caller of its own may be
//! offered a text, and has it sent (KH-13).

use axum::{
    Extension, Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
};
use deflect_actions::provider::Channel;
use ivr_runtime::{call::TextOutcome, flow::may_be_told};
use message_text::E164;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Body, Problem};
use crate::{
    http::{Site, guard::Client},
    node::clock::wall_ms,
    switchboard::{Invited, NoOffer, Overrides, Question},
};

/// Who calls elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Eligible {
    /// The person: with + and country code, or as it is dialled in the called number's country.
    number: String,
    /// The number they called: chooses the flow.
    called: String,
    /// What they call about; `skill` is the same.
    #[serde(alias = "skill")]
    intent: Option<String>,
    language: Option<String>,
    wait_seconds: Option<u32>,
    customer_type: Option<String>,
    /// Menu labels on the way, one after the other.
    path: Option<String>,
    /// The asking IVR texts the link itself: it gets the address, and the offer is taken up by that.
    #[serde(default)]
    want_url: bool,
}

/// Takes an offer up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    offer_id: String,
    /// `sms` or `whatsapp`; left out: the recommended one.
    channel: Option<String>,
    /// The words of an SMS in place of the flow's, with `{link}` where its address is put; the brand
    /// stands in it.
    text: Option<String>,
    /// What it is about, where that is something else than was asked about; `skill` is the same.
    #[serde(alias = "skill")]
    intent: Option<String>,
}

/// Whether a text may be offered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EligibleTold {
    eligible: bool,
    /// Why not, in one word.
    reason: Option<String>,
    /// Names the offer for `/v1/invite`.
    offer_id: Option<String>,
    /// The call that this counts as.
    call_id: String,
    available_channels: Vec<&'static str>,
    recommended_channel: Option<&'static str>,
    /// The link, where the asking IVR texts it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// So long the offer, or the link, is good.
    valid_for_seconds: u64,
    /// How long callers wait as our first source tells it; `null`: it does not know.
    expected_wait_seconds: Option<u32>,
}

/// What became of an invite.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InviteTold {
    call_id: String,
    message_id: Option<String>,
    /// `accepted`, `queued`, `ambiguous`, `duplicate`, `opted_out`, `limited`, `not_textable`,
    /// `failed`.
    state: &'static str,
    reason: Option<String>,
}

/// A body in JSON or as a form: VoiceXML can send forms only.
pub(crate) struct Either<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Either<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let form = Form::<T>::from_request(request, state).await;
            let form = form.map_err(|why| Problem::bad("invalid_request", why.body_text()))?;
            return Ok(Self(form.0));
        }
        Body::<T>::from_request(request, state).await.map(|Body(body)| Self(body))
    }
}

/// Whether a text may be offered, and which.
pub(crate) async fn eligibility(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Either(asked): Either<Eligible>,
) -> Result<Json<EligibleTold>, Problem> {
    let texts_itself = asked.want_url;
    let question = question(&site, client, asked)?;
    let snapshot = site.snapshot.load_full();
    let found = site.remote.ask(&snapshot, question.clone()).await;
    if let Some(offer) = found.offer_id.as_deref().filter(|_| !texts_itself) {
        site.remote.publish(offer, &question).await?;
    }
    let names: Vec<&'static str> = found.channels.iter().map(|channel| channel.as_str()).collect();
    let mut told = EligibleTold {
        eligible: found.offer_id.is_some(),
        reason: found.reason,
        offer_id: found.offer_id,
        call_id: found.call_id,
        recommended_channel: names.first().copied(),
        available_channels: names,
        url: None,
        valid_for_seconds: found.valid_for.as_secs(),
        expected_wait_seconds: found.expected_wait_seconds,
    };
    if let Some(offer) = told.offer_id.take_if(|_| texts_itself) {
        match site.remote.link(&offer).await {
            Some(link) => {
                told.url = Some(link.url);
                if let Some(until_ms) = link.until_ms {
                    let left_ms = u64::try_from(until_ms - wall_ms()).unwrap_or(0);
                    told.valid_for_seconds = left_ms / 1_000;
                }
            }
            None => {
                (told.eligible, told.reason) = (false, Some("no_link".to_owned()));
                (told.available_channels, told.recommended_channel) = (Vec::new(), None);
                told.valid_for_seconds = 0;
            }
        }
    }
    Ok(Json(told))
}

fn question(site: &Site, client: String, asked: Eligible) -> Result<Question, Problem> {
    let snapshot = site.snapshot.load();
    // A number without a country is one of the country that was called.
    let country = snapshot.config.country_of(&asked.called);
    let number = E164::parse(&asked.number, &country)
        .map_err(|why| Problem::bad("invalid_number", format!("`number`: {why}")))?;
    let called = E164::parse(&asked.called, &country);
    let called = called.map_or_else(|_| asked.called.clone(), |called| called.to_string());
    let fields = [("customer_type", asked.customer_type), ("path", asked.path)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let fields: Vec<_> = fields.collect();
    for (name, value) in &fields {
        may_be_told(name, value).map_err(|why| Problem::bad("invalid_request", why))?;
    }
    Ok(Question {
        number,
        called,
        intent: asked.intent,
        language: asked.language,
        wait_seconds: asked.wait_seconds,
        fields,
        client,
    })
}

/// Sends the text of an offer; told again with the same `Idempotency-Key`, or of the same offer,
/// nothing is sent, and the same is answered.
pub(crate) async fn invite(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Either(wanted): Either<Invite>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = format!("{client}|{}|{}", key.unwrap_or_default(), wanted.offer_id);
    let key = hex::encode(Sha256::digest(key));
    let channel = match wanted.channel.as_deref() {
        None => None,
        Some("sms") => Some(Channel::Sms),
        Some("whatsapp") => Some(Channel::WhatsApp),
        Some(_) => {
            let message = "`channel` is `sms` or `whatsapp`";
            return Err(Problem::bad("invalid_channel", message));
        }
    };
    let Invite { offer_id, text, intent, .. } = wanted;
    let overrides = Overrides { channel, text, intent };
    let snapshot = site.snapshot.load_full();
    // Done to its end though the client goes away: it asks again, and is told what came of it.
    let invited = site.remote.invite(&snapshot, &offer_id, &key, &overrides).await;
    let invited = invited.map_err(refusal)?;
    let message = match invited.message_id.clone() {
        Some(id) => Some(id),
        None => site.store.newest_message_of(&invited.call_id).await.ok().flatten(),
    };
    let (status, body) = outcome(&invited, message);
    Ok((status, Json(body)))
}

fn refusal(why: NoOffer) -> Problem {
    match why {
        NoOffer::Gone => Problem::unknown("no such offer waits: ask for eligibility again"),
        NoOffer::UnderWay => Problem::refused("the same invite is under way: ask again"),
        NoOffer::Store => Problem::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "store",
            "the store does not answer; try again later",
        ),
        NoOffer::OtherChannel => {
            Problem::bad("invalid_channel", "the offer has no text by that channel")
        }
        NoOffer::OtherIntent(why) => {
            Problem::bad("invalid_intent", format!("no text may be offered about that: {why}"))
        }
        NoOffer::OtherText(why) => Problem::bad("invalid_text", why),
    }
}

fn outcome(invited: &Invited, message_id: Option<String>) -> (StatusCode, Value) {
    let (status, state, reason) = match &invited.outcome {
        TextOutcome::Accepted { .. } => (StatusCode::OK, "accepted", None),
        TextOutcome::Queued => (StatusCode::ACCEPTED, "queued", None),
        TextOutcome::Ambiguous => (StatusCode::ACCEPTED, "ambiguous", None),
        TextOutcome::Duplicate => (StatusCode::OK, "duplicate", None),
        TextOutcome::OptedOut => (StatusCode::CONFLICT, "opted_out", None),
        TextOutcome::Limited { rule } => {
            (StatusCode::TOO_MANY_REQUESTS, "limited", Some(rule.clone()))
        }
        TextOutcome::NotTextable { reason } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "not_textable", Some(reason.clone()))
        }
        TextOutcome::Failed { class } => (StatusCode::BAD_GATEWAY, "failed", Some(class.clone())),
    };
    let body = InviteTold { call_id: invited.call_id.clone(), message_id, state, reason };
    (status, json!(body))
}

//! `GET /v1/messages/{id}`: what became of a text, for IVRs that want to tell the caller.
//! `POST /v1/messages`: texts of the business's own, off unless a token has the scope (EX-22).

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use deflect_actions::text::{Ordered, TextOrder, TextOutcome};
use ivr_runtime::hours::QuietHours;
use message_text::{E164, MAX_SEGMENTS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Body, Problem, business, number, once::Once};
use crate::{
    http::{Site, guard::Client},
    node::{clock::wall_ms, on_paper},
};

/// Bytes of a name.
const LONGEST: usize = 64;
/// Worth sending so long, unless it is told.
const VALID_MINUTES: u32 = 24 * 60;
const MINUTE: Duration = Duration::from_secs(60);

/// A text and where it is; no number and no words of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessageTold {
    message_id: String,
    call_id: String,
    /// `queued`, `claimed`, `accepted`, `sent`, `delivered`, `read`, `undelivered`, `failed`,
    /// `ambiguous`, `unknown`, `canceled`.
    state: String,
    /// Name of the sender that has it.
    sender: Option<String>,
    /// Parts of the text.
    segments: Option<i64>,
    /// Why it was not sent.
    error_class: Option<String>,
    created_ms: i64,
    accepted_ms: Option<i64>,
    delivered_ms: Option<i64>,
}

/// Its state and times.
pub(crate) async fn message(
    State(site): State<Site>,
    Path(id): Path<String>,
) -> Result<Json<MessageTold>, Problem> {
    let Some(message) = site.store.message_with(&id).await? else {
        return Err(Problem::unknown("no such message"));
    };
    Ok(Json(MessageTold {
        message_id: message.message_id,
        call_id: message.call_id,
        state: message.state,
        sender: message.sender,
        segments: message.segments,
        error_class: message.error_class,
        created_ms: message.created_ms,
        accepted_ms: message.accepted_ms,
        delivered_ms: message.delivered_ms,
    }))
}

/// That the person agreed to be texted, as the system that orders the text knows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agreed {
    /// Where: `web form orders`, `contract`, …
    asked_in: String,
    /// The words that the person said yes to.
    words: String,
    /// When, ms since 1970.
    at_ms: i64,
}

/// A text of the business's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageWanted {
    /// With + and country code.
    number: Option<String>,
    /// Whoever wrote to us, as `message.received` names them; in place of `number`, for a day.
    reply_to: Option<String>,
    /// As it is sent; the brand stands in it.
    text: String,
    /// What the person agreed to.
    consent: Agreed,
    /// Whose: `X` of `[business.X]`; needed where there are several.
    business: Option<String>,
    /// Topic of an opt-out that forbids it, besides a general one.
    topic: Option<String>,
    /// What it is for: `alert`, `reminder`, …
    purpose: Option<String>,
    /// Its language, such as `en-GB`: that of an answer to a reply.
    language: Option<String>,
    /// Names of senders in the order tried; left out: all.
    via: Option<Vec<String>>,
    /// So long it is worth sending; left out: a day.
    valid_minutes: Option<u32>,
}

/// It is in the outbox.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessageQueued {
    message_id: String,
    /// Where it is; ask again by `GET /v1/messages/{id}`.
    state: String,
    /// When it is sent: at once, or when the night is over where the person is.
    due_ms: i64,
}

/// Puts a text into the outbox; told again with the same `Idempotency-Key` it is sent once.
/// Opt-outs, limits and quiet hours hold.
pub(crate) async fn send(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Body(wanted): Body<MessageWanted>,
) -> Result<(StatusCode, Json<MessageQueued>), Problem> {
    let once = Once::needed("messages", &client, &headers)?;
    let _turn = site.turns.turn(&once.hex()).await;
    if let Some(message_id) = site.store.ordered_before(&once.hex()).await? {
        return queued(&site, message_id).await;
    }
    let now = wall_ms();
    let person = person(&site, &wanted)?;
    let order = order(&site, &client, person.clone(), wanted, &once)?;
    let most = MINUTE * order.valid_minutes;
    let Some(waking) = QuietHours::default().waking(now, person.region(), most) else {
        return Err(Problem::bad("no_time", "the clocks of the number's country are not known"));
    };
    let ended = on_paper::ended(&order.call, "deflected");
    let config = Arc::clone(&site.snapshot.load().texts);
    let outcome = site.texts.follow_up(config, order, waking.from_ms, waking.until_ms).await;
    if let Some(problem) = refused(&outcome) {
        return Err(problem);
    }
    let _ = site.writer.try_write(ended);
    match site.store.ordered_before(&once.hex()).await? {
        Some(message_id) => queued(&site, message_id).await,
        None => Err(Problem::unknown("the message is gone already")),
    }
}

/// Whom a text is for.
fn person(site: &Site, wanted: &MessageWanted) -> Result<E164, Problem> {
    match (&wanted.number, &wanted.reply_to) {
        (Some(text), None) => number(text),
        (None, Some(handle)) => site.store.number_of_handle(handle).ok_or_else(|| {
            Problem::bad("invalid_reply_to", "`reply_to` names nobody, or is older than a day")
        }),
        (Some(_), Some(_)) | (None, None) => {
            Err(Problem::bad("invalid_request", "a text is for a `number` or for `reply_to`"))
        }
    }
}

async fn queued(
    site: &Site,
    message_id: String,
) -> Result<(StatusCode, Json<MessageQueued>), Problem> {
    let Some(found) = site.store.message_detail(&message_id).await? else {
        return Err(Problem::unknown("the message is gone already"));
    };
    let due_ms = found.next_try_ms.unwrap_or(found.view.created_ms);
    let told = MessageQueued { message_id, state: found.view.state, due_ms };
    Ok((StatusCode::ACCEPTED, Json(told)))
}

fn order(
    site: &Site,
    client: &str,
    person: E164,
    wanted: MessageWanted,
    once: &Once,
) -> Result<TextOrder, Problem> {
    let snapshot = site.snapshot.load();
    let business = business(site, wanted.business.as_deref())?;
    let brand = site.store.keys().brand(&business).to_owned();
    if !wanted.text.contains(&brand) {
        let message = format!("the brand, `{brand}`, is not in the text");
        return Err(Problem::bad("no_brand", message));
    }
    let named =
        |name: &String| (1..=LONGEST).contains(&name.len()) && !name.contains(char::is_control);
    let agreed = &wanted.consent;
    if !named(&agreed.asked_in) || agreed.words.trim().is_empty() || agreed.at_ms > wall_ms() {
        let message = "`consent` says where, to which words and when in the past it was given";
        return Err(Problem::bad("invalid_consent", message));
    }
    let purpose = wanted.purpose.unwrap_or_else(|| "alert".to_owned());
    // The purpose of the flows' own texts: reports count them.
    if !named(&purpose) || purpose == "link" {
        return Err(Problem::bad("invalid_purpose", "`purpose` is a name, and not `link`"));
    }
    let via = wanted.via.unwrap_or_default();
    if let Some(name) =
        via.iter().find(|name| !snapshot.texts.senders.iter().any(|s| s.name == **name))
    {
        return Err(Problem::bad("no_sender", format!("there is no `[sender.{name}]`")));
    }
    let valid_minutes = wanted.valid_minutes.unwrap_or(VALID_MINUTES);
    if !(1..=7 * VALID_MINUTES).contains(&valid_minutes) {
        let message = "`valid_minutes` is from 1 to a week";
        return Err(Problem::bad("invalid_validity", message));
    }
    let keys = site.store.keys().caller_keys(&business, &person, wall_ms());
    Ok(TextOrder {
        call: on_paper::started("api", Some(client), &business, &person, &snapshot, keys),
        offer: None,
        to: Ok(person),
        via,
        text: wanted.text,
        brand,
        link: None,
        link_token: None,
        language: wanted.language.unwrap_or_default(),
        // Each is a text of its own.
        step: format!("api-{}", &once.hex()[..16]),
        asked_in: format!("api:{client}"),
        purpose,
        links: Vec::new(),
        page: None,
        ordered: Some(Ordered { idem_key: once.hex(), agreed_ms: agreed.at_ms }),
        not_after_ms: None,
        topic: wanted.topic.unwrap_or_default(),
        pressed: None,
        prompt_id: agreed.asked_in.clone(),
        prompt_hash: hex::encode(Sha256::digest(&agreed.words)),
        accept_within_ms: 8_000,
        attempt_ms: 2_500,
        allow_one_duplicate: false,
        valid_minutes,
        repeat_after_minutes: 0,
        max_segments: MAX_SEGMENTS,
    })
}

fn refused(outcome: &TextOutcome) -> Option<Problem> {
    let (status, error, why) = match outcome {
        TextOutcome::Queued | TextOutcome::Accepted { .. } => return None,
        TextOutcome::Duplicate | TextOutcome::Ambiguous => return None,
        TextOutcome::OptedOut => (StatusCode::CONFLICT, "opted_out", "the person wants no texts"),
        TextOutcome::Limited { rule } => (StatusCode::TOO_MANY_REQUESTS, "limited", rule.as_str()),
        TextOutcome::NotTextable { reason } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "not_textable", reason.as_str())
        }
        TextOutcome::Failed { class } => {
            (StatusCode::SERVICE_UNAVAILABLE, "failed", class.as_str())
        }
    };
    Some(Problem::of(status, error, why))
}

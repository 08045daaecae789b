//! Questions to systems of the business, asked while a caller waits: each has a deadline, an
//! answer may be kept for the next caller, and a system that fails is left alone for a while.

mod cache;
mod circuit;
mod system;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use zeroize::Zeroizing;

use self::cache::Cache;
pub(crate) use self::circuit::Circuits;
pub use self::system::{BadCredentials, Credentials, Oauth, System};
use crate::http;

/// Between two tries of a question that may be asked twice.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a value; no field is longer.
const LONGEST: usize = 256;
/// Whole numbers below are held exactly where a system writes them with decimals or an exponent, 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// With less time left nothing is tried again.
const SHORTEST: Duration = Duration::from_millis(100);
/// Of a byte in JSON, `\u001f`.
const LONGEST_ESCAPE: usize = 6;
/// Carries the key by which the other side tells a repeat (draft-ietf-httpapi-idempotency-key).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Asks. Clones share what is kept and who fails.
#[derive(Debug, Clone, Default)]
pub struct Web(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cache: Mutex<Cache>,
    circuits: Mutex<Circuits>,
}

/// One question.
#[derive(Clone)]
pub struct Ask {
    /// POST with [`Ask::body`]; else GET, which may be tried again.
    pub post: bool,
    /// Where to, https or loopback.
    pub url: Zeroizing<String>,
    /// Bearer token.
    pub token: Option<String>,
    /// Who we are to the system, where it wants to know.
    pub system: Option<System>,
    /// Members of the JSON body. They are wiped from memory once it was sent.
    pub body: BTreeMap<String, Zeroizing<String>>,
    /// The same for every try of one deed.
    pub idempotency_key: Option<String>,
    /// The answer must be there by then.
    pub within: Duration,
    /// How long an answer is good for the same question; zero: not at all.
    pub keep: Duration,
    /// Which step or source asks: its failures are its own.
    pub who: String,
    /// Fields, and where they stand in the answer (RFC 6901).
    pub save: Vec<(String, String)>,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Fields that the answer has; a text, number or truth value as text.
    Values(BTreeMap<String, String>),
    /// No answer that can be used, and why in one word: `timeout`, `unreachable`, `status_404`,
    /// `garbage`, `left_alone` (it failed just now), `not_ready` (we can ask nobody), `token_timeout` and
    /// the like (no token was to be had).
    Failed(String),
}

impl Web {
    /// Asks, and tells within [`Ask::within`].
    pub async fn ask(&self, ask: Ask) -> Answer {
        let until = Instant::now() + ask.within;
        let key = (!ask.keep.is_zero() && !ask.post).then(|| key_of(&ask));
        if let Some(known) = key.and_then(|key| self.cache().get(&key, Instant::now())) {
            return Answer::Values(known);
        }
        let Ok(url) = Url::parse(&ask.url) else { return Answer::Failed("not_ready".to_owned()) };
        let origin = url.origin().ascii_serialization();
        // One path of a system may be slow while the others work.
        let circuit = format!("{origin} {}", ask.who);
        if !self.circuits().lets_through(&circuit, Instant::now()) {
            count("left_alone");
            return Answer::Failed("left_alone".to_owned());
        }
        let told = self.try_until(&ask, &url, until).await;
        let works = !matches!(&told, Err(why) if is_its_fault(why));
        self.circuits().note(&circuit, works, Instant::now());
        match told {
            Ok(json) => {
                count("answered");
                let values = read(&json, &ask.save);
                // An answer that says nothing may say something the next time.
                if let Some(key) = key.filter(|_| !values.is_empty()) {
                    self.cache().put(key, values.clone(), Instant::now(), ask.keep);
                }
                Answer::Values(values)
            }
            Err(why) => {
                count(if why == "timeout" { "timeout" } else { "failed" });
                tracing::info!(origin, why, "question not answered");
                Answer::Failed(why)
            }
        }
    }

    /// A question that changes nothing is asked once more when nobody answered it.
    async fn try_until(&self, ask: &Ask, url: &Url, until: Instant) -> Result<Value, String> {
        let first = with_new_token(ask, url, until).await;
        let again = match &first {
            Err(why) => !ask.post && (why == "unreachable" || why.starts_with("status_5")),
            Ok(_) => false,
        };
        if !again || Instant::now() + PAUSE + SHORTEST > until {
            return first;
        }
        tokio::time::sleep(PAUSE).await;
        with_new_token(ask, url, until).await
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circuits(&self) -> MutexGuard<'_, Circuits> {
        self.0.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that is refused may have been taken back: one more is asked for, once. What was refused
/// was not done.
async fn with_new_token(ask: &Ask, url: &Url, until: Instant) -> Result<Value, String> {
    let token = match &ask.system {
        Some(system) => system.token(until).await?,
        None => None,
    };
    let first = once(ask, url, token.as_deref(), until).await;
    let (Some(system), Some(refused)) = (&ask.system, token) else { return first };
    if first != Err("status_401".to_owned()) {
        return first;
    }
    system.forget(&refused, until).await;
    let token = system.token(until).await?;
    once(ask, url, token.as_deref(), until).await
}

async fn once(ask: &Ask, url: &Url, token: Option<&str>, until: Instant) -> Result<Value, String> {
    let client = match &ask.system {
        Some(system) => system.client(),
        None => http::client().ok_or("not_ready")?,
    };
    let left = until.saturating_duration_since(Instant::now());
    let mut request =
        if ask.post { client.post(url.clone()) } else { client.get(url.clone()) }.timeout(left);
    if let Some(token) = token.or(ask.token.as_deref()) {
        request = request.bearer_auth(token);
    }
    if let Some(key) = ask.idempotency_key.as_ref().and_then(|key| HeaderValue::from_str(key).ok())
    {
        request = request.header(IDEMPOTENCY_KEY, key);
    }
    let body = if ask.post { json_of(&ask.body) } else { Bytes::new() };
    if ask.post {
        request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
    }
    if let Some(system) = &ask.system {
        request = system.signed(request, if ask.post { "POST" } else { "GET" }, url, &body);
    }
    let response = request.send().await.map_err(|error| {
        if error.is_timeout() { "timeout".to_owned() } else { "unreachable".to_owned() }
    })?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("status_{}", status.as_u16()));
    }
    answer_body(status, response, until).await
}

/// A JSON object of these members, wiped from memory with its last copy.
fn json_of(members: &BTreeMap<String, Zeroizing<String>>) -> Bytes {
    let members: BTreeMap<&str, &str> =
        members.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let room = |(name, text): (&&str, &&str)| LONGEST_ESCAPE * (name.len() + text.len()) + 8;
    // Room for all of it: what grows leaves copies behind.
    let mut json = Zeroizing::new(Vec::with_capacity(2 + members.iter().map(room).sum::<usize>()));
    serde_json::to_writer(&mut *json, &members).expect("texts are JSON");
    Bytes::from_owner(json)
}

/// An answer without a body is one without fields.
async fn answer_body(
    status: StatusCode,
    response: Response,
    until: Instant,
) -> Result<Value, String> {
    let bytes = tokio::time::timeout_at(until, http::body(response)).await;
    let bytes = bytes.map_err(|_| "timeout")?.ok_or("garbage")?;
    if bytes.is_empty() || status == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| "garbage".to_owned())
}

/// What is to be read out of an answer; what it lacks, and what is long or no single value, is
/// left out.
fn read(json: &Value, save: &[(String, String)]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) if (1..=LONGEST).contains(&text.len()) => Some(text.clone()),
        Value::Number(number) => written(number),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let found = save
        .iter()
        .filter_map(|(field, pointer)| Some((field.clone(), text(json.pointer(pointer)?)?)));
    found.collect()
}

/// A number as the system wrote it: a whole one has no decimals, and one that is not held exactly is
/// none.
fn written(number: &Number) -> Option<String> {
    match number.as_f64().filter(|_| number.is_f64()) {
        None => Some(number.to_string()),
        Some(float) if float.abs() >= EXACT => None,
        Some(float) if float.fract() == 0.0 => Some(format!("{:.0}", float + 0.0)),
        Some(_) => Some(number.to_string()),
    }
}

/// Nobody there, too slow or broken; what says 4xx is at work.
fn is_its_fault(why: &str) -> bool {
    matches!(why, "timeout" | "unreachable" | "garbage" | "status_429")
        || why.starts_with("status_5")
        || why.starts_with("token_")
}

/// The address may hold a number, so that it is not kept itself.
fn key_of(ask: &Ask) -> [u8; 32] {
    let system = ask.system.as_ref().map_or(0, System::number).to_string();
    let by = [ask.url.as_str(), ask.token.as_deref().unwrap_or(""), system.as_str()];
    let read = ask.save.iter().flat_map(|(field, pointer)| [field.as_str(), pointer.as_str()]);
    let mut hash = Sha256::new();
    for part in by.into_iter().chain(read) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

fn count(result: &'static str) {
    metrics::counter!("carom_lookups_total", "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_read_as_they_are_meant_and_none_that_is_another() {
        for (json, read) in [
            ("7", Some("7")),
            ("-3", Some("-3")),
            ("5.0", Some("5")),
            ("-0.0", Some("0")),
            ("12.50", Some("12.5")),
            ("1e3", Some("1000")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("12345678901234567890123", None),
        ] {
            let json = serde_json::from_str(&format!("{{\"n\":{json}}}")).unwrap();
            let found = super::read(&json, &[("n".to_owned(), "/n".to_owned())]);
            assert_eq!(found.get("n").map(String::as_str), read, "{json}");
        }
    }
}

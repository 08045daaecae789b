//! Where a caller can be led, asked beforehand: is somebody there, and where? Some answer with an
//! address, some invite the caller themselves.

mod health;
mod http;
mod khoros;
mod liveperson;
mod oauth1;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

pub use self::{
    health::{CERTIFICATE_MS, Probe, certificate_ends_ms, probe},
    http::Pointers,
    khoros::Khoros,
    liveperson::{Base, DIRECTORY, Liveperson},
    oauth1::{Claim, Keys},
};
use crate::web::Circuits;

/// Bytes of an address; browsers take no longer ones everywhere.
const LONGEST_URL: usize = 2_000;

/// A destination that is asked, or invites.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An address that says yes or no.
    Http(Pointers),
    /// LivePerson's IVR Engagement.
    LivepersonIvr(Liveperson),
    /// LivePerson's Connect To Messaging, for a skill.
    LivepersonC2m {
        /// The account.
        account: Liveperson,
        /// Who is to take the conversation.
        skill: String,
        /// The handoff that is set up there.
        handoff: String,
    },
    /// An event of Khoros Flow.
    Khoros {
        /// The account.
        account: Khoros,
        /// The event.
        event: String,
    },
}

/// Whom it is about.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The call.
    pub call_id: String,
    /// The caller, E.164.
    pub caller: Option<String>,
    /// The called number.
    pub called: String,
    /// Language of the call.
    pub language: String,
    /// What the call is about.
    pub topic: Option<String>,
    /// The steps that the caller came by.
    pub path: Vec<String>,
    /// How long the caller would wait on the phone, seconds.
    pub wait_seconds: Option<u32>,
    /// The link's `context`, as far as its level allows: fields by name.
    pub handed: BTreeMap<String, String>,
}

/// Whether somebody is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Somebody is.
    Available(Offer),
    /// Nobody is.
    NotAvailable,
    /// Nobody knows, and why in one word.
    Unknown(String),
}

/// Where somebody is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The address; `None`: it invites.
    pub url: Option<String>,
    /// Good for so long.
    pub valid_for: Option<Duration>,
    /// How long it takes there.
    pub wait: Option<Duration>,
    /// On which channel.
    pub channel: Option<String>,
    /// What the provider calls the matter.
    pub reference: Option<String>,
}

/// Asks destinations. Clones share who fails.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    circuits: Arc<Mutex<Circuits>>,
}

impl Destinations {
    /// Asks whether somebody is there; `url` is what a kind that is asked by address is asked by.
    /// It is known within `within`. One that fails again and again is left alone for a while.
    pub async fn check(
        &self,
        link: &str,
        destination: &Destination,
        url: &str,
        context: &Context,
        within: Duration,
    ) -> Availability {
        if !self.circuits().lets_through(link, Instant::now()) {
            return Availability::Unknown("left_alone".to_owned());
        }
        let asking = async {
            match destination {
                Destination::Http(pointers) => http::check(pointers, url).await,
                Destination::LivepersonIvr(account) => account.engagement(context).await,
                Destination::LivepersonC2m { account, skill, handoff } => {
                    account.eligibility(skill, handoff, context).await
                }
                // It has nothing that could be asked.
                Destination::Khoros { .. } => Ok(Availability::Available(Offer::default())),
            }
        };
        let answer = match tokio::time::timeout(within, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => Availability::Unknown(why),
            Err(_) => Availability::Unknown("timeout".to_owned()),
        };
        let works = !matches!(&answer, Availability::Unknown(why) if is_its_fault(why));
        self.circuits().note(link, works, Instant::now());
        let word = match &answer {
            Availability::Available(_) => "available",
            Availability::NotAvailable => "not_available",
            Availability::Unknown(_) => "unknown",
        };
        metrics::counter!("carom_destination_checks_total", "result" => word).increment(1);
        answer
    }

    /// Has the provider write to the caller.
    ///
    /// # Errors
    /// Why it does not, in one word.
    pub async fn invite(
        &self,
        destination: &Destination,
        reference: Option<&str>,
        context: &Context,
        within: Duration,
    ) -> Result<(), String> {
        let inviting = async {
            match destination {
                Destination::LivepersonC2m { account, skill, handoff } => {
                    account.invite(skill, handoff, reference, context).await
                }
                Destination::Khoros { account, event } => account.trigger(event, context).await,
                Destination::Http(_) | Destination::LivepersonIvr(_) => Err("not_inviting".into()),
            }
        };
        tokio::time::timeout(within, inviting).await.unwrap_or_else(|_| Err("timeout".to_owned()))
    }

    fn circuits(&self) -> std::sync::MutexGuard<'_, Circuits> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody there, too slow or broken; what refuses us is at work.
fn is_its_fault(why: &str) -> bool {
    matches!(why, "timeout" | "unreachable" | "garbage" | "status_429")
        || why.starts_with("status_5")
}

/// Sends a request, and reads the JSON of its answer.
async fn json(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let response = request.send().await.map_err(|error| {
        if error.is_timeout() { "timeout".to_owned() } else { "unreachable".to_owned() }
    })?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("status_{}", status.as_u16()));
    }
    let bytes = crate::http::body(response).await.ok_or("garbage")?;
    serde_json::from_slice(&bytes).map_err(|_| "garbage".to_owned())
}

/// An address that can be sent.
fn address(value: Option<&Value>) -> Option<String> {
    let url = value?.as_str()?;
    ((1..=LONGEST_URL).contains(&url.len())).then(|| url.to_owned())
}

fn seconds(value: Option<&Value>) -> Option<Duration> {
    let number = match value? {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    (number >= 0.0).then(|| Duration::from_secs_f64(number.min(1e9)))
}

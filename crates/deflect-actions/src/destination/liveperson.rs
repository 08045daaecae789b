//! LivePerson: IVR Engagement (availability and an address) and Connect To Messaging (eligible,
//! then invite).

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Availability, Context, Offer, address, json as send, oauth1::Keys, seconds};
use crate::{clock::Clock, http};

/// Tells which host serves an account (LivePerson's Domain API).
pub const DIRECTORY: &str = "https://api.liveperson.net";
/// Hosts are looked up so often.
const HOSTS_FOR: Duration = Duration::from_secs(3_600);
/// The longest that Connect To Messaging takes.
const HANDOFF: usize = 16;

/// An account of LivePerson.
#[derive(Debug, Clone)]
pub struct Liveperson {
    /// Its number.
    pub account: String,
    /// Its API key.
    pub keys: Keys,
    /// Where its APIs are.
    pub base: Base,
}

/// Where the APIs of an account are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Looked up by the account in the directory at this address: [`DIRECTORY`].
    Directory(String),
    /// At this address.
    At(String),
}

type Hosts = HashMap<(String, &'static str), (Instant, String)>;
/// Hosts by account and service.
static HOSTS: LazyLock<Mutex<Hosts>> = LazyLock::new(Mutex::default);

impl Liveperson {
    /// IVR Engagement: is somebody there, and where?
    pub(super) async fn engagement(&self, context: &Context) -> Result<Availability, String> {
        let mut body = json!({ "appType": "IVR", "consumerSections": context.path });
        if let Some(caller) = &context.caller {
            let personal = json!({ "contacts": [{ "phone": caller }] });
            body["engagementAttributes"] = json!([{ "type": "personal", "personal": personal }]);
        }
        if let Some(wait) = context.wait_seconds {
            body["externalWaitTimeSeconds"] = json!(wait);
        }
        let answer = self.post("smt", "external/engagement?v=1.0", &body).await?;
        match answer.get("status").and_then(Value::as_str) {
            Some("Available") => {}
            Some("Not Available") => return Ok(Availability::NotAvailable),
            _ => return Err("garbage".to_owned()),
        }
        let details = answer.get("engagementDetails").ok_or("garbage")?;
        Ok(Availability::Available(Offer {
            url: Some(address(details.get("urlToChat")).ok_or("garbage")?),
            valid_for: seconds(details.get("validForSeconds")),
            wait: seconds(details.get("expectedWaitTimeSeconds")),
            ..Offer::default()
        }))
    }

    /// Connect To Messaging: may the caller be invited?
    pub(super) async fn eligibility(
        &self,
        skill: &str,
        handoff: &str,
        context: &Context,
    ) -> Result<Availability, String> {
        let caller = context.caller.as_deref().ok_or("no_number")?;
        let body = json!({
            "skill": skill,
            "consumerPhoneNumber": caller,
            "handoffId": handoff.chars().take(HANDOFF).collect::<String>(),
            "ivrNumber": context.called,
            "sdes": sdes(context),
            "templateVariables": template_variables(context),
        });
        let answer = self.post("connectToMessagingDomain", "eligibility?v=2.0", &body).await?;
        match answer.get("eligible").and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => return Ok(Availability::NotAvailable),
            None => return Err("garbage".to_owned()),
        }
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Availability::Available(Offer {
            channel: text("recommendedChannelName"),
            reference: Some(text("callId").ok_or("garbage")?),
            ..Offer::default()
        }))
    }

    /// Connect To Messaging: the caller is invited; without an earlier yes, that is asked for now.
    pub(super) async fn invite(
        &self,
        skill: &str,
        handoff: &str,
        reference: Option<&str>,
        context: &Context,
    ) -> Result<(), String> {
        let call = match reference {
            Some(reference) => reference.to_owned(),
            None => match self.eligibility(skill, handoff, context).await? {
                Availability::Available(Offer { reference: Some(call), .. }) => call,
                Availability::Available(_) | Availability::Unknown(_) => {
                    return Err("garbage".to_owned());
                }
                Availability::NotAvailable => return Err("not_available".to_owned()),
            },
        };
        let body = json!({ "callId": call });
        self.post("connectToMessagingDomain", "invite?v=2.0", &body).await?;
        Ok(())
    }

    async fn post(&self, service: &'static str, path: &str, body: &Value) -> Result<Value, String> {
        let base = self.base(service).await?;
        let url = format!("{base}/api/account/{}/{path}", self.account);
        let url = Url::parse(&url).map_err(|_| "not_ready")?;
        let client = http::client().ok_or("not_ready")?;
        let nonce = uuid::Uuid::now_v7().simple().to_string();
        let now = Clock::default().now_ms() / 1_000;
        let authorization = self.keys.authorization("POST", &url, now, &nonce);
        let request = client.post(url).header(reqwest::header::AUTHORIZATION, authorization);
        send(request.json(body)).await
    }

    /// The address of a service of the account.
    async fn base(&self, service: &'static str) -> Result<String, String> {
        let directory = match &self.base {
            Base::At(base) => return Ok(base.clone()),
            Base::Directory(directory) => directory,
        };
        let key = (self.account.clone(), service);
        let known = {
            let hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
            hosts.get(&key).filter(|(until, _)| Instant::now() < *until).map(|(_, at)| at.clone())
        };
        if let Some(base) = known {
            return Ok(base);
        }
        let client = http::client().ok_or("not_ready")?;
        let account = &self.account;
        let url =
            format!("{directory}/api/account/{account}/service/{service}/baseURI.json?version=1.0");
        let answer = send(client.get(url)).await?;
        let host = answer.get("baseURI").and_then(Value::as_str).ok_or("garbage")?;
        // It names a host; a directory of this machine means one of this machine.
        let scheme = if directory.starts_with("http://") { "http" } else { "https" };
        let base = format!("{scheme}://{host}");
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(key, (Instant::now() + HOSTS_FOR, base.clone()));
        Ok(base)
    }
}

/// Fields of a context that a customer's entry has a place for.
const OF_THE_CUSTOMER: [(&str, &str); 2] =
    [("customer_id", "customerId"), ("customer_type", "ctype")];

/// What the agent is shown of the customer, as LivePerson's entries have it (`ctmrinfo`, `personal`).
fn sdes(context: &Context) -> Value {
    let known = OF_THE_CUSTOMER.iter();
    let info: serde_json::Map<String, Value> = known
        .filter_map(|(name, theirs)| {
            Some(((*theirs).to_owned(), json!(context.handed.get(*name)?)))
        })
        .collect();
    let language = (!context.language.is_empty())
        .then(|| json!({ "type": "personal", "personal": { "language": context.language } }));
    let info = (!info.is_empty()).then(|| json!({ "type": "ctmrinfo", "info": info }));
    info.into_iter().chain(language).collect()
}

/// The topic, and all else that the link hands over: the conversation begins with it.
fn template_variables(context: &Context) -> Value {
    let of_customer = |name: &str| OF_THE_CUSTOMER.iter().any(|(known, _)| *known == name);
    let others = context.handed.iter().filter(|(name, _)| !of_customer(name));
    let topic = context.topic.iter().map(|topic| ("topic".to_owned(), json!(topic)));
    topic.chain(others.map(|(name, value)| (name.clone(), json!(value)))).collect()
}

//! Khoros Flow: a broadcast to one number triggers an event, whose bot then writes to the caller.

use serde_json::{Value, json};

use super::{Context, json as send};
use crate::http;

const BASE: &str = "https://api.flow.ai";

/// An account of Khoros Flow.
#[derive(Debug, Clone)]
pub struct Khoros {
    /// Base address; `None`: Khoros' own.
    pub url: Option<String>,
    /// Key of the messaging API.
    pub key: String,
    /// `whatsapp`, `twilio`, …
    pub channel: String,
    /// The number, page or project that writes.
    pub external_id: String,
}

impl Khoros {
    /// Where its API is.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.as_deref().unwrap_or(BASE)
    }

    /// Triggers an event for the caller, with what the call was about.
    pub(super) async fn trigger(&self, event: &str, context: &Context) -> Result<(), String> {
        let caller = context.caller.as_deref().ok_or("no_number")?;
        let client = http::client().ok_or("not_ready")?;
        let base = self.address();
        let request = client
            .post(format!("{base}/rest/v1/broadcast/instant"))
            // The bare key, without a scheme.
            .header(reqwest::header::AUTHORIZATION, self.key.as_str())
            .json(&self.body(event, caller, context));
        let answer = send(request).await?;
        match answer.get("status").and_then(Value::as_str) {
            Some("ok") => Ok(()),
            _ => Err("garbage".to_owned()),
        }
    }

    fn body(&self, event: &str, caller: &str, context: &Context) -> Value {
        let mut params = serde_json::Map::new();
        let mut add = |name: &str, value: &str| {
            params.insert(name.to_owned(), json!([{ "value": value }]));
        };
        add("call_id", &context.call_id);
        add("called", &context.called);
        add("path", &context.path.join(" "));
        if let Some(topic) = &context.topic {
            add("topic", topic);
        }
        json!({
            "audience": [{ "name": "Caller", "phoneNumber": caller }],
            "channel": { "channelName": self.channel, "externalId": self.external_id },
            "payload": {
                "type": "event",
                "eventName": event,
                "metadata": { "language": context.language, "params": params },
            },
        })
    }
}

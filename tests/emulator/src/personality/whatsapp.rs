//! WhatsApp's Cloud API: its window, its templates, its statuses and messages.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Draft, Event, Refusal, Says, W, hook};
use crate::{HOOK_SECRET, PHONE_ID};

/// A template that Meta knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// Its languages.
    pub languages: &'static [&'static str],
    /// Variables of its body.
    pub body: usize,
    /// Buttons whose address ends in a variable.
    pub buttons: usize,
    /// Too many people have complained of it.
    pub paused: bool,
}

/// Those of our account.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "chat_link_v2",
        languages: &["en_GB", "en_US", "es_ES", "fr", "de"],
        body: 0,
        buttons: 1,
        paused: false,
    },
    Template { name: "brand_link", languages: &["en_GB"], body: 1, buttons: 1, paused: false },
    Template { name: "paused_link", languages: &["en_GB"], body: 0, buttons: 1, paused: true },
];

/// What it objects to; `open`: the person wrote to us within the last 24 hours.
pub(super) fn objects_to(draft: &Draft, body: &Value, open: bool) -> Option<Refusal> {
    let refuses = |status, code, words: &str| Some(Refusal::of(status, code, words));
    if body["messaging_product"] != "whatsapp" {
        return refuses(400, 100, "The parameter messaging_product is required.");
    }
    if draft.to.is_empty() {
        return refuses(400, 100, "The parameter to is required.");
    }
    match body["type"].as_str() {
        Some("text") if draft.text.is_empty() => {
            refuses(400, 100, "The parameter text['body'] is required.")
        }
        Some("text") if !open => refuses(400, 131_047, "Re-engagement message"),
        Some("text") => None,
        Some("template") => template(&body["template"]),
        _ => refuses(400, 100, "Param type must be one of {TEXT, TEMPLATE}"),
    }
}

fn template(asked: &Value) -> Option<Refusal> {
    let refuses = |status, code, words: &str| Some(Refusal::of(status, code, words));
    let missing = || refuses(404, 132_001, "Template name does not exist in the translation");
    let Some(known) = TEMPLATES.iter().find(|known| asked["name"] == known.name) else {
        return missing();
    };
    if !known.languages.iter().any(|language| asked["language"]["code"] == *language) {
        return missing();
    }
    if known.paused {
        return refuses(400, 132_015, "Template is Paused");
    }
    let no_components = Vec::new();
    let components = asked["components"].as_array().unwrap_or(&no_components);
    let of = |kind: &'static str| components.iter().filter(move |one| one["type"] == kind);
    let count = |one: &Value| one["parameters"].as_array().map_or(0, Vec::len);
    let body: usize = of("body").map(count).sum();
    let buttons = of("button").filter(|one| count(one) == 1).count();
    if (body, buttons, of("button").count()) != (known.body, known.buttons, known.buttons) {
        return refuses(400, 132_000, "Number of parameters does not match the expected number");
    }
    let parameters = components.iter().filter_map(|one| one["parameters"].as_array()).flatten();
    for parameter in parameters {
        let Some(text) = parameter["text"].as_str().filter(|_| parameter["type"] == "text") else {
            return refuses(
                400,
                132_012,
                "Parameter format does not match the one of the template",
            );
        };
        if text.is_empty() {
            return refuses(400, 131_008, "Required parameter is missing");
        }
        if text.contains(['\n', '\t']) || text.contains("     ") {
            return refuses(400, 132_018, "Param text cannot have new-line/tab characters");
        }
        if text.chars().count() > 1_024 {
            return refuses(400, 132_005, "Translated text too long");
        }
    }
    None
}

/// A body with these events.
pub(super) fn body(events: &[Event<'_>]) -> Value {
    let of = |of: fn(&Event<'_>) -> Option<Value>| -> Vec<Value> {
        events.iter().filter_map(of).collect()
    };
    let value = json!({
        "messaging_product": "whatsapp", "metadata": { "phone_number_id": PHONE_ID },
        "statuses": of(status), "messages": of(message),
    });
    let change = json!({ "field": "messages", "value": value });
    let entry = json!({ "id": "1", "changes": [change] });
    json!({ "object": "whatsapp_business_account", "entry": [entry] })
}

fn status(event: &Event<'_>) -> Option<Value> {
    let mut status = json!({
        "id": event.id, "timestamp": (event.at_ms / 1_000).to_string(),
        "recipient_id": event.number.trim_start_matches('+'),
        "biz_opaque_callback_data": event.reference,
        "pricing": { "billable": true, "pricing_model": "PMP", "category": "utility" },
    });
    status["status"] = match event.says {
        Says::Sent => "sent",
        Says::Delivered => "delivered",
        Says::Read => "read",
        Says::Failed(why) => {
            status["errors"] = json!([{ "code": W.told(why), "title": "No" }]);
            "failed"
        }
        Says::Text(_) => return None,
    }
    .into();
    Some(status)
}

fn message(event: &Event<'_>) -> Option<Value> {
    let Says::Text(text) = event.says else { return None };
    Some(json!({
        "from": event.number.trim_start_matches('+'), "id": event.id, "type": "text",
        "timestamp": (event.at_ms / 1_000).to_string(), "text": { "body": text },
    }))
}

pub(super) fn headers(body: &[u8], forged: bool) -> HeaderMap {
    let secret = if forged { "another" } else { HOOK_SECRET };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let tag = hex::encode(mac.finalize().into_bytes());
    hook::headers(&[
        ("Content-Type", "application/json"),
        ("X-Hub-Signature-256", &format!("sha256={tag}")),
    ])
}

//! A field that is missing: what each provider says of it, and what we make of that.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    http::{
        HeaderMap, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use common::ours::Ours;
use deflect_actions::provider::{Class, SendError};
use message_text::E164;
use provider_emulator::{Emulator, Personality};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_is_missing_is_told_as_its_provider_tells_it_and_comes_to_its_class() {
    use Personality::{Bandwidth, Telnyx, Vonage, WhatsApp};
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let to: E164 = "+447400110001".parse().unwrap();
    let parameter = "/error/message";
    for (is, field, place, says, code, class) in [
        (Telnyx, "to", "/errors/0/source/pointer", "/to", "10004", Class::Config),
        (Telnyx, "from", "/errors/0/source/pointer", "/from", "10004", Class::Config),
        (Telnyx, "text", "/errors/0/source/pointer", "/text", "10004", Class::Config),
        (
            Bandwidth,
            "to",
            "/fieldErrors/0/fieldName",
            "to[0]",
            "request-validation",
            Class::Invalid,
        ),
        (
            Bandwidth,
            "from",
            "/fieldErrors/0/fieldName",
            "from",
            "request-validation",
            Class::Config,
        ),
        // That field alone is told; ours are never empty, but may be too long.
        (
            Bandwidth,
            "text",
            "/fieldErrors/0/fieldName",
            "text",
            "request-validation",
            Class::TooLong,
        ),
        (
            Bandwidth,
            "applicationId",
            "/fieldErrors/0/fieldName",
            "applicationId",
            "request-validation",
            Class::Config,
        ),
        (Vonage, "to", "/messages/0/error-text", "Missing mandatory params", "2", Class::Config),
        (Vonage, "from", "/messages/0/error-text", "Missing mandatory params", "2", Class::Config),
        (Vonage, "text", "/messages/0/error-text", "Missing mandatory params", "2", Class::Config),
        (WhatsApp, "to", parameter, "(#100) The parameter to is required.", "100", Class::Invalid),
        (
            WhatsApp,
            "messaging_product",
            parameter,
            "(#100) The parameter messaging_product is required.",
            "100",
            Class::Invalid,
        ),
        (
            WhatsApp,
            "template",
            parameter,
            "(#132001) Template name does not exist in the translation",
            "132001",
            Class::Config,
        ),
    ] {
        let (base, answered) = without(field, emulator.url()).await;
        let sender = is.sender();
        let message = common::message(&sender.from, &to, sender.template.as_ref());
        let sent = is.provider(&base).send(message, Duration::from_secs(5)).await;
        let Err(SendError::Definite(failure)) = sent else { panic!("{is:?} {field}: {sent:?}") };
        let told = answered.lock().unwrap().clone();
        let words = told.pointer(place).and_then(Value::as_str);
        assert_eq!(words, Some(says), "{is:?} {field}: {told}");
        let expected = (class, Some(code));
        assert_eq!((failure.class, failure.code.as_deref()), expected, "{is:?} {field}");
        assert!(emulator.account(is).taken().is_empty(), "{is:?} {field}");
    }
}

/// Stands before a provider, and leaves a field out of what it is asked; what was answered.
async fn without(field: &'static str, url: String) -> (String, Arc<Mutex<Value>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answered = Arc::<Mutex<Value>>::default();
    let kept = Arc::clone(&answered);
    let router = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: String| {
        let body = match serde_json::from_str(&body) {
            Ok(Value::Object(mut fields)) => {
                assert!(fields.remove(field).is_some(), "there is no {field}: {body}");
                Value::Object(fields).to_string()
            }
            _ => {
                let is_kept = |pair: &&str| !pair.starts_with(&format!("{field}="));
                body.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
            }
        };
        let mut question = reqwest::Client::new().post(format!("{url}{uri}")).body(body);
        for name in [AUTHORIZATION, CONTENT_TYPE] {
            question = question
                .headers(headers.get(&name).map(|it| (name, it.clone())).into_iter().collect());
        }
        let answer = question.send().await.unwrap();
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        *kept.lock().unwrap() = told.clone();
        (status, Json(told))
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, answered)
}

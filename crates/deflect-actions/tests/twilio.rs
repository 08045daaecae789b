//! What Twilio knows of numbers, and texts to the numbers of its services, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{sync::Arc, time::Duration};

use axum::{Json, Router, http::StatusCode, routing::post};
use common::{Db, PUBLIC_URL, TOKEN, config, mobile, number, order};
use deflect_actions::{
    provider::{Channel, Posted, Template, twilio::signature},
    text::{TextOrder, TextOutcome, TextService, WebhookAnswer},
};
use message_text::E164;
use provider_emulator::Twilio;
use serde_json::{Value, json};

on_both!(
    x_02_a_number_that_a_provider_knows_as_a_landline_gets_no_text_and_is_asked_of_once_a_month,
    kh_19_a_text_to_a_number_of_a_messaging_service_is_one_to_its_sender,
    kh_19_a_whatsapp_goes_as_the_template_of_its_language_with_its_variables_by_number,
    a_text_that_the_provider_s_own_answer_calls_failed_goes_by_the_next_sender,
    questions_that_a_provider_leaves_hanging_hold_up_no_other_text,
);

const HOUR_MS: i64 = 3_600_000;

/// A provider whose questions about texts are never answered, and which says at once of each text
/// that it failed.
async fn that_fails_and_hangs() -> String {
    let failed = json!({ "sid": "SM1", "status": "failed", "error_code": 30007 });
    let hangs = async || tokio::time::sleep(Duration::from_secs(600)).await;
    let messages = post(async move || (StatusCode::CREATED, Json(failed))).get(hangs);
    let path = "/2010-04-01/Accounts/{account}/Messages.json";
    let router = Router::new().route(path, messages);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

async fn a_text_that_the_provider_s_own_answer_calls_failed_goes_by_the_next_sender(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = common::service(&db, config(&[that_fails_and_hangs().await, base])).await;
    let sent = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(sent, TextOutcome::Accepted { sender: "uk2".to_owned() });
    assert_eq!(twilio.taken().len(), 1);
    let alone = TextService::new(texts.store().clone(), config(&[that_fails_and_hangs().await]));
    let outcome = alone.send(order(texts.store(), &mobile(2))).await;
    assert_eq!(outcome, TextOutcome::Failed { class: "blocked".to_owned() });
    let accepted = "SELECT COUNT(*) FROM message WHERE accepted_ms IS NOT NULL";
    assert_eq!(db.number(accepted).await, Some(1));
}

async fn questions_that_a_provider_leaves_hanging_hold_up_no_other_text(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = common::service(&db, config(&[that_fails_and_hangs().await, base])).await;
    for n in 1..=20 {
        texts.send(order(texts.store(), &mobile(n))).await;
    }
    let doubtful = "UPDATE message SET state = 'ambiguous', sender = 'uk1', next_try_ms = 0";
    db.execute(doubtful).await.unwrap();
    let now = texts.store().clock().now_ms();
    let later = order(texts.store(), &mobile(30));
    let config = Arc::new(config(&["http://127.0.0.1:9".into()]));
    let outcome = texts.follow_up(config, later, now, now + HOUR_MS).await;
    assert_eq!(outcome, TextOutcome::Queued);
    let taken = twilio.taken().len();
    let worker = texts.start();
    // One after the other they would take a minute and a half.
    let is_sent = async || twilio.taken().len() > taken;
    common::eventually("it is sent", is_sent).await;
    worker.abort();
}

fn accepted() -> TextOutcome {
    TextOutcome::Accepted { sender: "uk1".to_owned() }
}

async fn x_02_a_number_that_a_provider_knows_as_a_landline_gets_no_text_and_is_asked_of_once_a_month(
    db: Db,
) {
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    config.line_types = Some("twilio1".to_owned());
    config.senders[0].regions = vec!["US".to_owned(), "GB".to_owned()];
    let texts = TextService::new(db.store().await, config.clone());
    let numbers = ["+14155550101", "+14155550102", "+14155550103", "+14155550104"].map(number);
    let [landline, mobile_one, unknown, late] = &numbers;
    twilio.line(landline.as_str(), "landline");
    twilio.line(mobile_one.as_str(), "mobile");
    twilio.line(late.as_str(), "late");
    let send = async |texts: &TextService, to: &E164| {
        let mut order = order(texts.store(), to);
        order.step.clone_from(&order.call.call_id);
        texts.send(order).await
    };
    let refused = |reason: &str| TextOutcome::NotTextable { reason: reason.to_owned() };
    assert_eq!(send(&texts, landline).await, refused("landline"));
    // Who is no landline, of whom nobody knows, and of whom it comes too late: as ever.
    for to in [mobile_one, unknown, late] {
        assert_eq!(send(&texts, to).await, accepted(), "{to:?}");
    }
    assert_eq!(twilio.looked_up(), 4);
    // Where the digits tell, nobody is asked.
    assert_eq!(send(&texts, &mobile(1)).await, accepted());
    assert_eq!(twilio.looked_up(), 4);
    // It is known from then on, to other nodes and to offers too.
    let other = db.store_with("n2", "b1", texts.store().clock().clone()).await;
    let history = other.history("retail", landline, "", 0, std::time::Duration::from_secs(5)).await;
    assert!(history.unwrap().untextable);
    let history =
        other.history("retail", mobile_one, "", 0, std::time::Duration::from_secs(5)).await;
    assert!(!history.unwrap().untextable);
    let other = TextService::new(other, config);
    assert_eq!(send(&other, landline).await, refused("known_not_textable"));
    assert_eq!(send(&other, mobile_one).await, accepted());
    assert_eq!(twilio.looked_up(), 4);
    // A month later the number may be somebody else's.
    texts.store().clock().advance(31 * 24 * HOUR_MS);
    twilio.line(landline.as_str(), "mobile");
    assert_eq!(send(&texts, landline).await, accepted());
    assert_eq!(twilio.looked_up(), 5);
}

async fn kh_19_a_text_to_a_number_of_a_messaging_service_is_one_to_its_sender(db: Db) {
    let service = "MG0123456789abcdef0123456789abcdef";
    let mut config = config(&["http://127.0.0.1:9".into()]);
    config.senders[0].from = service.to_owned();
    config.senders[0].business = Some("retail".to_owned());
    config.senders[0].auto_reply = Some(false);
    let texts = common::service(&db, config).await;
    let hears = async |service: &str, text: &str| {
        let form = [
            ("MessageSid", text),
            ("From", mobile(1).as_str()),
            ("To", "+447400999999"),
            ("MessagingServiceSid", service),
            ("Body", text),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let path = "/webhooks/twilio/twilio1/inbound";
        let signed = signature(TOKEN, &format!("{PUBLIC_URL}{path}"), &form);
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("X-Twilio-Signature", signed.parse().unwrap());
        let body: Vec<_> =
            form.iter().map(|(k, v)| format!("{k}={}", v.replace('+', "%2B"))).collect();
        let body = body.join("&");
        let posted = Posted {
            asks: false,
            what: "inbound",
            path,
            headers: &headers,
            body: body.as_bytes(),
            public_url: None,
            now_ms: 0,
        };
        match texts.webhook("twilio", "twilio1", posted).await.unwrap() {
            WebhookAnswer::Twiml(twiml) => twiml,
            other => panic!("{other:?}"),
        }
    };
    // By its sender it is known that we answer.
    assert!(hears(service, "Help").await.contains("<Message>"));
    let other = "MGffffffffffffffffffffffffffffffff";
    assert!(!hears(other, "Help").await.contains("<Message>"), "of another service");
    hears(service, "Stop").await;
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out").await, Some(1));
}

async fn kh_19_a_whatsapp_goes_as_the_template_of_its_language_with_its_variables_by_number(
    db: Db,
) {
    const ENGLISH: &str = "HX00000000000000000000000000000001";
    const SPANISH: &str = "HX00000000000000000000000000000002";
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    config.senders[0].channel = Channel::WhatsApp;
    config.senders[0].template = Some(Template {
        name: ENGLISH.to_owned(),
        languages: [("es-ES".to_owned(), SPANISH.to_owned())].into(),
        variables: ["{brand}", "{link_token}", "{link}"].map(str::to_owned).to_vec(),
    });
    let texts = common::service(&db, config).await;
    for (n, language, template) in
        [(1, "en-GB", ENGLISH), (2, "es-ES", SPANISH), (3, "fr-FR", ENGLISH)]
    {
        let to = mobile(n);
        let language = language.to_owned();
        let order = TextOrder { language, ..order(texts.store(), &to) };
        assert_eq!(texts.send(order).await, accepted());
        let posted = twilio.posted().pop().unwrap();
        assert_eq!(posted["To"], format!("whatsapp:{to}"));
        assert_eq!(posted["From"], "whatsapp:+447400123451");
        assert_eq!(posted["ContentSid"], template, "{n}");
        let variables: Value = serde_json::from_str(&posted["ContentVariables"]).unwrap();
        let expected = json!({ "1": "Example", "2": "chat", "3": "https://example.net/chat" });
        assert_eq!(variables, expected);
        // What Twilio would send in place of the template, or by a service.
        let none = ["Body", "MessagingServiceSid"].map(|field| posted.contains_key(field));
        assert_eq!(none, [false; 2], "{posted:?}");
    }
    let by = "SELECT DISTINCT state || ' ' || channel FROM message";
    assert_eq!(db.texts(by).await, [Some("accepted whatsapp".to_owned())]);
}

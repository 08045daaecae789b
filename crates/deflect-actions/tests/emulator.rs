//! The emulator plays each provider to the end: what its numbers choose is what our rows say at last,
//! and the providers' own clients find it as they find their provider.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use common::{Db, eventually, judges, ours::Ours, wide};
use deflect_actions::{
    provider::{Class, Posted, Provider, SendError},
    text::{TextConfig, TextOutcome, TextService},
};
use message_text::E164;
use provider_emulator::{
    ACCOUNT, Does, Emulator, Magic, OURS, PLIVO_ACCOUNT, Personality, Says, TOKEN, Tell,
};
use serde_json::json;

/// All providers, and our webhooks at an address where they reach them.
async fn site(db: &Db) -> (TextService, Emulator) {
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = format!("http://{}", listener.local_addr().unwrap());
    let mut config =
        TextConfig { limits: wide(), public_url: Some(public.clone()), ..TextConfig::default() };
    for is in Personality::HTTP {
        let provider = is.provider_at(&emulator.url(), &public);
        config.providers.insert(is.name().to_owned(), provider);
        config.senders.push(is.sender());
    }
    emulator.goes_to(&public);
    emulator.tells(&[Tell::plainly(Duration::from_millis(100), Says::Delivered)]);
    let texts = TextService::new(db.store().await, config);
    let router = Router::new().fallback(hears).with_state(texts.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (texts, emulator)
}

async fn hears(
    State(texts): State<TextService>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let path = uri.path_and_query().unwrap().as_str();
    let mut words = uri.path().split('/').skip(2);
    let (kind, name) = (words.next().unwrap(), words.next().unwrap());
    let posted = Posted {
        asks: false,
        what: words.next().unwrap_or_default(),
        path,
        headers: &headers,
        body: &body,
        public_url: None,
        now_ms: 0,
    };
    let status = texts.webhook(kind, name, posted).await.map_or_else(|no| no.status(), |_| 200);
    StatusCode::from_u16(status).unwrap()
}

#[tokio::test]
async fn telnyx_texts_from_a_name_by_its_messaging_profile_and_from_a_number_without() {
    let (db, emulator) = (Db::sqlite(), Emulator::start(Ipv4Addr::LOCALHOST).unwrap());
    let is = Personality::Telnyx;
    let url = emulator.url();
    let profile = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let with = |profile: Option<&str>, from: &str| {
        let Provider::Telnyx(telnyx) = is.provider(&url) else { unreachable!() };
        let provider = Provider::Telnyx(telnyx.with_profile(profile.map(str::to_owned)));
        TextConfig {
            limits: wide(),
            providers: [("telnyx".to_owned(), provider)].into(),
            senders: vec![common::sender("telnyx", "telnyx", from)],
            ..TextConfig::default()
        }
    };
    let texts = TextService::new(db.store().await, with(Some(profile), "Example"));
    let text = |n| common::order(texts.store(), &common::mobile(n));
    for (n, from, sent) in [(1, "Example", Some(profile)), (2, OURS, None)] {
        texts.reconfigure(with(Some(profile), from));
        let outcome = texts.send(text(n)).await;
        assert_eq!(outcome, TextOutcome::Accepted { sender: "telnyx".to_owned() }, "{from}");
        let taken = emulator.account(is).taken().pop().unwrap();
        assert_eq!(taken.posted["messaging_profile_id"].as_str(), sent, "{from}");
    }
    // Last, for a sender that its provider does not know is asked no more.
    texts.reconfigure(with(None, "Example"));
    let TextOutcome::Failed { class } = texts.send(text(3)).await else { panic!("no profile") };
    assert_eq!(class, "config");
}

/// Where a text ends, and the class of its error.
fn end(is: Personality, magic: Magic) -> (&'static str, Option<&'static str>) {
    use Personality::{Bandwidth, Gateway, Plivo, Telnyx, Twilio, Vonage, WhatsApp};
    let lost = if is == WhatsApp { "failed" } else { "undelivered" };
    let lost = if is == Plivo { "failed" } else { lost };
    match magic {
        Magic::NoReceipt | Magic::Forged => ("accepted", None),
        // Where webhooks have no moment, an old one is as good as a new one.
        Magic::Stale if is.dates_webhooks() => ("accepted", None),
        // Vonage tells no more.
        Magic::Read if is != Vonage => ("read", None),
        Magic::HandsetOff => match is {
            Twilio | Telnyx | Bandwidth | Vonage => (lost, Some("unreachable")),
            WhatsApp => (lost, Some("not_textable")),
            // Without a code, or by one that its description does not list.
            _ => (lost, Some("unknown")),
        },
        Magic::Spam if is == Gateway => (lost, Some("unknown")),
        Magic::Spam => (lost, Some("blocked")),
        Magic::LandlineLater => match is {
            Gateway => (lost, Some("unknown")),
            // It has one code for all of these.
            Vonage => (lost, Some("invalid")),
            _ => (lost, Some("not_textable")),
        },
        _ => ("delivered", None),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_befalls_a_text_at_any_provider_is_what_its_row_says_at_last() {
    let all = [
        Magic::Read,
        Magic::NoReceipt,
        Magic::Twice,
        Magic::Reordered,
        Magic::Early,
        Magic::Unknown,
        Magic::Forged,
        Magic::Stale,
        Magic::HandsetOff,
        Magic::Spam,
        Magic::LandlineLater,
        Magic::Batched,
        Magic::FailedThenDelivered,
    ];
    let db = Db::sqlite();
    let (texts, emulator) = site(&db).await;
    let mut expected = Vec::new();
    for (n, is) in (1..).zip(Personality::HTTP) {
        for magic in all {
            let to: E164 = format!("+4474001{n}1{}", magic.end()).parse().unwrap();
            let mut order = common::order(texts.store(), &to);
            order.via = vec![is.name().to_owned()];
            let sent = texts.send(order).await;
            let accepted = TextOutcome::Accepted { sender: is.name().to_owned() };
            assert_eq!(sent, accepted, "{is:?} {magic:?}");
            let message = texts.store().messages(1).await.unwrap().remove(0);
            expected.push((message.message_id, is, magic));
        }
    }
    let state =
        "SELECT state || ' ' || COALESCE(error_class, '-') FROM message WHERE message_id = ";
    for (id, is, magic) in &expected {
        let (state_of, class) = end(*is, *magic);
        let wanted = format!("{state_of} {}", class.unwrap_or("-"));
        let row = async || db.texts(&format!("{state}'{id}'")).await.pop().flatten().unwrap();
        // What failed first keeps the reason.
        let is_so = |row: &str| match magic {
            Magic::FailedThenDelivered => row.starts_with("delivered"),
            _ => row == wanted,
        };
        eventually(&format!("{is:?} {magic:?}: {wanted}"), async || is_so(&row().await)).await;
    }
    // Nobody is believed who signed with another key, or too long ago.
    let statuses = emulator.statuses();
    let refused = statuses.get(&403).copied().unwrap_or_default();
    let dated = Personality::HTTP.iter().filter(|is| is.dates_webhooks()).count();
    let signed = Personality::HTTP.iter().filter(|is| is.signs_webhooks()).count();
    assert_eq!(refused, u64::try_from(signed + dated).unwrap(), "{statuses:?}");
    assert_eq!(statuses.get(&401), Some(&1), "a wrong password: {statuses:?}");
    assert!(statuses.keys().all(|status| [200, 401, 403].contains(status)), "{statuses:?}");
}

/// Twilio's receipts hold no price: its resource does, once the carrier has the text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twilio_charged_is_asked_for_and_asked_again_until_it_is_told() {
    let db = Db::sqlite();
    let (texts, emulator) = site(&db).await;
    let (is, account) = (Personality::Twilio, emulator.account(Personality::Twilio));
    for end in ["001", Magic::NoReceipt.end()] {
        let to: E164 = format!("+447400511{end}").parse().unwrap();
        let mut order = common::order(texts.store(), &to);
        order.via = vec![is.name().to_owned()];
        let accepted = TextOutcome::Accepted { sender: is.name().to_owned() };
        assert_eq!(texts.send(order).await, accepted);
    }
    eventually("the first is delivered", async || {
        db.number("SELECT COUNT(*) FROM message WHERE state = 'delivered'").await == Some(1)
    })
    .await;
    let rows = async || {
        let sql = "SELECT COALESCE(price_micros, -1) || ' ' || segments || ' ' || price_asked \
                   FROM message ORDER BY message_id";
        db.texts(sql).await.into_iter().flatten().collect::<Vec<_>>()
    };
    let questions = || {
        let is_one = |asked: &&provider_emulator::Request| {
            asked.method == "GET" && asked.path().contains("/Messages/SM")
        };
        account.asked().iter().filter(is_one).count()
    };
    let worker = texts.start();
    assert_eq!((rows().await, questions()), (vec!["-1 1 0".to_owned(); 2], 0), "too early");
    texts.store().clock().advance(61_000);
    let once = ["7500 1 9", "-1 1 1"];
    eventually("both are asked about", async || rows().await == once).await;
    assert_eq!(questions(), 2);
    texts.store().clock().advance(240_000);
    let twice = ["7500 1 9", "-1 1 2"];
    eventually("what was not told is asked again", async || rows().await == twice).await;
    assert_eq!(questions(), 3);
    worker.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_stop_to_any_provider_of_the_emulator_gets_no_more() {
    let db = Db::sqlite();
    let (texts, emulator) = site(&db).await;
    for (n, is) in (1..).zip(Personality::HTTP) {
        let to: E164 = format!("+4474002{n}1001").parse().unwrap();
        let says = |words: &'static str| {
            let (account, to) = (emulator.account(is), to.clone());
            tokio::task::spawn_blocking(move || account.texts(to.as_str(), words))
        };
        assert_eq!(says("STOP").await.unwrap(), Some(200), "{is:?}");
        let mut order = common::order(texts.store(), &to);
        order.via = vec![is.name().to_owned()];
        assert_eq!(texts.send(order.clone()).await, TextOutcome::OptedOut, "{is:?}");
        assert_eq!(says("START").await.unwrap(), Some(200), "{is:?}");
        let accepted = TextOutcome::Accepted { sender: is.name().to_owned() };
        assert_eq!(texts.send(order).await, accepted, "{is:?}");
    }
}

#[tokio::test]
async fn a_provider_that_is_busy_or_broken_for_a_while_gets_the_text_once_in_the_end() {
    let db = Db::sqlite();
    let (texts, emulator) = site(&db).await;
    let working = texts.start();
    let is = Personality::Twilio;
    for (magic, refused) in [(Magic::Busy, 1), (Magic::Burst, 3)] {
        let account = emulator.account(is);
        let to: E164 = format!("+447400311{}", magic.end()).parse().unwrap();
        if magic == Magic::Busy {
            account.once(to.as_str(), &[Does::Refuse(429, 20_429, Some(2))]);
            account.does(to.as_str(), Does::Accept);
        }
        let mut order = common::order(texts.store(), &to);
        order.via = vec![is.name().to_owned()];
        order.accept_within_ms = 1_000;
        assert_eq!(texts.send(order).await, TextOutcome::Queued, "{magic:?}");
        let asked = || account.asked().iter().filter(|one| one.body["To"] == to.as_str()).count();
        let taken = || account.taken().iter().filter(|one| one.to == to.as_str()).count();
        let waits = "SELECT MAX(next_try_ms) FROM message WHERE state = 'queued'";
        while taken() == 0 {
            // Until the next try is written down, and then until it is due.
            let mut due_ms = None;
            eventually("it is tried again later", async || {
                due_ms = db.number(waits).await;
                due_ms.is_some() || taken() == 1
            })
            .await;
            let Some(due_ms) = due_ms else { break };
            let clock = texts.store().clock();
            let before = asked();
            clock.advance((due_ms - clock.now_ms()).max(0));
            eventually("it is tried again", async || asked() > before).await;
        }
        eventually("it is taken", async || taken() == 1).await;
        assert!(asked() > refused, "{magic:?}: asked {} times", asked());
    }
    working.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_02_every_provider_that_knows_landlines_is_understood() {
    use Personality::{Gateway, Telnyx, Twilio};
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    for (is, unsaid) in [(Twilio, "fixedVoip"), (Telnyx, "fixed line or mobile"), (Gateway, "X")] {
        let (db, account) = (Db::sqlite(), emulator.account(is));
        let name = is.name().to_owned();
        let mut sender = is.sender();
        sender.regions = vec!["US".to_owned()];
        let texts = TextService::new(
            db.store().await,
            TextConfig {
                providers: [(name.clone(), is.provider(&emulator.url()))].into(),
                senders: vec![sender],
                limits: wide(),
                line_types: Some(name.clone()),
                ..TextConfig::default()
            },
        );
        let own = if is == Telnyx { "fixed line" } else { "landline" };
        let lines = [Some("mobile"), Some(own), Some("toll free"), Some(unsaid), None];
        for (n, line) in lines.into_iter().enumerate() {
            let to: E164 = format!("+1415555{}10{n}", 1 + is as u8).parse().unwrap();
            if let Some(line) = line {
                account.line(to.as_str(), line, Duration::ZERO);
            }
            let sent = texts.send(common::order(texts.store(), &to)).await;
            let expected = match n {
                1 | 2 => TextOutcome::NotTextable { reason: "landline".to_owned() },
                _ => TextOutcome::Accepted { sender: name.clone() },
            };
            assert_eq!(sent, expected, "{is:?} {line:?}");
        }
        assert_eq!(account.looked_up(), lines.len(), "{is:?}");
    }
}

/// Meta's rules: free text only to who wrote within a day, templates as they were approved.
#[tokio::test]
async fn kh_19_whatsapp_s_window_and_templates_are_told_by_their_codes() {
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let (is, account) = (Personality::WhatsApp, emulator.account(Personality::WhatsApp));
    let whatsapp = is.provider(&emulator.url());
    let sender = is.sender();
    let to: E164 = "+447400110001".parse().unwrap();
    let good = sender.template.clone().unwrap();
    let send = async |template: Option<&deflect_actions::provider::Template>| {
        let message = common::message(&sender.from, &to, template);
        let told = whatsapp.send(message, Duration::from_secs(5)).await;
        told.map(|accepted| accepted.provider_id).map_err(|error| match error {
            SendError::Definite(failure) => (failure.class, failure.code.unwrap_or_default()),
            SendError::Ambiguous(class) => panic!("{class:?}"),
        })
    };
    let refused = |code: &str| Err((Class::Config, code.to_owned()));
    assert!(send(Some(&good)).await.is_ok());
    assert_eq!(send(None).await, refused("131047"), "nobody wrote");
    let now = jiff::Timestamp::now().as_millisecond();
    account.wrote(to.as_str(), now - 25 * 3_600_000);
    assert_eq!(send(None).await, refused("131047"), "too long ago");
    account.wrote(to.as_str(), now - 23 * 3_600_000);
    assert!(send(None).await.is_ok());
    let changed = |change: fn(&mut deflect_actions::provider::Template)| {
        let mut template = good.clone();
        change(&mut template);
        template
    };
    for (code, template) in [
        ("132001", changed(|it| it.name = "no_such".to_owned())),
        ("132001", changed(|it| it.languages = [("en-GB".to_owned(), "cy".to_owned())].into())),
        ("132015", changed(|it| it.name = "paused_link".to_owned())),
        ("132000", changed(|it| it.variables.clear())),
        ("132000", changed(|it| it.name = "brand_link".to_owned())),
        ("132000", changed(|it| it.variables.insert(0, "{brand}".to_owned()))),
    ] {
        assert_eq!(send(Some(&template)).await, refused(code), "{template:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_providers_own_clients_write_to_the_emulator_and_read_its_errors() {
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let of = |magic: Magic| format!("+447400111{}", magic.end());
    let names = [
        ("invalid", of(Magic::Invalid)),
        ("landline", of(Magic::Landline)),
        ("opted_out", of(Magic::OptedOut)),
        ("busy", of(Magic::RateLimited)),
        ("sender", of(Magic::Config)),
        ("country", of(Magic::Country)),
        ("unroutable", of(Magic::Unroutable)),
        ("down", of(Magic::Down)),
        // Twilio's own number for tests.
        ("documented", "+15005550004".to_owned()),
    ];
    let errors: serde_json::Map<_, _> =
        names.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
    let question = json!({
        "url": emulator.url(), "account": ACCOUNT, "token": TOKEN, "plivo": PLIVO_ACCOUNT,
        "ours": OURS, "to": "+447400110001", "other": "+447400110002", "errors": errors,
        "landline": "+14155550101",
    });
    emulator.account(Personality::Telnyx).line("+14155550101", "fixed line", Duration::ZERO);
    let told =
        tokio::task::spawn_blocking(move || judges::python("clients.py", &question)).await.unwrap();
    assert_eq!(
        told["twilio"],
        json!({
            "made": ["queued", "2", "+447400110001", OURS, "outbound-api", null],
            "dated": true, "seen": true, "to_one": true, "to_other": 4, "all": 5,
            "unknown": [404, 20404], "wrong": [401, 20003],
            "errors": {
                "invalid": [400, 21211], "landline": [400, 21614], "opted_out": [400, 21610],
                "busy": [429, 20429], "sender": [400, 21606], "country": [400, 21408],
                "unroutable": [400, 21612], "down": [503, 20503], "documented": [400, 21610],
            },
            "no_sender": [400, 21603], "no_body": [400, 21602], "no_number": [400, 21211],
            "long": [400, 21617],
        })
    );
    assert_eq!(
        told["telnyx"],
        json!({
            "made": ["queued", 1, "+447400110001", "Wireless"], "seen": [true, "outbound"],
            "looked_up": ["+14155550101", "fixed line", null],
            "wrong": ["AuthenticationError", 401, "10009"],
            "errors": {
                "invalid": ["BadRequestError", 400, "10002"],
                "landline": ["BadRequestError", 400, "40001"],
                "opted_out": ["BadRequestError", 400, "40300"],
                "busy": ["RateLimitError", 429, "10011"],
                "sender": ["BadRequestError", 400, "40305"],
                "country": ["BadRequestError", 400, "40305"],
                "unroutable": ["BadRequestError", 400, "10002"],
                "down": ["InternalServerError", 503, "0"],
                "documented": ["BadRequestError", 400, "40300"],
            },
        })
    );
    assert_eq!(
        told["plivo"],
        json!({
            "made": 1, "seen": ["queued", 1, "447400110001"], "all": 1,
            "wrong": "AuthenticationError",
            "errors": {
                "invalid": "ValidationError", "landline": null, "opted_out": null,
                "busy": "PlivoRestError", "sender": null, "country": null,
                "unroutable": "ValidationError", "down": "PlivoServerError", "documented": null,
            },
        })
    );
}

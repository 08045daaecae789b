//! Sends one text, asks for it again, opts out and asks once more; prints what becomes of each.
//!
//! `cargo run -p deflect-actions --example send` keeps the text in the sandbox's inbox, in a
//! database that is gone afterwards. With a database behind it, `… -- sqlite:texts.db` or
//! `… -- postgres://user@host/name`, the rows stay there to be looked at.

use std::{collections::BTreeMap, env, error::Error, time::Duration};

use deflect_actions::{
    keys::{BusinessKeys, Keys, NumberKey, Seal},
    provider::{Channel, Provider},
    store::{CallStarted, LocalTime, NodeInfo, Store},
    text::{Sender, TextConfig, TextOrder, TextService},
};
use message_text::E164;
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let usual = format!("sqlite:{}", folder.path().join("texts.db").display());
    let store = Store::open(&env::args().nth(1).unwrap_or(usual), keys(), node()).await?;
    let texts = TextService::new(store.clone(), config());
    let background = texts.start();
    let caller = E164::parse("07400 123456", "GB")?;

    println!("first:       {:?}", texts.send(order(&store, &caller)).await);
    println!("again:       {:?}", texts.send(order(&store, &caller)).await);
    store.opt_out("example", &caller, "", "call").await?;
    println!("after STOP:  {:?}", texts.send(order(&store, &caller)).await);
    let landline = E164::parse("020 7946 0018", "GB")?;
    println!("a landline:  {:?}", texts.send(order(&store, &landline)).await);

    for message in store.inbox("sandbox", 10).await? {
        let text = message.text.unwrap_or_default();
        println!("\nto {}, {}:\n{text}", message.to_masked.unwrap_or_default(), message.state);
    }
    background.abort();
    Ok(())
}

/// Secrets of an example; a node keeps its own in files of mode 0600.
fn keys() -> Keys {
    let business = BusinessKeys {
        brand: "Example".to_owned(),
        number_key: NumberKey::from_secret(b"callers are known by this"),
        opt_out_key: b"opt-outs by this".to_vec(),
    };
    let businesses = BTreeMap::from([("example".to_owned(), business)]);
    Keys::new(Seal::from_secret(b"numbers and texts are sealed by this"), 90, businesses)
}

fn node() -> NodeInfo {
    NodeInfo {
        node_id: "example".to_owned(),
        node_boot: Uuid::now_v7().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease: Duration::from_secs(30),
    }
}

fn config() -> TextConfig {
    let sender = Sender {
        name: "inbox".to_owned(),
        provider: "sandbox".to_owned(),
        from: "+447400999999".to_owned(),
        regions: vec!["GB".to_owned()],
        auto_reply: None,
        business: None,
        per_second: None,
        channel: Channel::Sms,
        media: false,
        template: None,
        price_micros: None,
        flow: None,
    };
    TextConfig {
        providers: BTreeMap::from([("sandbox".to_owned(), Provider::Sandbox)]),
        senders: vec![sender],
        ..TextConfig::default()
    }
}

/// What a call that came just now asks for by the key 1.
fn order(store: &Store, to: &E164) -> TextOrder {
    let now_ms = store.clock().now_ms();
    let (caller_key, caller_key_prev) = store.keys().caller_keys("example", to, now_ms);
    TextOrder {
        call: CallStarted {
            call_id: Uuid::now_v7().to_string(),
            origin: "trunk",
            trunk: None,
            did: None,
            business: "example".to_owned(),
            flow: None,
            flow_rev: None,
            sip_call_id_a: None,
            started_ms: now_ms,
            local: LocalTime { date: "2026-11-24".to_owned(), dow: 2, hour: 12, quarter: 48 },
            caller_key: Some(caller_key),
            caller_key_prev: Some(caller_key_prev),
            caller_region: Some(to.region().to_owned()),
            caller_line_type: Some(to.line_type().as_str().to_owned()),
            language: None,
        },
        offer: None,
        to: Ok(to.clone()),
        via: Vec::new(),
        text: "Example: the link you asked for: https://www.example.com/chat".to_owned(),
        brand: "Example".to_owned(),
        link: Some("https://www.example.com/chat".to_owned()),
        link_token: None,
        language: "en-GB".to_owned(),
        step: "text_me".to_owned(),
        asked_in: "welcome".to_owned(),
        purpose: "link".to_owned(),
        page: None,
        ordered: None,
        not_after_ms: None,
        links: vec!["chat".to_owned()],
        topic: String::new(),
        pressed: Some("1".to_owned()),
        prompt_id: "welcome".to_owned(),
        prompt_hash: String::new(),
        accept_within_ms: 8_000,
        attempt_ms: 2_500,
        allow_one_duplicate: false,
        valid_minutes: 15,
        repeat_after_minutes: 10,
        max_segments: message_text::MAX_SEGMENTS,
    }
}

//! Databases, keys, orders and a provider for the tests. PostgreSQL is reached by
//! `CAROM_TEST_POSTGRES_URL`, which `tests/with-postgres` sets; without it the tests fail.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod desk;
pub mod judges;
pub mod ours;

use std::{collections::BTreeMap, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use deflect_actions::{
    Clock,
    keys::{BusinessKeys, Keys, NumberKey, Seal},
    link::{Button, Does, NewPage, Page, Token},
    provider::{
        Channel, Fill, OutboundMessage, Posted, Provider, Reference, Template, twilio::Twilio,
    },
    store::{CallEnded, CallStarted, LocalTime, NodeInfo, OfferRow, Row, Store},
    text::{Sender, TextConfig, TextLimits, TextOrder, TextService},
};
use message_text::E164;
use provider_emulator::ACCOUNT;
use sqlx::{AnyConnection, Connection, Executor};
use uuid::Uuid;

pub use provider_emulator::{PUBLIC_URL, TOKEN};

/// Runs each test on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::common::Db::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::common::Db::postgres().await).await; })*
        }
    };
}

/// An empty database of its own.
pub struct Db {
    pub url: String,
    folder: Option<tempfile::TempDir>,
}

impl Db {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("var/carom.db").display());
        Self { url, folder: Some(folder) }
    }

    pub async fn postgres() -> Self {
        let base = std::env::var("CAROM_TEST_POSTGRES_URL")
            .expect("CAROM_TEST_POSTGRES_URL is not set: run the tests under tests/with-postgres");
        let name = format!("t{}", Uuid::now_v7().simple());
        sqlx::any::install_default_drivers();
        let mut conn = AnyConnection::connect(&base).await.expect("PostgreSQL answers");
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        conn.execute(sqlx::raw_sql(create)).await.unwrap();
        let (server, _) = base.rsplit_once('/').unwrap();
        Self { url: format!("{server}/{name}"), folder: None }
    }

    pub fn is_sqlite(&self) -> bool {
        self.folder.is_some()
    }

    /// The store as node `n`, start `boot`.
    pub async fn store_as(&self, node: &str, boot: &str) -> Store {
        self.store_with(node, boot, Clock::default()).await
    }

    pub async fn store_with(&self, node: &str, boot: &str, clock: Clock) -> Store {
        let store = Store::connect(&self.url, keys(), info(node, boot), clock).unwrap();
        store.prepare().await.unwrap();
        store
    }

    pub async fn store(&self) -> Store {
        self.store_as("n1", "b1").await
    }

    /// A connection past the store, for what only a test looks at.
    pub async fn raw(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.url).await.unwrap()
    }

    /// The one number that `sql` yields.
    pub async fn number(&self, sql: &str) -> Option<i64> {
        use sqlx::Row;
        let mut conn = self.raw().await;
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        row.try_get(0).unwrap()
    }

    /// The texts of the first column of `sql`.
    pub async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        use sqlx::Row;
        let mut conn = self.raw().await;
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut conn).await.unwrap();
        rows.iter().map(|row| row.try_get(0).unwrap()).collect()
    }

    pub async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        self.raw().await.execute(sqlx::raw_sql(sql)).await.map(|_| ())
    }
}

pub fn info(node: &str, boot: &str) -> NodeInfo {
    NodeInfo {
        node_id: node.to_owned(),
        node_boot: boot.to_owned(),
        version: "0.1.0".to_owned(),
        lease: Duration::from_secs(30),
    }
}

pub fn keys() -> Keys {
    let business = BusinessKeys {
        brand: "Example".to_owned(),
        number_key: NumberKey::from_secret(b"number"),
        opt_out_key: b"opt-out".to_vec(),
    };
    let businesses = BTreeMap::from([("retail".to_owned(), business)]);
    Keys::new(Seal::from_secret(b"seal"), 90, businesses)
}

pub fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

/// A mobile number of its own for each `n`.
pub fn mobile(n: u32) -> E164 {
    number(&format!("+4474001{:05}", 10_000 + n))
}

pub fn call(started_ms: i64, caller: Option<&E164>) -> CallStarted {
    let keys = caller.map(|caller| keys().caller_keys("retail", caller, started_ms));
    let (caller_key, caller_key_prev) = keys.unzip();
    CallStarted {
        call_id: Uuid::now_v7().to_string(),
        origin: "trunk",
        trunk: Some("carrier".to_owned()),
        did: Some("+442079460018".to_owned()),
        business: "retail".to_owned(),
        flow: Some("main".to_owned()),
        flow_rev: Some("abc".to_owned()),
        sip_call_id_a: Some("a@carrier".to_owned()),
        started_ms,
        local: LocalTime { date: "2026-11-24".to_owned(), dow: 2, hour: 12, quarter: 49 },
        caller_key,
        caller_key_prev,
        caller_region: caller.map(|caller| caller.region().to_owned()),
        caller_line_type: caller.map(|caller| caller.line_type().as_str().to_owned()),
        language: Some("en-GB".to_owned()),
    }
}

/// The end of a call that was answered after a second and lasted a minute.
pub fn ended(call: &CallStarted, handled: &str, reason: &str) -> Row {
    Row::CallEnded(CallEnded {
        call_id: call.call_id.clone(),
        sip_call_id_b: None,
        answered_ms: Some(call.started_ms + 1_000),
        ended_ms: call.started_ms + 60_000,
        language: None,
        intent: None,
        holdout: false,
        last_step: Some("main".to_owned()),
        forward_target: None,
        forward_started_ms: None,
        human_answered_ms: None,
        human_ended_ms: None,
        handled: handled.to_owned(),
        end_reason: reason.to_owned(),
        sip_final: Some(200),
    })
}

pub fn offer(call: &CallStarted) -> OfferRow {
    OfferRow {
        offer_id: Uuid::now_v7().to_string(),
        call_id: call.call_id.clone(),
        step: "main".to_owned(),
        stage: "menu".to_owned(),
        intent: None,
        offered_ms: call.started_ms + 5_000,
        response: "accepted".to_owned(),
        pressed: Some("1".to_owned()),
        reason: None,
        channel: Some("sms".to_owned()),
    }
}

/// A text that `to` asked for in a call of now.
pub fn order(store: &Store, to: &E164) -> TextOrder {
    let call = call(store.clock().now_ms(), Some(to));
    TextOrder {
        offer: Some(offer(&call)),
        call,
        to: Ok(to.clone()),
        via: Vec::new(),
        text: "Example: here is the link you asked for https://example.net/chat".to_owned(),
        brand: "Example".to_owned(),
        link: Some("https://example.net/chat".to_owned()),
        link_token: None,
        language: "en-GB".to_owned(),
        step: "send_link".to_owned(),
        asked_in: "welcome".to_owned(),
        purpose: "link".to_owned(),
        page: None,
        ordered: None,
        not_after_ms: None,
        links: vec!["chat".to_owned()],
        topic: String::new(),
        pressed: Some("1".to_owned()),
        prompt_id: "welcome".to_owned(),
        prompt_hash: "00".to_owned(),
        accept_within_ms: 3_000,
        attempt_ms: 700,
        allow_one_duplicate: false,
        valid_minutes: 15,
        repeat_after_minutes: 10,
        max_segments: message_text::MAX_SEGMENTS,
    }
}

pub fn sender(name: &str, provider: &str, from: &str) -> Sender {
    Sender {
        name: name.to_owned(),
        provider: provider.to_owned(),
        from: from.to_owned(),
        regions: vec!["GB".to_owned(), "US".to_owned()],
        auto_reply: None,
        business: None,
        per_second: None,
        channel: Channel::Sms,
        media: false,
        template: None,
        price_micros: None,
        flow: None,
    }
}

/// Limits that no test meets unless it wants to.
pub fn wide() -> TextLimits {
    TextLimits { caller_hour: 100, caller_day: 100, prefix_hour: 10_000, ..TextLimits::default() }
}

/// Senders `uk1`, `uk2`, … over providers `twilio1`, `twilio2`, … at those addresses.
pub fn config(bases: &[String]) -> TextConfig {
    let mut config = TextConfig {
        limits: wide(),
        public_url: Some(PUBLIC_URL.to_owned()),
        own_numbers: vec!["+447400123456".to_owned()],
        ..TextConfig::default()
    };
    for (n, base) in (1..).zip(bases) {
        let name = format!("twilio{n}");
        let callback = format!("{PUBLIC_URL}/webhooks/twilio/{name}/status");
        let twilio = Twilio::new(ACCOUNT, TOKEN, Some(base), Some(callback));
        config.providers.insert(name.clone(), Provider::Twilio(twilio));
        config.senders.push(sender(&format!("uk{n}"), &name, &format!("+44740012345{n}")));
    }
    config
}

pub fn sandbox() -> TextConfig {
    TextConfig {
        providers: BTreeMap::from([("sandbox".to_owned(), Provider::Sandbox)]),
        senders: vec![sender("inbox", "sandbox", "+447400123450")],
        limits: wide(),
        ..TextConfig::default()
    }
}

pub async fn service(db: &Db, config: TextConfig) -> TextService {
    TextService::new(db.store().await, config)
}

/// Headers of a webhook.
pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    pairs.iter().map(header).collect()
}

/// A message as the outbox hands it on.
pub fn message<'a>(
    from: &'a str,
    to: &'a E164,
    template: Option<&'a Template>,
) -> OutboundMessage<'a> {
    OutboundMessage {
        reference: Reference { message_id: "0190d6f2-7a6a-7000-8000-000000000001", attempt: 1 },
        channel: if template.is_some() { Channel::WhatsApp } else { Channel::Sms },
        from,
        to,
        text: "Example: café & 5 € https://example.net/l/AAAAAAAAAAAAAAAAAAAAAA",
        language: "en-GB",
        template,
        fill: Fill {
            link: Some("https://example.net/l/AAAAAAAAAAAAAAAAAAAAAA"),
            link_token: None,
            brand: "Example",
        },
        valid_for: Duration::from_secs(900),
    }
}

/// A webhook as the HTTP side hands it on.
pub fn posted<'a>(
    what: &'a str,
    path: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
) -> Posted<'a> {
    Posted { asks: false, what, path, headers, body, public_url: None, now_ms: 0 }
}

/// Waits until `holds`, at most ten seconds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

/// A page with one button, good for a day.
pub fn page() -> NewPage {
    let token = Token::random().unwrap();
    let button = Button {
        link: "chat".to_owned(),
        url: "https://help.example.com/chat".to_owned(),
        does: Does::Go,
        app_url: None,
        reference: None,
        level: "L1".to_owned(),
        context: BTreeMap::from([("customer_id".to_owned(), "c7".to_owned())]),
    };
    let page = Page {
        flow: "main".to_owned(),
        brand: "Example".to_owned(),
        language: "en-GB".to_owned(),
        topic: None,
        path: Vec::new(),
        phone: None,
        buttons: vec![button],
    };
    NewPage { token, page, expires_ms: Clock::default().now_ms() + 86_400_000 }
}

//! No text goes out twice: answers that are lost, processes that are killed, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Db, PUBLIC_URL, TOKEN, config, eventually, info, keys, mobile, order, service};
use deflect_actions::{
    Clock,
    provider::twilio::signature,
    store::{Store, Subscription},
    text::{TextConfig, TextOutcome, TextService},
};
use provider_emulator::{Does, Twilio};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

on_both!(
    x_06_an_answer_that_is_lost_sends_nothing_twice,
    x_06_a_slow_answer_is_ambiguous_and_settled_by_asking,
    x_06_one_that_never_arrived_is_sent_again_exactly_once,
    x_06_garbage_instead_of_an_answer_is_ambiguous,
    x_06_one_duplicate_where_it_is_allowed_and_no_second,
    x_06_a_kill_before_the_first_byte_sends_it_later,
    x_06_a_kill_after_the_first_byte_sends_nothing_twice,
    x_06_claims_of_other_nodes_are_taken_back_only_after_their_lease,
    x_06_a_text_without_a_final_receipt_is_unknown_after_a_quarter_of_an_hour,
);

async fn x_06_an_answer_that_is_lost_sends_nothing_twice(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::TakeAndReset]);
    let texts = service(&db, config(&[base])).await;
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    // Asked within the budget, the provider has it.
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk1".to_owned() });
    assert_eq!(twilio.taken().len(), 1);
    let asked = &twilio.lists()[0];
    assert_eq!(asked["To"], mobile(1).as_str());
    assert!(asked.contains_key("DateSent>"));
    let message = &texts.store().messages(1).await.unwrap()[0];
    assert_eq!(message.state, "accepted");
    assert!(message.provider_id.is_some());
}

async fn x_06_a_slow_answer_is_ambiguous_and_settled_by_asking(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Slow(Duration::from_millis(2_500))]);
    twilio.hides_its_list(true);
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, config(&[base]));
    let mut order = order(texts.store(), &mobile(1));
    order.accept_within_ms = 1_500;
    assert_eq!(texts.send(order.clone()).await, TextOutcome::Ambiguous);
    let state = async || texts.store().messages(1).await.unwrap()[0].state.clone();
    assert_eq!(state().await, "ambiguous");
    // The same text again, in another call: nobody knows, so nothing is sent.
    let again = common::order(texts.store(), &mobile(1));
    assert_eq!(texts.send(again).await, TextOutcome::Ambiguous);
    twilio.hides_its_list(false);
    let worker = texts.start();
    clock.advance(10_000);
    eventually("settled", async || state().await == "accepted").await;
    worker.abort();
    assert_eq!(twilio.taken().len(), 1);
}

async fn x_06_one_that_never_arrived_is_sent_again_exactly_once(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Reset]);
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, config(&[base]));
    let mut order = order(texts.store(), &mobile(1));
    order.accept_within_ms = 1_200;
    assert_eq!(texts.send(order).await, TextOutcome::Ambiguous);
    assert!(twilio.taken().is_empty());
    let worker = texts.start();
    clock.advance(10_000);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(twilio.taken().is_empty(), "its list may be late");
    clock.advance(90_000);
    eventually("sent again", async || twilio.taken().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    worker.abort();
    assert_eq!(twilio.taken().len(), 1);
    assert_eq!(texts.store().messages(1).await.unwrap()[0].state, "accepted");
}

async fn x_06_garbage_instead_of_an_answer_is_ambiguous(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Garbage]);
    let texts = service(&db, config(&[base])).await;
    let mut order = order(texts.store(), &mobile(1));
    order.accept_within_ms = 1_200;
    assert_eq!(texts.send(order).await, TextOutcome::Ambiguous);
    assert_eq!(twilio.posted().len(), 1);
}

async fn x_06_one_duplicate_where_it_is_allowed_and_no_second(db: Db) {
    let (first, one) = Twilio::start(&[Does::TakeAndReset]);
    let (second, two) = Twilio::start(&[Does::TakeAndReset]);
    let (third, three) = Twilio::start(&[]);
    for fake in [&first, &second] {
        fake.hides_its_list(true);
    }
    let texts = service(&db, config(&[one, two, three])).await;
    let mut order = order(texts.store(), &mobile(1));
    order.allow_one_duplicate = true;
    assert_eq!(texts.send(order).await, TextOutcome::Ambiguous);
    assert_eq!((first.taken().len(), second.taken().len(), third.taken().len()), (1, 1, 0));
}

/// Leaves a claimed message as a killed process would, `written` or not.
async fn killed(db: &Db, base: &str, written: bool) -> TextService {
    let (hung, at) = Twilio::start(&[Does::Slow(Duration::from_millis(60_000))]);
    let dying = TextService::new(db.store_as("n1", "b1").await, config(&[at]));
    let mut order = order(dying.store(), &mobile(1));
    order.attempt_ms = 60_000;
    order.accept_within_ms = 60_000;
    let sending = tokio::spawn(async move { dying.send(order).await });
    eventually("written", async || hung.posted().len() == 1).await;
    if !written {
        db.execute("UPDATE message SET write_ms = NULL").await.unwrap();
    }
    sending.abort();
    TextService::new(db.store_as("n1", "b2").await, config(&[base.to_owned()]))
}

async fn x_06_a_kill_before_the_first_byte_sends_it_later(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = killed(&db, &base, false).await;
    let worker = texts.start();
    eventually("sent", async || twilio.taken().len() == 1).await;
    eventually("accepted", async || {
        texts.store().messages(1).await.unwrap()[0].state == "accepted"
    })
    .await;
    worker.abort();
}

async fn x_06_a_kill_after_the_first_byte_sends_nothing_twice(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    twilio.hides_its_list(true);
    let texts = killed(&db, &base, true).await;
    let hook = Subscription::of("https://crm.example/hook", &["message.state".to_owned()]);
    texts.store().subscribe(vec![hook]);
    let worker = texts.start();
    eventually("known to be ambiguous", async || {
        texts.store().messages(1).await.unwrap()[0].state == "ambiguous"
    })
    .await;
    eventually("asked", async || !twilio.lists().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(twilio.posted().is_empty());
    worker.abort();
    let told = "SELECT COUNT(*) FROM event WHERE body LIKE '%\"state\":\"ambiguous\"%'";
    assert_eq!(db.number(told).await, Some(1), "and is told");
}

async fn x_06_claims_of_other_nodes_are_taken_back_only_after_their_lease(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    drop(killed(&db, &base, false).await);
    let clock = Clock::default();
    let other = TextService::new(db.store_with("n2", "b1", clock.clone()).await, config(&[base]));
    let worker = other.start();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(twilio.posted().is_empty(), "n1 may be alive");
    clock.advance(100_000);
    eventually("taken over", async || twilio.taken().len() == 1).await;
    worker.abort();
}

async fn x_06_a_text_without_a_final_receipt_is_unknown_after_a_quarter_of_an_hour(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, config(&[base]));
    let mut ids = Vec::new();
    for (n, receipt) in [None, Some("sent"), Some("delivered")].into_iter().enumerate() {
        let order = order(texts.store(), &mobile(u32::try_from(n).unwrap()));
        let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
        assert_eq!(texts.send(order).await, accepted);
        ids.push(texts.store().messages(1).await.unwrap()[0].message_id.clone());
        if let Some(status) = receipt {
            receipt_comes(&texts, &ids[n], status).await;
        }
    }
    let states = async || {
        let mut states = Vec::new();
        for id in &ids {
            states.push(texts.store().message_with(id).await.unwrap().unwrap().state);
        }
        states
    };
    let worker = texts.start();
    clock.advance(14 * 60_000);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(states().await, ["accepted", "sent", "delivered"], "not before its time");
    clock.advance(60_000);
    let known = ["unknown", "unknown", "delivered"];
    eventually("nothing is known", async || states().await == known).await;
    let finals = "SELECT COUNT(*) FROM message WHERE state = 'unknown' AND final_ms IS NOT NULL \
                  AND failed_ms IS NULL AND error_class IS NULL AND erase_after_ms > final_ms";
    assert_eq!(db.number(finals).await, Some(2), "which is not that it failed");
    // A receipt that comes late after all is believed.
    receipt_comes(&texts, &ids[0], "delivered").await;
    receipt_comes(&texts, &ids[1], "undelivered").await;
    assert_eq!(states().await, ["delivered", "undelivered", "delivered"]);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(states().await, ["delivered", "undelivered", "delivered"], "for good");
    assert_eq!(twilio.posted().len(), 3, "none is sent again");
    worker.abort();
}

/// The provider's callback about a message, signed.
async fn receipt_comes(texts: &TextService, message_id: &str, status: &str) {
    let message = texts.store().message_with(message_id).await.unwrap().unwrap();
    let sid = message.provider_id.unwrap();
    let path = format!("/webhooks/twilio/twilio1/status?message={message_id}");
    let form = [("MessageSid", sid.as_str()), ("MessageStatus", status)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let signature = signature(TOKEN, &format!("{PUBLIC_URL}{path}"), &form);
    let body = format!("MessageSid={sid}&MessageStatus={status}");
    let headers = common::headers(&[("X-Twilio-Signature", &signature)]);
    let posted = common::posted("status", &path, &headers, body.as_bytes());
    texts.webhook("twilio", "twilio1", posted).await.unwrap();
}

/// What PostgreSQL says when it is ready for the next question, outside a transaction.
const READY: &[u8] = b"Z\0\0\0\x05I";

/// What commits a text with that its request is about to be written …
const ROW: &[u8] = b"INSERT INTO message";
/// … and what says so of one whose turn was later.
const FIRST_BYTE: &[u8] = b"try_no = try_no + 1";

/// A way to the database that is cut, once, under a statement.
#[derive(Clone)]
struct Cut {
    /// The next such statement is the one.
    armed: Arc<AtomicBool>,
    /// Part of it.
    under: &'static [u8],
    /// Answers that still come through: that it was read, then that it is done.
    lets_through: usize,
    /// Connections that were cut.
    cut: Arc<AtomicUsize>,
}

impl Cut {
    /// Returns the address of the database by this way.
    async fn start(db: &Db, under: &'static [u8], lets_through: usize) -> (Self, String) {
        let (server, name) = db.url.rsplit_once('/').unwrap();
        let target = server.rsplit_once('@').unwrap().1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://carom@{}/{name}", listener.local_addr().unwrap());
        let (armed, counted) = (Arc::default(), Arc::default());
        let cut = Self { armed, under, lets_through, cut: counted };
        let way = cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(way.clone().joins(client, server));
            }
        });
        (cut, url)
    }

    async fn joins(self, mut client: TcpStream, mut server: TcpStream) {
        let (mut asked, mut told) = (vec![0; 65_536], vec![0; 65_536]);
        // Of the connection that is to be cut: how many answers still come through.
        let mut left = None;
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(n @ 1..) = read else { return };
                    let is_it = asked[..n].windows(self.under.len()).any(|it| it == self.under);
                    if is_it && self.armed.swap(false, Ordering::SeqCst) {
                        left = Some(self.lets_through);
                    }
                    if server.write_all(&asked[..n]).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut told) => {
                    let Ok(n @ 1..) = read else { return };
                    if left == Some(0) {
                        // Done, and nobody hears of it.
                        if told[..n].ends_with(READY) {
                            self.cut.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                        continue;
                    }
                    if client.write_all(&told[..n]).await.is_err() {
                        return;
                    }
                    if told[..n].ends_with(READY) {
                        left = left.map(|left| left - 1);
                    }
                }
            }
        }
    }
}

/// A service that reaches the database by a way that can be cut.
async fn by_way(url: &str, clock: &Clock, config: TextConfig) -> TextService {
    let store = Store::connect(url, keys(), info("n1", "b1"), clock.clone()).unwrap();
    store.prepare().await.unwrap();
    TextService::new(store, config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_06_a_connection_lost_under_the_commit_of_a_text_sends_it_once_or_not_at_all() {
    for lets_through in [0, 1] {
        let db = Db::postgres().await;
        let (cut, url) = Cut::start(&db, ROW, lets_through).await;
        let (twilio, base) = Twilio::start(&[]);
        let clock = Clock::default();
        let texts = by_way(&url, &clock, config(&[base])).await;
        let order_of = || order(texts.store(), &mobile(1));
        cut.armed.store(true, Ordering::SeqCst);
        let outcome = texts.send(order_of()).await;
        assert_eq!(cut.cut.load(Ordering::SeqCst), 1, "{outcome:?}");
        if lets_through == 1 {
            assert_eq!(outcome, TextOutcome::Queued);
            sent_once(&texts, &twilio, 0, &clock, &outcome).await;
            continue;
        }
        // For all that is known it may be committed yet; it never is, and hinders no other.
        assert_eq!(outcome, TextOutcome::Ambiguous);
        let worker = texts.start();
        clock.advance(180_000);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        worker.abort();
        assert_eq!(db.number("SELECT COUNT(*) FROM message").await, Some(0));
        assert!(twilio.posted().is_empty());
        let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
        assert_eq!(texts.send(order_of()).await, accepted);
        assert_eq!(twilio.posted().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_06_a_connection_lost_before_or_after_the_commit_of_the_first_byte_sends_the_text_once() {
    for lets_through in [0, 1] {
        let db = Db::postgres().await;
        let (cut, url) = Cut::start(&db, FIRST_BYTE, lets_through).await;
        let (twilio, base) = Twilio::start(&[]);
        let clock = Clock::default();
        let texts = by_way(&url, &clock, with_turns(&base)).await;
        texts.send(order(texts.store(), &mobile(2))).await;
        let order = order(texts.store(), &mobile(1));
        cut.armed.store(true, Ordering::SeqCst);
        let outcome = texts.send(order).await;
        assert_eq!(cut.cut.load(Ordering::SeqCst), 1, "{outcome:?}");
        sent_once(&texts, &twilio, 1, &clock, &outcome).await;
    }
}

/// After its first text a sender's turn is later.
fn with_turns(base: &str) -> TextConfig {
    let mut config = config(&[base.to_owned()]);
    config.senders[0].per_second = Some(2);
    config
}

const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$; CREATE TRIGGER slow BEFORE ";
const KILL: &str = "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event = 'PgSleep') AS killed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_06_a_backend_that_is_killed_while_it_commits_a_text_sends_none() {
    let db = Db::postgres().await;
    let (twilio, base) = Twilio::start(&[]);
    let texts = service(&db, config(&[base])).await;
    db.execute(&format!("{SLOW} INSERT ON message FOR EACH ROW EXECUTE FUNCTION slow()"))
        .await
        .unwrap();
    let order_of = || order(texts.store(), &mobile(1));
    let (sending, order) = (texts.clone(), order_of());
    let sending = tokio::spawn(async move { sending.send(order).await });
    eventually("it is killed", async || db.number(KILL).await != Some(0)).await;
    db.execute("DROP TRIGGER slow ON message").await.unwrap();
    assert_eq!(sending.await.unwrap(), TextOutcome::Failed { class: "store".to_owned() });
    assert_eq!(db.number("SELECT COUNT(*) FROM message").await, Some(0));
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    assert_eq!(texts.send(order_of()).await, accepted);
    assert_eq!(twilio.posted().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_06_a_backend_that_is_killed_while_it_commits_the_first_byte_sends_the_text_once() {
    let db = Db::postgres().await;
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, with_turns(&base));
    texts.send(order(texts.store(), &mobile(2))).await;
    // Who says that a request is written takes its time over it.
    db.execute(&format!(
        "{SLOW} UPDATE ON message FOR EACH ROW \
         WHEN (OLD.write_ms IS NULL AND NEW.write_ms IS NOT NULL) EXECUTE FUNCTION slow()"
    ))
    .await
    .unwrap();
    let order = order(texts.store(), &mobile(1));
    let sending = texts.clone();
    let sending = tokio::spawn(async move { sending.send(order).await });
    eventually("it is killed", async || db.number(KILL).await != Some(0)).await;
    assert_eq!(twilio.posted().len(), 1, "not before it is committed");
    db.execute("DROP TRIGGER slow ON message").await.unwrap();
    let outcome = sending.await.unwrap();
    sent_once(&texts, &twilio, 1, &clock, &outcome).await;
}

/// The caller was told the truth, and the provider has it once, however long one waits; `before`: it
/// has others.
async fn sent_once(
    texts: &TextService,
    twilio: &Twilio,
    before: usize,
    clock: &Clock,
    told: &TextOutcome,
) {
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    if *told == accepted {
        assert_eq!(twilio.taken().len(), before + 1);
    } else {
        assert!(matches!(told, TextOutcome::Queued | TextOutcome::Ambiguous), "{told:?}");
    }
    let worker = texts.start();
    clock.advance(60_000);
    eventually("it is sent", async || {
        let messages = texts.store().messages(2).await.unwrap();
        let is_taken = messages.iter().all(|message| message.state == "accepted");
        twilio.taken().len() == before + 1 && messages.len() == before + 1 && is_taken
    })
    .await;
    clock.advance(120_000);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    worker.abort();
    assert_eq!(twilio.posted().len(), before + 1, "asked for it once");
}

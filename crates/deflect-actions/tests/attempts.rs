//! How much time an attempt has, and what is said of one that came to nothing.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{
    Db, config, eventually, mobile, order,
    ours::{hears, set_up},
    service,
};
use deflect_actions::text::{TextOrder, TextOutcome};
use provider_emulator::{Does, Event, Magic, Personality, Says, Twilio};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

on_both!(x_06_a_failure_that_is_told_while_the_caller_listens_is_no_maybe);

#[tokio::test]
async fn x_06_who_waited_for_a_turn_has_a_whole_attempt_after_it() {
    let outcomes = async |accept_within_ms, answer_ms| {
        let db = Db::sqlite();
        let (twilio, base) = Twilio::start(&[Does::Slow(Duration::from_millis(answer_ms)); 3]);
        twilio.hides_its_list(true);
        let mut config = config(&[base]);
        config.senders[0].per_second = Some(1);
        let texts = service(&db, config).await;
        let mut sending = JoinSet::new();
        for n in 0..3 {
            let order = order(texts.store(), &mobile(n));
            let order = TextOrder { accept_within_ms, attempt_ms: 2_500, ..order };
            let texts = texts.clone();
            sending.spawn(async move { texts.send(order).await });
        }
        let outcomes = sending.join_all().await;
        let count = |wanted: &TextOutcome| outcomes.iter().filter(|it| *it == wanted).count();
        let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
        (count(&accepted), count(&TextOutcome::Queued), twilio.posted().len())
    };
    // The third waits for two seconds, of eight, or of two and a half: that leaves too few.
    assert_eq!(outcomes(8_000, 900).await, (3, 0, 3));
    assert_eq!(outcomes(2_500, 300).await, (2, 1, 2));
}

#[tokio::test]
async fn x_06_a_provider_that_is_not_reached_has_definitely_nothing_however_short_the_attempt() {
    let (_hole, _held, base) = black_hole().await;
    let db = Db::sqlite();
    let texts = service(&db, config(&[base])).await;
    // All have the time that a busy machine takes to write them down.
    let sends = [200, 400, 900, 1_500].into_iter().enumerate().map(|(n, attempt_ms)| {
        let order = order(texts.store(), &mobile(n as u32));
        let order = TextOrder { accept_within_ms: 4_000, attempt_ms, ..order };
        let texts = texts.clone();
        tokio::spawn(async move { (attempt_ms, texts.send(order).await) })
    });
    for sent in sends.collect::<Vec<_>>() {
        let (attempt_ms, sent) = sent.await.unwrap();
        assert_eq!(sent, TextOutcome::Queued, "{attempt_ms} ms");
    }
    let waiting = "SELECT COUNT(*) FROM message WHERE state = 'queued' AND write_ms IS NULL \
                   AND error_class = 'provider_down'";
    assert_eq!(db.number(waiting).await, Some(4));
}

async fn x_06_a_failure_that_is_told_while_the_caller_listens_is_no_maybe(db: Db) {
    let is = Personality::Twilio;
    let (texts, emulators) = set_up(&db, &[is]).await;
    emulators[0].then(&[Does::Hang]);
    emulators[0].hides_its_list(true);
    let to = mobile(1);
    let sending = tokio::spawn({
        let (texts, order) = (texts.clone(), order(texts.store(), &to));
        let order = TextOrder { accept_within_ms: 8_000, attempt_ms: 400, ..order };
        async move { texts.send(order).await }
    });
    eventually("it is doubtful", async || {
        db.number("SELECT COUNT(*) FROM message WHERE state = 'ambiguous'").await == Some(1)
    })
    .await;
    let reference = texts.store().messages(1).await.unwrap()[0].message_id.clone();
    let failed = Event {
        id: &is.id(1),
        reference: Some(&reference),
        number: to.as_str(),
        says: Says::Failed(Magic::Blocked),
        at_ms: texts.store().clock().now_ms(),
    };
    assert_eq!(hears(&texts, is, &is.hook(&[failed])).await, 200);
    assert_eq!(sending.await.unwrap(), TextOutcome::Failed { class: "blocked".to_owned() });
}

/// An address whose queue is full, so that whoever knocks is not answered; with what fills it.
async fn black_hole() -> (TcpListener, Vec<TcpStream>, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let at = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let knock = || tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(at));
    while let Ok(taken) = knock().await {
        held.push(taken.unwrap());
    }
    (listener, held, format!("http://{at}"))
}

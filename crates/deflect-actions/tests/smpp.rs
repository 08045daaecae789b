//! Texts by SMPP 3.4, to a message centre on loopback that misbehaves.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{Db, eventually, mobile, order, sender, wide};
use deflect_actions::{
    hooks::Hook,
    provider::{
        Provider,
        smpp::{Address, Alphabet, Settings, Short, Smpp},
    },
    text::{Reply, TextConfig, TextOrder, TextOutcome, TextService},
};
use provider_emulator::{Does, smpp::Centre};

async fn service(db: &Db, settings: Settings) -> TextService {
    common::service(db, config(settings)).await
}

fn config(settings: Settings) -> TextConfig {
    let provider = Provider::Smpp(Smpp::new(settings));
    TextConfig {
        providers: [("centre".to_owned(), provider)].into(),
        senders: vec![sender("centre", "centre", "+447400123460")],
        limits: wide(),
        ..TextConfig::default()
    }
}

fn accepted() -> TextOutcome {
    TextOutcome::Accepted { sender: "centre".to_owned() }
}

async fn state(db: &Db) -> String {
    db.texts("SELECT state FROM message ORDER BY message_id").await.pop().flatten().unwrap()
}

fn quick(texts: &TextService, n: u32) -> TextOrder {
    TextOrder { accept_within_ms: 1_200, attempt_ms: 500, ..order(texts.store(), &mobile(n)) }
}

#[tokio::test]
async fn kh_19_a_text_is_bound_submitted_and_receipted() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let order = order(texts.store(), &mobile(1));
    assert_eq!(texts.send(order.clone()).await, accepted());
    let taken = &centre.taken()[0];
    assert_eq!(String::from_utf8_lossy(taken.text()), order.text);
    assert_eq!((taken.source.ton, taken.source.text.as_str()), (1, "447400123460"));
    assert_eq!(taken.destination.text, mobile(1).as_str()[1..]);
    assert_eq!((taken.registered_delivery, taken.data_coding), (1, 0));
    assert!(taken.validity_period.starts_with("00000000") && taken.validity_period.ends_with('R'));
    // Answered in hexadecimal, receipted in decimal.
    centre.delivers(Centre::receipt(0, "DELIVRD"));
    eventually("it is delivered", async || state(&db).await == "delivered").await;
    eventually("and the centre knows that we know", async || centre.delivered() == [0]).await;
    centre.delivers(Centre::receipt(0, "ACCEPTD"));
    eventually("kept", async || centre.delivered().len() == 2).await;
    assert_eq!(state(&db).await, "delivered", "forward only");
}

#[tokio::test]
async fn a_long_text_goes_in_parts_with_one_receipt_and_the_window_holds() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, Settings { window: 2, ..centre.settings() }).await;
    let mut long = order(texts.store(), &mobile(1));
    long.text = format!("Example: {} https://example.net/chat", "word ".repeat(40));
    assert_eq!(texts.send(long.clone()).await, accepted());
    let taken = centre.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|part| part.esm_class == 0x40));
    assert_eq!(taken.iter().map(|part| part.registered_delivery).collect::<Vec<_>>(), [0, 1]);
    let joined: Vec<u8> = taken.iter().flat_map(|part| part.text()[6..].to_vec()).collect();
    assert_eq!(String::from_utf8(joined).unwrap(), long.text);
    assert_eq!(db.number("SELECT segments FROM message").await, Some(2));
    centre.delivers(Centre::receipt(1, "DELIVRD"));
    eventually("it is delivered", async || state(&db).await == "delivered").await;
    // Many at once.
    let sending: Vec<_> = (2..30)
        .map(|n| {
            let (texts, order) = (texts.clone(), order(texts.store(), &mobile(n)));
            tokio::spawn(async move { texts.send(order).await })
        })
        .collect();
    for sent in sending {
        assert_eq!(sent.await.unwrap(), accepted());
    }
    assert_eq!(centre.most_at_once(), 2);
}

#[tokio::test]
async fn x_06_written_and_unanswered_is_ambiguous_and_a_late_answer_settles_it() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    centre.does(&[Does::Hang, Does::TakeAndReset, Does::Slow(Duration::from_millis(1_500))]);
    for n in 1..=3 {
        assert_eq!(texts.send(quick(&texts, n)).await, TextOutcome::Ambiguous, "{n}");
    }
    // The third was answered too late for its caller; it is known all the same.
    eventually("evidence comes", async || state(&db).await == "accepted").await;
    centre.delivers(Centre::receipt(2, "DELIVRD"));
    eventually("and its receipt", async || state(&db).await == "delivered").await;
    assert_eq!(centre.taken().len(), 3, "none is sent twice");
}

#[tokio::test]
async fn x_06_a_text_of_which_a_part_was_taken_is_sent_no_more() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    for (n, status) in [0x58, 0x14, 0x45, 0x0b].into_iter().enumerate() {
        centre.does(&[Does::Accept, Does::Refuse(0, status, None)]);
        let mut long = quick(&texts, n as u32 + 1);
        long.text = format!("Example: {} https://example.net/chat", "word ".repeat(40));
        assert_eq!(texts.send(long).await, TextOutcome::Ambiguous, "{status:#x}");
        assert_eq!(centre.taken().len(), n + 1, "its first part, once");
    }
}

#[tokio::test]
async fn x_06_never_bound_or_refused_is_definite() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let failed = |class: &str| TextOutcome::Failed { class: class.to_owned() };
    centre.does(&[Does::Refuse(0, 0x58, None); 3]);
    assert_eq!(texts.send(quick(&texts, 2)).await, TextOutcome::Queued, "throttled");
    centre.does(&[Does::Refuse(0, 0x0b, None), Does::Refuse(0, 0x0a, None)]);
    let outcome = texts.send(quick(&texts, 3)).await;
    assert_eq!(outcome, TextOutcome::NotTextable { reason: "invalid".to_owned() });
    assert_eq!(texts.send(quick(&texts, 1)).await, failed("config"));
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = Settings { port: closed.port(), ..centre.settings() };
    let db = Db::sqlite();
    let texts = service(&db, nowhere).await;
    assert_eq!(texts.send(quick(&texts, 1)).await, TextOutcome::Queued);
    // Who is not wanted is told at once.
    let stranger = Centre::start();
    stranger.refuses_binds(0x0d);
    let db = Db::sqlite();
    let texts = service(&db, stranger.settings()).await;
    assert_eq!(texts.send(quick(&texts, 1)).await, failed("auth"));
}

#[tokio::test]
async fn a_session_that_breaks_is_begun_again() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let enquire = Duration::from_millis(200);
    let texts = service(&db, Settings { enquire, ..centre.settings() }).await;
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted());
    eventually("it is asked whether it is there", async || centre.enquired() > 1).await;
    centre.does(&[Does::Unbind]);
    assert_eq!(texts.send(quick(&texts, 2)).await, TextOutcome::Ambiguous);
    let after = TextOrder { accept_within_ms: 6_000, ..order(texts.store(), &mobile(3)) };
    assert_eq!(texts.send(after).await, accepted());
    assert_eq!(centre.binds().len(), 2);
}

#[tokio::test]
async fn a_centre_that_answers_nothing_any_more_is_noticed_and_bound_anew() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let enquire = Duration::from_millis(200);
    let texts = service(&db, Settings { enquire, ..centre.settings() }).await;
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted());
    centre.is_deaf();
    // Its connection stays open.
    assert_eq!(texts.send(quick(&texts, 2)).await, TextOutcome::Ambiguous);
    eventually("it is bound anew", async || centre.binds().len() == 2).await;
    let after = TextOrder { accept_within_ms: 6_000, ..order(texts.store(), &mobile(3)) };
    assert_eq!(texts.send(after).await, accepted());
}

#[tokio::test]
async fn a_receipt_before_the_answer_is_kept_and_matched_however_late_the_answer_comes() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    // In time for the caller, and too late.
    for (n, late, outcome) in [(0, 300, accepted()), (1, 1_500, TextOutcome::Ambiguous)] {
        centre.does(&[Does::Slow(Duration::from_millis(late))]);
        let sending = {
            let (texts, order) = (texts.clone(), quick(&texts, n));
            tokio::spawn(async move { texts.send(order).await })
        };
        let index = usize::try_from(n).unwrap();
        eventually("it is there", async || centre.taken().len() == index + 1).await;
        centre.delivers(Centre::receipt(index, "DELIVRD"));
        eventually("the receipt is kept", async || centre.delivered().len() == index + 1).await;
        assert_eq!(state(&db).await, "claimed", "{late}: nobody knows whose it is");
        assert_eq!(sending.await.unwrap(), outcome, "{late}");
        eventually("it is delivered", async || state(&db).await == "delivered").await;
    }
    assert_eq!(centre.taken().len(), 2, "none is sent twice");
}

#[tokio::test]
async fn a_sender_writes_no_more_parts_a_second_than_its_centre_takes() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let mut config = config(centre.settings());
    config.senders[0].per_second = Some(5);
    let texts = common::service(&db, config).await;
    let began = tokio::time::Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for n in 0..4 {
        let mut order = order(texts.store(), &mobile(n));
        if n == 0 {
            order.text = format!("Example: {} https://example.net/chat", "word ".repeat(40));
        }
        let texts = texts.clone();
        sending.spawn(async move { texts.send(order).await });
    }
    for outcome in sending.join_all().await {
        assert!(outcome == accepted() || outcome == TextOutcome::Queued, "{outcome:?}");
    }
    eventually("all are there", async || centre.taken().len() == 5).await;
    assert!(began.elapsed() >= Duration::from_millis(550), "{:?}", began.elapsed());
}

#[tokio::test]
async fn x_05_a_text_from_a_phone_is_heeded_and_answered() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let from = mobile(1);
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted());
    centre.delivers(Centre::text(from.as_str(), "Stop!"));
    eventually("it is confirmed", async || centre.taken().len() == 2).await;
    let confirmed = String::from_utf8_lossy(centre.taken()[1].text()).into_owned();
    assert!(confirmed.contains("START"), "{confirmed}");
    assert_eq!(texts.send(order(texts.store(), &from)).await, TextOutcome::OptedOut);
}

#[tokio::test]
async fn x_05_parts_of_a_text_are_joined_and_one_told_again_counts_once_and_one_written_again_twice()
 {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let mut config = config(centre.settings());
    let hook = Hook { url: "https://crm.example.net".into(), secret: vec![1], kinds: Vec::new() };
    let reply = Reply {
        words: vec!["yes please i would like to come on monday".to_owned()],
        hook,
        answer: [(String::new(), "Example: see you then.".to_owned())].into(),
    };
    config.replies = [("retail".to_owned(), vec![reply])].into();
    let texts = common::service(&db, config).await;
    let from = mobile(1);
    assert_eq!(texts.send(order(texts.store(), &from)).await, accepted());
    let part = |n: u8, text: &str| {
        let short = Centre::text(from.as_str(), text);
        let short_message = [&[5, 0, 3, 77, 2, n], text.as_bytes()].concat();
        Short { esm_class: 0x40, short_message, ..short }
    };
    let (one, two) = (part(1, "Yes, please: I would "), part(2, "like to come on Monday"));
    // The second comes first.
    let tells = async |shorts: &[&Short]| {
        let before = centre.delivered().len();
        shorts.iter().for_each(|short| centre.delivers((*short).clone()));
        let all = before + shorts.len();
        eventually("all are answered", async || centre.delivered().len() == all).await;
    };
    let lose = async |n| {
        centre.does(&[Does::Unbind]);
        texts.send(quick(&texts, n)).await;
        eventually("it is bound anew", async || centre.binds().len() as u32 == n).await;
    };
    tells(&[&two, &one]).await;
    eventually("it is answered", async || centre.taken().len() >= 2).await;
    let events = "SELECT type FROM event";
    assert_eq!(db.texts(events).await, [Some("message.reply".to_owned())]);
    // The centre had no answer before the session was lost.
    lose(2).await;
    tells(&[&two, &one]).await;
    assert_eq!(db.texts(events).await.len(), 1);
    // Written once more, it counts once more, and a short one does, too.
    let short = Centre::text(from.as_str(), "Yes, please: I would like to come on Monday");
    for (count, told) in (2..).zip([&[&two, &one][..], &[&short], &[&short]]) {
        tells(told).await;
        assert_eq!(db.texts(events).await.len(), count);
    }
    lose(3).await;
    tells(&[&short]).await;
    assert_eq!(db.texts(events).await.len(), 4);
    assert!(centre.delivered().iter().all(|status| *status == 0), "{:?}", centre.delivered());
}

/// What is answered and not kept is lost with the process: a part is kept with its text.
#[tokio::test]
async fn x_05_a_part_is_answered_with_its_text_and_alone_after_a_second() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let from = mobile(1);
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted());
    let part = |reference: u8, n: u8, words: &str| {
        let short_message = [&[5, 0, 3, reference, 2, n], words.as_bytes()].concat();
        Short { esm_class: 0x40, short_message, ..Centre::text(from.as_str(), "") }
    };
    let tries = |short| centre.tries(short).unwrap();
    let first = tries(part(7, 1, "st"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!centre.is_kept(first), "it is in memory only");
    let second = tries(part(7, 2, "op"));
    eventually("both are", async || centre.is_kept(first) && centre.is_kept(second)).await;
    assert_eq!(texts.send(order(texts.store(), &from)).await, TextOutcome::OptedOut);
    // Neither is, where the store does not take the text.
    db.execute("ALTER TABLE opt_out RENAME TO lost").await.unwrap();
    let parts = [part(8, 1, "sto"), part(8, 2, "p")].map(&tries);
    eventually("they are refused", async || centre.delivered().len() == 4).await;
    assert!(!parts.iter().any(|sequence| centre.is_kept(*sequence)));
    db.execute("ALTER TABLE lost RENAME TO opt_out").await.unwrap();
    // A centre that waits for the answer to one before it tells the next.
    let first = tries(part(9, 1, "st"));
    eventually("it is let go", async || centre.is_kept(first)).await;
    let second = tries(part(9, 2, "art"));
    eventually("the text is whole", async || centre.is_kept(second)).await;
    assert_eq!(texts.send(order(texts.store(), &from)).await, accepted());
}

/// A centre that has an answer tells no more: so the answer comes when the text is kept.
#[tokio::test]
async fn x_05_a_text_that_the_store_does_not_take_is_answered_so_and_told_again() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let from = mobile(1);
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted());
    db.execute("ALTER TABLE opt_out RENAME TO lost").await.unwrap();
    centre.delivers(Centre::text(from.as_str(), "Stop!"));
    eventually("it is answered", async || centre.delivered().len() == 1).await;
    assert_ne!(centre.delivered(), [0], "it is not kept");
    db.execute("ALTER TABLE lost RENAME TO opt_out").await.unwrap();
    centre.delivers(Centre::text(from.as_str(), "Stop!"));
    eventually("it is kept", async || centre.delivered().last() == Some(&0)).await;
    assert_eq!(texts.send(order(texts.store(), &from)).await, TextOutcome::OptedOut);
}

#[tokio::test]
async fn a_reload_keeps_the_session_and_a_change_begins_another() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted());
    texts.reconfigure(config(centre.settings()));
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted());
    assert_eq!((centre.binds().len(), centre.unbound()), (1, 0));
    texts.reconfigure(config(Settings { window: 9, ..centre.settings() }));
    assert_eq!(texts.send(order(texts.store(), &mobile(3))).await, accepted());
    assert_eq!(centre.binds().len(), 2);
    eventually("the old one says goodbye", async || centre.unbound() == 1).await;
    drop(texts);
    eventually("and the last one", async || centre.unbound() == 2).await;
}

#[tokio::test]
async fn kh_19_what_a_centre_tells_in_one_breath_with_the_bind_is_heard() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let from = mobile(1);
    centre.delivers_at_bind(&[Centre::text(from.as_str(), "STOP")]);
    let texts = service(&db, centre.settings()).await;
    eventually("it is kept", async || centre.delivered() == [0]).await;
    assert_eq!(texts.send(order(texts.store(), &from)).await, TextOutcome::OptedOut);
}

#[tokio::test]
async fn kh_19_a_delivery_that_ends_too_early_is_refused_and_the_session_goes_on() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    let from = mobile(1);
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted());
    centre.delivers_broken(Centre::text(from.as_str(), "STOP"));
    centre.delivers(Centre::text(from.as_str(), "STOP"));
    eventually("both are answered", async || centre.delivered().len() == 2).await;
    assert_eq!((centre.delivered(), centre.binds().len()), (vec![0x65, 0], 1));
    assert_eq!(texts.send(order(texts.store(), &from)).await, TextOutcome::OptedOut);
}

#[tokio::test]
async fn kh_19_a_centre_to_which_we_are_bound_already_is_tried_again() {
    for status in [0x04, 0x05] {
        let (db, centre) = (Db::sqlite(), Centre::start());
        centre.refuses_binds(status);
        let texts = service(&db, centre.settings()).await;
        assert_eq!(texts.send(quick(&texts, 1)).await, TextOutcome::Queued, "{status:#x}");
        centre.refuses_binds(0);
        let after = TextOrder { accept_within_ms: 6_000, ..order(texts.store(), &mobile(2)) };
        assert_eq!(texts.send(after).await, accepted(), "{status:#x}");
    }
}

#[tokio::test]
async fn x_05_a_stop_from_a_number_in_the_form_of_its_country_is_heeded() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let texts = service(&db, centre.settings()).await;
    assert_eq!(texts.send(order(texts.store(), &mobile(9))).await, accepted());
    // The type of number as a centre may tell it: national, unknown, international.
    for (n, ton, trunk) in [(1, 2, ""), (2, 2, "0"), (3, 0, "0"), (4, 0, "44"), (5, 1, "44")] {
        let from = mobile(n);
        let national = from.as_str().trim_start_matches("+44");
        let source = Address { ton, npi: 1, text: format!("{trunk}{national}") };
        centre.delivers(Short { source, ..Centre::text(from.as_str(), "STOP") });
        let answered = usize::try_from(n).unwrap();
        eventually("it is kept", async || centre.delivered().len() == answered).await;
        let sent = texts.send(order(texts.store(), &from)).await;
        assert_eq!(sent, TextOutcome::OptedOut, "{ton} {trunk}");
    }
    // A name wants nothing that could be heeded.
    let source = Address { ton: 5, npi: 0, text: "Parcels".to_owned() };
    centre.delivers(Short { source, ..Centre::text("", "STOP") });
    eventually("it is not told again", async || centre.delivered() == [0; 6]).await;
}

#[tokio::test]
async fn ex_25_who_opted_out_is_texted_no_more_whatever_is_written_after_it() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let mut config = config(centre.settings());
    config.replies = [("retail".to_owned(), Vec::new())].into();
    let texts = common::service(&db, config).await;
    let tells = async |n: u32, words: &str| {
        let before = centre.delivered().len();
        centre.delivers(Centre::text(mobile(n).as_str(), words));
        eventually("it is kept", async || centre.delivered().len() == before + 1).await;
    };
    for n in 1..=3 {
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, accepted());
    }
    // By text, and by any other way.
    tells(1, "STOP").await;
    eventually("it is confirmed", async || centre.taken().len() == 4).await;
    texts.store().opt_out("retail", &mobile(2), "", "operator").await.unwrap();
    for n in 1..=3 {
        tells(n, "ok thanks").await;
    }
    eventually("the third is helped", async || centre.taken().len() == 5).await;
    // All answers are given by now.
    assert_eq!(texts.send(order(texts.store(), &mobile(4))).await, accepted());
    let taken = centre.taken();
    assert_eq!(taken.len(), 6);
    assert_eq!(taken[4].destination.text, mobile(3).as_str()[1..]);
}

#[tokio::test]
async fn a_text_in_latin_1_counts_as_it_is_sent() {
    let (db, centre) = (Db::sqlite(), Centre::start());
    let mut config = config(Settings { alphabet: Alphabet::Latin1, ..centre.settings() });
    config.senders[0].price_micros = Some(10_000);
    let texts = common::service(&db, config).await;
    // One SMS in GSM-7, two in octets.
    let mut order = order(texts.store(), &mobile(1));
    order.text = format!("Example: {}", "a".repeat(141));
    let too_long = TextOrder { max_segments: 1, ..order.clone() };
    let failed = TextOutcome::Failed { class: "too_long".to_owned() };
    assert_eq!(texts.send(too_long).await, failed);
    assert_eq!(texts.send(order).await, accepted());
    assert_eq!(centre.taken().len(), 2);
    let counted = "SELECT encoding || ' ' || segments || ' ' || price_micros FROM message";
    assert_eq!(db.texts(counted).await, [Some("latin1 2 20000".to_owned())]);
}

//! Messages that callers left, in the store: listed, heard, erased on time and on request.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::time::Duration;

use common::{Db, call, mobile};
use deflect_actions::{
    Clock,
    store::{Row, Store, Subscription, VoicemailLeft, Writer},
};

on_both!(
    a_message_is_listed_marked_and_its_sound_is_erased_by_the_node_that_has_it,
    the_messages_of_a_number_go_with_it,
);

const DAY_MS: i64 = 86_400_000;

async fn leave(store: &Store, n: u32) -> String {
    let call = call(store.clock().now_ms(), Some(&mobile(n)));
    let writer = Writer::start(store.clone());
    writer.try_write(Row::CallStarted(call.clone())).unwrap();
    assert!(writer.flush(Duration::from_secs(5)).await);
    let id = format!("0197-{n}");
    let left = VoicemailLeft {
        voicemail_id: id.clone(),
        call_id: call.call_id,
        step: "box".to_owned(),
        file: format!("/var/voicemail/{id}.wav"),
        length_ms: 2_500,
        sound_url: None,
    };
    store.keep_voicemail(&left).await.unwrap();
    id
}

async fn a_message_is_listed_marked_and_its_sound_is_erased_by_the_node_that_has_it(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    store.subscribe(vec![Subscription::of("https://crm.example", &["voicemail.left".to_owned()])]);
    let other = db.store_with("n2", "b1", clock.clone()).await;
    let id = leave(&store, 1).await;
    let told = "SELECT COUNT(*) FROM event WHERE type = 'voicemail.left'";
    assert_eq!(db.number(told).await, Some(1));
    let listed = store.voicemails(10).await.unwrap();
    assert_eq!((listed.len(), listed[0].length_ms, listed[0].heard_ms), (1, 2_500, None));
    assert_eq!(listed[0].node_id.as_deref(), Some("n1"));
    let found = store.voicemails_like("0197").await.unwrap();
    assert_eq!(found[0].voicemail_id, id);
    assert_eq!(store.voicemails_like("0198").await.unwrap(), vec![]);
    store.voicemail_heard(&id).await.unwrap();
    assert!(store.voicemails(10).await.unwrap()[0].heard_ms.is_some());

    assert_eq!(store.voicemails_to_erase().await.unwrap(), vec![]);
    clock.advance(30 * DAY_MS + 1);
    let due = |own| [(id.clone(), format!("/var/voicemail/{id}.wav"), own)];
    assert_eq!(other.voicemails_to_erase().await.unwrap(), due(false), "another node wrote it");
    assert_eq!(store.voicemails_to_erase().await.unwrap(), due(true));
    store.voicemail_erased(&id).await.unwrap();
    assert_eq!(store.voicemails_to_erase().await.unwrap(), vec![]);
    assert_eq!(store.voicemails(10).await.unwrap(), vec![]);
    assert_eq!(db.number("SELECT COUNT(*) FROM voicemail").await, Some(1), "it was left");
    clock.advance(400 * DAY_MS);
    store.sweep().await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM voicemail").await, Some(0));
}

async fn the_messages_of_a_number_go_with_it(db: Db) {
    let store = db.store().await;
    let (gone, stays) = (leave(&store, 1).await, leave(&store, 2).await);
    store.erase_number("retail", &mobile(1)).await.unwrap();
    let due = store.voicemails_to_erase().await.unwrap();
    assert_eq!(due.iter().map(|(id, ..)| id).collect::<Vec<_>>(), [&gone]);
    store.erase_voicemail(&stays).await.unwrap();
    assert_eq!(store.voicemails_to_erase().await.unwrap().len(), 2);
}

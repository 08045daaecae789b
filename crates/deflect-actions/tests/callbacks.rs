//! Callbacks in the store: slots counted over all nodes, one claimer each, nothing kept too long.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{Db, call, mobile};
use deflect_actions::{
    Clock,
    store::{CallbackBooked, CallbackOrder, Room, Row, Slot, Store, Writer},
};

on_both!(
    one_that_is_asked_for_twice_at_once_is_booked_once_and_both_hear_when,
    ic_12_the_line_that_a_callback_names_is_the_one_it_is_for,
    dp_06_slots_fill_up_in_order_whoever_books_and_then_there_is_none,
    a_callback_has_one_claimer_until_its_lease_ends_and_is_tried_so_often,
    a_callback_that_is_taken_back_while_it_is_made_is_its_node_s_no_more,
    a_number_is_called_back_so_often_whoever_asks,
    the_number_goes_when_it_is_over_or_the_caller_wants_it,
);

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const LEASE_MS: i64 = 60_000;

async fn order(store: &Store, n: u32, slots: &[i64]) -> CallbackOrder {
    let call = call(store.clock().now_ms(), Some(&mobile(n)));
    let writer = Writer::start(store.clone());
    writer.try_write(Row::CallStarted(call.clone())).unwrap();
    assert!(writer.flush(Duration::from_secs(5)).await);
    CallbackOrder {
        callback_id: format!("cb-{n}"),
        call_id: call.call_id,
        business: "retail".to_owned(),
        flow: "main".to_owned(),
        called: String::new(),
        step: "callback".to_owned(),
        number: mobile(n),
        max_tries: 2,
        per_caller: (9, 9),
        room: Room {
            target: "agents".to_owned(),
            per_hour: 3,
            in_all: 4,
            slots: slots
                .iter()
                .map(|&from_ms| Slot { from_ms, until_ms: from_ms + HOUR_MS })
                .collect(),
        },
    }
}

async fn one_that_is_asked_for_twice_at_once_is_booked_once_and_both_hear_when(db: Db) {
    let (one, two) = (db.store_as("n1", "b1").await, db.store_as("n2", "b1").await);
    // The hour has room for one: who comes second is not told that it is full.
    let mut order = order(&one, 1, &[100 * DAY_MS]).await;
    (order.room.per_hour, order.room.in_all) = (1, 1);
    let presses = [&one, &two, &one, &two].map(|store| {
        let (store, order) = (store.clone(), order.clone());
        tokio::spawn(async move { store.book_callback(&order).await.unwrap() })
    });
    for press in presses {
        assert_eq!(press.await.unwrap(), CallbackBooked::Due(100 * DAY_MS));
    }
    assert_eq!(one.callbacks(9).await.unwrap().len(), 1);
}

async fn ic_12_the_line_that_a_callback_names_is_the_one_it_is_for(db: Db) {
    let store = db.store().await;
    let mut own = order(&store, 1, &[0]).await;
    store.book_callback(&own).await.unwrap();
    own =
        CallbackOrder { call_id: "never-called".to_owned(), callback_id: "cb-2".to_owned(), ..own };
    own.flow = "Front".to_owned();
    own.called = "+442079460019".to_owned();
    store.book_callback(&own).await.unwrap();
    let mut due = store.claim_callbacks(LEASE_MS, 9).await.unwrap();
    due.sort_by(|a, b| a.callback_id.cmp(&b.callback_id));
    let found: Vec<_> = due.iter().map(|due| (due.flow.as_str(), due.called.as_str())).collect();
    let of_call = call(0, Some(&mobile(1))).did.unwrap();
    assert_eq!(found, [("main", of_call.as_str()), ("Front", "+442079460019")]);
}

async fn dp_06_slots_fill_up_in_order_whoever_books_and_then_there_is_none(db: Db) {
    let (one, two) = (db.store_as("n1", "b1").await, db.store_as("n2", "b1").await);
    let slots = [100 * DAY_MS, 100 * DAY_MS + HOUR_MS];
    let mut orders = Vec::new();
    for n in 0..8 {
        orders.push(order(&one, n, &slots).await);
    }
    let bookings = orders.into_iter().enumerate().map(|(n, order)| {
        let store = if n % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { store.book_callback(&order).await.unwrap() })
    });
    let mut booked = Vec::new();
    for booking in bookings.collect::<Vec<_>>() {
        booked.push(booking.await.unwrap());
    }
    let due_of = |booked: &CallbackBooked| match booked {
        CallbackBooked::Due(due) => Some(*due),
        CallbackBooked::Full | CallbackBooked::Limited => None,
    };
    let due: BTreeSet<i64> = booked.iter().filter_map(due_of).collect();
    let third = HOUR_MS / 3;
    let all: BTreeSet<i64> =
        slots.iter().flat_map(|slot| [*slot, slot + third, slot + 2 * third]).collect();
    assert_eq!(due, all, "three an hour, spread, none twice");
    assert_eq!(booked.iter().filter(|it| **it == CallbackBooked::Full).count(), 2);

    // Another target has room until the hour has as many as there may be in all.
    let mut other = order(&one, 20, &slots[..1]).await;
    other.room.target = "others".to_owned();
    assert_eq!(one.room_for_callback(&other.room).await.unwrap().map(|it| it.1), Some(slots[0]));
    assert_eq!(one.book_callback(&other).await.unwrap(), CallbackBooked::Due(slots[0]));
    other.callback_id = "cb-21".to_owned();
    assert_eq!(one.book_callback(&other).await.unwrap(), CallbackBooked::Full);
    assert_eq!(one.room_for_callback(&other.room).await.unwrap(), None);
    // Who is canceled makes room.
    assert_eq!(one.cancel_callback("cb-20").await.unwrap().as_deref(), Some("cb-20"));
    assert!(matches!(one.book_callback(&other).await.unwrap(), CallbackBooked::Due(_)));
}

async fn a_callback_has_one_claimer_until_its_lease_ends_and_is_tried_so_often(db: Db) {
    let clock = Clock::default();
    let one = db.store_with("n1", "b1", clock.clone()).await;
    let two = db.store_with("n2", "b1", clock.clone()).await;
    let slot = clock.now_ms() / HOUR_MS * HOUR_MS + 2 * HOUR_MS;
    let booked = order(&one, 1, &[slot]).await;
    assert_eq!(one.book_callback(&booked).await.unwrap(), CallbackBooked::Due(slot));
    assert_eq!(one.claim_callbacks(LEASE_MS, 9).await.unwrap(), vec![], "not due yet");
    clock.advance(3 * HOUR_MS);
    let due = one.claim_callbacks(LEASE_MS, 9).await.unwrap();
    assert_eq!((due.len(), &due[0].number, due[0].tries), (1, &mobile(1), 0));
    assert_eq!((due[0].flow.as_str(), due[0].target.as_str()), ("main", "agents"));
    assert_eq!(two.claim_callbacks(LEASE_MS, 9).await.unwrap(), vec![]);
    assert!(!two.callback_calling("cb-1", LEASE_MS).await.unwrap(), "it is another's");
    assert!(one.callback_calling("cb-1", LEASE_MS).await.unwrap());
    assert_eq!(two.take_back_callbacks(&[]).await.unwrap(), 0);

    // The node dies; after its lease another has it, and the first may not go on.
    clock.advance(LEASE_MS + 1);
    assert_eq!(two.take_back_callbacks(&[]).await.unwrap(), 1);
    let due = two.claim_callbacks(LEASE_MS, 9).await.unwrap();
    assert_eq!(due[0].tries, 1);
    assert!(!one.renew_callback("cb-1", LEASE_MS).await.unwrap());
    assert!(two.callback_calling("cb-1", LEASE_MS).await.unwrap());
    assert!(two.renew_callback("cb-1", LEASE_MS).await.unwrap());
    assert!(!one.callback_again("cb-1", 0).await.unwrap());
    assert!(!two.callback_again("cb-1", 0).await.unwrap(), "two tries are enough");
    assert_eq!(two.callbacks(9).await.unwrap()[0].state, "failed");

    // By a clock that jumped, what it makes itself has had no word for long, and stays its own.
    let held = order(&one, 3, &[0]).await;
    one.book_callback(&held).await.unwrap();
    assert_eq!(one.claim_callbacks(LEASE_MS, 9).await.unwrap().len(), 1);
    assert!(one.callback_calling("cb-3", LEASE_MS).await.unwrap());
    clock.advance(LEASE_MS + 1);
    let in_hand = ["cb-30", "cb-3"].map(str::to_owned);
    assert_eq!(one.take_back_callbacks(&in_hand).await.unwrap(), 0);
    assert!(one.renew_callback("cb-3", LEASE_MS).await.unwrap());
    clock.advance(LEASE_MS + 1);
    assert_eq!(one.take_back_callbacks(&in_hand[..1]).await.unwrap(), 1);
    assert_eq!(one.cancel_callback("cb-3").await.unwrap().as_deref(), Some("cb-3"));

    // A start of the same node takes its own back at once.
    let other = order(&one, 2, &[slot + 2 * HOUR_MS]).await;
    one.book_callback(&other).await.unwrap();
    clock.advance(2 * HOUR_MS);
    assert_eq!(one.claim_callbacks(LEASE_MS, 9).await.unwrap().len(), 1);
    let again = db.store_with("n1", "b2", clock.clone()).await;
    assert_eq!(again.take_back_callbacks(&[]).await.unwrap(), 1);
    assert_eq!(again.claim_callbacks(LEASE_MS, 9).await.unwrap().len(), 1);
    again.put_callback_off("cb-2", clock.now_ms() + 1, false).await.unwrap();
    assert_eq!(again.callbacks(9).await.unwrap()[0].state, "booked");
}

async fn a_callback_that_is_taken_back_while_it_is_made_is_its_node_s_no_more(db: Db) {
    let store = db.store().await;
    for n in [1, 2] {
        let order = order(&store, n, &[0]).await;
        store.book_callback(&order).await.unwrap();
    }
    assert_eq!(store.claim_callbacks(LEASE_MS, 9).await.unwrap().len(), 2);
    assert!(store.callback_calling("cb-1", LEASE_MS).await.unwrap());
    assert!(store.stop_callback("cb-1").await.unwrap(), "it rings");
    assert!(store.stop_callback("cb-2").await.unwrap(), "it is about to");
    assert!(!store.renew_callback("cb-1", LEASE_MS).await.unwrap());
    assert!(!store.callback_calling("cb-2", LEASE_MS).await.unwrap());
    store.callback_done("cb-1").await.unwrap();
    store.put_callback_off("cb-1", 0, true).await.unwrap();
    assert!(!store.callback_again("cb-2", 0).await.unwrap());
    let states = store.callbacks(9).await.unwrap();
    assert!(states.iter().all(|one| one.state == "canceled"), "{states:?}");
    assert!(!store.stop_callback("cb-1").await.unwrap(), "it is over");
}

async fn a_number_is_called_back_so_often_whoever_asks(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let mut order = order(&store, 1, &[100 * DAY_MS, 100 * DAY_MS + HOUR_MS]).await;
    order.per_caller = (2, 3);
    let mut n = 0;
    let mut books = async |order: &mut CallbackOrder| {
        n += 1;
        order.callback_id = format!("cb-{n}");
        store.book_callback(order).await.unwrap()
    };
    for _ in 0..2 {
        assert!(!store.has_callbacks_enough(&order).await.unwrap(), "it may be offered");
        assert!(matches!(books(&mut order).await, CallbackBooked::Due(_)));
    }
    assert_eq!(books(&mut order).await, CallbackBooked::Limited, "two an hour");
    let hits = "SELECT COUNT(*) FROM limit_hit WHERE rule = 'callbacks_per_caller'";
    assert_eq!(db.number(hits).await, Some(1));
    assert!(store.has_callbacks_enough(&order).await.unwrap(), "it is not to be offered");
    assert_eq!(db.number(hits).await, Some(2), "and the limit bit");
    let mut other = CallbackOrder { number: mobile(2), ..order.clone() };
    assert!(matches!(books(&mut other).await, CallbackBooked::Due(_)), "others get theirs");
    clock.advance(HOUR_MS);
    assert!(matches!(books(&mut order).await, CallbackBooked::Due(_)));
    clock.advance(HOUR_MS);
    assert_eq!(books(&mut order).await, CallbackBooked::Limited, "three a day");
    clock.advance(DAY_MS);
    assert!(matches!(books(&mut order).await, CallbackBooked::Due(_)));
}

async fn the_number_goes_when_it_is_over_or_the_caller_wants_it(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    for n in [1, 2] {
        let order = order(&store, n, &[100 * DAY_MS]).await;
        store.book_callback(&order).await.unwrap();
    }
    let sealed = "SELECT COUNT(*) FROM callback WHERE number_enc IS NOT NULL";
    let plain = format!("SELECT COUNT(*) FROM callback WHERE number_enc LIKE '%{}%'", "4474001");
    assert_eq!((db.number(sealed).await, db.number(&plain).await), (Some(2), Some(0)));
    assert!(store.callbacks(9).await.unwrap()[0].to_masked.is_some());
    store.cancel_callback("cb-1").await.unwrap();
    store.erase_due().await.unwrap();
    assert_eq!(db.number(sealed).await, Some(2));
    clock.advance(DAY_MS + 1);
    store.erase_due().await.unwrap();
    assert_eq!(db.number(sealed).await, Some(1));
    store.erase_number("retail", &mobile(2)).await.unwrap();
    assert_eq!(db.number(sealed).await, Some(0));
    let states: BTreeSet<String> =
        store.callbacks(9).await.unwrap().into_iter().map(|one| one.state).collect();
    assert_eq!(states, BTreeSet::from(["canceled".to_owned()]));
}

//! A past for the reports: calls as the product writes them.

use std::time::Duration;

use deflect_actions::store::{
    CallEnded, CallStarted, LocalTime, OfferRow, OutcomeRow, Row, StepRow, Store, Writer,
};

use super::{Past, Sent, key};
use crate::common::{self, Db};

pub const DAY: i64 = 86_400_000;
/// Monday, 2 November 2026, 00:00 UTC.
pub const MONDAY: i64 = 1_793_577_600_000;
/// Kind, valid from, micros.
pub const RATES: [(&str, i64, i64); 3] =
    [("call", 0, 6_000_000), ("call", MONDAY + 5 * DAY, 7_500_000), ("digital", 0, 800_000)];

/// The calls as the product writes them; messages, links and rates past it.
pub async fn stored(db: &Db, all: &[Past]) -> Store {
    let store = db.store().await;
    let writer = Writer::start(store.clone());
    for call in all {
        for row in rows(call) {
            writer.try_write(row).unwrap();
        }
    }
    assert!(writer.flush(Duration::from_secs(30)).await);
    let mut sql = String::new();
    for (kind, from, micros) in RATES {
        sql += &format!("INSERT INTO rate VALUES ('{kind}', {from}, {micros});");
    }
    for call in all {
        sql += &message(call);
    }
    db.execute(&sql).await.unwrap();
    store
}

fn rows(call: &Past) -> Vec<Row> {
    let id = call.id.clone();
    let (caller_key, caller_key_prev) = call
        .caller
        .map(|(caller, epoch)| (key(caller, epoch), key(caller, epoch.wrapping_sub(1))))
        .unzip();
    let local = LocalTime {
        date: call.date.clone(),
        dow: call.dow,
        hour: call.hour,
        quarter: call.quarter,
    };
    let mut rows = vec![Row::CallStarted(CallStarted {
        caller_key,
        caller_key_prev,
        local,
        origin: "trunk",
        call_id: id.clone(),
        ..common::call(call.started, None)
    })];
    rows.extend(call.steps.iter().zip(1..).map(|((step, kind, entered, left, exit), seq)| {
        Row::Step(StepRow {
            call_id: id.clone(),
            seq,
            step: (*step).to_owned(),
            kind: (*kind).to_owned(),
            entered_ms: *entered,
            left_ms: Some(*left),
            first_key_ms: None,
            exit: Some((*exit).to_owned()),
            note: None,
            tries: 1,
        })
    }));
    rows.extend(call.offers.iter().zip(0..).map(|(response, n)| {
        Row::Offer(OfferRow {
            offer_id: format!("{id}-{n}"),
            call_id: id.clone(),
            step: "main".to_owned(),
            stage: "menu".to_owned(),
            intent: None,
            offered_ms: call.started + 5_000,
            response: (*response).to_owned(),
            pressed: None,
            reason: (*response == "suppressed").then(|| "holdout".to_owned()),
            channel: None,
        })
    }));
    rows.extend(call.outcomes.iter().zip(0..).map(|(kind, n)| {
        Row::Outcome(OutcomeRow {
            outcome_id: format!("{id}-{n}"),
            call_id: id.clone(),
            kind: (*kind).to_owned(),
            csat: None,
            at_ms: call.started + 9_000,
            source: "call".to_owned(),
        })
    }));
    if let Some(ended_ms) = call.ended {
        rows.push(Row::CallEnded(CallEnded {
            call_id: id,
            sip_call_id_b: None,
            answered_ms: call.answered,
            ended_ms,
            language: None,
            intent: Some(intent(call).to_owned()),
            holdout: call.holdout,
            last_step: None,
            forward_target: call.forwarded.map(|_| "agents".to_owned()),
            forward_started_ms: call.forwarded,
            human_answered_ms: call.human,
            human_ended_ms: call.human.map(|_| ended_ms),
            handled: call.handled.to_owned(),
            end_reason: call.end.to_owned(),
            sip_final: Some(200),
        }));
    }
    rows
}

fn message(call: &Past) -> String {
    let (id, at) = (&call.id, call.started + 9_000);
    let mut sql = String::new();
    if let Some(Sent { state, accepted, delivered, micros }) = call.message {
        let at_or_null = |is: bool| if is { at.to_string() } else { "NULL".to_owned() };
        let (accepted, delivered) = (at_or_null(accepted), at_or_null(delivered));
        sql += &format!(
            "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, \
             purpose, dest_key, at_ms) VALUES ('{id}', '{id}', 'main', 'welcome', '', 'en-GB', \
             'link', 'd', {at});\
             INSERT INTO message (message_id, call_id, consent_id, idem_key, purpose, channel, \
             dest_key, state, price_micros, created_ms, valid_until_ms, accepted_ms, \
             delivered_ms) VALUES ('{id}', '{id}', '{id}', '{id}', 'link', 'sms', 'd', '{state}', \
             {micros}, {at}, {at}, {accepted}, {delivered});"
        );
    }
    if call.clicked {
        sql += &format!(
            "INSERT INTO link (link_id, call_id, destination, token_hash, created_ms, expires_ms, \
             first_human_ms) VALUES ('{id}', '{id}', 'chat', '{id}', {at}, {at}, {at});"
        );
    }
    sql
}

fn intent(call: &Past) -> &'static str {
    if (call.started / 1_000) % 2 == 0 { "billing" } else { "orders" }
}

/// A call that was answered, texted and ended by us.
pub fn texted(n: u64) -> Past {
    let started = MONDAY + i64::try_from(n).unwrap() * 1_000;
    let sent = Sent { state: "delivered", accepted: true, delivered: true, micros: 0 };
    Past {
        id: format!("call{n:05}"),
        started,
        answered: Some(started + 1_000),
        ended: Some(started + 30_000),
        dow: 1,
        hour: 0,
        quarter: 0,
        date: "2026-11-02".to_owned(),
        caller: Some((n, 0)),
        holdout: false,
        handled: "no_human",
        end: "deflected",
        forwarded: None,
        human: None,
        steps: vec![],
        offers: vec!["accepted"],
        message: Some(sent),
        clicked: false,
        outcomes: vec![],
    }
}

pub fn forwarded(n: u64, handled: &'static str) -> Past {
    let forwarded = texted(n).started + 8_000;
    Past {
        handled,
        end: "forwarded",
        forwarded: Some(forwarded),
        human: (handled == "human").then_some(forwarded + 4_000),
        offers: vec!["declined"],
        message: None,
        ..texted(n)
    }
}

impl Past {
    /// The same with the times, caller and id of call `n`.
    pub fn at(self, n: u64) -> Self {
        let Past { id, started, answered, ended, caller, .. } = texted(n);
        Self { id, started, answered, ended, caller, ..self }
    }

    pub fn later(self, id: &str, by_ms: i64) -> Self {
        let later = |at: Option<i64>| at.map(|at| at + by_ms);
        Self {
            id: id.to_owned(),
            started: self.started + by_ms,
            answered: later(self.answered),
            ended: later(self.ended),
            forwarded: later(self.forwarded),
            human: later(self.human),
            ..self
        }
    }
}

pub fn any_call(n: u64, random: &mut Random) -> Past {
    let started = MONDAY + random.below(14 * DAY);
    let (day, of_day) = ((started - MONDAY) / DAY, (started - MONDAY) % DAY);
    let answered = random.chance(95).then_some(started + random.below(4_000));
    let ended = random.chance(97).then_some(started + 4_000 + random.below(90_000));
    let end = random.of(&[
        "deflected",
        "deflected",
        "forwarded",
        "forwarded",
        "caller_hangup",
        "answered_in_ivr",
        "callback_booked",
        "voicemail",
        "apology",
        "error",
        "rejected",
        "test_call",
        "emergency_bypass",
    ]);
    let handled = random.of(&["no_human", "no_human", "human", "unknown"]);
    let forwarded = (handled == "human" || random.chance(40)).then_some(started + 5_000);
    let some = |random: &mut Random, from: &[&'static str], most: i64| -> Vec<_> {
        (0..random.below(most + 1)).map(|_| random.of(from)).collect()
    };
    let responses = ["accepted", "accepted", "declined", "timeout", "hangup", "suppressed"];
    let outcomes = ["answered_in_ivr", "resolved", "escalated", "callback_requested", "rated"];
    let mut step = |seq: i64| {
        let entered = started + seq * 5_000;
        let (step, kind) = random.of(&[
            ("welcome", "menu"),
            ("hours", "answer"),
            ("deal", "offer"),
            ("hi", "say"),
        ]);
        let exit = random.of(&["1", "2", "0", "timeout", "wrong", "hangup", "next"]);
        (step, kind, entered, entered + random.below(5_000), exit)
    };
    let steps = (0..3).map(&mut step).collect();
    Past {
        id: format!("call{n:05}"),
        started,
        answered,
        ended,
        dow: i16::try_from(day % 7 + 1).unwrap(),
        hour: i16::try_from(of_day / 3_600_000).unwrap(),
        quarter: i16::try_from(of_day / 900_000).unwrap(),
        date: format!("2026-11-{:02}", day + 2),
        // The secret changes after a week.
        caller: random
            .chance(85)
            .then(|| (random.below(90).unsigned_abs(), (day / 7).unsigned_abs())),
        handled,
        end,
        forwarded,
        steps,
        human: (handled == "human").then(|| started + 6_000 + random.below(60_000)),
        holdout: random.chance(20),
        offers: some(random, &responses, 2),
        message: random.chance(50).then(|| Sent {
            state: random.of(&["accepted", "delivered", "failed", "undelivered", "ambiguous"]),
            accepted: random.chance(70),
            delivered: random.chance(50),
            micros: random.below(90_000),
        }),
        clicked: random.chance(30),
        outcomes: some(random, &outcomes, 2),
    }
}

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % limit.unsigned_abs()).unwrap()
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(i64::try_from(from.len()).unwrap());
        from[usize::try_from(at).unwrap()]
    }
}

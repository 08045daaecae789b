//! Rows as SQL, many a statement: what crosses to the database is few statements, not many rows.

use std::collections::{BTreeMap, HashMap};

use sqlx::AnyConnection;

use super::{
    FollowUpRow, LinkSeen, NodeInfo, StoreError,
    bulk::{Bulk, SIZES},
    remote_offer::{ANSWERED, answered},
    rows::{
        CallEnded, CallInput, CallProgress, CallStarted, ContactRow, LimitHit, OfferRow,
        OutcomeRow, Row, StepRow,
    },
    together::{Value, number, text},
};

pub(super) static CALL: Bulk = Bulk::new(
    "INSERT INTO call (call_id, node_id, node_boot, origin, trunk, did, business, flow, flow_rev, \
     sip_call_id_a, started_ms, local_date, local_dow, local_hour, local_quarter, caller_key, \
     caller_key_prev, caller_region, caller_line_type, language) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    // The outbox may have written it already.
    " ON CONFLICT (call_id) DO NOTHING",
);
static STEP: Bulk = Bulk::new(
    "INSERT INTO step (call_id, seq, step, kind, entered_ms, left_ms, first_key_ms, exit, note, \
     tries) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)",
    " ON CONFLICT (call_id, seq) DO NOTHING",
);
pub(super) static OFFER: Bulk = Bulk::new(
    "INSERT INTO offer (offer_id, call_id, step, stage, intent, offered_ms, response, pressed, \
     reason, channel) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)",
    " ON CONFLICT (offer_id) DO UPDATE SET response = excluded.response, \
     pressed = excluded.pressed, reason = excluded.reason, \
     channel = COALESCE(excluded.channel, offer.channel) \
     WHERE excluded.response <> 'pending'",
);
static OUTCOME: Bulk = Bulk::new(
    "INSERT INTO outcome (outcome_id, call_id, kind, csat, at_ms, source) VALUES ",
    "(?,?,?,?,?,?)",
    " ON CONFLICT (outcome_id) DO NOTHING",
);
pub(super) static CONSENT: Bulk = Bulk::new(
    "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, pressed, \
     purpose, dest_key, dest_key_prev, at_ms) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?)",
    " ON CONFLICT (consent_id) DO NOTHING",
);
static CONTACT: Bulk = Bulk::new(
    "INSERT INTO precall_contact (contact_id, entry_point, business, at_ms) VALUES ",
    "(?,?,?,?)",
    " ON CONFLICT (contact_id) DO NOTHING",
);
static LIMIT_HIT: Bulk = Bulk::new(
    "INSERT INTO limit_hit (hit_id, at_ms, call_id, rule, scope, scope_key) VALUES ",
    "(?,?,?,?,?,?)",
    " ON CONFLICT (hit_id) DO NOTHING",
);
static FOLLOW_UP: Bulk = Bulk::new(
    "INSERT INTO follow_up (call_id, step, node_id, node_boot, dest_key, order_enc, at_ms) VALUES ",
    "(?,?,?,?,?,?,?)",
    " ON CONFLICT (call_id, step) DO NOTHING",
);
static INPUT: Bulk = Bulk::new(
    "INSERT INTO call_input (call_id, seq, at_ms, input) VALUES ",
    "(?,?,?,?)",
    " ON CONFLICT (call_id, seq) DO NOTHING",
);
// PostgreSQL takes the types of the new values from their casts.
static PROGRESS: Bulk = Bulk::new(
    "WITH new (call_id, answered_ms, forward_target, forward_started_ms, human_answered_ms, arm) \
     AS (VALUES ",
    "(CAST(? AS TEXT),CAST(? AS BIGINT),CAST(? AS TEXT),CAST(? AS BIGINT),CAST(? AS BIGINT),\
     CAST(? AS TEXT))",
    ") UPDATE call SET answered_ms = COALESCE(new.answered_ms, call.answered_ms), \
     forward_target = COALESCE(new.forward_target, call.forward_target), \
     forward_started_ms = COALESCE(call.forward_started_ms, new.forward_started_ms), \
     human_answered_ms = COALESCE(new.human_answered_ms, call.human_answered_ms), arm = new.arm \
     FROM new WHERE call.call_id = new.call_id AND call.ended_ms IS NULL",
);
// A call that another node closed while ours could not be reached has its true end after all.
static ENDED: Bulk = Bulk::new(
    "WITH new (call_id, sip_call_id_b, answered_ms, ended_ms, language, intent, arm, last_step, \
     forward_target, forward_started_ms, human_answered_ms, human_ended_ms, handled, end_reason, \
     sip_final) AS (VALUES ",
    "(CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS BIGINT),CAST(? AS BIGINT),CAST(? AS TEXT),\
     CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS BIGINT),\
     CAST(? AS BIGINT),CAST(? AS BIGINT),CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS BIGINT))",
    ") UPDATE call SET sip_call_id_b = new.sip_call_id_b, \
     answered_ms = COALESCE(new.answered_ms, call.answered_ms), ended_ms = new.ended_ms, \
     language = COALESCE(new.language, call.language), intent = new.intent, arm = new.arm, \
     last_step = new.last_step, \
     forward_target = COALESCE(new.forward_target, call.forward_target), \
     forward_started_ms = COALESCE(new.forward_started_ms, call.forward_started_ms), \
     human_answered_ms = COALESCE(new.human_answered_ms, call.human_answered_ms), \
     human_ended_ms = new.human_ended_ms, handled = new.handled, end_reason = new.end_reason, \
     sip_final = new.sip_final \
     FROM new WHERE call.call_id = new.call_id \
     AND (call.ended_ms IS NULL OR call.end_reason = 'error')",
);

static LINK_SEEN: Bulk = Bulk::new(
    "WITH new (link_id, fetch_ms) AS (VALUES ",
    "(CAST(? AS TEXT),CAST(? AS BIGINT))",
    ") UPDATE link SET first_fetch_ms = COALESCE(link.first_fetch_ms, new.fetch_ms) \
     FROM new WHERE link.link_id = new.link_id",
);

/// Rows that are written in one transaction, in this order.
pub(super) struct Part(Vec<(&'static Bulk, Vec<Vec<Value>>)>);

/// Rows as they are written: a call's start before what refers to it, its end after; within one
/// kind the order is kept, or is that of ids.
pub(super) fn parts(node: &NodeInfo, rows: &[Row]) -> [Part; 4] {
    let pick = |values: fn(&NodeInfo, &Row) -> Option<Vec<Value>>| {
        rows.iter().filter_map(move |row| values(node, row)).collect::<Vec<_>>()
    };
    // By id, as a text's commit takes them: two that wait for each other's rows would wait long.
    let by_id = |mut rows: Vec<Vec<Value>>| {
        rows.sort_unstable_by(|one, other| one.first().cmp(&other.first()));
        rows
    };
    let calls = by_id(pick(|node, row| started_of(row).map(|row| started(node, row))));
    // A statement may not change one row twice: of an offer only the newest state, of a call
    // all that was learned, unless it has ended and its end tells the same.
    let offers = by_id(newest_offers(rows).into_iter().map(offer).collect());
    let ends = ends(rows);
    let rest = vec![
        (&STEP, pick(|_, row| step(row))),
        (&OUTCOME, pick(|_, row| outcome_of(row).map(outcome))),
        (&CONSENT, pick(|_, row| consent(row))),
        (&INPUT, pick(|_, row| input(row))),
        (&CONTACT, pick(|_, row| contact(row))),
        (&LIMIT_HIT, pick(|_, row| limit_hit_of(row).map(limit_hit))),
        (&ANSWERED, pick(|_, row| answered_of(row))),
        (&LINK_SEEN, merged_visits(rows)),
        (&PROGRESS, merged_progress(rows, &ends).iter().map(progress).collect()),
    ];
    let ends = ends.into_values().map(ended).collect();
    [
        Part(vec![(&CALL, calls)]),
        Part(vec![(&OFFER, offers)]),
        Part(rest),
        // What was promised is kept with the end of its call.
        Part(vec![(&FOLLOW_UP, pick(follow_up)), (&ENDED, ends)]),
    ]
}

impl Part {
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, rows)| rows.is_empty())
    }

    /// Whether it is one statement.
    pub fn is_single(&self) -> bool {
        let rows = self.0.iter().map(|(_, rows)| rows.len()).filter(|rows| *rows > 0);
        rows.map(|rows| if SIZES.contains(&rows) { 1 } else { 2 }).sum::<usize>() == 1
    }

    /// In a transaction of the caller's.
    pub async fn write(self, conn: &mut AnyConnection) -> Result<(), StoreError> {
        for (bulk, rows) in self.0 {
            bulk.write(conn, rows).await?;
        }
        Ok(())
    }
}

/// A call's start, unless it is there.
pub(super) fn call(node: &NodeInfo, row: &CallStarted) -> (&'static Bulk, Vec<Value>) {
    (&CALL, started(node, row))
}

/// An offer, or its newer state.
pub(super) fn offer_row(row: &OfferRow) -> (&'static Bulk, Vec<Value>) {
    (&OFFER, offer(row))
}

/// Writes an outcome, once.
pub(super) async fn outcome_row(
    conn: &mut AnyConnection,
    row: &OutcomeRow,
) -> Result<(), StoreError> {
    OUTCOME.write(conn, vec![outcome(row)]).await
}

/// Writes that a limit bit, once.
pub(super) async fn limit_hit_row(
    conn: &mut AnyConnection,
    row: &LimitHit,
) -> Result<(), StoreError> {
    LIMIT_HIT.write(conn, vec![limit_hit(row)]).await
}

fn started_of(row: &Row) -> Option<&CallStarted> {
    match row {
        Row::CallStarted(row) => Some(row),
        _ => None,
    }
}

fn started(node: &NodeInfo, row: &CallStarted) -> Vec<Value> {
    vec![
        text(&row.call_id),
        text(&node.node_id),
        text(&node.node_boot),
        Value::Text(Some(row.origin.to_owned())),
        Value::Text(row.trunk.clone()),
        Value::Text(row.did.clone()),
        text(&row.business),
        Value::Text(row.flow.clone()),
        Value::Text(row.flow_rev.clone()),
        Value::Text(row.sip_call_id_a.clone()),
        number(row.started_ms),
        text(&row.local.date),
        number(row.local.dow),
        number(row.local.hour),
        number(row.local.quarter),
        Value::Text(row.caller_key.clone()),
        Value::Text(row.caller_key_prev.clone()),
        Value::Text(row.caller_region.clone()),
        Value::Text(row.caller_line_type.clone()),
        Value::Text(row.language.clone()),
    ]
}

fn step(row: &Row) -> Option<Vec<Value>> {
    let Row::Step(row) = row else { return None };
    let StepRow { call_id, seq, step, kind, entered_ms, left_ms, first_key_ms, exit, note, tries } =
        row;
    Some(vec![
        text(call_id),
        number(*seq),
        text(step),
        text(kind),
        number(*entered_ms),
        Value::Number(*left_ms),
        Value::Number(*first_key_ms),
        Value::Text(exit.clone()),
        Value::Text(note.clone()),
        number(*tries),
    ])
}

fn newest_offers(rows: &[Row]) -> Vec<&OfferRow> {
    let mut newest: Vec<&OfferRow> = Vec::new();
    for row in rows {
        let Row::Offer(row) = row else { continue };
        match newest.iter_mut().find(|known| known.offer_id == row.offer_id) {
            Some(known) => *known = row,
            None => newest.push(row),
        }
    }
    newest
}

fn offer(row: &OfferRow) -> Vec<Value> {
    vec![
        text(&row.offer_id),
        text(&row.call_id),
        text(&row.step),
        text(&row.stage),
        Value::Text(row.intent.clone()),
        number(row.offered_ms),
        text(&row.response),
        Value::Text(row.pressed.clone()),
        Value::Text(row.reason.clone()),
        Value::Text(row.channel.clone()),
    ]
}

fn outcome_of(row: &Row) -> Option<&OutcomeRow> {
    match row {
        Row::Outcome(row) => Some(row),
        _ => None,
    }
}

fn outcome(row: &OutcomeRow) -> Vec<Value> {
    vec![
        text(&row.outcome_id),
        text(&row.call_id),
        text(&row.kind),
        Value::Number(row.csat.map(i64::from)),
        number(row.at_ms),
        text(&row.source),
    ]
}

fn consent(row: &Row) -> Option<Vec<Value>> {
    let Row::Consent(row) = row else { return None };
    Some(vec![
        text(&row.consent_id),
        text(&row.call_id),
        text(&row.step),
        text(&row.prompt_id),
        text(&row.prompt_hash),
        text(&row.language),
        Value::Text(row.pressed.clone()),
        text(&row.purpose),
        text(&row.dest_key),
        Value::Text(row.dest_key_prev.clone()),
        number(row.at_ms),
    ])
}

fn input(row: &Row) -> Option<Vec<Value>> {
    let Row::CallInput(CallInput { call_id, seq, at_ms, input }) = row else { return None };
    Some(vec![text(call_id), number(*seq), number(*at_ms), text(input)])
}

fn follow_up(node: &NodeInfo, row: &Row) -> Option<Vec<Value>> {
    let Row::FollowUp(row) = row else { return None };
    let FollowUpRow { call_id, step, dest_key, order_enc, at_ms } = row;
    Some(vec![
        text(call_id),
        text(step),
        text(&node.node_id),
        text(&node.node_boot),
        text(dest_key),
        text(order_enc),
        number(*at_ms),
    ])
}

fn contact(row: &Row) -> Option<Vec<Value>> {
    let Row::Contact(row) = row else { return None };
    let ContactRow { contact_id, entry_point, business, at_ms } = row;
    Some(vec![text(contact_id), text(entry_point), text(business), number(*at_ms)])
}

fn limit_hit_of(row: &Row) -> Option<&LimitHit> {
    match row {
        Row::LimitHit(row) => Some(row),
        _ => None,
    }
}

fn limit_hit(row: &LimitHit) -> Vec<Value> {
    let LimitHit { hit_id, at_ms, call_id, rule, scope, scope_key } = row;
    let call_id = Value::Text(call_id.clone());
    vec![text(hit_id), number(*at_ms), call_id, text(rule), text(scope), text(scope_key)]
}

fn answered_of(row: &Row) -> Option<Vec<Value>> {
    let Row::OfferAnswered(row) = row else { return None };
    Some(answered(row))
}

/// The first fetch of each page.
fn merged_visits(rows: &[Row]) -> Vec<Vec<Value>> {
    let mut visits: BTreeMap<&str, i64> = BTreeMap::new();
    for row in rows {
        let Row::LinkSeen(LinkSeen { link_id, at_ms }) = row else { continue };
        visits.entry(link_id).or_insert(*at_ms);
    }
    visits.into_iter().map(|(link_id, at_ms)| vec![text(link_id), number(at_ms)]).collect()
}

/// The end of each call, by its id.
fn ends(rows: &[Row]) -> BTreeMap<&str, &CallEnded> {
    let ends = rows.iter().filter_map(|row| match row {
        Row::CallEnded(end) => Some((end.call_id.as_str(), end)),
        _ => None,
    });
    ends.collect()
}

/// What was learned of each call that has not ended.
fn merged_progress(rows: &[Row], ends: &BTreeMap<&str, &CallEnded>) -> Vec<CallProgress> {
    let mut merged: Vec<CallProgress> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let Row::CallProgress(news) = row else { continue };
        if ends.contains_key(news.call_id.as_str()) {
            continue;
        }
        let Some(&place) = places.get(news.call_id.as_str()) else {
            places.insert(news.call_id.as_str(), merged.len());
            merged.push(news.clone());
            continue;
        };
        let known: &mut CallProgress = &mut merged[place];
        known.answered_ms = news.answered_ms.or(known.answered_ms);
        known.forward_target = news.forward_target.clone().or(known.forward_target.take());
        known.forward_started_ms = known.forward_started_ms.or(news.forward_started_ms);
        known.human_answered_ms = news.human_answered_ms.or(known.human_answered_ms);
        known.holdout = news.holdout;
    }
    merged
}

fn progress(row: &CallProgress) -> Vec<Value> {
    vec![
        text(&row.call_id),
        Value::Number(row.answered_ms),
        Value::Text(row.forward_target.clone()),
        Value::Number(row.forward_started_ms),
        Value::Number(row.human_answered_ms),
        text(arm(row.holdout)),
    ]
}

fn ended(row: &CallEnded) -> Vec<Value> {
    vec![
        text(&row.call_id),
        Value::Text(row.sip_call_id_b.clone()),
        Value::Number(row.answered_ms),
        number(row.ended_ms),
        Value::Text(row.language.clone()),
        Value::Text(row.intent.clone()),
        text(arm(row.holdout)),
        Value::Text(row.last_step.clone()),
        Value::Text(row.forward_target.clone()),
        Value::Number(row.forward_started_ms),
        Value::Number(row.human_answered_ms),
        Value::Number(row.human_ended_ms),
        text(&row.handled),
        text(&row.end_reason),
        Value::Number(row.sip_final.map(i64::from)),
    ]
}

fn arm(holdout: bool) -> &'static str {
    if holdout { "holdout" } else { "on" }
}

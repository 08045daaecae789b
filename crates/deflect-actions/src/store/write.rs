//! Rows as SQL: many rows a statement where they are new, one where they change another.

use sqlx::{AnyConnection, AssertSqlSafe, any::AnyArguments, query::Query};

use super::{
    NodeInfo, StoreError,
    rows::{CallEnded, CallInput, CallProgress, CallStarted, OfferRow, OutcomeRow, Row, StepRow},
};

/// Rows of one statement: few sizes, so that prepared statements are found again.
const SIZES: [usize; 3] = [64, 8, 1];

/// A value to bind.
#[derive(Debug, Clone)]
enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

/// A table that rows are added to.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    conflict: &'static str,
}

const CALL: Table = Table {
    name: "call",
    columns: &[
        "call_id",
        "node_id",
        "node_boot",
        "trunk",
        "did",
        "business",
        "flow",
        "flow_rev",
        "sip_call_id_a",
        "started_ms",
        "local_date",
        "local_dow",
        "local_hour",
        "local_quarter",
        "caller_key",
        "caller_key_prev",
        "caller_region",
        "caller_line_type",
        "language",
    ],
    // The outbox may have written it already.
    conflict: "ON CONFLICT (call_id) DO NOTHING",
};
const STEP: Table = Table {
    name: "step",
    columns: &[
        "call_id",
        "seq",
        "step",
        "kind",
        "entered_ms",
        "left_ms",
        "first_key_ms",
        "exit",
        "note",
        "tries",
    ],
    conflict: "ON CONFLICT (call_id, seq) DO NOTHING",
};
const OFFER: Table = Table {
    name: "offer",
    columns: &[
        "offer_id",
        "call_id",
        "step",
        "stage",
        "intent",
        "offered_ms",
        "response",
        "pressed",
        "reason",
        "channel",
    ],
    conflict: "ON CONFLICT (offer_id) DO UPDATE SET response = excluded.response, \
               pressed = excluded.pressed, reason = excluded.reason, \
               channel = COALESCE(excluded.channel, offer.channel)",
};
const OUTCOME: Table = Table {
    name: "outcome",
    columns: &["outcome_id", "call_id", "kind", "csat", "at_ms", "source"],
    conflict: "ON CONFLICT (outcome_id) DO NOTHING",
};
const CONSENT: Table = Table {
    name: "consent",
    columns: &[
        "consent_id",
        "call_id",
        "step",
        "prompt_id",
        "prompt_hash",
        "language",
        "pressed",
        "purpose",
        "dest_key",
        "dest_key_prev",
        "at_ms",
    ],
    conflict: "ON CONFLICT (consent_id) DO NOTHING",
};
const INPUT: Table = Table {
    name: "call_input",
    columns: &["call_id", "seq", "at_ms", "input"],
    conflict: "ON CONFLICT (call_id, seq) DO NOTHING",
};

/// Writes rows in one transaction of the caller's. A call's start is written before what refers
/// to it, its end after; within one kind the order is kept.
pub(super) async fn rows(
    conn: &mut AnyConnection,
    node: &NodeInfo,
    rows: &[Row],
) -> Result<(), StoreError> {
    let pick = |values: fn(&NodeInfo, &Row) -> Option<Vec<Value>>| {
        rows.iter().filter_map(move |row| values(node, row)).collect::<Vec<_>>()
    };
    insert(conn, &CALL, pick(|node, row| started_of(row).map(|row| started(node, row)))).await?;
    insert(conn, &STEP, pick(|_, row| step(row))).await?;
    // The newest state of an offer only: a statement may not change one row twice.
    let offers = newest_offers(rows).into_iter().map(offer).collect();
    insert(conn, &OFFER, offers).await?;
    insert(conn, &OUTCOME, pick(|_, row| outcome(row))).await?;
    insert(conn, &CONSENT, pick(|_, row| consent(row))).await?;
    insert(conn, &INPUT, pick(|_, row| input(row))).await?;
    for row in rows {
        match row {
            Row::CallProgress(row) => progress(conn, row).await?,
            Row::CallEnded(row) => ended(conn, row).await?,
            Row::CallStarted(_)
            | Row::Step(_)
            | Row::Offer(_)
            | Row::Outcome(_)
            | Row::Consent(_)
            | Row::CallInput(_) => {}
        }
    }
    Ok(())
}

/// Writes a call's start, unless it is there.
pub(crate) async fn call(
    conn: &mut AnyConnection,
    node: &NodeInfo,
    row: &CallStarted,
) -> Result<(), StoreError> {
    insert(conn, &CALL, vec![started(node, row)]).await
}

/// Writes an offer, or its newer state.
pub(crate) async fn offer_row(conn: &mut AnyConnection, row: &OfferRow) -> Result<(), StoreError> {
    insert(conn, &OFFER, vec![offer(row)]).await
}

async fn insert(
    conn: &mut AnyConnection,
    table: &Table,
    rows: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    let mut rest = &rows[..];
    for size in SIZES {
        while rest.len() >= size {
            let (now, later) = rest.split_at(size);
            rest = later;
            let sql = insert_sql(table, size);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for value in now.iter().flatten() {
                query = bind(query, value.clone());
            }
            query.execute(&mut *conn).await?;
        }
    }
    Ok(())
}

fn insert_sql(table: &Table, rows: usize) -> String {
    let width = table.columns.len();
    let tuple = |row: usize| {
        let values: Vec<_> = (1..=width).map(|n| format!("${}", row * width + n)).collect();
        format!("({})", values.join(","))
    };
    let tuples: Vec<_> = (0..rows).map(tuple).collect();
    format!(
        "INSERT INTO {} ({}) VALUES {} {}",
        table.name,
        table.columns.join(","),
        tuples.join(","),
        table.conflict
    )
}

fn bind(
    query: Query<'_, sqlx::Any, AnyArguments>,
    value: Value,
) -> Query<'_, sqlx::Any, AnyArguments> {
    match value {
        Value::Text(text) => query.bind(text),
        Value::Number(number) => query.bind(number),
    }
}

fn text(value: impl Into<String>) -> Value {
    Value::Text(Some(value.into()))
}

fn number(value: impl Into<i64>) -> Value {
    Value::Number(Some(value.into()))
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

fn outcome(row: &Row) -> Option<Vec<Value>> {
    let Row::Outcome(OutcomeRow { outcome_id, call_id, kind, csat, at_ms, source }) = row else {
        return None;
    };
    Some(vec![
        text(outcome_id),
        text(call_id),
        text(kind),
        Value::Number(csat.map(i64::from)),
        number(*at_ms),
        text(source),
    ])
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

async fn progress(conn: &mut AnyConnection, row: &CallProgress) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE call SET answered_ms = COALESCE($2, answered_ms), \
         forward_target = COALESCE($3, forward_target), \
         forward_started_ms = COALESCE(forward_started_ms, $4), \
         human_answered_ms = COALESCE($5, human_answered_ms), arm = $6 \
         WHERE call_id = $1 AND ended_ms IS NULL",
    )
    .bind(row.call_id.clone())
    .bind(row.answered_ms)
    .bind(row.forward_target.clone())
    .bind(row.forward_started_ms)
    .bind(row.human_answered_ms)
    .bind(arm(row.holdout))
    .execute(conn)
    .await?;
    Ok(())
}

/// A call that another node closed while ours could not be reached has its true end after all.
async fn ended(conn: &mut AnyConnection, row: &CallEnded) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE call SET sip_call_id_b = $2, answered_ms = COALESCE($3, answered_ms), \
         ended_ms = $4, language = COALESCE($5, language), intent = $6, arm = $7, \
         last_step = $8, forward_target = COALESCE($9, forward_target), \
         forward_started_ms = COALESCE($10, forward_started_ms), \
         human_answered_ms = COALESCE($11, human_answered_ms), human_ended_ms = $12, \
         handled = $13, end_reason = $14, sip_final = $15 \
         WHERE call_id = $1 AND (ended_ms IS NULL OR end_reason = 'error')",
    )
    .bind(row.call_id.clone())
    .bind(row.sip_call_id_b.clone())
    .bind(row.answered_ms)
    .bind(row.ended_ms)
    .bind(row.language.clone())
    .bind(row.intent.clone())
    .bind(arm(row.holdout))
    .bind(row.last_step.clone())
    .bind(row.forward_target.clone())
    .bind(row.forward_started_ms)
    .bind(row.human_answered_ms)
    .bind(row.human_ended_ms)
    .bind(row.handled.clone())
    .bind(row.end_reason.clone())
    .bind(row.sip_final.map(i64::from))
    .execute(conn)
    .await?;
    Ok(())
}

fn arm(holdout: bool) -> &'static str {
    if holdout { "holdout" } else { "on" }
}

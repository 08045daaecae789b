//! `POST /v1/external-counts`: contacts of other channels by day, shown beside the calls and never
//! mixed into them (EX-07).

use axum::{extract::State, http::StatusCode};
use deflect_actions::store::ExternalCount;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Body, Problem};
use crate::http::Site;

/// Counts in one request at most.
const MOST: usize = 1_000;
/// Bytes of a name.
const LONGEST: usize = 64;

/// A count of one day.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    /// `YYYY-MM-DD`.
    date: String,
    /// Who counted: `faq`, `bot`, `branch-office`, …
    source: String,
    /// What was counted: `visitors`, `sessions_closed`, …
    kind: String,
    /// How many in all on that day: told again, it replaces what was told.
    n: i64,
}

/// 204 when all are stored; one that is wrong leaves all out.
pub(crate) async fn counts(
    State(site): State<Site>,
    Body(counts): Body<Vec<Count>>,
) -> Result<StatusCode, Problem> {
    if counts.len() > MOST {
        return Err(Problem::bad("too_many", format!("at most {MOST} counts in one request")));
    }
    let counts: Result<Vec<_>, _> = counts.into_iter().map(checked).collect();
    site.store.set_external_counts(&counts?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn checked(count: Count) -> Result<ExternalCount, Problem> {
    let named =
        |name: &str| (1..=LONGEST).contains(&name.len()) && !name.contains(char::is_control);
    let date: Result<jiff::civil::Date, _> = count.date.parse();
    if date.is_err() || count.date.len() != "YYYY-MM-DD".len() {
        return Err(Problem::bad("invalid_date", format!("`{}` is no YYYY-MM-DD", count.date)));
    }
    if !named(&count.source) || !named(&count.kind) {
        let message = format!("`source` and `kind` are names of 1 to {LONGEST} bytes");
        return Err(Problem::bad("invalid_name", message));
    }
    if count.n < 0 {
        return Err(Problem::bad("invalid_count", "`n` is not below 0"));
    }
    let Count { date: local_date, source, kind, n } = count;
    Ok(ExternalCount { local_date, source, kind, n })
}

//! The named queries: reports, and the look-ups that are written as they are in the schema.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, Column, Connection as _, Row, TypeInfo, ValueRef, any::AnyRow};

use super::{LINE_TYPE, Store, StoreError, db::Dialect};

const TEXT: &str = include_str!("queries.sql");

/// Rows of `message` that say that no text reaches their number.
pub(super) const UNTEXTABLE: &str = "channel = 'sms' AND \
    error_class IN ('invalid','not_textable') AND state IN ('failed','undelivered')";

/// All that is known of a caller, in one statement: a new call waits for it.
///
/// $1, $2: caller_key, caller_key_prev; $3: promises since; $4: business; $5: not this call;
/// $6: calls since; $7: opt_key; $8: brand; $9: untextable since; $10: visits since; $11: now.
pub(super) static HISTORY: LazyLock<String> = LazyLock::new(|| {
    let failed_promise = named("failed_promise").unwrap_or_default();
    format!(
        "SELECT 'call' AS what, started_ms AS value FROM call \
         WHERE caller_key IN ($1, $2) AND business = $4 AND call_id <> $5 AND started_ms >= $6 \
         AND origin = 'trunk' AND COALESCE(end_reason, '') NOT IN ('rejected','test_call') \
         UNION ALL SELECT 'deflected', started_ms FROM v_deflected \
         WHERE caller_key IN ($1, $2) AND business = $4 AND call_id <> $5 AND started_ms >= $6 \
         UNION ALL SELECT 'declined', o.offered_ms FROM offer o \
         JOIN call c ON c.call_id = o.call_id WHERE c.caller_key IN ($1, $2) AND c.business = $4 \
         AND c.call_id <> $5 AND o.offered_ms >= $6 AND o.response = 'declined' \
         UNION ALL SELECT 'offered', MAX(o.offered_ms) FROM offer o \
         JOIN call c ON c.call_id = o.call_id WHERE c.caller_key IN ($1, $2) AND c.business = $4 \
         AND c.call_id <> $5 AND o.offered_ms >= $6 AND o.response <> 'suppressed' \
         HAVING MAX(o.offered_ms) IS NOT NULL \
         UNION ALL SELECT 'broken promises', n FROM ({failed_promise}) promises \
         UNION ALL SELECT 'opted out', COUNT(*) FROM opt_out \
         WHERE opt_key = $7 AND brand = $8 AND topic = '' AND revoked_ms IS NULL \
         UNION ALL SELECT 'visits', COUNT(*) FROM precall_contact \
         WHERE caller_key IN ($1, $2) AND business = $4 AND kind = 'visit' AND at_ms >= $10 \
         UNION ALL SELECT 'untextable', COUNT(*) FROM message \
         WHERE dest_key IN ($1, $2) AND created_ms >= $9 AND {UNTEXTABLE} \
         UNION ALL SELECT 'untextable', COUNT(*) FROM protection \
         WHERE kind = '{LINE_TYPE}' AND scope_key IN ($1, $2) AND n = 0 AND until_ms > $11"
    )
});

/// The answer to a named query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Names of the columns; empty where there is no row.
    pub columns: Vec<String>,
    /// Rows in the order of the query.
    pub rows: Vec<Vec<Cell>>,
}

/// One value of a report, and one parameter of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A count, a moment, money in micros.
    Number(i64),
    /// A share.
    Share(f64),
    /// A name.
    Text(String),
}

/// No query of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no query is called {0}")]
pub struct UnknownQuery(pub String);

/// The text of a named query.
pub(super) fn named(name: &str) -> Option<&'static str> {
    TEXT.split("-- query: ").skip(1).find_map(|part| {
        let (head, sql) = part.split_once('\n')?;
        let found = head.split_whitespace().next() == Some(name);
        found.then(|| sql.trim().trim_end_matches(';'))
    })
}

impl Store {
    /// The names of the queries, in the order of their text.
    #[must_use]
    pub fn query_names() -> Vec<&'static str> {
        let name = |part: &'static str| part.split_whitespace().next();
        TEXT.split("-- query: ").skip(1).filter_map(name).collect()
    }

    /// Answers a named query; parameters as its comment says, from `$1` on.
    ///
    /// # Errors
    /// When the database fails, or no query is called so.
    pub async fn report(&self, name: &str, parameters: &[Cell]) -> Result<Report, StoreError> {
        let sql = named(name).ok_or_else(|| {
            StoreError::Database(sqlx::Error::Protocol(UnknownQuery(name.to_owned()).to_string()))
        })?;
        let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        for cell in parameters {
            query = match cell.clone() {
                Cell::Null => query.bind(None::<i64>),
                Cell::Number(number) => query.bind(number),
                Cell::Share(share) => query.bind(share),
                Cell::Text(text) => query.bind(text),
            };
        }
        let mut conn = self.conn().await?;
        let rows = match self.0.dialect {
            Dialect::Sqlite => query.fetch_all(&mut *conn).await?,
            Dialect::Postgres => {
                let mut tx = conn.begin().await?;
                // Nobody waits for a report by the second.
                let plan = "SET LOCAL enable_seqscan = on; \
                            SET LOCAL plan_cache_mode = force_custom_plan; \
                            SET LOCAL statement_timeout = '5min'";
                sqlx::raw_sql(plan).execute(&mut *tx).await?;
                query.fetch_all(&mut *tx).await?
            }
        };
        let columns = rows.first().map_or_else(Vec::new, |row| {
            row.columns().iter().map(|column| column.name().to_owned()).collect()
        });
        let rows = rows.iter().map(cells).collect::<Result<_, _>>()?;
        Ok(Report { columns, rows })
    }
}

impl Report {
    /// The value in `row` under `column`.
    #[must_use]
    pub fn cell(&self, row: usize, column: &str) -> Option<&Cell> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(at)
    }
}

fn cells(row: &AnyRow) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.columns().len())
        .map(|at| {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok(Cell::Null);
            }
            Ok(match raw.type_info().name() {
                "TEXT" => Cell::Text(row.try_get(at)?),
                "REAL" | "DOUBLE" => Cell::Share(row.try_get(at)?),
                _ => Cell::Number(row.try_get(at)?),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_of_the_schema_is_found_by_its_name() {
        let names = Store::query_names();
        assert_eq!(
            names,
            [
                "funnel",
                "deflection_rate",
                "containment",
                "net_savings",
                "recall_by_arm",
                "menu_use",
                "presses_to_answer",
                "drop_off",
                "step_visits",
                "heat_map",
                "intervals",
                "asa",
                "failed_promise",
                "engaged",
                "destinations",
                "waited",
                "channels",
                "senders"
            ]
        );
        for name in names {
            let sql = named(name).unwrap();
            assert!(sql.starts_with("SELECT") || sql.starts_with("WITH"), "{name}: {sql}");
        }
        assert_eq!(named("no such"), None);
    }
}

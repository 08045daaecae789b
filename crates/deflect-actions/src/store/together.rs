//! Several statements as one: what is committed together crosses to the database once.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{
    AnyConnection, AssertSqlSafe, Executor as _, Row as _, any::AnyArguments, query::Query,
};

use super::{StoreError, db::Dialect};

/// A value to bind.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

/// Statements that each change one row at most and return none; none sees what another of them
/// wrote.
#[derive(Debug, Default)]
pub(super) struct Together {
    statements: Vec<String>,
    values: Vec<Value>,
}

impl Together {
    /// Adds a statement; `$1` is the first of its own values.
    pub fn and(&mut self, sql: &str, values: Vec<Value>) {
        let mut text = String::with_capacity(sql.len() + values.len());
        let mut parts = sql.split('$');
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            // No more digits than values have been counted in.
            let number: usize = number.parse().unwrap_or_default();
            let _ = write!(text, "${}{rest}", number + self.values.len());
        }
        self.statements.push(text);
        self.values.extend(values);
    }

    /// Runs all or none of them; whether each changed a row.
    pub async fn run(self, conn: &mut AnyConnection, dialect: Dialect) -> Result<bool, StoreError> {
        let count = self.statements.len();
        let sql = match dialect {
            Dialect::Sqlite => {
                format!("SAVEPOINT one; {}; RELEASE one", self.statements.join("; "))
            }
            Dialect::Postgres => {
                let mut sql = String::new();
                for (n, statement) in self.statements.iter().enumerate() {
                    let with = if n == 0 { "WITH" } else { "," };
                    let _ = write!(sql, "{with} s{n} AS ({statement} RETURNING 1)");
                }
                let changed = (0..count).map(|n| format!("EXISTS (SELECT 1 FROM s{n})"));
                let changed = changed.collect::<Vec<_>>().join(" AND ");
                let _ = write!(sql, " SELECT CASE WHEN {changed} THEN 1 ELSE 0 END AS changed");
                sql
            }
        };
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = self.values.into_iter().fold(query, bind);
        Ok(match dialect {
            Dialect::Sqlite => {
                // One answer a statement; the savepoint's repeat what was before them.
                let mut answers = conn.fetch_many(query);
                let mut changed = Vec::with_capacity(count + 2);
                while let Some(answer) = answers.try_next().await? {
                    changed.extend(answer.left().map(|done| done.rows_affected()));
                }
                changed.iter().skip(1).take(count).all(|rows| *rows > 0)
            }
            Dialect::Postgres => query.fetch_one(conn).await?.try_get::<i32, _>("changed")? == 1,
        })
    }
}

pub(super) fn bind<'q>(
    query: Query<'q, sqlx::Any, AnyArguments>,
    value: Value,
) -> Query<'q, sqlx::Any, AnyArguments> {
    match value {
        Value::Text(text) => query.bind(text),
        Value::Number(number) => query.bind(number),
    }
}

pub(super) fn text(value: impl Into<String>) -> Value {
    Value::Text(Some(value.into()))
}

pub(super) fn number(value: impl Into<i64>) -> Value {
    Value::Number(Some(value.into()))
}

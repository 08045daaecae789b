//! Several statements as one: what is committed together crosses to the database once.

use futures_util::TryStreamExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Executor as _, any::AnyArguments, query::Query};

use super::StoreError;

/// A value to bind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let before = self.values.len();
        let text = renamed(sql, |number| format!("${}", number + before));
        self.statements.push(text);
        self.values.extend(values);
    }

    /// Runs all or none of them in one turn of an SQLite file; whether each changed a row.
    pub async fn run(self, conn: &mut AnyConnection) -> Result<bool, StoreError> {
        let count = self.statements.len();
        let sql = format!("SAVEPOINT one; {}; RELEASE one", self.statements.join("; "));
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = self.values.into_iter().fold(query, bind);
        // One answer a statement; the savepoint's repeat what was before them.
        let mut answers = conn.fetch_many(query);
        let mut changed = Vec::with_capacity(count + 2);
        while let Some(answer) = answers.try_next().await? {
            changed.extend(answer.left().map(|done| done.rows_affected()));
        }
        Ok(changed.iter().skip(1).take(count).all(|rows| *rows > 0))
    }
}

/// A statement with another name for each of its values, of which `$1` is the first.
pub(super) fn renamed(sql: &str, name: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(2 * sql.len());
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        // No more digits than values have been counted in.
        text.push_str(&name(number.parse().unwrap_or_default()));
        text.push_str(rest);
    }
    text
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

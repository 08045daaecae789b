//! Several statements as one: what is committed together crosses to the database once.

use std::fmt::Write as _;

use sqlx::{AnyConnection, AssertSqlSafe, any::AnyArguments, query::Query};

use super::{StoreError, db::Dialect};

/// A value to bind.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

/// Statements that change rows and return none, in order; none sees what another of them wrote.
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

    /// Runs all or none of them.
    pub async fn run(self, conn: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
        let sql = match dialect {
            Dialect::Sqlite => {
                format!("SAVEPOINT one; {}; RELEASE one", self.statements.join("; "))
            }
            Dialect::Postgres => {
                let mut sql = String::new();
                let last = self.statements.len().saturating_sub(1);
                for (n, statement) in self.statements.iter().enumerate() {
                    let _ = match n {
                        _ if n == last => write!(sql, " {statement}"),
                        0 => write!(sql, "WITH s0 AS ({statement})"),
                        _ => write!(sql, ", s{n} AS ({statement})"),
                    };
                }
                sql
            }
        };
        let query = sqlx::query(AssertSqlSafe(sql));
        self.values.into_iter().fold(query, bind).execute(conn).await?;
        Ok(())
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

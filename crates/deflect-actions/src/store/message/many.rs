//! News and receipts of many messages by one statement, on PostgreSQL.

use std::collections::{BTreeMap, HashSet};

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{News, progress::update};
use crate::{
    provider::{Receipt, Reference, State},
    store::{
        StoreError,
        bulk::Arrays,
        lane::Work,
        receipt::{self, COLUMNS, message_of},
        together::{Value, bind, number, renamed, text},
    },
};

/// News of a message.
#[derive(Debug)]
pub(in crate::store) struct Learned {
    message_id: String,
    state: State,
    /// As [`update`] names them.
    values: Vec<Value>,
    /// The id by which its provider knows it, and the attempt that it is of.
    provider_id: Option<(Value, Value)>,
}

impl Learned {
    pub fn of(message_id: &str, news: &News<'_>, values: Vec<Value>) -> Self {
        let id = news.provider_id.map(|id| (text(id), Value::Number(news.try_no)));
        Self { message_id: message_id.to_owned(), state: news.state, values, provider_id: id }
    }
}

impl Work for Learned {
    /// Whether it was further than what was known.
    type Done = bool;

    fn key(&self) -> Option<&str> {
        Some(&self.message_id)
    }

    async fn do_all(conn: &mut AnyConnection, all: &[Self]) -> Result<Vec<bool>, StoreError> {
        let mut by_state: BTreeMap<&str, (State, Vec<&[Value]>)> = BTreeMap::new();
        for one in all {
            let (_, rows) = by_state.entry(one.state.as_str()).or_insert((one.state, Vec::new()));
            rows.push(&one.values);
        }
        let mut arrays = Arrays::default();
        let (mut updates, mut changed) = (Vec::new(), Vec::new());
        for (name, (state, rows)) in by_state {
            let table = arrays.table(&rows);
            let sql = renamed(&update(state, "$1"), |number| format!("u.c{number}"));
            let sql = sql.replacen(" WHERE ", &format!(" FROM {table} WHERE "), 1);
            updates.push(format!("{name} AS ({sql} RETURNING message_id)"));
            changed.push(format!("SELECT message_id FROM {name}"));
        }
        let sql = format!("WITH {} {}", updates.join(", "), changed.join(" UNION ALL "));
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        let rows = query.fetch_all(&mut *conn).await?;
        let changed: HashSet<String> =
            rows.iter().map(|row| row.try_get("message_id")).collect::<Result<_, _>>()?;
        // A receipt overtook the answer: the provider's id is news all the same.
        let overtaken = all.iter().filter(|one| !changed.contains(&one.message_id));
        let ids: Vec<[Value; 3]> = overtaken
            .filter_map(|one| {
                let (id, try_no) = one.provider_id.clone()?;
                Some([text(&one.message_id), id, try_no])
            })
            .collect();
        if !ids.is_empty() {
            let mut arrays = Arrays::default();
            let table = arrays.table(&ids.iter().map(<[_; 3]>::as_slice).collect::<Vec<_>>());
            let sql = format!(
                "UPDATE message SET provider_id = u.c2 FROM {table} WHERE message_id = u.c1 \
                 AND provider_id IS NULL AND COALESCE(u.c3, try_no) = try_no"
            );
            let query = sqlx::query(AssertSqlSafe(sql));
            arrays.values().into_iter().fold(query, bind).execute(&mut *conn).await?;
        }
        Ok(all.iter().map(|one| changed.contains(&one.message_id)).collect())
    }
}

/// A receipt that is kept, and moves its message on.
#[derive(Debug)]
pub(in crate::store) struct Settle {
    provider_id: String,
    state: State,
    values: Vec<Value>,
}

impl Settle {
    pub fn of(
        provider: &str,
        receipt: &Receipt,
        reference: Option<Reference<'_>>,
        (now_ms, erase_ms): (i64, i64),
    ) -> Self {
        let mut values = receipt::values(now_ms, provider, None, receipt);
        values.extend([
            Value::Text(reference.map(|reference| reference.message_id.to_owned())),
            Value::Number(reference.map(|reference| reference.attempt)),
            number(erase_ms),
            number(receipt.price_is_of_part),
        ]);
        let provider_id = receipt.provider_id.clone();
        Self { provider_id, state: receipt.state, values }
    }
}

/// What a receipt's columns are in [`update`].
const VALUES: [&str; 11] = [
    "u.of_message",
    "u.c6",
    "u.c7",
    "u.c8",
    "NULLIF(u.c3, '')",
    "u.c10",
    "u.c11",
    "u.c9",
    "u.c14",
    "CAST(NULL AS BIGINT)",
    "u.c15",
];

impl Work for Settle {
    /// Whether it is new, and was further than what was known.
    type Done = bool;

    /// One message has one id of its provider.
    fn key(&self) -> Option<&str> {
        Some(&self.provider_id)
    }

    // State by state, and so not in the order in which others take the same messages: where two are
    // in each other's way, the lane does it once more.
    async fn do_all(conn: &mut AnyConnection, all: &[Self]) -> Result<Vec<bool>, StoreError> {
        let rows: Vec<&[Value]> = all.iter().map(|one| one.values.as_slice()).collect();
        let mut arrays = Arrays::default();
        let table = arrays.table(&rows);
        let which = message_of("u.c3", ["u.c2", "u.c12", "u.c13"], "u.c9");
        let mut sql = format!(
            "WITH found AS (SELECT u.*, {which} AS of_message FROM {table} ORDER BY of_message), \
             kept AS (INSERT INTO receipt ({COLUMNS}) \
             SELECT c1, c2, c3, of_message, c5, c6, c7, c8, c9, c10, c11 FROM found \
             ON CONFLICT (dedup_key) DO NOTHING RETURNING receipt_id)"
        );
        let states: BTreeMap<&str, State> =
            all.iter().map(|one| (one.state.as_str(), one.state)).collect();
        let mut moved = Vec::new();
        for (name, state) in states {
            let update = renamed(&update(state, "$1"), |number| VALUES[number - 1].to_owned());
            let of = format!(" FROM found AS u WHERE u.c6 = '{name}' AND ");
            let update = update.replacen(" WHERE ", &of, 1);
            sql.push_str(&format!(", {name} AS ({update} RETURNING u.c1)"));
            moved.push(format!("SELECT c1 FROM {name}"));
        }
        let moved = moved.join(" UNION ALL ");
        sql.push_str(&format!(" SELECT receipt_id FROM kept WHERE receipt_id IN ({moved})"));
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        let rows = query.fetch_all(&mut *conn).await?;
        let settled: HashSet<Value> = rows
            .iter()
            .map(|row| Ok(text(row.try_get::<String, _>("receipt_id")?)))
            .collect::<Result<_, StoreError>>()?;
        // The first of its values is its id.
        let is_settled = |one: &Self| one.values.first().is_some_and(|id| settled.contains(id));
        Ok(all.iter().map(is_settled).collect())
    }
}

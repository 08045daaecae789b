//! What is done for many at once on PostgreSQL.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    Sharing, Store, StoreError,
    bulk::{Arrays, Bulk},
    lane::{Lane, Work},
    message::{Commit, Learned, Settle},
    remote_offer::Claim,
    together::{Value, bind, number, renamed},
};

/// A lane for each kind of work that a text needs.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub commits: Lane<Commit>,
    pub news: Lane<Learned>,
    pub receipts: Lane<Settle>,
    pub pasts: Lane<Ask>,
    pub histories: Lane<Ask>,
    pub offers: Lane<Insert>,
    pub claims: Lane<Claim>,
}

/// A row of the one table of its lane.
#[derive(Debug)]
pub(super) struct Insert(&'static Bulk, Vec<Value>);

impl Insert {
    pub fn of(table: &'static Bulk, values: Vec<Value>) -> Self {
        Self(table, values)
    }
}

impl Work for Insert {
    type Done = ();

    fn key(&self) -> Option<&str> {
        None
    }

    async fn do_all(conn: &mut AnyConnection, all: &[Self]) -> Result<Vec<()>, StoreError> {
        let Some(Self(table, _)) = all.first() else { return Ok(Vec::new()) };
        let rows: Vec<&[Value]> = all.iter().map(|insert| &insert.1[..]).collect();
        let mut arrays = Arrays::default();
        let sql = table.of_arrays(&mut arrays, &rows);
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        query.execute(&mut *conn).await?;
        Ok(vec![(); all.len()])
    }
}

/// A query, the same for all of a lane, and its values. Its answer are the rows.
#[derive(Debug)]
pub(super) struct Ask {
    pub sql: &'static str,
    pub values: Vec<Value>,
}

impl Work for Ask {
    type Done = Vec<AnyRow>;

    fn key(&self) -> Option<&str> {
        None
    }

    async fn do_all(
        conn: &mut AnyConnection,
        all: &[Self],
    ) -> Result<Vec<Vec<AnyRow>>, StoreError> {
        let Some(Self { sql, values }) = all.first() else { return Ok(Vec::new()) };
        let rows: Vec<Vec<Value>> = (0_i64..)
            .zip(all)
            .map(|(n, ask)| ask.values.iter().cloned().chain([number(n)]).collect())
            .collect();
        let rows: Vec<&[Value]> = rows.iter().map(Vec::as_slice).collect();
        let mut arrays = Arrays::default();
        let (table, asked) = (arrays.table(&rows), values.len() + 1);
        let query = renamed(sql, |number| format!("u.c{number}"));
        let sql =
            format!("SELECT u.c{asked} AS asked, a.* FROM {table} CROSS JOIN LATERAL ({query}) a");
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        let mut answers: Vec<Vec<AnyRow>> = all.iter().map(|_| Vec::new()).collect();
        for row in query.fetch_all(&mut *conn).await? {
            let asked: i64 = row.try_get("asked")?;
            if let Some(answer) = usize::try_from(asked).ok().and_then(|n| answers.get_mut(n)) {
                answer.push(row);
            }
        }
        Ok(answers)
    }
}

impl Store {
    /// Asks a query that a caller waits for; on PostgreSQL with all who ask the same meanwhile.
    pub(super) async fn ask(
        &self,
        lane: fn(&Lanes) -> &Lane<Ask>,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        if let Sharing::Lanes(lanes) = &self.0.sharing {
            return lane(lanes).run(self, Ask { sql, values }).await;
        }
        let query = values.into_iter().fold(sqlx::query(sql), bind);
        Ok(query.fetch_all(&mut *self.conn().await?).await?)
    }
}

//! Flags: the newest row of a name is its value.

use sqlx::{AnyConnection, Row};
use uuid::Uuid;

use super::{Store, StoreError};

impl Store {
    /// Sets or clears a flag.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_flag(&self, name: &str, set: bool, by_whom: &str) -> Result<(), StoreError> {
        self.mark("flag", name, Some(if set { "1" } else { "0" }), by_whom).await
    }

    /// The flags that are set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flags(&self) -> Result<Vec<String>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT m.name FROM change_marker m WHERE m.kind = 'flag' AND m.value = '1' \
             AND NOT EXISTS (SELECT 1 FROM change_marker n WHERE n.kind = 'flag' \
               AND n.name = m.name AND (n.at_ms > m.at_ms \
                 OR (n.at_ms = m.at_ms AND n.marker_id > m.marker_id))) ORDER BY m.name",
        )
        .fetch_all(&mut *conn)
        .await?;
        Ok(rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?)
    }

    async fn mark(
        &self,
        kind: &str,
        name: &str,
        value: Option<&str>,
        by_whom: &str,
    ) -> Result<(), StoreError> {
        self.write(async |conn| mark(conn, self.now_ms(), kind, name, value, by_whom).await).await
    }
}

/// Writes a row of `change_marker`.
pub(super) async fn mark(
    conn: &mut AnyConnection,
    now_ms: i64,
    kind: &str,
    name: &str,
    value: Option<&str>,
    by_whom: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO change_marker (marker_id, at_ms, kind, name, value, by_whom) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(now_ms)
    .bind(kind.to_owned())
    .bind(name.to_owned())
    .bind(value.map(str::to_owned))
    .bind(by_whom.to_owned())
    .execute(conn)
    .await?;
    Ok(())
}

//! That a limit bit: recorded without fail, and without making anybody wait for a busy database.

use uuid::Uuid;

use super::{LimitHit, Row, Store, StoreError, write};

impl Store {
    /// Records that a limit bit; `None`: no call was about it. The row goes through the [`Writer`]
    /// where there is one, which keeps it until the database takes it.
    ///
    /// [`Writer`]: super::Writer
    pub(crate) async fn limit_hit(
        &self,
        call_id: Option<&str>,
        rule: &str,
        scope: &str,
        scope_key: &str,
    ) -> Result<(), StoreError> {
        if scope != "alarm" {
            metrics::counter!("carom_limit_hits_total", "rule" => rule.to_owned()).increment(1);
        }
        let hit = LimitHit {
            hit_id: Uuid::now_v7().to_string(),
            at_ms: self.now_ms(),
            call_id: call_id.map(str::to_owned),
            rule: rule.to_owned(),
            scope: scope.to_owned(),
            scope_key: scope_key.to_owned(),
        };
        if let Some(writer) = self.writer()
            && writer.try_write(Row::LimitHit(hit.clone())).is_ok()
        {
            return Ok(());
        }
        self.write(async |conn| write::limit_hit_row(conn, &hit).await).await
    }
}

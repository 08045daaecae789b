//! Whether the list was written with the key that we have. With another one nobody on it is found, and
//! all would be texted who want no texts.

use message_text::E164;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{
    super::{Resealed, audit::audit, db::encoded},
    OptOutOrder, Store, StoreError, enter,
};

/// The check value of the key of a business's list.
const LISTED: &str = "SELECT key_check FROM opt_out_key WHERE business = $1";
/// Before a number that is not hashed yet, sealed, stands this, and the business.
const SEALED: &str = "sealed:";
/// Hashes are hexadecimal: after all of them stands what is sealed.
const IS_SEALED: &str = "opt_key > 'g'";
/// What PostgreSQL says of a table that is not there.
const NO_TABLE: &str = "42P01";

/// One who opted out while the key was another.
struct Sealed {
    opt_key: String,
    /// `None`: under no `aead_key` of ours.
    number: Option<E164>,
    topic: String,
    via: String,
    since_ms: i64,
}

impl Store {
    /// Notes the keys of this node's lists that have none, and finds those whose key is another. A
    /// list from before there were check values is taken for one of the present key.
    pub(in crate::store) async fn note_opt_out_keys(&self) -> Result<(), StoreError> {
        for business in self.keys().businesses() {
            self.note_opt_out_key(business).await?;
        }
        self.look_at_opt_out_keys().await
    }

    /// Finds the lists whose key is another, and those whose was: another node may have accepted one.
    pub(crate) async fn look_at_opt_out_keys(&self) -> Result<(), StoreError> {
        for business in self.keys().businesses() {
            let check = self.keys().opt_out_check(business);
            let is_another = is_another(&mut *self.conn().await?, business, &check).await?;
            // Another node may have sealed some just now; what fails is tried with the next look.
            if !is_another && self.hash_what_is_sealed(business).await? {
                self.lost_lists().remove(business);
            } else if self.lost_lists().insert(business.to_owned()) {
                let key = if is_another { "`opt_out_key` or `brand`" } else { "`aead_key`" };
                tracing::error!(
                    business,
                    "its opt-out list, or some of it, was written with another {key}: nobody on it \
                     would be found, and so nobody is texted. Restore it and start anew; if the \
                     key is lost, `carom opt-outs accept-key`, and import the list anew"
                );
            }
        }
        Ok(())
    }

    /// Whether the opt-outs of a business can't be found.
    #[must_use]
    pub fn is_opt_out_list_lost(&self, business: &str) -> bool {
        self.lost_lists().contains(business)
    }

    /// Takes the present keys for those of the list of a business: what was written with others is
    /// never found again, and is shown so. `who` said so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept_opt_out_key(&self, business: &str, who: &str) -> Result<(), StoreError> {
        let (check, brand) = (self.keys().opt_out_check(business), self.keys().brand(business));
        let is_another = is_another(&mut *self.conn().await?, business, &check).await?;
        let sealed = self.sealed(business).await?;
        self.transaction(async |conn| {
            for unreadable in sealed.into_iter().filter(|row| row.number.is_none()) {
                sqlx::query("UPDATE opt_out SET lost_ms = $2 WHERE opt_key = $1")
                    .bind(unreadable.opt_key)
                    .bind(self.now_ms())
                    .execute(&mut *conn)
                    .await?;
            }
            let query = sqlx::query(
                "UPDATE opt_out_key SET key_check = $2, since_ms = $3 WHERE business = $1",
            );
            let query = query.bind(business.to_owned()).bind(check.clone()).bind(self.now_ms());
            query.execute(&mut *conn).await?;
            let of_brand = self.keys().businesses().filter(|one| self.keys().brand(one) == brand);
            if is_another && of_brand.count() == 1 {
                // What is sealed is hashed with the next look; another business of the brand may
                // have a key of its own.
                sqlx::query(
                    "UPDATE opt_out SET lost_ms = $2 WHERE brand = $1 AND lost_ms IS NULL \
                     AND opt_key < 'g'",
                )
                .bind(brand.to_owned())
                .bind(self.now_ms())
                .execute(&mut *conn)
                .await?;
            }
            audit(conn, self.now_ms(), who, "opt-out key accepted", business).await
        })
        .await?;
        self.look_at_opt_out_keys().await
    }

    async fn note_opt_out_key(&self, business: &str) -> Result<(), StoreError> {
        let check = self.keys().opt_out_check(business);
        self.execute(async |conn| {
            let query = sqlx::query(
                "INSERT INTO opt_out_key (business, key_check, since_ms) VALUES ($1, $2, $3) \
                 ON CONFLICT (business) DO NOTHING",
            );
            let query = query.bind(business.to_owned()).bind(check.clone()).bind(self.now_ms());
            query.execute(&mut *conn).await?;
            Ok(())
        })
        .await
    }

    /// What was hashed with another key than the list's would never be found again.
    pub(super) fn are_lists_found(&self, orders: &[OptOutOrder]) -> Result<(), StoreError> {
        match orders.iter().find(|order| self.is_opt_out_list_lost(&order.business)) {
            Some(order) => Err(StoreError::ListLost(order.business.clone())),
            None => Ok(()),
        }
    }

    /// How the list has a number: hashed, or where its key is another, sealed until the right one
    /// is there.
    pub(super) fn listed_as(&self, business: &str, number: &E164) -> Result<String, StoreError> {
        if !self.is_opt_out_list_lost(business) {
            return Ok(self.keys().opt_key(business, number));
        }
        let sealed = self.keys().seal().close(business, number.as_str())?;
        Ok(format!("{SEALED}{business}:{sealed}"))
    }

    /// Hashes who opted out while the key was another; whether all could be read.
    async fn hash_what_is_sealed(&self, business: &str) -> Result<bool, StoreError> {
        let mut all = true;
        for row in self.sealed(business).await? {
            let Some(number) = row.number else {
                all = false;
                continue;
            };
            let hashed = self.keys().opt_key(business, &number);
            let (brand, shown) = (self.keys().brand(business), number.masked());
            self.transaction(async |conn| {
                enter(conn, (&hashed, brand, &row.topic), (&row.via, &shown), row.since_ms).await?;
                let query = sqlx::query("DELETE FROM opt_out WHERE opt_key = $1");
                query.bind(row.opt_key.clone()).execute(&mut *conn).await?;
                Ok(())
            })
            .await?;
        }
        Ok(all)
    }

    /// Who opted out of a business and is not hashed yet.
    async fn sealed(&self, business: &str) -> Result<Vec<Sealed>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT opt_key, topic, via, since_ms FROM opt_out WHERE {IS_SEALED} \
             AND revoked_ms IS NULL AND lost_ms IS NULL"
        )))
        .fetch_all(&mut *self.conn().await?)
        .await?;
        let mut sealed = Vec::new();
        for row in rows {
            let opt_key: String = row.try_get("opt_key")?;
            let Some((_, text)) = parted(&opt_key).filter(|(whose, _)| *whose == business) else {
                continue;
            };
            let opened = self.keys().seal().open(business, text).ok();
            sealed.push(Sealed {
                number: opened.and_then(|it| it.parse().ok()),
                topic: row.try_get("topic")?,
                via: row.try_get("via")?,
                since_ms: row.try_get("since_ms")?,
                opt_key,
            });
        }
        Ok(sealed)
    }

    /// Writes those that are sealed under an older key anew under the newest.
    pub(in crate::store) async fn reseal_opt_outs(
        &self,
        done: &mut Resealed,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT DISTINCT opt_key FROM opt_out WHERE {IS_SEALED} \
             AND revoked_ms IS NULL AND lost_ms IS NULL"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *self.conn().await?).await?;
        for row in rows {
            let old: String = row.try_get("opt_key")?;
            let Some((business, text)) = parted(&old) else { continue };
            let new = match self.keys().seal().renew(business, text) {
                Ok(Some(new)) => format!("{SEALED}{business}:{new}"),
                Ok(None) => {
                    done.current += 1;
                    continue;
                }
                Err(_) => {
                    done.unreadable += 1;
                    continue;
                }
            };
            done.renewed += self
                .execute(async |conn| {
                    let query = sqlx::query("UPDATE opt_out SET opt_key = $2 WHERE opt_key = $1");
                    let query = query.bind(old.clone()).bind(new.clone());
                    Ok(query.execute(&mut *conn).await?.rows_affected())
                })
                .await?;
        }
        Ok(())
    }
}

/// The business and the sealed number of an entry that is not hashed.
fn parted(opt_key: &str) -> Option<(&str, &str)> {
    opt_key.strip_prefix(SEALED)?.rsplit_once(':')
}

/// Those of the businesses, by name and check value, whose key is not that which the list in the
/// database at `url` was written with. It is read only; one that has no such table has none.
///
/// # Errors
/// The database can't be read.
pub async fn unknown_opt_out_keys(
    url: &str,
    keys: &[(String, String)],
) -> Result<Vec<String>, StoreError> {
    sqlx::any::install_default_drivers();
    let url = match url.strip_prefix("sqlite:") {
        Some(path) => encoded(path.strip_prefix("//").unwrap_or(path)) + "?mode=ro",
        None => url.to_owned(),
    };
    let mut conn = AnyConnection::connect(&url).await?;
    let mut unknown = Vec::new();
    for (business, check) in keys {
        match is_another(&mut conn, business, check).await {
            Ok(true) => unknown.push(business.clone()),
            Ok(false) => {}
            // An older program wrote it.
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if error.message().contains("no such table")
                    || error.code().is_some_and(|code| code == NO_TABLE) =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(unknown)
}

async fn is_another(
    conn: &mut AnyConnection,
    business: &str,
    check: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query(LISTED).bind(business.to_owned()).fetch_optional(conn).await?;
    let listed = row.map(|row| row.try_get::<String, _>("key_check")).transpose()?;
    Ok(listed.is_some_and(|listed| listed != check))
}

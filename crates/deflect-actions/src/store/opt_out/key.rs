//! Whether the list was written with the key that we have. With another one nobody on it is found, and
//! all would be texted who want no texts.

use message_text::E164;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{
    super::{audit::audit, db::encoded},
    OptOutOrder, Store, StoreError, enter,
};

/// The check value of the key of a business's list.
const LISTED: &str = "SELECT key_check FROM opt_out_key WHERE business = $1";
/// Before a number that is not hashed yet, sealed, stands this, and the business.
const SEALED: &str = "sealed:";
/// What PostgreSQL says of a table that is not there.
const NO_TABLE: &str = "42P01";

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
            if !is_another {
                // Another node may have sealed some just now; what fails is tried with the next look.
                self.hash_what_is_sealed(business).await?;
                self.lost_lists().remove(business);
            } else if self.lost_lists().insert(business.to_owned()) {
                tracing::error!(
                    business,
                    "its opt-out list was written with another `opt_out_key` or `brand`: nobody on \
                     it would be found, and so nobody is texted. Restore it and start anew; if the \
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

    /// Takes the present key for that of the list of a business: what was written with another is
    /// never found again, and is shown so. `who` said so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept_opt_out_key(&self, business: &str, who: &str) -> Result<(), StoreError> {
        let (check, brand) = (self.keys().opt_out_check(business), self.keys().brand(business));
        self.transaction(async |conn| {
            let query = sqlx::query(
                "UPDATE opt_out_key SET key_check = $2, since_ms = $3 WHERE business = $1",
            );
            let query = query.bind(business.to_owned()).bind(check.clone()).bind(self.now_ms());
            query.execute(&mut *conn).await?;
            if self.keys().businesses().filter(|one| self.keys().brand(one) == brand).count() == 1 {
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

    /// Hashes who opted out while the key was another.
    async fn hash_what_is_sealed(&self, business: &str) -> Result<(), StoreError> {
        let prefix = format!("{SEALED}{business}:");
        // Hashes are hexadecimal: after all of them stands what is sealed.
        let rows = sqlx::query(
            "SELECT opt_key, topic, via, since_ms FROM opt_out WHERE opt_key > 'g' \
             AND revoked_ms IS NULL",
        )
        .fetch_all(&mut *self.conn().await?)
        .await?;
        for row in rows {
            let key: String = row.try_get("opt_key")?;
            let Some(sealed) = key.strip_prefix(&prefix) else { continue };
            let opened = self.keys().seal().open(business, sealed).ok();
            let Some(number) = opened.and_then(|it| it.parse::<E164>().ok()) else {
                tracing::warn!(business, "an opt-out can't be read: `aead_key` is another, too");
                continue;
            };
            let (topic, via): (String, String) = (row.try_get("topic")?, row.try_get("via")?);
            let since_ms = row.try_get("since_ms")?;
            let hashed = self.keys().opt_key(business, &number);
            let (brand, shown) = (self.keys().brand(business), number.masked());
            self.transaction(async |conn| {
                enter(conn, (&hashed, brand, &topic), (&via, &shown), since_ms).await?;
                let query = sqlx::query("DELETE FROM opt_out WHERE opt_key = $1");
                query.bind(key.clone()).execute(&mut *conn).await?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
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

//! Whether the list was written with the key that we have. With another one nobody on it is found, and
//! all would be texted who want no texts.

use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{
    super::{audit::audit, db::encoded},
    Store, StoreError,
};

/// Of a brand that is listed with keys, of which this is none.
const IS_ANOTHER: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM opt_out_key WHERE brand = $1) \
     AND NOT EXISTS (SELECT 1 FROM opt_out_key WHERE brand = $1 AND key_check = $2) \
     AND EXISTS (SELECT 1 FROM opt_out WHERE brand = $1 AND revoked_ms IS NULL) \
     THEN 1 ELSE 0 END AS another";

impl Store {
    /// Notes the keys of this node's lists, and those that are none of the keys a list was written
    /// with. A list from before there were check values is taken for one of the present key.
    pub(in crate::store) async fn check_opt_out_keys(&self) -> Result<(), StoreError> {
        for business in self.keys().businesses() {
            if is_another(&mut *self.conn().await?, self.check_of(business)).await? {
                tracing::error!(
                    business,
                    "its opt-out list was written with another `opt_out_key`: nobody on it would \
                     be found, and so nobody is texted. Restore the key; if it is lost, `carom \
                     opt-outs accept-key`, and import the list anew"
                );
                self.lost_lists().insert(business.to_owned());
            } else {
                self.note_opt_out_key(business).await?;
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
    /// never found again. `who` said so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept_opt_out_key(&self, business: &str, who: &str) -> Result<(), StoreError> {
        self.note_opt_out_key(business).await?;
        self.transaction(async |conn| {
            audit(conn, self.now_ms(), who, "opt-out key accepted", business).await
        })
        .await?;
        self.lost_lists().remove(business);
        Ok(())
    }

    async fn note_opt_out_key(&self, business: &str) -> Result<(), StoreError> {
        let (brand, check) = self.check_of(business);
        self.execute(async |conn| {
            let query = sqlx::query(
                "INSERT INTO opt_out_key (brand, key_check, since_ms) VALUES ($1, $2, $3) \
                 ON CONFLICT (brand, key_check) DO NOTHING",
            );
            query.bind(brand).bind(check).bind(self.now_ms()).execute(&mut *conn).await?;
            Ok(())
        })
        .await
    }

    fn check_of(&self, business: &str) -> (String, String) {
        (self.keys().brand(business).to_owned(), self.keys().opt_out_check(business))
    }
}

/// Those of the businesses, by name, brand and check value, whose key is none of those that the list
/// in the database at `url` was written with. It is read only; one that has no such table has none.
///
/// # Errors
/// The database can't be read.
pub async fn unknown_opt_out_keys(
    url: &str,
    keys: &[(String, String, String)],
) -> Result<Vec<String>, StoreError> {
    sqlx::any::install_default_drivers();
    let url = match url.strip_prefix("sqlite:") {
        Some(path) => encoded(path.strip_prefix("//").unwrap_or(path)) + "?mode=ro",
        None => url.to_owned(),
    };
    let mut conn = AnyConnection::connect(&url).await?;
    let mut unknown = Vec::new();
    for (business, brand, check) in keys {
        match is_another(&mut conn, (brand.clone(), check.clone())).await {
            Ok(true) => unknown.push(business.clone()),
            Ok(false) => {}
            // An older program wrote it.
            Err(StoreError::Database(sqlx::Error::Database(_))) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(unknown)
}

async fn is_another(
    conn: &mut AnyConnection,
    (brand, check): (String, String),
) -> Result<bool, StoreError> {
    let row = sqlx::query(IS_ANOTHER).bind(brand).bind(check).fetch_one(conn).await?;
    // Each database has an integer of its own for it.
    let another = row
        .try_get::<i64, _>("another")
        .or_else(|_| row.try_get::<i32, _>("another").map(i64::from));
    Ok(another? == 1)
}

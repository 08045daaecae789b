//! Pages of ours: a row each, found by the hash of its token.

use message_text::E164;
use sqlx::Row as _;
use uuid::Uuid;

use super::{
    Store, StoreError,
    bulk::Bulk,
    together::{Value, number, text},
};
use crate::link::{NewPage, Page, Token};

/// A page that is there, or was.
#[derive(Debug, Clone)]
pub struct StoredLink {
    /// UUIDv7.
    pub link_id: String,
    /// The message whose text leads there.
    pub message_id: Option<String>,
    /// The call it was asked for in.
    pub call_id: Option<String>,
    /// The link that was chosen, or all of the page.
    pub destination: String,
    /// It is over then.
    pub expires_ms: i64,
    /// When a button was first pressed.
    pub redeemed_ms: Option<i64>,
    /// Hash of the name of the browser that did.
    pub browser: Option<String>,
    /// When a bot was told who comes.
    pub context_read_ms: Option<i64>,
    /// The buttons by which the business took it to write, by the names of their links.
    pub invited: Vec<String>,
    /// What stands on it; `None`: it was erased.
    pub page: Option<Page>,
}

/// A page was fetched, by whomever: only who presses a button is a person (requirements §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSeen {
    /// The page.
    pub link_id: String,
    /// When.
    pub at_ms: i64,
}

pub(super) static LINK: Bulk = Bulk::new(
    "INSERT INTO link (link_id, message_id, call_id, destination, token_hash, level, \
     context_ref, created_ms, expires_ms) VALUES ",
    "(?,?,?,?,?,?,?,?,?)",
    "",
);

/// A page, with its message where that is ours.
pub(super) fn row(
    store: &Store,
    (message_id, call_id): (Option<&str>, &str),
    new: &NewPage,
    now_ms: i64,
) -> Result<(&'static Bulk, Vec<Value>), StoreError> {
    let link_id = Uuid::now_v7().to_string();
    let page = serde_json::to_string(&new.page).map_err(std::io::Error::other)?;
    let sealed = store.keys().seal().close(&link_id, &page)?;
    let values = vec![
        text(link_id),
        Value::Text(message_id.map(str::to_owned)),
        text(call_id),
        text(new.page.destination()),
        text(new.token.hash()),
        text(new.page.level()),
        text(sealed),
        number(now_ms),
        number(new.expires_ms),
    ];
    Ok((&LINK, values))
}

impl Store {
    /// Keeps a page whose link somebody else texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_page(&self, call_id: &str, page: &NewPage) -> Result<(), StoreError> {
        let (link, values) = row(self, (None, call_id), page, self.now_ms())?;
        self.execute(async |conn| link.write(conn, vec![values]).await).await
    }

    /// The page of a token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn link(&self, token: &Token) -> Result<Option<StoredLink>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT link_id, message_id, call_id, destination, expires_ms, redeemed_ms, browser, \
             context_read_ms, invited, context_ref FROM link WHERE token_hash = $1",
        )
        .bind(token.hash())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let link_id: String = row.try_get("link_id")?;
        let sealed: Option<String> = row.try_get("context_ref")?;
        let page = sealed.and_then(|sealed| {
            let opened = self.keys().seal().open(&link_id, &sealed);
            let opened = opened.inspect_err(|error| tracing::warn!(%error, link_id, "link"));
            serde_json::from_str(&opened.ok()?).ok()
        });
        Ok(Some(StoredLink {
            message_id: row.try_get("message_id")?,
            call_id: row.try_get("call_id")?,
            destination: row.try_get("destination")?,
            expires_ms: row.try_get("expires_ms")?,
            redeemed_ms: row.try_get("redeemed_ms")?,
            browser: row.try_get("browser")?,
            context_read_ms: row.try_get("context_read_ms")?,
            invited: row
                .try_get::<Option<String>, _>("invited")?
                .map_or_else(Vec::new, |names| names.lines().map(str::to_owned).collect()),
            link_id,
            page,
        }))
    }

    /// A button of a page is pressed for the first time: `false` where somebody was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem_link(
        &self,
        link_id: &str,
        destination: &str,
        browser: &str,
    ) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            let done = sqlx::query(
                "UPDATE link SET redeemed_ms = $2, destination = $3, browser = $4, \
             first_fetch_ms = COALESCE(first_fetch_ms, $2), \
             first_human_ms = COALESCE(first_human_ms, $2) \
             WHERE link_id = $1 AND redeemed_ms IS NULL AND expires_ms > $2",
            )
            .bind(link_id.to_owned())
            .bind(now)
            .bind(destination.to_owned())
            .bind(browser.to_owned())
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// What was pressed came to nothing: it may be pressed again, by anybody.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unredeem_link(&self, link_id: &str) -> Result<(), StoreError> {
        self.mark_link(
            "UPDATE link SET redeemed_ms = NULL, browser = NULL WHERE link_id = $1",
            link_id,
        )
        .await?;
        Ok(())
    }

    /// The business took it to write, by the button of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited(&self, link_id: &str, button: &str) -> Result<(), StoreError> {
        self.write(async |conn| {
            let add = "UPDATE link SET invited = COALESCE(invited, '') || $2 WHERE link_id = $1";
            sqlx::query(add)
                .bind(link_id.to_owned())
                .bind(format!("{button}\n"))
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// The app beside a link was opened.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn app_opened(&self, link_id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE link SET app_ms = COALESCE(app_ms, $2), \
                   first_human_ms = COALESCE(first_human_ms, $2) WHERE link_id = $1";
        self.mark_link(sql, link_id).await?;
        Ok(())
    }

    /// The page of a link asks how it went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn asked_on_page(&self, link_id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE link SET asked_ms = $2 WHERE link_id = $1 AND asked_ms IS NULL";
        self.mark_link(sql, link_id).await?;
        Ok(())
    }

    /// A bot asks who comes, which it may do once: `false` the second time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_context(&self, link_id: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE link SET context_read_ms = $2 \
                   WHERE link_id = $1 AND context_read_ms IS NULL AND expires_ms > $2";
        Ok(self.mark_link(sql, link_id).await? == 1)
    }

    async fn mark_link(&self, sql: &'static str, link_id: &str) -> Result<u64, StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            let query = sqlx::query(sql).bind(link_id.to_owned());
            let query = if sql.contains("$2") { query.bind(now) } else { query };
            Ok(query.execute(&mut *conn).await?.rows_affected())
        })
        .await
    }

    /// The number that a message went to; `None`: it was erased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn number_of(&self, message_id: &str) -> Result<Option<E164>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query("SELECT dest_enc FROM message WHERE message_id = $1")
            .bind(message_id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Option<String> = row.try_get("dest_enc")?;
        let opened = sealed.and_then(|text| self.keys().seal().open(message_id, &text).ok());
        Ok(opened.and_then(|number| number.parse().ok()))
    }
}

//! A follow-up from its promise on: kept with the end of the call, then put into the outbox, by this
//! node or by whoever finds that this one is dead.

use std::{io, sync::Arc};

use message_text::{E164, MAX_SEGMENTS};
use serde::{Deserialize, Serialize};

use super::{TextConfig, TextOrder, TextOutcome, TextService};
use crate::{
    link::{NewPage, Page, Token},
    store::{CallStarted, FollowUpRow, Row, StoreError},
};

/// What this start has not put into the outbox after so long it tries anew, ms.
const STALE_MS: i64 = 10 * 60_000;

/// An order without its call, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    to: String,
    via: Vec<String>,
    text: String,
    brand: String,
    link: Option<String>,
    link_token: Option<String>,
    language: String,
    asked_in: String,
    purpose: String,
    links: Vec<String>,
    /// Token, what stands there, until when.
    page: Option<(String, Page, i64)>,
    not_after_ms: Option<i64>,
    topic: String,
    pressed: Option<String>,
    prompt_id: String,
    prompt_hash: String,
    accept_within_ms: u32,
    attempt_ms: u32,
    valid_minutes: u32,
    repeat_after_minutes: u32,
    #[serde(default = "usual_segments")]
    max_segments: u8,
    due_ms: i64,
    until_ms: i64,
}

/// Of promises that were kept before they said it.
fn usual_segments() -> u8 {
    MAX_SEGMENTS
}

impl TextService {
    /// The row by which a follow-up outlives this node; it belongs before that of the call's end.
    ///
    /// # Errors
    /// There is no number, or it can't be encrypted.
    pub fn promise(
        &self,
        order: &TextOrder,
        due_ms: i64,
        until_ms: i64,
    ) -> Result<Row, StoreError> {
        let (store, call) = (&self.0.store, &order.call);
        let none = || io::Error::other("a follow-up without a number");
        let to = order.to.as_ref().map_err(|_| none())?;
        let kept = serde_json::to_string(&Kept::of(order, to, due_ms, until_ms));
        let kept = kept.map_err(io::Error::other)?;
        let bound = FollowUpRow::bound_to(&call.call_id, &order.step);
        let at_ms = store.now_ms();
        Ok(Row::FollowUp(FollowUpRow {
            call_id: call.call_id.clone(),
            step: order.step.clone(),
            dest_key: store.keys().caller_keys(&call.business, to, at_ms).0,
            order_enc: store.keys().seal().close(&bound, &kept)?,
            at_ms,
        }))
    }

    /// Puts what was promised into the outbox, as [`Self::follow_up`] does, and has the promise
    /// forgotten; with the database down it is left to a later start.
    pub async fn keep_promise(
        &self,
        config: Arc<TextConfig>,
        order: TextOrder,
        due_ms: i64,
        until_ms: i64,
    ) -> TextOutcome {
        let (call_id, step) = (order.call.call_id.clone(), order.step.clone());
        let outcome = self.follow_up(config, order, due_ms, until_ms).await;
        if outcome != TextOutcome::failed("store")
            && let Err(error) = self.0.store.drop_follow_up(&call_id, &step).await
        {
            tracing::warn!(%error, call = call_id, "a follow-up is looked at once more");
        }
        outcome
    }

    /// Sees to what nodes that died had promised.
    pub(super) async fn keep_promises_of_the_dead(&self) -> Result<(), StoreError> {
        let store = &self.0.store;
        for row in store.claim_follow_ups(STALE_MS).await? {
            let bound = FollowUpRow::bound_to(&row.call_id, &row.step);
            let opened = store.keys().seal().open(&bound, &row.order_enc);
            let opened = opened.map_err(io::Error::other);
            let found: io::Result<Kept> =
                opened.and_then(|kept| serde_json::from_str(&kept).map_err(io::Error::other));
            let (kept, call) = match (found, store.call_started(&row.call_id).await?) {
                (Ok(kept), Some(call)) => (kept, call),
                (found, _) => {
                    let why = found.err().map_or("its call is gone".into(), |why| why.to_string());
                    tracing::error!(call = row.call_id, step = row.step, why, "no follow-up");
                    store.drop_follow_up(&row.call_id, &row.step).await?;
                    continue;
                }
            };
            let (due_ms, until_ms) = (kept.due_ms, kept.until_ms);
            let Some(order) = kept.order(call, row.step) else { continue };
            let (service, config) = (self.clone(), self.config());
            tokio::spawn(async move {
                let (call, step) = (order.call.call_id.clone(), order.step.clone());
                let outcome = service.keep_promise(config, order, due_ms, until_ms).await;
                tracing::info!(call, step, ?outcome, "a follow-up of a node that died");
            });
        }
        Ok(())
    }
}

impl Kept {
    fn of(order: &TextOrder, to: &E164, due_ms: i64, until_ms: i64) -> Self {
        let order = order.clone();
        let page = |page: NewPage| (page.token.as_str().to_owned(), page.page, page.expires_ms);
        Self {
            to: to.to_string(),
            via: order.via,
            text: order.text,
            brand: order.brand,
            link: order.link,
            link_token: order.link_token,
            language: order.language,
            asked_in: order.asked_in,
            purpose: order.purpose,
            links: order.links,
            page: order.page.map(page),
            not_after_ms: order.not_after_ms,
            topic: order.topic,
            pressed: order.pressed,
            prompt_id: order.prompt_id,
            prompt_hash: order.prompt_hash,
            accept_within_ms: order.accept_within_ms,
            attempt_ms: order.attempt_ms,
            valid_minutes: order.valid_minutes,
            repeat_after_minutes: order.repeat_after_minutes,
            max_segments: order.max_segments,
            due_ms,
            until_ms,
        }
    }

    /// `None`: its token is none, which nobody could have kept.
    fn order(self, call: CallStarted, step: String) -> Option<TextOrder> {
        let page = match self.page {
            None => None,
            Some((token, page, expires_ms)) => {
                Some(NewPage { token: Token::parse(&token)?, page, expires_ms })
            }
        };
        Some(TextOrder {
            call,
            offer: None,
            to: self.to.parse(),
            via: self.via,
            text: self.text,
            brand: self.brand,
            link: self.link,
            link_token: self.link_token,
            language: self.language,
            step,
            asked_in: self.asked_in,
            purpose: self.purpose,
            links: self.links,
            page,
            not_after_ms: self.not_after_ms,
            topic: self.topic,
            pressed: self.pressed,
            prompt_id: self.prompt_id,
            prompt_hash: self.prompt_hash,
            ordered: None,
            accept_within_ms: self.accept_within_ms,
            attempt_ms: self.attempt_ms,
            allow_one_duplicate: false,
            valid_minutes: self.valid_minutes,
            repeat_after_minutes: self.repeat_after_minutes,
            max_segments: self.max_segments,
        })
    }
}

//! Single messages for the operator: shown, sent again, taken back.

use deflect_actions::{
    store::MessageDetail,
    text::{NotDone, Retried},
};
use serde_json::{Value, json};

use super::desk::{Desk, data};
use crate::control::Reply;

/// Messages named where a beginning fits more than one.
const MATCHES: u32 = 5;

impl Desk {
    pub(super) async fn show_message(&self, like: &str) -> Reply {
        let id = match self.message_like(like).await {
            Ok(id) => id,
            Err(why) => return Reply::Error(why),
        };
        match self.services.store.message_detail(&id).await {
            Ok(Some(found)) => data(&self.detail(&found)),
            Ok(None) => Reply::Error(format!("no message has the id `{id}` any more")),
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    pub(super) async fn retry_message(
        &self,
        like: &str,
        allow_duplicate: bool,
        who: &str,
    ) -> Reply {
        let id = match self.message_like(like).await {
            Ok(id) => id,
            Err(why) => return Reply::Error(why),
        };
        let told = match self.services.texts.retry_by_hand(&id, allow_duplicate).await {
            Ok(Retried::Due) => format!("{id} is due now"),
            Ok(Retried::Again(new)) => format!("sent again as {new}"),
            Ok(Retried::Doubled) => format!("{id} is sent once more; it may arrive twice"),
            Err(why) => return not_done(&why),
        };
        let what = if allow_duplicate { "message retry, duplicate" } else { "message retry" };
        self.audited(who, what, &id, told).await
    }

    pub(super) async fn cancel_message(&self, like: &str, who: &str) -> Reply {
        let id = match self.message_like(like).await {
            Ok(id) => id,
            Err(why) => return Reply::Error(why),
        };
        match self.services.texts.cancel_by_hand(&id).await {
            Ok(()) => self.audited(who, "message cancel", &id, format!("{id} is taken back")).await,
            Err(why) => not_done(&why),
        }
    }

    async fn message_like(&self, like: &str) -> Result<String, String> {
        let ids = self.services.store.messages_like(like, MATCHES).await;
        let ids = ids.map_err(|error| format!("the store does not tell: {error}"))?;
        match ids.as_slice() {
            [id] => Ok(id.clone()),
            [] => Err(format!("no message begins with `{like}`")),
            _ => Err(format!("more than one message begins with `{like}`: {}", ids.join(", "))),
        }
    }

    fn detail(&self, found: &MessageDetail) -> Value {
        let receipts = found.receipts.iter().map(|receipt| {
            json!({
                "state": receipt.state,
                "error_class": receipt.error_class,
                "error_code": receipt.error_code,
                "received_ms": receipt.received_ms,
            })
        });
        let mut told = self.message(&found.view);
        let more = json!({
            "purpose": found.purpose,
            "step": found.step,
            "asked_in": found.asked_in,
            "pressed": found.pressed,
            "channel": found.channel,
            "attempt": found.view.attempt,
            "provider_id": found.view.provider_id,
            "price_micros": found.price_micros,
            "next_try_ms": found.next_try_ms,
            "valid_until_ms": found.valid_until_ms,
            "delivered_ms": found.view.delivered_ms,
            "opened_ms": found.opened_ms,
            "receipts": receipts.collect::<Vec<_>>(),
        });
        if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
            told.extend(more);
        }
        told
    }
}

fn not_done(why: &NotDone) -> Reply {
    Reply::Error(match why {
        NotDone::Refused(why) => why.to_string(),
        NotDone::Store(error) => format!("the store does not answer: {error}"),
    })
}

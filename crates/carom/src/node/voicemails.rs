//! What callers left, for the CLI.

use deflect_actions::store::VoicemailView;
use serde_json::{Value, json};

use super::desk::{Desk, data};
use crate::control::{Reply, VoicemailAct};

impl Desk {
    pub(super) async fn voicemails(&self, limit: u32) -> Reply {
        match self.services.store.voicemails(limit).await {
            Ok(list) => data(&list.iter().map(|left| self.left(left)).collect::<Vec<_>>()),
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    pub(super) async fn voicemail(&self, like: &str, act: VoicemailAct, who: &str) -> Reply {
        let store = &self.services.store;
        let found = match store.voicemails_like(like).await {
            Ok(found) => found,
            Err(error) => return Reply::Error(format!("the store does not tell: {error}")),
        };
        let left = match found.as_slice() {
            [left] => left,
            [] => return Reply::Error(format!("no message begins with `{like}`")),
            _ => return Reply::Error(format!("more than one message begins with `{like}`")),
        };
        let id = &left.voicemail_id;
        let done = match act {
            VoicemailAct::Find => return data(&self.left(left)),
            VoicemailAct::Heard => store.voicemail_heard(id).await.map(|()| "is marked as heard"),
            VoicemailAct::Delete => store.erase_voicemail(id).await.map(|()| "is deleted"),
        };
        let told = match done {
            Ok(what) => format!("{id} {what}"),
            Err(error) => return Reply::Error(format!("not recorded: {error}")),
        };
        if act == VoicemailAct::Delete
            && self.is_here(left)
            && let Err(error) = self.services.mailbox.erase_due().await
        {
            return Reply::Error(format!("{id} is not erased yet: {error}"));
        }
        let what = if act == VoicemailAct::Delete { "voicemail delete" } else { "voicemail heard" };
        self.audited(who, what, id, told).await
    }

    /// This node wrote it, or the nodes share their folder.
    fn is_here(&self, left: &VoicemailView) -> bool {
        let own = &self.services.store.node().node_id;
        left.node_id.as_ref().is_none_or(|node| node == own)
            || left.file.as_ref().is_some_and(|file| std::path::Path::new(file).exists())
    }

    fn left(&self, left: &VoicemailView) -> Value {
        json!({
            "voicemail_id": left.voicemail_id,
            "call_id": left.call_id,
            "flow": left.flow,
            "step": left.step,
            "called": left.did,
            "caller_region": left.caller_region,
            "seconds": (left.length_ms + 999) / 1_000,
            "created_ms": left.created_ms,
            "heard_ms": left.heard_ms,
            "erase_after_ms": left.erase_after_ms,
            "node": left.node_id,
            "file": left.file.as_ref().filter(|_| self.is_here(left)),
        })
    }
}

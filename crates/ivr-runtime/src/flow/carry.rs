//! Which senders and channels can carry what the topic of a call needs (EX-26).

use super::{Sender, model::Flow};

/// Channels of senders, each with the field that prompts may need.
const CHANNELS: [&str; 2] = ["sms", "whatsapp"];
/// Fields of prompts, `channel_` and the channel: known while it can carry the call's topic.
pub(crate) const FIELDS: [&str; 2] = ["channel_sms", "channel_whatsapp"];

impl Flow {
    /// Whether a call about `intent` needs pictures.
    pub(crate) fn needs_media(&self, intent: Option<&str>) -> bool {
        intent.is_some_and(|intent| self.media_intents.iter().any(|needs| needs == intent))
    }

    /// The senders of `via` (all where it is empty) that can carry a call about `intent`, in order.
    pub fn carriers(&self, via: &[String], intent: Option<&str>) -> Vec<String> {
        let needed = self.needs_media(intent);
        let carries = |name: &String| {
            !needed || self.senders.iter().any(|sender| sender.name == *name && sender.media)
        };
        let all = self.senders.iter().map(|sender| &sender.name);
        if via.is_empty() {
            return all.filter(|name| carries(name)).cloned().collect();
        }
        via.iter().filter(|name| carries(name)).cloned().collect()
    }

    /// Channels without any sender that can carry a call about `intent`; none where the flow is
    /// played without senders.
    pub(crate) fn channels_barred(&self, intent: Option<&str>) -> Vec<String> {
        if self.senders.is_empty() {
            return Vec::new();
        }
        let needed = self.needs_media(intent);
        let carries = |channel: &str| {
            let of = |sender: &Sender| sender.channel == channel && (sender.media || !needed);
            self.senders.iter().any(of)
        };
        let barred = CHANNELS.into_iter().filter(|channel| !carries(channel));
        barred.map(str::to_owned).collect()
    }
}

//! The turn of the first sender, taken before a text is committed: where it is now, the row and that
//! its request is about to be written are one commit.

use std::time::Duration;

use tokio::time::Instant;

use super::{Sender, TextConfig, TextOutcome, TextService, attempt};
use crate::{
    provider::Provider,
    store::message::{Outgoing, Writes},
};

/// A turn within this time is now: a commit that is shared takes as long.
const NOW: Duration = Duration::from_millis(40);
/// Who waits for a turn has so much time left for the request, or an attempt's where that is less.
const USEFUL: Duration = Duration::from_secs(1);
/// A commit of which nobody knows whether it took place is looked for so often, after so long.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(10)];
/// A look takes no longer: all are over before the row's lease is.
const LOOK: Duration = Duration::from_secs(3);

/// Who waits for the text waits for such looks so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A turn that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turned {
    /// When it is.
    pub at: Instant,
    /// That its request may be written is committed with the row.
    pub written: bool,
}

impl TextService {
    /// Takes the turn of the sender that is asked first; `None`: it rests, or its turn is too late,
    /// as will be found again.
    pub(super) fn first_turn<'a>(
        &self,
        message: &Outgoing,
        first: Option<&(&'a Sender, &'a Provider)>,
        until: Instant,
    ) -> Option<(Turned, Writes<'a>)> {
        let (sender, provider) = first?;
        let begun = Instant::now();
        let now = self.0.store.now_ms();
        if now >= message.valid_until_ms {
            return None;
        }
        let wait = self.wait(sender, provider, message, until)?;
        // Asked last: of one that rests, the text that finds its rest over is its trial.
        if self.0.health.rests(&sender.name, now).is_some() {
            return None;
        }
        // Whether a template is needed is asked before anything is said to be written.
        let written = wait <= NOW && sender.template.is_none();
        Some((Turned { at: begun + wait, written }, Writes::by(sender)))
    }

    /// How long until the sender's next turn, which is taken; `None`: it is later than an attempt
    /// takes, or leaves no useful one before `until`.
    pub(super) fn wait(
        &self,
        sender: &Sender,
        provider: &Provider,
        message: &Outgoing,
        until: Instant,
    ) -> Option<Duration> {
        let attempt = attempt::ms(message.letter.attempt_ms);
        let left = until.saturating_duration_since(Instant::now());
        let limit = left.saturating_sub(attempt.min(USEFUL)).min(attempt);
        let weight = provider.weight(&message.letter.text);
        let now = self.0.store.now_ms();
        self.0.throttle.turn(&sender.name, sender.per_second, weight, now, limit)
    }

    /// Whether a row was committed, nobody knows; no byte was written, and it is not to say so. Where
    /// it is found it is sent when its lease has ended.
    pub(super) async fn after_doubtful_commit(
        &self,
        message: &Outgoing,
        until: Instant,
    ) -> TextOutcome {
        let (message_id, try_no) = (message.message_id.clone(), message.try_no);
        let store = self.0.store.clone();
        let looks = tokio::spawn(async move {
            for look in LOOKS {
                tokio::time::sleep(look).await;
                let looking = store.never_wrote(&message_id, try_no);
                if let Ok(Ok(Some(_))) = tokio::time::timeout(LOOK, looking).await {
                    return true;
                }
            }
            false
        });
        // Who waits waits for the first two only.
        match tokio::time::timeout_at(until.min(Instant::now() + PATIENCE), looks).await {
            Ok(Ok(true)) => TextOutcome::Queued,
            _ => TextOutcome::Ambiguous,
        }
    }
}

impl Outgoing {
    /// How long an attempt that begins now may take.
    pub(super) fn limit(&self, until: Instant) -> Duration {
        let left = until.saturating_duration_since(Instant::now());
        attempt::ms(self.letter.attempt_ms).min(left)
    }
}

impl TextConfig {
    /// Who is asked for a message, one after the other.
    pub(super) fn senders_of(&self, message: &Outgoing) -> Vec<(&Sender, &Provider)> {
        self.senders_for(&message.business, message.to.region(), &message.letter.via)
    }
}

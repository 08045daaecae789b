//! One round over the senders: each once, in order, each only after a definite failure.

use std::time::Duration;

use tokio::time::Instant;

use super::{Sender, TextConfig, TextService, attempt::Tried, first::Turned, inbound::WINDOW_MS};
use crate::{
    provider::{
        Accepted, Channel, Class, Failure, Fill, OutboundMessage, Provider, Reference, SendError,
        State,
    },
    store::message::{News, Outgoing, Writes},
};

/// An attempt with less time than this is not begun.
const SHORTEST: Duration = Duration::from_millis(100);
/// Between two rounds over the senders while the caller listens; it doubles.
const ROUND: Duration = Duration::from_millis(500);
/// With a duplicate allowed, evidence is waited for this long before it is used.
const EVIDENCE: Duration = Duration::from_millis(500);
/// It is taken back for this long that a request was about to be written.
const UNWRITE: Duration = Duration::from_secs(4);
/// The window is over for us a little earlier than for the provider, ms.
const WINDOW_SPARE_MS: i64 = 60_000;
/// Senders that may take a text for spam until none is asked any more.
const BLOCKED: u8 = 2;

/// What one sender did.
enum Turn {
    /// That is the end of it.
    Over(Tried),
    /// Definitely not sent.
    Failed(Failure),
    /// Its turn comes too late; the next may have one.
    Passes,
    /// It is left alone for so long still.
    Rests(Class, Duration),
    /// Written and unanswered, and one duplicate is allowed.
    Doubles,
    /// There is no time, or no store, for anybody.
    NoMore,
}

/// What is known when all had their turn.
#[derive(Default)]
struct Round {
    /// With the channel that it is of.
    worst: Option<(Failure, Channel)>,
    /// Who may have more luck later, and when.
    later: Vec<(Channel, Option<Duration>)>,
    /// Whose provider is down, so that it is left alone, and for how long still.
    rest: Vec<(Channel, Duration)>,
    /// The first failure that may pass by itself.
    passing: Option<Class>,
    blocked: u8,
    /// Channels that do not reach the person.
    closed: Vec<Channel>,
}

impl TextService {
    /// Rounds over the senders until one accepts, or the time is over; `first`: the turn of the first
    /// of them is taken.
    pub(super) async fn try_until(
        &self,
        message: &mut Outgoing,
        config: &TextConfig,
        until: Instant,
        mut first: Option<Turned>,
    ) -> Tried {
        let mut pause = ROUND;
        loop {
            let tried = self.try_once(message, config, until, first.take()).await;
            let Tried::Later { after, .. } = &tried else { return tried };
            let wait = after.unwrap_or_else(|| super::attempt::jittered(pause));
            if Instant::now() + wait + SHORTEST > until {
                return tried;
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    /// Each sender once; `first`: the turn of the first of them is taken.
    pub(super) async fn try_once(
        &self,
        message: &mut Outgoing,
        config: &TextConfig,
        until: Instant,
        mut first: Option<Turned>,
    ) -> Tried {
        let mut round = Round::default();
        for (sender, provider) in config.senders_of(message) {
            if round.closed.contains(&sender.channel) {
                continue;
            }
            match self.turn(message, (sender, provider), config, until, first.take()).await {
                Turn::Over(tried) => return tried,
                Turn::Doubles => {}
                Turn::Passes => round.later.push((sender.channel, None)),
                Turn::Rests(why, left) => {
                    if why.may_pass() {
                        round.rest.push((sender.channel, left));
                        round.passing = round.passing.or(Some(why));
                    }
                    round.worst = round.worst.or(Some((Failure::of(why), sender.channel)));
                }
                Turn::NoMore => {
                    round.later.push((sender.channel, None));
                    break;
                }
                Turn::Failed(failure) => {
                    if !round.goes_on(failure, sender.channel) {
                        break;
                    }
                }
            }
        }
        round.ends(message.write_ms.is_some())
    }

    async fn turn(
        &self,
        message: &mut Outgoing,
        (sender, provider): (&Sender, &Provider),
        config: &TextConfig,
        until: Instant,
        taken: Option<Turned>,
    ) -> Turn {
        let written = taken.is_some_and(|turn| turn.written);
        if message.limit(until) < SHORTEST {
            return match written {
                true => self.unwrite(message).await.into(),
                false => Turn::NoMore,
            };
        }
        let wait = match taken {
            Some(Turned { at, .. }) => at.saturating_duration_since(Instant::now()),
            None => {
                let now = self.0.store.now_ms();
                if now >= message.valid_until_ms {
                    return Turn::Failed(Failure::of(Class::Expired));
                }
                if let Some((why, left)) = self.0.health.rests(&sender.name, now) {
                    return Turn::Rests(why, left);
                }
                let Some(wait) = self.wait(sender, provider, message, until) else {
                    return Turn::Passes;
                };
                wait
            }
        };
        // A sleep of no time lasts until the clock's next millisecond.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        // What was waited is not of the attempt.
        let limit = message.limit(until);
        let doubtful = message.write_ms.is_some();
        match self.write(message, sender, provider, limit, written).await {
            Ok(accepted) => {
                self.note_health(&sender.name, &message.message_id, None).await;
                let early = !provider.receipts_name_messages() || self.0.store.has_strays();
                self.note_accepted(message, sender, config, accepted, early).await;
                Turn::Over(Tried::Accepted { sender: sender.name.clone() })
            }
            Err(Unsent::Unwritten(why)) => why.into(),
            Err(Unsent::Send(SendError::Definite(failure))) => {
                self.note_definite(message, &sender.name, &failure).await;
                Turn::Failed(failure)
            }
            Err(Unsent::Send(SendError::Ambiguous(_))) => {
                self.note_health(&sender.name, &message.message_id, Some(Class::ProviderDown))
                    .await;
                match self.after_ambiguous(message, sender, provider, until).await {
                    // It took it, and only its answer was lost.
                    Some(tried @ Tried::Accepted { .. }) => {
                        self.note_health(&sender.name, &message.message_id, None).await;
                        Turn::Over(tried)
                    }
                    None => Turn::Doubles,
                    Some(Tried::Failed(failure)) => {
                        self.note_definite(message, &sender.name, &failure).await;
                        // One before it, which a duplicate was allowed after, may still arrive.
                        let tried = Tried::Failed(failure);
                        Turn::Over(if doubtful { Tried::Ambiguous } else { tried })
                    }
                    Some(Tried::Ended(_)) if doubtful => Turn::Over(Tried::Ambiguous),
                    Some(tried) => Turn::Over(tried),
                }
            }
        }
    }

    /// Commits that bytes may be written, unless that is `written` already, then writes them.
    async fn write(
        &self,
        message: &mut Outgoing,
        sender: &Sender,
        provider: &Provider,
        limit: Duration,
        written: bool,
    ) -> Result<Accepted, Unsent> {
        let until = Instant::now() + limit;
        let mut freely = false;
        if !written {
            // Asked before the commit: nothing lies between that and the first byte.
            freely = sender.template.is_some()
                && tokio::time::timeout(limit, self.may_write_freely(message, &sender.provider))
                    .await
                    .unwrap_or(false);
            let (id, by) = (&message.message_id, Writes::by(sender));
            let writing = self.0.store.writing(id, message.try_no, by);
            match tokio::time::timeout_at(until, writing).await {
                Ok(Ok(Some(try_no))) => message.try_no = try_no,
                Ok(Ok(None)) => return Err(Unsent::Unwritten(Unwritten::Lost)),
                Ok(Err(error)) => {
                    // Its connection may have been lost after the commit.
                    tracing::warn!(%error, message = message.message_id, "write not committed");
                    return Err(Unsent::Unwritten(self.unwrite(message).await));
                }
                Err(_) => return Err(Unsent::Unwritten(self.unwrite(message).await)),
            }
        }
        let mut outbound = outbound(message, sender, self.0.store.now_ms());
        if freely {
            outbound.template = None;
        }
        provider
            .send(outbound, until.saturating_duration_since(Instant::now()))
            .await
            .map_err(Unsent::Send)
    }

    /// The store was too slow, or failed: it may have committed that bytes were written, or may yet,
    /// and none was.
    async fn unwrite(&self, message: &mut Outgoing) -> Unwritten {
        let (id, try_no) = (&message.message_id, message.try_no);
        match tokio::time::timeout(UNWRITE, self.0.store.never_wrote(id, try_no)).await {
            Ok(Ok(Some(try_no))) => {
                message.try_no = try_no;
                Unwritten::Store
            }
            // Its lease ends, and whoever finds it asks the provider.
            Ok(Ok(None) | Err(_)) | Err(_) => Unwritten::Lost,
        }
    }

    /// Whether the person wrote to us there within the window in which WhatsApp takes free text.
    async fn may_write_freely(&self, message: &Outgoing, provider: &str) -> bool {
        let store = &self.0.store;
        let since = store.now_ms() - WINDOW_MS + WINDOW_SPARE_MS;
        let wrote = store.wrote_since(provider, &message.business, &message.to, since).await;
        wrote.unwrap_or_else(|error| {
            tracing::warn!(%error, "the template is used, the store does not say when they wrote");
            false
        })
    }

    /// Waits for evidence; `None` when the message may be sent once more.
    async fn after_ambiguous(
        &self,
        message: &mut Outgoing,
        sender: &Sender,
        provider: &Provider,
        until: Instant,
    ) -> Option<Tried> {
        let now = self.0.store.now_ms();
        message.write_ms = Some(now);
        metrics::counter!("carom_texts_ambiguous_total", "sender" => sender.name.clone())
            .increment(1);
        let noting = self.0.store.ambiguous(&message.message_id, message.try_no, now + 5_000);
        if let Err(error) = noting.await {
            // Its lease ends, and it is found written.
            tracing::warn!(%error, message = message.message_id, "ambiguity not recorded");
        }
        let spare = message.letter.duplicate;
        let patience = if spare { until.min(Instant::now() + EVIDENCE) } else { until };
        if let Some(tried) = self.evidence(message, sender, provider, patience).await {
            return Some(tried);
        }
        if !spare {
            return Some(Tried::Ambiguous);
        }
        message.letter.duplicate = false;
        match self.0.store.keep_letter(&message.message_id, &message.letter).await {
            Ok(()) => None,
            Err(_) => Some(Tried::Ambiguous),
        }
    }

    /// A provider has it. When that cannot be recorded, the lease ends and the provider is asked.
    /// `early`: its receipts may be there already, and nobody knew whose they are.
    async fn note_accepted(
        &self,
        message: &Outgoing,
        sender: &Sender,
        config: &TextConfig,
        accepted: Accepted,
        early: bool,
    ) {
        let provider = sender.provider.as_str();
        let told = (accepted.price_micros, accepted.currency.as_deref());
        let told = config.price_told(provider, told);
        let counted = config.providers.get(provider).map(|by| by.segments(&message.letter.text));
        let segments = accepted.segments.or_else(|| i64::try_from(counted?.count).ok());
        let price_micros = told.or_else(|| sender.price_of(segments.unwrap_or(1)));
        let this = News { try_no: Some(message.try_no), ..News::of(State::Accepted) };
        let news = News {
            provider_id: Some(&accepted.provider_id),
            segments: accepted.segments,
            price_micros,
            ..this
        };
        metrics::counter!("carom_texts_accepted_total").increment(1);
        if let Some(price) = price_micros {
            self.0.window.charged(&message.message_id, price);
        }
        self.insist(&message.message_id, &news).await;
        if accepted.state != State::Accepted {
            self.insist(&message.message_id, &News { state: accepted.state, ..this }).await;
        }
        if early {
            self.take_early((&message.message_id, message.try_no), provider, &accepted.provider_id)
                .await;
        }
    }

    /// Records news, trying a few times.
    pub(super) async fn insist(&self, message_id: &str, news: &News<'_>) {
        for wait in [100, 500, 2_000] {
            match self.0.store.take_news(message_id, news).await {
                Ok(_) => return self.0.news.notify_waiters(),
                Err(error) => {
                    tracing::warn!(%error, message_id, state = news.state.as_str(), "not recorded");
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    }

    async fn note_definite(&self, message: &Outgoing, sender: &str, failure: &Failure) {
        let class = failure.class;
        self.note_health(sender, &message.message_id, Some(class)).await;
        metrics::counter!(
            "carom_text_attempts_failed_total",
            "sender" => sender.to_owned(), "class" => class.as_str()
        )
        .increment(1);
        if class.needs_operator() {
            tracing::error!(sender, %failure, "sender needs the operator");
        } else {
            tracing::info!(sender, %failure, message = message.message_id, "text not accepted");
        }
        let (id, code) = (&message.message_id, failure.code.as_deref());
        if let Err(error) = self.0.store.not_written(id, message.try_no, class, code).await {
            tracing::warn!(%error, message = message.message_id, "failure not recorded");
        }
    }
}

impl Round {
    /// Takes a failure in; whether the next sender has its turn.
    fn goes_on(&mut self, failure: Failure, channel: Channel) -> bool {
        let class = failure.class;
        if class.may_pass() {
            self.later.push((channel, failure.retry_after));
            self.passing = self.passing.or(Some(class));
        }
        if class.is_of_the_channel() {
            self.closed.push(channel);
        }
        self.blocked += u8::from(class == Class::Blocked);
        // That one channel reaches nobody says less than what another's provider said.
        let heavier =
            !class.is_of_the_channel() || self.worst.as_ref().is_none_or(|(_, of)| *of == channel);
        if heavier {
            self.worst = Some((failure, channel));
        }
        (class.others_may_try() || class.is_of_the_channel()) && self.blocked < BLOCKED
    }

    fn ends(self, written: bool) -> Tried {
        let open = |channel| !self.closed.contains(channel);
        let later = self.later.iter().filter(|(channel, _)| open(channel));
        // With nobody else to try, the first whose rest is over.
        let rested = self.rest.iter().filter(|(channel, _)| open(channel)).map(|(_, left)| *left);
        let after = later.map(|(_, after)| *after).max().or_else(|| rested.min().map(Some));
        let worst = self.worst.map_or_else(|| Failure::of(Class::Config), |(failure, _)| failure);
        let why = self.passing.unwrap_or(Class::Expired);
        match after {
            _ if written => Tried::Ambiguous,
            Some(after) if worst.class.others_may_try() || worst.class.is_of_the_channel() => {
                Tried::Later { after, why }
            }
            _ => Tried::Failed(worst),
        }
    }
}

/// Why an attempt has no answer.
enum Unsent {
    Unwritten(Unwritten),
    Send(SendError),
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy)]
enum Unwritten {
    /// The message is not ours any more, or may not be.
    Lost,
    Store,
}

impl From<Unwritten> for Turn {
    fn from(why: Unwritten) -> Self {
        match why {
            Unwritten::Lost => Self::Over(Tried::Lost),
            Unwritten::Store => Self::NoMore,
        }
    }
}

/// A message as `sender` gives it to its provider.
pub(super) fn outbound<'a>(
    message: &'a Outgoing,
    sender: &'a Sender,
    now: i64,
) -> OutboundMessage<'a> {
    let (letter, left) =
        (&message.letter, u64::try_from(message.valid_until_ms - now).unwrap_or(0));
    OutboundMessage {
        reference: Reference { message_id: &message.message_id, attempt: message.try_no },
        channel: sender.channel,
        from: &sender.from,
        to: &message.to,
        text: &letter.text,
        language: &letter.language,
        template: sender.template.as_ref(),
        fill: Fill {
            link: letter.link.as_deref(),
            link_token: letter.link_token.as_deref(),
            brand: &letter.brand,
        },
        valid_for: Duration::from_millis(left.max(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: Class) -> Failure {
        Failure::of(class)
    }

    /// What comes of these failures, one sender after the other, and how many had a turn.
    fn round(failures: &[(Class, Channel)]) -> (Tried, usize) {
        let (mut round, mut turns) = (Round::default(), 0);
        for (class, channel) in failures {
            if round.closed.contains(channel) {
                continue;
            }
            turns += 1;
            if !round.goes_on(failure(*class), *channel) {
                break;
            }
        }
        (round.ends(false), turns)
    }

    #[test]
    fn a_channel_that_reaches_nobody_leaves_the_other_its_turn() {
        use Channel::{Sms, WhatsApp};
        let failed = |class| Tried::Failed(failure(class));
        let later = Tried::Later { after: None, why: Class::RateLimited };
        for (failures, expected, turns) in [
            (&[(Class::NotTextable, WhatsApp), (Class::Auth, Sms)][..], failed(Class::Auth), 2),
            (&[(Class::NotTextable, Sms), (Class::Auth, Sms)], failed(Class::NotTextable), 1),
            (&[(Class::RateLimited, Sms), (Class::Auth, Sms)], later.clone(), 2),
            (&[(Class::RateLimited, Sms), (Class::Invalid, Sms)], failed(Class::Invalid), 2),
            (&[(Class::RateLimited, Sms), (Class::NotTextable, WhatsApp)], later.clone(), 2),
            (&[(Class::RateLimited, Sms), (Class::OptedOut, Sms)], failed(Class::OptedOut), 2),
            (&[(Class::Blocked, Sms), (Class::NotTextable, WhatsApp)], failed(Class::Blocked), 2),
            (
                &[(Class::Blocked, Sms), (Class::Blocked, Sms), (Class::Auth, Sms)],
                failed(Class::Blocked),
                2,
            ),
            (&[], failed(Class::Config), 0),
        ] {
            assert_eq!(round(failures), (expected, turns), "{failures:?}");
        }
    }
}

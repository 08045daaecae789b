//! Texts to our senders: STOP, START and HELP are heeded at once; a digit after the question
//! how it went is a rating (EX-15); an answer to one of our texts is
//! told to whom it concerns, everything else to whoever wants to know (EX-25).

use std::time::Duration;

use message_text::E164;
use serde_json::json;
use sqlx::AnyConnection;

use super::{
    Reply, Sender, TextConfig, TextService,
    reply::{self, OwnWords, Word, compared},
};
use crate::{
    provider::{Channel, Fill, Inbound, OutboundMessage, Provider, Reference},
    store::{Event, LastText, StoreError, Subscription},
};

/// A text is answered while its channel lets one write freely: WhatsApp's window, ms.
pub(super) const WINDOW_MS: i64 = 24 * 3_600_000;
/// An answer to a text is tried this long.
const REPLY: Duration = Duration::from_secs(10);
/// So long a conversation is open after our last text, ms.
const OPEN_MS: i64 = 7 * 86_400_000;

impl TextService {
    /// Heeds a text; returns what is to be answered.
    pub(super) async fn take_text(
        &self,
        config: &TextConfig,
        name: &str,
        provider: &Provider,
        text: &Inbound,
    ) -> Result<Option<String>, StoreError> {
        let Some(from) = writer(config, name, text) else {
            metrics::counter!("carom_texts_unread_total").increment(1);
            tracing::warn!(provider = name, "a text is not read: it is from no number");
            return Ok(None);
        };
        let answer = self.heed(config, name, provider, text, &from).await?;
        let Some(answer) = answer else { return Ok(None) };
        let sender = sender(config, name, text);
        let may = self.may_answer(config, sender, (&from, &answer)).await?;
        Ok(may.then_some(answer))
    }

    async fn heed(
        &self,
        config: &TextConfig,
        name: &str,
        provider: &Provider,
        text: &Inbound,
        from: &E164,
    ) -> Result<Option<String>, StoreError> {
        let sender = sender(config, name, text);
        let of = sender.and_then(|sender| sender.business.as_deref());
        let last = self.0.store.last_text_to(from, of).await?;
        let own = config.words_of(of.or_else(|| last.as_ref().map(|last| last.business.as_str())));
        let word = Word::of(&text.text, &own);
        let replies = |open: &&LastText| config.reply(open, &text.text).is_some();
        if let Some(rating) = reply::rating(&text.text, &own)
            && let Some(question) = self.question(from, of).await?
            // A newer text that wants this very answer has it.
            && last.as_ref().filter(replies).is_none_or(|last| last.message_id == question.0)
        {
            self.0.store.rate((&question.0, &question.1), rating).await?;
            return Ok(None);
        }
        if word != Some(Word::Stop)
            && let Some(open) = self.open(last.as_ref())
            && let Some(reply) = config.reply(open, &text.text)
            && !self.0.store.is_opted_out(&open.business, from, "").await?
        {
            return self.take_reply(name, text, open, reply).await;
        }
        let plea = word.is_none() && reply::asks_to_stop(&text.text, &own);
        let word = if plea {
            // Heeded like the word, and passed on: a person may see that it meant something else.
            self.pass_on(config, (name, of), text, from, last.as_ref()).await?;
            Word::Stop
        } else if let Some(word) = word {
            word
        } else {
            return self.pass_on(config, (name, of), text, from, last.as_ref()).await;
        };
        let store = &self.0.store;
        let businesses: Vec<_> =
            store.keys().businesses().filter(|it| of.is_none_or(|of| of == *it)).collect();
        let key = key(name, text, "");
        let noted = |word: &str| format!("{key}|{word}");
        // What is told again is answered once.
        let is_new = match word {
            Word::Stop => {
                let (via, noted) = (if plea { "free_text" } else { "text" }, noted("stop"));
                let told = (name, noted.as_str());
                store.opt_out_by_text(&businesses, from, via, told, text.at_ms).await?
            }
            Word::Start => {
                // Whom it would take off a lost list can't be found, and so nothing is promised.
                let (lost, businesses): (Vec<_>, Vec<_>) =
                    businesses.into_iter().partition(|it| store.is_opt_out_list_lost(it));
                if !lost.is_empty() {
                    tracing::warn!(?lost, "a START is not heeded: the opt-out list is lost");
                }
                if businesses.is_empty() {
                    return Ok(None);
                }
                let noted = noted("start");
                store.opt_in_by_text(&businesses, from, (name, &noted), text.at_ms).await?
            }
            Word::Help => {
                let noted = noted("help");
                let once = async |conn: &mut AnyConnection| {
                    store.note_once(conn, name, None, (&noted, "help")).await
                };
                store.write(once).await?
            }
        };
        if !is_new {
            return Ok(None);
        }
        let replies_itself =
            sender.is_none_or(|sender| sender.auto_reply.unwrap_or(provider.replies_itself()));
        if replies_itself {
            return Ok(None);
        }
        let by = self.whose(of, last.as_ref());
        Ok(Some(reply::to(word, last.as_ref(), by, config)))
    }

    /// Answers a text by the sender it came to; one try, for it is no promise.
    pub(super) async fn write_back(
        &self,
        config: &TextConfig,
        name: &str,
        text: &Inbound,
        reply: &str,
    ) {
        let sender = sender(config, name, text);
        let (Some(provider), Some(sender), Some(to)) =
            (config.providers.get(name), sender, writer(config, name, text))
        else {
            return;
        };
        let now = self.0.store.now_ms();
        let closed = text.at_ms.is_some_and(|at_ms| now - at_ms >= WINDOW_MS);
        if sender.channel == Channel::WhatsApp && closed {
            return;
        }
        let id = super::attempt::new_id(now);
        let answer = OutboundMessage {
            reference: Reference { message_id: &id, attempt: 1 },
            channel: sender.channel,
            from: &sender.from,
            to: &to,
            text: reply,
            language: "",
            template: None,
            fill: Fill::default(),
            valid_for: Duration::from_secs(3_600),
        };
        if let Err(error) = provider.send(answer, REPLY).await {
            tracing::warn!(%error, sender = sender.name, "a text was not answered");
        }
    }

    /// The question how it went that a text may answer (EX-15).
    async fn question(
        &self,
        from: &E164,
        of: Option<&str>,
    ) -> Result<Option<(String, String)>, StoreError> {
        let since_ms = self.0.store.now_ms() - OPEN_MS;
        self.0.store.question_to(from, of, since_ms).await
    }

    /// The conversation that a text may go on with.
    fn open<'a>(&self, last: Option<&'a LastText>) -> Option<&'a LastText> {
        last.filter(|last| self.0.store.now_ms() - last.created_ms < OPEN_MS)
    }

    /// Whose an answer is, and in whose name: those of the sender, else of the last text.
    fn whose<'a>(
        &'a self,
        of: Option<&'a str>,
        last: Option<&'a LastText>,
    ) -> (Option<&'a str>, Option<&'a str>) {
        let business = of.or_else(|| last.map(|last| last.business.as_str()));
        let brand = business.map(|business| self.0.store.keys().brand(business));
        (business, brand.filter(|brand| !brand.is_empty()))
    }

    /// Tells whom the answer concerns, once however often the provider tells us.
    async fn take_reply(
        &self,
        name: &str,
        text: &Inbound,
        open: &LastText,
        reply: &Reply,
    ) -> Result<Option<String>, StoreError> {
        let store = &self.0.store;
        let key = key(name, text, &open.message_id);
        let hook = Subscription::of(&reply.hook.url, &[]).hook;
        let mut event = self.event("message.reply", &key, Some(open));
        let word = reply.words.first().cloned().unwrap_or_default();
        event.data.insert("reply".to_owned(), json!(word));
        let fresh = store
            .transaction(async |conn| {
                let noted = (key.as_str(), "received");
                let fresh = store.note_once(conn, name, Some(&open.message_id), noted).await?;
                if fresh {
                    store.tell_hook(conn, &hook, &event).await?;
                }
                Ok(fresh)
            })
            .await?;
        let answer = reply::in_language(&reply.answer, &open.language).map(str::to_owned);
        Ok(answer.filter(|_| fresh))
    }

    /// Tells the webhooks what somebody wrote. Where answers are expected, and this is none, the
    /// person is helped, once in a conversation.
    async fn pass_on(
        &self,
        config: &TextConfig,
        (name, of): (&str, Option<&str>),
        text: &Inbound,
        from: &E164,
        last: Option<&LastText>,
    ) -> Result<Option<String>, StoreError> {
        let store = &self.0.store;
        let open = self.open(last);
        let id = open.map_or("", |open| open.message_id.as_str());
        let key = key(name, text, id);
        let mut event = self.event("message.received", &key, open);
        event.data.insert("from_region".to_owned(), json!(from.region()));
        event.data.insert("reply_to".to_owned(), json!(store.reply_to(from)?));
        event.text = Some(text.text.clone());
        let first = store.keys().businesses().next().unwrap_or_default();
        let whose = open.map(|open| open.business.as_str()).or(of).unwrap_or(first);
        event.from_key = Some(store.keys().caller_keys(whose, from, event.at_ms).0);
        let mut asked = open.filter(|open| config.replies.contains_key(&open.business));
        if let Some(open) = asked
            && store.is_opted_out(&open.business, from, "").await?
        {
            // Who wants no texts gets no such help either: only STOP, START and HELP are answered.
            asked = None;
        }
        let helped = asked.map(|open| format!("help|{}", open.message_id));
        let helps = store
            .transaction(async |conn| {
                let noted = (key.as_str(), "received");
                let id = open.map(|open| open.message_id.as_str());
                if !store.note_once(conn, name, id, noted).await? {
                    return Ok(false);
                }
                store.tell_with(conn, &event).await?;
                match &helped {
                    Some(helped) => store.note_once(conn, name, id, (helped, "helped")).await,
                    None => Ok(false),
                }
            })
            .await?;
        let answer = || reply::to(Word::Help, last, self.whose(of, last), config);
        Ok(helps.then(answer))
    }

    fn event(&self, kind: &'static str, subject: &str, open: Option<&LastText>) -> Event {
        let data = [
            ("message_id", json!(open.map(|open| &open.message_id))),
            ("call_id", json!(open.map(|open| &open.call_id))),
            ("business", json!(open.map(|open| &open.business))),
        ];
        Event {
            kind,
            subject: subject.to_owned(),
            at_ms: self.0.store.now_ms(),
            data: data.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            text: None,
            from_key: None,
        }
    }
}

impl TextConfig {
    /// The reply that a text means.
    fn reply(&self, open: &LastText, text: &str) -> Option<&Reply> {
        let text = compared(text);
        let means = |reply: &&Reply| reply.words.iter().any(|word| compared(word) == text);
        self.replies.get(&open.business)?.iter().find(means)
    }

    /// The own words of a business; of all, where nobody knows whose sender somebody wrote to.
    fn words_of(&self, business: Option<&str>) -> OwnWords {
        let known = self.words.iter().filter(|(of, _)| business.is_none_or(|it| it == *of));
        let mut all = OwnWords::default();
        for (_, own) in known {
            all.stop.extend_from_slice(&own.stop);
            all.help.extend_from_slice(&own.help);
        }
        all
    }
}

/// The same for the same text. One without an id is itself each time it is told.
fn key(provider: &str, text: &Inbound, message_id: &str) -> String {
    match &text.id {
        Some(id) => format!("{provider}|in|{id}"),
        None => format!("{provider}|in|{message_id}|{}", uuid::Uuid::now_v7()),
    }
}

/// Whom a text is from. A number in the form of its country is read by the number it came to, else by
/// where the provider's sender serves.
fn writer(config: &TextConfig, provider: &str, text: &Inbound) -> Option<E164> {
    if let Ok(from) = text.from.parse() {
        return Some(from);
    }
    let national = Some(text.from.as_str()).filter(|from| !from.starts_with('+'))?;
    let of_provider = || config.senders.iter().find(|sender| sender.provider == provider);
    let sender = sender(config, provider, text).or_else(of_provider);
    let to: Result<E164, _> = format!("+{}", text.to.trim_start_matches('+')).parse();
    let region = match &to {
        Ok(to) => to.region(),
        Err(_) => sender?.regions.first()?.as_str(),
    };
    E164::parse(national, region).ok()
}

/// The sender of a provider that a text came to: the number itself, else the service that it
/// belongs to.
fn sender<'a>(config: &'a TextConfig, provider: &str, text: &Inbound) -> Option<&'a Sender> {
    let digits = |number: &str| number.trim_start_matches('+').to_owned();
    let of_provider = || config.senders.iter().filter(|sender| sender.provider == provider);
    let is_number = |sender: &&Sender| digits(&sender.from) == digits(&text.to);
    let is_service = |sender: &&Sender| text.service.as_ref() == Some(&sender.from);
    of_provider().find(is_number).or_else(|| of_provider().find(is_service))
}

//! Offers are taken up: a text is sent, or its link is handed over.

use std::{sync::Arc, time::Duration};

use deflect_actions::store::{OfferAnswered, OfferClaim, Row, StoreError};
use ivr_runtime::{call::TextOutcome, key::Key};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    GOOD_FOR, Invited, NoOffer, OfferedLink, Overrides, Question, RemoteCalls,
    call::{Stop, Texts},
    offers::Waiting,
    overrides::Words,
};
use crate::config::Snapshot;

/// An invite that another node works on is waited for so long, looking so often: the connection of who
/// asks is kept open for 10 s.
const PATIENCE: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(200);

impl RemoteCalls {
    /// Has every node of the store know of an offer.
    ///
    /// # Errors
    /// The store fails: the offer is taken back, for its text could not be promised either.
    pub async fn publish(&self, offer_id: &str, question: &Question) -> Result<(), StoreError> {
        let question = serde_json::to_string(question).map_err(std::io::Error::other)?;
        let kept = self.services.store.keep_offer(offer_id, &question, GOOD_FOR).await;
        if kept.is_err() {
            self.give_up(offer_id);
        }
        kept
    }

    /// Accepts a published offer in the person's name, as it was made or as is wanted. Told again
    /// with the same `key` it does nothing and returns the same.
    ///
    /// # Errors
    /// No such offer waits, or it can't be had as wanted; then it waits on.
    pub async fn invite(
        &self,
        snapshot: &Arc<Snapshot>,
        offer_id: &str,
        key: &str,
        wanted: &Overrides,
    ) -> Result<Invited, NoOffer> {
        let store = &self.services.store;
        let call_id = call_of(offer_id, wanted);
        let question = match self.claim(offer_id, key, &call_id).await? {
            OfferClaim::Ours(question) => question,
            OfferClaim::Answered(answer) => {
                return serde_json::from_str(&answer).map_err(|_| NoOffer::Gone);
            }
            OfferClaim::UnderWay => return self.by_its_message(&[offer_id, &call_id]).await,
            OfferClaim::Gone => return Err(NoOffer::Gone),
        };
        let came = self.take_up(snapshot, offer_id, &question, wanted).await;
        match &came {
            Ok(invited) => self.keep_answer(offer_id, key, invited).await,
            Err(_) => {
                if let Err(error) = store.release_offer(offer_id, key).await {
                    tracing::warn!(%error, call = offer_id, "an offer stays taken");
                }
            }
        }
        came
    }

    /// Keeps what came of an invite, for who asks again.
    async fn keep_answer(&self, offer_id: &str, key: &str, invited: &Invited) {
        let answer = OfferAnswered {
            offer_id: offer_id.to_owned(),
            key: key.to_owned(),
            answer: serde_json::to_string(invited).unwrap_or_default(),
        };
        // Where its message tells the same nobody has to wait for it.
        let told = invited.message_id.is_some() && invited.call_id == offer_id;
        let services = &self.services;
        if told && services.writer.try_write(Row::OfferAnswered(answer.clone())).is_ok() {
            return;
        }
        if let Err(error) = services.store.answer_offer(&answer).await {
            tracing::warn!(%error, call = offer_id, "what came of an invite is not kept");
        }
    }

    /// Accepts an offer that was not published: it is this node's, and asked for once.
    ///
    /// # Errors
    /// It can't be had as wanted.
    pub async fn invite_at_once(
        &self,
        offer_id: &str,
        wanted: &Overrides,
    ) -> Result<Invited, NoOffer> {
        let waiting = self.offers.take(offer_id).ok_or(NoOffer::Gone)?;
        self.accept(waiting, wanted).await.map_err(|(mut waiting, why)| {
            waiting.call.hang_up(&self.services);
            why
        })
    }

    /// Accepts an offer in the person's name and returns its link, which the other IVR texts itself;
    /// `None`: its text has none, or the store fails.
    pub async fn link(&self, offer_id: &str) -> Option<OfferedLink> {
        let mut waiting = self.offers.take(offer_id)?;
        let keys = waiting.ways.first().map(|way| way.keys.clone()).unwrap_or_default();
        let mut link = None;
        for key in keys {
            waiting.call.press(key);
            match waiting.call.go_on(&self.services, Texts::AreTheirs).await {
                Stop::AtPrompt => {}
                Stop::Linked(found) => {
                    link = found;
                    waiting.call.go_on(&self.services, Texts::AreTheirs).await;
                    break;
                }
                Stop::Texted(..) | Stop::Over => break,
            }
        }
        waiting.call.hang_up(&self.services);
        link
    }

    /// Claims an offer in the store, where only one of all nodes gets it.
    async fn claim(&self, offer_id: &str, key: &str, call_id: &str) -> Result<OfferClaim, NoOffer> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let claim = self.services.store.claim_offer(offer_id, key, call_id).await;
            let claim = claim.map_err(|error| {
                tracing::warn!(%error, "an offer cannot be looked up");
                NoOffer::Store
            })?;
            if claim != OfferClaim::UnderWay || tokio::time::Instant::now() >= until {
                return Ok(claim);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What a text of one of these calls says of an invite whose node has not answered it.
    async fn by_its_message(&self, calls: &[&str]) -> Result<Invited, NoOffer> {
        let mut newest = None;
        for call_id in calls {
            let found = self.services.store.messages_of(call_id).await;
            let found = found.map_err(|_| NoOffer::Store)?.into_iter().next_back();
            newest = found.map(|message| ((*call_id).to_owned(), message)).or(newest);
        }
        let (call_id, message) = newest.ok_or(NoOffer::UnderWay)?;
        let outcome = match message.state.as_str() {
            "queued" | "claimed" => TextOutcome::Queued,
            "ambiguous" | "unknown" => TextOutcome::Ambiguous,
            "failed" | "undelivered" | "canceled" => {
                TextOutcome::Failed { class: message.error_class.unwrap_or_default() }
            }
            _ => TextOutcome::Accepted { sender: message.sender.unwrap_or_default() },
        };
        let message_id = Some(message.message_id);
        Ok(Invited { call_id, outcome, message_id })
    }

    async fn take_up(
        &self,
        snapshot: &Arc<Snapshot>,
        offer_id: &str,
        question: &str,
        wanted: &Overrides,
    ) -> Result<Invited, NoOffer> {
        let waiting = match self.offers.take(offer_id) {
            Some(waiting) => waiting,
            // It was made by another node, or before a restart.
            None => {
                let question = serde_json::from_str(question).map_err(|_| NoOffer::Gone)?;
                let (_, begun) = self.begin(snapshot, question, Some(offer_id)).await;
                begun.map_err(|_| NoOffer::Gone)?
            }
        };
        self.accept(waiting, wanted).await.map_err(|(waiting, why)| {
            self.offers.keep(offer_id, *waiting, &self.services);
            why
        })
    }

    /// Lets the call of an offer go on to its text; `Err`: the offer as it was.
    async fn accept(
        &self,
        offered: Waiting,
        wanted: &Overrides,
    ) -> Result<Invited, (Box<Waiting>, NoOffer)> {
        let (mut waiting, original) = match &wanted.intent {
            Some(intent) if offered.question.intent.as_ref() != Some(intent) => {
                match self.about(intent, &offered).await {
                    Ok(other) => (other, Some(offered)),
                    Err(why) => return Err((Box::new(offered), NoOffer::OtherIntent(why))),
                }
            }
            _ => (offered, None),
        };
        let (words, keys) = match (fitting(&waiting, wanted), original) {
            (Ok(fitting), None) => fitting,
            (Ok(fitting), Some(mut original)) => {
                original.call.hang_up(&self.services);
                fitting
            }
            (Err(why), None) => return Err((Box::new(waiting), why)),
            (Err(why), Some(original)) => {
                waiting.call.hang_up(&self.services);
                return Err((Box::new(original), why));
            }
        };
        waiting.call.words = words;
        let mut outcome = TextOutcome::Failed { class: "not_offered".to_owned() };
        let mut message_id = None;
        for key in keys {
            waiting.call.press(key);
            match waiting.call.go_on(&self.services, Texts::AreOurs).await {
                Stop::AtPrompt => {}
                Stop::Texted(came, message) => {
                    (outcome, message_id) = (came, message);
                    // What the flow makes of it, as far as it needs nobody.
                    waiting.call.go_on(&self.services, Texts::AreOurs).await;
                    break;
                }
                Stop::Linked(_) | Stop::Over => break,
            }
        }
        let call_id = waiting.call.ledger.call_id.clone();
        waiting.call.hang_up(&self.services);
        Ok(Invited { call_id, outcome, message_id })
    }

    /// Asks anew about something else than was asked about; `Err`: why there is no offer.
    async fn about(&self, intent: &str, offered: &Waiting) -> Result<Waiting, String> {
        let question = Question { intent: Some(intent.to_owned()), ..offered.question.clone() };
        let call_id = other_matter(&offered.call.ledger.call_id, intent);
        self.begin(&offered.call.snapshot, question, Some(&call_id)).await.1
    }

    fn give_up(&self, offer_id: &str) {
        if let Some(mut waiting) = self.offers.take(offer_id) {
            waiting.call.hang_up(&self.services);
        }
    }
}

/// The call that an invite of an offer counts as; of its own matter, that of the offer.
fn call_of(offer_id: &str, wanted: &Overrides) -> String {
    match &wanted.intent {
        Some(intent) => other_matter(offer_id, intent),
        None => offer_id.to_owned(),
    }
}

/// The call about another matter than an offer's: the same whoever makes it again after a crash, so
/// that its text is the same one and goes out once.
fn other_matter(offer_id: &str, intent: &str) -> String {
    let hash = Sha256::digest(format!("{offer_id}|{intent}"));
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    let of_offer = Uuid::parse_str(offer_id).ok().and_then(|id| id.get_timestamp());
    let (seconds, nanos) = of_offer.map_or((0, 0), |at| at.to_unix());
    let at_ms = seconds * 1_000 + u64::from(nanos) / 1_000_000;
    uuid::Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid().to_string()
}

/// The words and the keys by which an offer is had as wanted.
fn fitting(offered: &Waiting, wanted: &Overrides) -> Result<(Option<Words>, Vec<Key>), NoOffer> {
    let way = offered.ways.iter().find(|way| wanted.fits(way)).ok_or(NoOffer::OtherChannel)?;
    let (flow, brand) = (offered.call.machine.flow(), &offered.call.ledger.brand);
    let words = wanted.words(flow, brand, way).map_err(NoOffer::OtherText)?;
    Ok((words, way.keys.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_matter_of_an_offer_is_one_call_and_each_its_own() {
        let offer = Uuid::now_v7().to_string();
        let bills = other_matter(&offer, "bills");
        assert_eq!(other_matter(&offer, "bills"), bills);
        assert_ne!(other_matter(&offer, "orders"), bills);
        let id = Uuid::parse_str(&bills).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(bills[..13], offer[..13], "of the same moment");
        assert_eq!(call_of(&offer, &Overrides::default()), offer);
    }
}

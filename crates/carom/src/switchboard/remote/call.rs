//! A call without a phone: the call machine, driven until it needs a key or has a text.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ivr_runtime::{
    call::{Call, Input, OfferResponse, Output, Record, Report, TextOutcome, TextRequest},
    key::Key,
};

use super::{OfferedLink, overrides::Words};
use crate::{
    config::Snapshot,
    switchboard::{
        fetch::{self, Question as Asked},
        frame::Frame,
        record::Ledger,
        tasks::{self, Services, outcome_told},
    },
};

/// Into a prompt a key is pressed that accepts it.
const INTO_PROMPT: Duration = Duration::from_millis(1_500);
/// Outputs of one call.
const OUTPUTS: usize = 1_000;

/// A call without a phone.
#[derive(Debug)]
pub(super) struct RemoteCall {
    pub machine: Call,
    pub ledger: Ledger,
    pub snapshot: Arc<Snapshot>,
    pub now: Duration,
    /// Why the flow makes no offer.
    pub suppressed: Option<String>,
    /// Words in place of the flow's.
    pub words: Option<Words>,
}

/// Who sends the texts of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    AreOurs,
    /// The other IVR; it needs the link only.
    AreTheirs,
}

/// Where a call stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// A prompt waits for a key.
    AtPrompt,
    /// A text was handed over.
    Texted(TextOutcome, Option<String>),
    /// A text's link was handed over.
    Linked(Option<OfferedLink>),
    /// It is over, or goes where nobody can follow.
    Over,
}

impl RemoteCall {
    /// Lets the call go on until it needs a key, has handed a text over, or is over.
    pub async fn go_on(&mut self, services: &Services, texts: Texts) -> Stop {
        let mut inputs = VecDeque::new();
        for _ in 0..OUTPUTS {
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Record(record) => self.note(&record, services),
                    Output::Answer => inputs.push_back(Input::Answered),
                    Output::Play { .. } if self.machine.awaits_key() => return Stop::AtPrompt,
                    Output::Play { id, .. } => {
                        inputs.push_back(Input::PlayDone { id, completed: true });
                    }
                    Output::Fetch(request) => {
                        let id = request.id;
                        let asked = Asked::of(&self.frame(), services, request);
                        let outcome = match asked {
                            Some(asked) => asked.ask(services).await,
                            None => fetch::not_ready(),
                        };
                        inputs.push_back(Input::Fetched { id, outcome });
                    }
                    Output::SendText(request) if texts == Texts::AreTheirs => {
                        let number = request.offer;
                        let link = self.link_of(request, services).await;
                        let outcome = match &link {
                            Some(_) => TextOutcome::Accepted { sender: self.ledger.trunk.clone() },
                            None => TextOutcome::Failed { class: "no_link".to_owned() },
                        };
                        let told = Input::Text(Report::new(number, outcome));
                        self.machine.handle_input(self.now, told);
                        return Stop::Linked(link);
                    }
                    Output::SendText(mut request) => {
                        match self.words.take() {
                            Some(words) if words.step == request.step => {
                                request.message = words.text
                            }
                            Some(_) => return Stop::Over,
                            None => {}
                        }
                        let (id, number) = (services.texts.message_id(), request.offer);
                        let outcome = match tasks::order(&self.frame(), request) {
                            Ok(order) => {
                                let by = Arc::clone(&self.snapshot.texts);
                                let sent = services.texts.send_as(id.clone(), by, order).await;
                                outcome_told(sent)
                            }
                            Err(_) => TextOutcome::Failed { class: "no_token".to_owned() },
                        };
                        let told = Input::Text(Report::new(number, outcome.clone()));
                        self.machine.handle_input(self.now, told);
                        let accepted = matches!(outcome, TextOutcome::Accepted { .. });
                        return Stop::Texted(outcome, accepted.then_some(id));
                    }
                    Output::Forward { .. }
                    | Output::CallAgent(_)
                    | Output::Reject { .. }
                    | Output::HangUp => {
                        return Stop::Over;
                    }
                    _ => {}
                }
            }
            match inputs.pop_front() {
                Some(input) => self.machine.handle_input(self.now, input),
                None => {
                    let Some(until) = self.machine.poll_timeout() else { return Stop::Over };
                    self.now = self.now.max(until);
                    self.machine.handle_timeout(self.now);
                }
            }
        }
        Stop::Over
    }

    /// The link of a text that we do not send; its page is kept without a message.
    async fn link_of(&self, request: TextRequest, services: &Services) -> Option<OfferedLink> {
        let order = tasks::order(&self.frame(), request).ok()?;
        let url = order.link.clone()?;
        let mut until_ms = order.not_after_ms;
        if let Some(page) = &order.page {
            let kept = services.store.keep_page(&self.ledger.call_id, page).await;
            kept.inspect_err(|error| tracing::warn!(%error, "a link is not kept")).ok()?;
            until_ms = Some(until_ms.map_or(page.expires_ms, |until| until.min(page.expires_ms)));
        }
        Some(OfferedLink { url, until_ms })
    }

    pub fn press(&mut self, key: Key) {
        self.now += INTO_PROMPT;
        self.machine.handle_input(self.now, Input::KeyDown(key));
        self.machine.handle_input(self.now, Input::Key(key));
    }

    pub fn hang_up(&mut self, services: &Services) {
        self.machine.handle_input(self.now, Input::HungUp);
        while let Some(output) = self.machine.poll_output() {
            if let Output::Record(record) = output {
                self.note(&record, services);
            }
        }
    }

    fn note(&mut self, record: &Record, services: &Services) {
        let suppressed = match record {
            Record::Offer { response: OfferResponse::Suppressed, reason, .. }
            | Record::OfferResponse { response: OfferResponse::Suppressed, reason, .. } => reason,
            _ => &None,
        };
        if let Some(reason) = suppressed {
            self.suppressed.get_or_insert_with(|| reason.clone());
        }
        for row in self.ledger.take(record, &self.snapshot.prompts) {
            services.store(row);
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            ledger: &self.ledger,
            flow: self.machine.flow(),
            snapshot: &self.snapshot,
            withheld: false,
        }
    }
}

//! Calls through drafted flows in virtual time, seen from outside: outputs and records.

mod again;
mod agents;
mod asks;
mod bounds;
mod callbacks;
mod comfort;
mod digital_only;
mod emergencies;
mod follow_ups;
mod leaving_the_line;
mod links;
mod menus;
mod numbers;
mod offers;
mod send_link;
mod shares;
mod spoken;
mod statuses;
mod steps;
mod targets;
mod texts;
mod topics;
mod tries;
mod voicemails;
mod waits;

use std::time::Duration;

use super::*;
use crate::{
    key::Key,
    sim::{Obedient, Stage, draft::*},
};

/// A caller on the line.
struct Phone(Stage<Obedient>);

impl Phone {
    fn call(draft: Draft) -> Self {
        Self::call_with(draft, facts(), Obedient::default())
    }

    fn call_with(draft: Draft, facts: Facts, world: Obedient) -> Self {
        let call = Call::new(Duration::ZERO, draft.done(), facts);
        let mut phone = Self(Stage::new(call, world, Duration::ZERO));
        phone.wait_ms(0);
        phone
    }

    fn wait_ms(&mut self, ms: u64) -> &mut Self {
        self.0.pass(Duration::from_millis(ms));
        self
    }

    fn wait(&mut self, seconds: u64) -> &mut Self {
        self.wait_ms(seconds * 1_000)
    }

    /// A key in the middle of a prompt, after the guard.
    fn press(&mut self, label: char) -> &mut Self {
        self.wait_ms(1_500).press_now(label)
    }

    fn press_now(&mut self, label: char) -> &mut Self {
        self.0.input(Input::KeyDown(key(label)));
        self.wait_ms(100);
        self.0.input(Input::Key(key(label)));
        self.wait_ms(0)
    }

    fn hang_up(&mut self) -> &mut Self {
        self.0.input(Input::HungUp);
        self
    }

    /// Names of the prompts that were played.
    fn heard(&self) -> Vec<&str> {
        let plays = self.0.outputs().iter().filter_map(|output| match output {
            Output::Play { prompts, .. } => Some(prompts),
            _ => None,
        });
        plays.flatten().map(String::as_str).collect()
    }

    fn texts(&self) -> Vec<&TextRequest> {
        let texts = self.0.outputs().iter().filter_map(|output| match output {
            Output::SendText(request) => Some(request),
            _ => None,
        });
        texts.collect()
    }

    /// Names of the targets called.
    fn forwards(&self) -> Vec<&str> {
        let records = self.0.records().filter_map(|record| match record {
            Record::ForwardStarted { target, .. } => Some(target.as_str()),
            _ => None,
        });
        records.collect()
    }

    /// Step and exit of every step left, `…` while it lasts.
    fn path(&self) -> Vec<String> {
        let mut path: Vec<String> = Vec::new();
        for record in self.0.records() {
            match record {
                Record::StepEntered { step, .. } => path.push(format!("{step} …")),
                Record::StepLeft { seq, exit, .. } => {
                    let entry = &mut path[*seq as usize - 1];
                    *entry = entry.replace('…', exit);
                }
                _ => {}
            }
        }
        path
    }

    fn notes(&self) -> Vec<&str> {
        let notes = self.0.records().filter_map(|record| match record {
            Record::StepLeft { note, .. } => note.as_deref(),
            _ => None,
        });
        notes.collect()
    }

    /// Stage, answer, key and reason of every offer, as the store would show them.
    fn offers(&self) -> Vec<(String, OfferResponse, Option<Key>, Option<String>)> {
        let mut offers: Vec<(String, OfferResponse, Option<Key>, Option<String>)> = Vec::new();
        for record in self.0.records() {
            match record.clone() {
                Record::Offer { stage, response, pressed, reason, .. } => {
                    offers.push((stage, response, pressed, reason));
                }
                Record::OfferResponse { n, response, pressed, reason, .. } => {
                    let offer = &mut offers[n as usize - 1];
                    (offer.1, offer.2, offer.3) = (response, pressed, reason);
                }
                _ => {}
            }
        }
        offers
    }

    fn suppressed(&self) -> Vec<String> {
        let offers = self.offers().into_iter();
        offers.filter(|offer| offer.1 == OfferResponse::Suppressed).filter_map(|o| o.3).collect()
    }

    fn end(&self) -> Option<(EndReason, Handled)> {
        self.0.records().find_map(|record| match record {
            Record::End { reason, handled, .. } => Some((*reason, *handled)),
            _ => None,
        })
    }

    /// Whether the store counts an answer in the call.
    fn counted(&self) -> bool {
        let answered = |record: &Record| matches!(record, Record::Outcome { kind, .. } if kind == "answered_in_ivr");
        self.0.records().any(answered)
    }

    fn has(&self, output: &Output) -> bool {
        self.0.outputs().contains(output)
    }
}

/// A caller whom a text can reach, calling for the first time.
fn facts() -> Facts {
    Facts {
        call_id: "018f".into(),
        called: "+442079460019".into(),
        caller: Some("+447700900001".into()),
        caller_seed: 1,
        can_receive_text: Some(true),
        flags: Some(Vec::new()),
        history: Some(History::default()),
        start_ms: 1_767_225_600_000,
        ..Facts::default()
    }
}

fn saying(outcome: TextOutcome) -> Obedient {
    Obedient { text: Some(outcome), ..Obedient::default() }
}

fn target_says(outcomes: &[(&str, TargetOutcome)]) -> Obedient {
    let targets = outcomes.iter().map(|(name, outcome)| ((*name).into(), Some(*outcome)));
    Obedient { targets: targets.collect(), ..Obedient::default() }
}

//! A flow tried by hand: keys in, what a caller would notice out.

use std::{sync::Arc, time::Duration};

use super::{
    stage::{Stage, Topic},
    world::Obedient,
};
use crate::{
    call::{Call, Facts, Input, Output, Record, TextRequest},
    flow::model::Flow,
    key::Key,
};

/// How far into its prompt a typed key comes: after the guard of a key that accepts a text.
const INTO_THE_PROMPT: Duration = Duration::from_millis(1_500);
/// How long a key is held.
const HELD: Duration = Duration::from_millis(100);

/// What a caller notices, and what is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The call is answered.
    Answered,
    /// Prompts play.
    Prompts {
        /// Of this prompt set.
        language: String,
        /// Names.
        prompts: Vec<String>,
    },
    /// A text is on its way.
    Text(Box<TextRequest>),
    /// A text follows the call.
    FollowUp {
        /// What it says.
        text: Box<TextRequest>,
        /// When, ms UTC.
        due_ms: i64,
    },
    /// A system of the business is asked.
    Asked {
        /// By this step.
        step: String,
    },
    /// The target that is called.
    Forward {
        /// Its name.
        target: String,
    },
    /// The voice bot that is called.
    Agent {
        /// Name of its target.
        target: String,
    },
    /// A final response instead of an answer.
    Rejected {
        /// SIP status.
        status: u16,
    },
    /// BYE from us.
    HungUp,
    /// A row of the call's record.
    Record(Record),
}

/// A call in which time stands still until the next key.
#[derive(Debug)]
pub struct Player {
    stage: Stage<Obedient>,
}

impl Player {
    /// A call arrives; what is heard first comes with [`Player::listen`].
    pub fn new(flow: Arc<Flow>, facts: Facts, world: Obedient) -> Self {
        let call = Call::new(Duration::ZERO, flow, facts);
        Self { stage: Stage::new(call, world, Duration::ZERO) }
    }

    /// Lets the call go on until it waits for a key, is bridged, a bot has the caller, or it is
    /// over.
    pub fn listen(&mut self) -> Vec<Heard> {
        while !self.waits() && self.stage.step() {}
        self.heard()
    }

    /// The caller presses a key while the prompt plays, and listens.
    pub fn key(&mut self, key: Key) -> Vec<Heard> {
        self.stage.pass(INTO_THE_PROMPT);
        self.stage.input(Input::KeyDown(key));
        self.stage.pass(HELD);
        self.stage.input(Input::Key(key));
        self.listen()
    }

    /// The caller says and presses nothing until something new happens.
    pub fn silence(&mut self) -> Vec<Heard> {
        while !self.stage.outputs().iter().any(is_noticed) && self.stage.step() {}
        self.listen()
    }

    /// The caller lets time pass.
    pub fn wait(&mut self, time: Duration) -> Vec<Heard> {
        self.stage.pass(time);
        self.listen()
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self) -> Vec<Heard> {
        self.stage.plan(Duration::ZERO, Topic::Caller, Input::HungUp);
        self.stage.pass(Duration::ZERO);
        self.heard()
    }

    /// The call: the step it is in, whether it is over.
    pub fn call(&self) -> &Call {
        &self.stage.call
    }

    /// Time since the call arrived.
    pub fn elapsed(&self) -> Duration {
        self.stage.now
    }

    fn waits(&self) -> bool {
        let call = &self.stage.call;
        call.is_over() || call.is_bridged() || call.is_with_agent() || call.awaits_key()
    }

    fn heard(&mut self) -> Vec<Heard> {
        let outputs = self.stage.take_outputs();
        outputs.into_iter().filter_map(|output| self.hear(output)).collect()
    }

    fn hear(&self, output: Output) -> Option<Heard> {
        Some(match output {
            Output::Answer => Heard::Answered,
            Output::Play { language, prompts, .. } => Heard::Prompts { language, prompts },
            Output::SendText(request) => Heard::Text(Box::new(request)),
            Output::FollowUp { text, due_ms, .. } => {
                Heard::FollowUp { text: Box::new(text), due_ms }
            }
            Output::Hold { language, prompts, .. } => Heard::Prompts { language, prompts },
            Output::Forward { target, .. } => {
                let target = self.stage.call.flow().targets.get(usize::from(target.0))?;
                Heard::Forward { target: target.name.clone() }
            }
            Output::CallAgent(request) => {
                let target = self.stage.call.flow().targets.get(usize::from(request.target.0))?;
                Heard::Agent { target: target.name.clone() }
            }
            Output::Fetch(request) => Heard::Asked { step: request.step },
            Output::Reject { status } => Heard::Rejected { status },
            Output::HangUp => Heard::HungUp,
            Output::Record(record) => Heard::Record(record),
            Output::StopPlay
            | Output::FindSlot(_)
            | Output::BookCallback(_)
            | Output::CancelCallback { .. }
            | Output::StopForward
            | Output::Rebridge
            | Output::Unbridge
            | Output::TakeVoice { .. }
            | Output::StopVoice
            | Output::RecordOptOut { .. } => return None,
        })
    }
}

fn is_noticed(output: &Output) -> bool {
    !matches!(
        output,
        Output::Record(_)
            | Output::FollowUp { .. }
            | Output::StopPlay
            | Output::StopForward
            | Output::Rebridge
            | Output::Unbridge
            | Output::Fetch(_)
    )
}

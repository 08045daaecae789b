//! `say`: plays and goes on. Keys pressed meanwhile wait for the next step that listens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leave, Turn, check};
use crate::{
    call::{
        Input,
        desk::{Context, Playback, Played},
    },
    flow::model::{Go, PromptList},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Say {
    playback: Playback,
}

impl Say {
    pub fn begin(play: &PromptList, then: Go, context: &mut Context<'_>) -> Result<Self, Leave> {
        let playback = context.play(play, false).ok_or_else(|| Leave::next(then))?;
        check::ask_ahead(then, context);
        Ok(Self { playback })
    }

    pub fn handle_input(&mut self, then: Go, context: &mut Context<'_>, input: &Input) -> Turn {
        if let Input::Key(key) = input {
            context.keys.push(*key);
        }
        match self.playback.input(input) {
            Some(Played::ToTheEnd) => {
                context.progress.served = true;
                Turn::Leave(Leave::next(then))
            }
            Some(Played::Stopped | Played::Failed) => prompt_failed(),
            None => Turn::Stay,
        }
    }

    pub fn handle_timeout(&mut self, context: &Context<'_>) -> Turn {
        self.playback.timeout(context.now).map_or(Turn::Stay, |_| prompt_failed())
    }

    pub fn poll_timeout(&self) -> Duration {
        self.playback.poll_timeout()
    }
}

fn prompt_failed() -> Turn {
    Turn::Leave(Leave::failed(None, "prompt_failed"))
}

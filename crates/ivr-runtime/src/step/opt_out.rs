//! `opt-out`: a confirming key, recorded like STOP. Keys typed ahead confirm nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, Leave, Next, Turn};
use crate::{
    call::{
        Input, Output,
        desk::{Context, Playback, Played},
    },
    flow::model::{Does, Go, PromptList},
    key::Key,
};

/// From the end of the prompt to "no key".
pub(crate) const FIRST_KEY: Duration = Duration::from_secs(8);
/// The store has so long to record it.
pub(crate) const RECORD_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asking {
    Playing(Playback),
    Listening { until: Duration },
    Recording { until: Duration },
}

impl Asking {
    pub fn begin(play: &PromptList, context: &mut Context<'_>) -> Self {
        context.keys.flush();
        match context.play(play, true) {
            Some(playback) => Self::Playing(playback),
            None => Self::listen(context.now),
        }
    }

    pub fn handle_input(&mut self, does: &Does, context: &mut Context<'_>, input: &Input) -> Turn {
        let Does::OptOut { confirm, topic, then, no_input, if_fails, .. } = does else {
            return super::mismatch();
        };
        match (&*self, input) {
            (Self::Playing(_), Input::KeyDown(_)) => {
                context.desk.push(Output::StopPlay);
                *self = Self::listen(context.now);
                Turn::Stay
            }
            (Self::Playing(_) | Self::Listening { .. }, Input::Key(key)) => {
                if matches!(self, Self::Playing(_)) {
                    context.desk.push(Output::StopPlay);
                }
                self.key(*key, *confirm, topic, *no_input, context)
            }
            (Self::Playing(playback), _) => match playback.input(input) {
                Some(Played::ToTheEnd | Played::Stopped) => {
                    *self = Self::listen(context.now);
                    Turn::Stay
                }
                Some(Played::Failed) => prompt_failed(*if_fails),
                None => Turn::Stay,
            },
            (Self::Recording { .. }, Input::OptOut(true)) => {
                context.facts.opted_out = true;
                context.progress.answered_in_ivr = true;
                Turn::Leave(Leave::by(Exit::Key(*confirm), Next::Go(*then)))
            }
            (Self::Recording { .. }, Input::OptOut(false)) => not_recorded(*if_fails),
            (Self::Recording { .. }, Input::Key(key)) => {
                context.keys.push(*key);
                Turn::Stay
            }
            (Self::Listening { .. } | Self::Recording { .. }, _) => Turn::Stay,
        }
    }

    pub fn handle_timeout(&mut self, does: &Does, context: &Context<'_>) -> Turn {
        let Does::OptOut { no_input, if_fails, .. } = does else { return super::mismatch() };
        match self {
            Self::Playing(playback) => {
                playback.timeout(context.now).map_or(Turn::Stay, |_| prompt_failed(*if_fails))
            }
            Self::Listening { until } if *until <= context.now => {
                Turn::Leave(Leave::by(Exit::Timeout, Next::Go(*no_input)))
            }
            Self::Recording { until } if *until <= context.now => not_recorded(*if_fails),
            Self::Listening { .. } | Self::Recording { .. } => Turn::Stay,
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Playing(playback) => playback.poll_timeout(),
            Self::Listening { until } | Self::Recording { until } => *until,
        }
    }

    pub fn awaits_key(&self) -> bool {
        !matches!(self, Self::Recording { .. })
    }

    fn listen(now: Duration) -> Self {
        Self::Listening { until: now + FIRST_KEY }
    }

    fn key(
        &mut self,
        key: Key,
        confirm: Key,
        topic: &str,
        no_input: Go,
        context: &mut Context<'_>,
    ) -> Turn {
        if key != confirm {
            return Turn::Leave(Leave::by(Exit::Key(key), Next::Go(no_input)));
        }
        context.desk.push(Output::RecordOptOut { topic: topic.into() });
        *self = Self::Recording { until: context.now + RECORD_WITHIN };
        Turn::Stay
    }
}

fn prompt_failed(if_fails: Option<Go>) -> Turn {
    Turn::Leave(Leave::failed(if_fails, "prompt_failed"))
}

fn not_recorded(if_fails: Option<Go>) -> Turn {
    Turn::Leave(Leave::failed(if_fails, "not_recorded"))
}

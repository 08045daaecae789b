//! `voicemail`: plays its prompt and a tone, then takes a message until `#`, silence, its longest
//! time or the caller's hang-up. Whoever takes it says what became of it: only what was kept
//! counts as a message left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, Leave, Next, Turn};
use crate::{
    call::{
        Input, Output, VoiceOutcome,
        desk::{Context, Playback, Played},
    },
    flow::model::{PromptItem, Voicemail},
    key::Key,
};

/// A caller who says nothing for so long has said all.
const SILENCE: Duration = Duration::from_secs(5);
/// Who takes the message may take so long to keep it …
pub(crate) const KEEP_WITHIN: Duration = Duration::from_secs(10);
/// … and keeps the longest time itself; this much later it is taken for dead.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Played when the caller may speak.
pub(crate) const TONE: &str = "beep";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Taking {
    /// The prompt; any key leads to the tone.
    Playing(Playback),
    Tone(Playback),
    /// The caller speaks.
    Speaking {
        until: Duration,
    },
    /// It is over, by this key or by itself; it is being kept.
    Keeping {
        by: Option<Key>,
        until: Duration,
    },
}

impl Taking {
    pub fn begin(
        step: &str,
        voicemail: &Voicemail,
        context: &mut Context<'_>,
    ) -> Result<Self, Leave> {
        context.keys.flush();
        match context.play(&voicemail.play, true) {
            Some(playback) => Ok(Self::Playing(playback)),
            None => Self::tone(step, voicemail, context),
        }
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        voicemail: &Voicemail,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        match (&mut *self, input) {
            (Self::Playing(_), Input::KeyDown(_)) => {
                context.desk.push(Output::StopPlay);
                self.turn(Self::tone(step, voicemail, context))
            }
            (Self::Playing(_), Input::Key(_)) => {
                context.desk.push(Output::StopPlay);
                self.turn(Self::tone(step, voicemail, context))
            }
            (Self::Playing(playback), _) => match playback.input(input) {
                Some(Played::ToTheEnd | Played::Stopped) => {
                    self.turn(Self::tone(step, voicemail, context))
                }
                Some(Played::Failed) => Turn::Leave(failed(voicemail, "prompt_failed")),
                None => Turn::Stay,
            },
            (Self::Tone(playback), _) => match playback.input(input) {
                // Without a tone one speaks as well.
                Some(_) => self.turn(Ok(Self::speak(step, voicemail, context))),
                None => Turn::Stay,
            },
            (Self::Speaking { .. }, Input::Key(key)) if *key == Key::HASH => {
                context.desk.push(Output::StopVoice);
                let until = context.now + KEEP_WITHIN;
                *self = Self::Keeping { by: Some(*key), until };
                Turn::Stay
            }
            (Self::Speaking { .. }, Input::VoiceOver) => {
                *self = Self::Keeping { by: None, until: context.now + KEEP_WITHIN };
                Turn::Stay
            }
            (Self::Speaking { .. }, Input::Voice(outcome)) => {
                kept(voicemail, context, None, outcome)
            }
            (Self::Keeping { by, .. }, Input::Voice(outcome)) => {
                kept(voicemail, context, *by, outcome)
            }
            (Self::Keeping { .. }, Input::Key(key)) => {
                context.keys.push(*key);
                Turn::Stay
            }
            (Self::Speaking { .. } | Self::Keeping { .. }, _) => Turn::Stay,
        }
    }

    pub fn handle_timeout(
        &mut self,
        step: &str,
        voicemail: &Voicemail,
        context: &mut Context<'_>,
    ) -> Turn {
        match self {
            Self::Playing(playback) => playback
                .timeout(context.now)
                .map_or(Turn::Stay, |_| Turn::Leave(failed(voicemail, "prompt_failed"))),
            Self::Tone(playback) => match playback.timeout(context.now) {
                Some(_) => self.turn(Ok(Self::speak(step, voicemail, context))),
                None => Turn::Stay,
            },
            Self::Speaking { until } if *until <= context.now => {
                context.desk.push(Output::StopVoice);
                *self = Self::Keeping { by: None, until: context.now + KEEP_WITHIN };
                Turn::Stay
            }
            Self::Keeping { until, .. } if *until <= context.now => {
                Turn::Leave(failed(voicemail, "not_kept"))
            }
            Self::Speaking { .. } | Self::Keeping { .. } => Turn::Stay,
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Playing(playback) | Self::Tone(playback) => playback.poll_timeout(),
            Self::Speaking { until } | Self::Keeping { until, .. } => *until,
        }
    }

    /// Something was said, or may have been, of which it is not known yet whether it is kept.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Speaking { .. } | Self::Keeping { .. })
    }

    /// What was said is being kept.
    pub fn is_being_kept(&self) -> bool {
        matches!(self, Self::Keeping { .. })
    }

    /// The caller is being recorded.
    pub fn is_speaking(&self) -> bool {
        matches!(self, Self::Speaking { .. })
    }

    fn turn(&mut self, next: Result<Self, Leave>) -> Turn {
        match next {
            Ok(next) => {
                *self = next;
                Turn::Stay
            }
            Err(leave) => Turn::Leave(leave),
        }
    }

    fn tone(step: &str, voicemail: &Voicemail, context: &mut Context<'_>) -> Result<Self, Leave> {
        Ok(match context.play(&[PromptItem::Sound(TONE.into())], false) {
            Some(playback) => Self::Tone(playback),
            None => Self::speak(step, voicemail, context),
        })
    }

    fn speak(step: &str, voicemail: &Voicemail, context: &mut Context<'_>) -> Self {
        let longest = Duration::from_secs(u64::from(voicemail.max_seconds));
        context.desk.push(Output::TakeVoice {
            step: step.to_owned(),
            max_ms: voicemail.max_seconds * 1_000,
            silence_ms: u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX),
        });
        Self::Speaking { until: context.now + longest + GRACE }
    }
}

fn kept(
    voicemail: &Voicemail,
    context: &mut Context<'_>,
    by: Option<Key>,
    outcome: &VoiceOutcome,
) -> Turn {
    let exit = by.map_or(Exit::Next, Exit::Key);
    Turn::Leave(match outcome {
        VoiceOutcome::Kept { length_ms } => {
            context.progress.message_left = true;
            let note = Some(format!("kept:{}s", length_ms.div_ceil(1_000)));
            Leave { note, ..Leave::by(exit, Next::Go(voicemail.then)) }
        }
        VoiceOutcome::Nothing => {
            let note = Some("nothing_said".to_owned());
            Leave { note, ..Leave::by(Exit::Timeout, Next::Go(voicemail.then)) }
        }
        VoiceOutcome::Failed { why } => failed(voicemail, why),
    })
}

fn failed(voicemail: &Voicemail, why: &str) -> Leave {
    Leave::failed(voicemail.if_fails, why)
}

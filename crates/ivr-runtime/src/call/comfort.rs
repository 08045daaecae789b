//! Nobody waits in silence: who waits for somebody else to answer hears music after a moment, until
//! there is something to hear or to do again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Call, Output, Phase};
use crate::flow::model::PromptItem;

/// From the last sound to the music.
pub(crate) const QUIET: Duration = Duration::from_secs(1);
/// The music: a prompt of every set.
const MUSIC: &str = "hold";

/// What a caller hears who waits for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Comfort {
    /// Something else, or the caller waits for nobody.
    #[default]
    Unneeded,
    /// Nothing, since then.
    Quiet { since: Duration },
    /// The music of this id.
    Music { id: u32 },
}

/// What a step plays beside its own, for the linter.
pub(crate) fn music() -> PromptItem {
    PromptItem::Sound(MUSIC.to_owned())
}

impl Call {
    /// When the music begins.
    pub(super) fn comfort_due(&self) -> Option<Duration> {
        match self.state.comfort {
            Comfort::Quiet { since } => Some(since + QUIET),
            Comfort::Unneeded | Comfort::Music { .. } => None,
        }
    }

    /// After everything that happens: the silence begins or is over.
    pub(super) fn comfort(&mut self, now: Duration) {
        let waits = match &self.state.phase {
            Phase::InStep { running, .. } => running.waits_for_others(),
            _ => false,
        };
        if !waits || !self.state.progress.answered {
            return self.end_music();
        }
        let sounding = self.state.desk.sounding();
        self.state.comfort = match self.state.comfort {
            Comfort::Music { id } if sounding == Some(id) => Comfort::Music { id },
            _ if sounding.is_some() => Comfort::Unneeded,
            Comfort::Quiet { since } if since + QUIET <= now => {
                match self.state.desk.hold(now, &self.state.facts, &[music()]) {
                    Some(playback) => Comfort::Music { id: playback.id() },
                    None => Comfort::Unneeded,
                }
            }
            Comfort::Quiet { since } => Comfort::Quiet { since },
            Comfort::Unneeded | Comfort::Music { .. } => Comfort::Quiet { since: now },
        };
    }

    /// What was waited for is there.
    pub(super) fn end_music(&mut self) {
        if let Comfort::Music { id } = std::mem::take(&mut self.state.comfort)
            && self.state.desk.sounding() == Some(id)
        {
            self.state.desk.push(Output::StopPlay);
        }
    }
}

//! What a caller had of a call beside its way, and where that is something else.

use super::{Replayed, first_difference};
use crate::{
    call::{Output, TextRequest},
    flow::model::{Flow, TargetId},
};

/// What a caller had of one step, up to the next; or of what came before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Had {
    /// Prompts, by name.
    pub prompts: Vec<String>,
    /// What was to be sent, then or after the call: its words, links and senders.
    pub texts: Vec<String>,
    /// Targets that were called.
    pub targets: Vec<String>,
}

/// One thing that is another than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Index into [`Replayed::had`]; of the end, that of the last.
    pub at: usize,
    /// Which.
    pub what: What,
}

/// What of a call may be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// What the caller heard.
    Prompts,
    /// What was sent.
    Texts,
    /// Who was called.
    Targets,
    /// How it ended.
    End,
}

impl What {
    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Texts => "texts",
            Self::Targets => "targets",
            Self::End => "end",
        }
    }
}

impl Had {
    pub(super) fn note(&mut self, flow: &Flow, output: &Output) {
        let name = |id: &TargetId| {
            let target = flow.targets.get(usize::from(id.0));
            target.map(|target| target.name.clone())
        };
        match output {
            Output::Play { prompts, .. } | Output::Hold { prompts, .. } => {
                self.prompts.extend(prompts.iter().cloned());
            }
            Output::SendText(request) => self.texts.push(words(request)),
            Output::FollowUp { text, .. } => self.texts.push(format!("later: {}", words(text))),
            Output::Forward { target, .. } => self.targets.extend(name(target)),
            Output::CallAgent(request) => self.targets.extend(name(&request.target)),
            _ => {}
        }
    }
}

fn words(text: &TextRequest) -> String {
    let links: Vec<&str> = text.links.iter().map(|link| link.url.as_str()).collect();
    format!("{} [{}] by {}", text.message, links.join(", "), text.via.join(", "))
}

/// What else is another where a call goes the same way: both replayed from the same record, `was`
/// through the flow that it had. From where the ways part nothing is compared.
#[must_use]
pub fn differences(was: &Replayed, is: &Replayed) -> Vec<Difference> {
    let parted = first_difference(&was.visits, &is.visits);
    // What came before a step is had before it; where `was` lost its own record nothing is known.
    let known = parted.into_iter().chain(was.differs_at).min().map_or(usize::MAX, |at| at + 1);
    let mut all = Vec::new();
    for (at, (was, is)) in was.had.iter().zip(&is.had).enumerate().take(known) {
        let pairs = [
            (What::Prompts, &was.prompts, &is.prompts),
            (What::Texts, &was.texts, &is.texts),
            (What::Targets, &was.targets, &is.targets),
        ];
        let other = pairs.into_iter().filter(|(_, was, is)| was != is);
        all.extend(other.map(|(what, ..)| Difference { at, what }));
    }
    let ends = was.end.zip(is.end).is_some_and(|(was, is)| was != is);
    if ends && parted.is_none() {
        all.push(Difference { at: is.visits.len(), what: What::End });
    }
    all
}

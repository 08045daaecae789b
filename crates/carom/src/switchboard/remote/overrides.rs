//! What an invite wants otherwise than the flow has it. It is done as wanted or refused, never left
//! out of account.

use deflect_actions::provider::Channel;
use ivr_runtime::flow::{
    model::{Does, Flow},
    words::{self, Expected, Fault},
};

use super::way::Way;

/// Characters of a text; LivePerson takes as many.
const LONGEST: usize = 1_600;
/// The purpose of a text that its reader has asked for.
const LINK: &str = "link";

/// What an invite wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By which channel; `None`: the recommended one.
    pub channel: Option<Channel>,
    /// The words, in place of the flow's, with `{link}` where its address is put; an SMS only.
    pub text: Option<String>,
    /// What it is about, where that is something else than was asked about.
    pub intent: Option<String>,
}

/// Words in place of those of a text step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// The step's name.
    pub step: String,
    pub text: String,
}

impl Overrides {
    /// Whether a way is by the channel that is wanted.
    pub(super) fn fits(&self, way: &Way) -> bool {
        self.channel.is_none_or(|channel| way.channel == channel)
    }

    /// The words for the text of a way, checked as `carom check` checks those of files (E09).
    pub(super) fn words(
        &self,
        flow: &Flow,
        brand: &str,
        way: &Way,
    ) -> Result<Option<Words>, String> {
        let Some(text) = &self.text else { return Ok(None) };
        let step = flow.steps.get(usize::from(way.text.0));
        let Some((step, Does::Text(of))) = step.map(|step| (step, &step.does)) else {
            return Err("the flow has no text there".to_owned());
        };
        if way.channel != Channel::Sms {
            return Err("only an SMS has words of its own; WhatsApp has a template".to_owned());
        }
        if text.trim().is_empty() || text.chars().count() > LONGEST {
            return Err(format!("the text has from 1 to {LONGEST} characters"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("the text holds a control character".to_owned());
        }
        if text.replace("{link}", "").replace("{brand}", "").contains(['{', '}']) {
            return Err("only `{link}` and `{brand}` are filled in".to_owned());
        }
        let expected = Expected {
            leads: !of.links.is_empty(),
            brand: Some(brand).filter(|brand| !brand.is_empty()),
            one_way: words::one_way(&flow.senders, &of.via),
            unasked: of.purpose != LINK,
        };
        match words::faults(text, &expected).into_iter().next() {
            Some(Fault { why, help }) => Err(format!("{why}: {help}")),
            None => Ok(Some(Words { step: step.name.clone(), text: text.clone() })),
        }
    }
}

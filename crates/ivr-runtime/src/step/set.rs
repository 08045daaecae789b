//! `set`: intent, language, consent and flag of the call.

use super::Leave;
use crate::{
    call::{Record, desk::Context},
    flow::model::Go,
};

/// What a `set` step changes.
pub(crate) struct Changes<'a> {
    pub intent: &'a Option<String>,
    pub language: &'a Option<String>,
    pub consent: &'a Option<String>,
    pub flag: &'a Option<String>,
}

pub(crate) fn run(step: &str, changes: &Changes<'_>, then: Go, context: &mut Context<'_>) -> Leave {
    if let Some(intent) = changes.intent {
        set_intent(intent, context);
    }
    if let Some(language) = changes.language {
        context.facts.language.clone_from(language);
        context.desk.record(Record::Language { language: language.clone() });
    }
    if let Some(name) = changes.consent {
        add(&mut context.facts.consents, name);
        // A yes is a key; a flow that comes here by itself has not asked.
        let asked = context.progress.pressed.clone();
        let (prompt, pressed) = asked.clone().map(|asked| (asked.prompt, asked.key)).unzip();
        if let Some(asked) = asked {
            context.progress.agreed.retain(|(known, _)| known != name);
            context.progress.agreed.push((name.clone(), asked));
        }
        let (name, step, at_ms) = (name.clone(), step.to_owned(), context.at_ms());
        let prompt = prompt.unwrap_or_default();
        context.desk.record(Record::Consent { name, step, prompt, pressed, at_ms });
    }
    if let Some(name) = changes.flag {
        add(&mut context.facts.set_flags, name);
        context.desk.record(Record::Flag { name: name.clone() });
    }
    Leave::next(then)
}

/// Sets the call's intent, and records it where it is new.
pub(crate) fn set_intent(intent: &str, context: &mut Context<'_>) {
    if context.facts.intent.as_deref() != Some(intent) {
        context.facts.intent = Some(intent.into());
        context.facts.channels_barred = context.flow.channels_barred(Some(intent));
        context.desk.record(Record::Intent { intent: intent.into() });
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.into());
    }
}

//! E01: a language that is set or tested is one of the flow's.

use super::{Lint, graph};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Does, Fact},
};

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        if let Does::Set { language: Some(language), .. } = &step.does {
            one(lint, language, lint.step_place(step, "language"));
        }
    }
    for rule in &lint.flow.rules {
        if let Fact::Language(languages) = &rule.fact {
            for language in languages {
                one(lint, language, lint.place("rule", &rule.name, "language"));
            }
        }
    }
}

pub(super) fn one(lint: &Lint<'_>, language: &str, place: Span) {
    if !lint.flow.languages.iter().any(|known| known == language) {
        let message = format!("`{language}` is not among the flow's languages");
        let help = format!("there are: {}", lint.flow.languages.join(", "));
        lint.note(Code::E01, place, message, help);
    }
}

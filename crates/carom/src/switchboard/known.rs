//! What a call's flow has learnt, for the person that the caller is put through to (EX-12).

use std::collections::{BTreeMap, BTreeSet};

use ivr_runtime::{call::Call, flow::model::Does};

/// Digits of a typed number that are shown, at its end.
const SHOWN: usize = 4;

/// What a running call's flow knows by now.
#[derive(Debug, Default)]
pub struct Known {
    /// What it is about.
    pub intent: Option<String>,
    /// In this language.
    pub language: String,
    /// See [`told`].
    pub fields: BTreeMap<String, String>,
}

/// The fields that lookups and the caller's keys have set. Of what was typed only the last digits
/// are shown; secrets and the caller's hash are not among them.
pub(super) fn told(call: &Call) -> Known {
    let typed: BTreeSet<&str> = call.flow().steps.iter().filter_map(typed_into).collect();
    let shown = |name: &str, value: &str| {
        if typed.contains(name) { masked(value) } else { value.to_owned() }
    };
    let facts = call.facts();
    let fields = facts.fields.iter().filter(|(name, _)| *name != "caller_key");
    let fields = fields.map(|(name, value)| (name.clone(), shown(name, value))).collect();
    Known { intent: facts.intent.clone(), language: facts.language.clone(), fields }
}

fn typed_into(step: &ivr_runtime::flow::model::Step) -> Option<&str> {
    match &step.does {
        Does::Collect(collect) => Some(&collect.save),
        _ => None,
    }
}

fn masked(value: &str) -> String {
    let len = value.chars().count();
    let shown = if len > 2 * SHOWN { SHOWN } else { len / 2 };
    let of = |(n, digit)| if n + shown < len { '*' } else { digit };
    value.chars().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn at_most_the_last_half_of_what_was_typed_is_shown() {
        for (typed, shown) in
            [("4539148803436467", "************6467"), ("12345", "***45"), ("7", "*"), ("", "")]
        {
            assert_eq!(masked(typed), shown);
        }
    }
}

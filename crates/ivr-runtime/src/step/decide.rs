//! `decide`: the first case that is true wins; unknown is skipped and noted.

use super::{Exit, Leave, Next};
use crate::{
    call::{desk::Context, offers},
    flow::{
        model::{Go, RuleId},
        rules::Truth,
    },
};

pub(crate) fn run(case: &[(RuleId, Go)], otherwise: Go, context: &Context<'_>) -> Leave {
    let now_ms = context.at_ms();
    let mut notes = Vec::new();
    let mut taken = None;
    for (rule, go) in case {
        let (truth, name) = offers::judge(context.flow, context.facts, now_ms, *rule);
        match truth {
            Truth::True => {
                taken = Some((name, *go));
                break;
            }
            Truth::False => {}
            Truth::Unknown => notes.push(format!("unknown:{name}")),
        }
    }
    let (name, go) = taken.unwrap_or_else(|| ("otherwise".into(), otherwise));
    notes.insert(0, name);
    Leave { note: Some(notes.join(" ")), ..Leave::by(Exit::Next, Next::Go(go)) }
}

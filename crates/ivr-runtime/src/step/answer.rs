//! `answer`: a menu whose prompt is the answer. Its own half is silent: an answer without its
//! fields is not given.

use super::{Leave, Next};
use crate::{
    call::{desk::Context, speak},
    flow::model::{Go, Menu},
};

/// Leaves where a field the answer needs is not known, or can't be said.
pub(crate) fn missing(
    menu: &Menu,
    needs: &[String],
    if_missing: Option<Go>,
    context: &Context<'_>,
) -> Option<Leave> {
    let unknown = || needs.iter().find(|field| context.facts.field(field).is_none());
    let unsaid = || {
        let unsaid = speak::unsaid(&menu.play, context.facts);
        needs.iter().find(|field| unsaid.contains(&field.as_str()))
    };
    let (what, field) = match unknown() {
        Some(field) => ("unknown", field),
        None => ("no_words", unsaid()?),
    };
    let mut leave = Leave::failed(if_missing, format!("{what}:{field}"));
    if let Some(go) = if_missing {
        leave.next = Next::Go(go);
    }
    Some(leave)
}

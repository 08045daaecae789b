//! `answer`: a menu whose prompt is the answer. Its own half is silent: an answer without its
//! fields is not given.

use super::{Leave, Next};
use crate::{call::desk::Context, flow::model::Go};

/// Leaves where a field the answer needs is not known.
pub(crate) fn missing(
    needs: &[String],
    if_missing: Option<Go>,
    context: &Context<'_>,
) -> Option<Leave> {
    let field = needs.iter().find(|field| context.facts.field(field).is_none())?;
    let mut leave = Leave::failed(if_missing, format!("unknown:{field}"));
    if let Some(go) = if_missing {
        leave.next = Next::Go(go);
    }
    Some(leave)
}

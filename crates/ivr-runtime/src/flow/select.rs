//! Which flow takes a call.

use std::sync::Arc;

use super::model::Flow;

/// Returns the flow of a called number: by exact number, then extension, then longest prefix,
/// then the default flow; `None` leaves the call to `[fallback]`.
///
/// `called` is E.164, or an extension's bare digits.
pub fn select<'a>(flows: &'a [Arc<Flow>], called: &str) -> Option<&'a Arc<Flow>> {
    let names = |list: fn(&Flow) -> &Vec<String>| {
        flows.iter().find(|flow| list(flow).iter().any(|number| number == called))
    };
    names(|flow| &flow.numbers)
        .or_else(|| names(|flow| &flow.extensions))
        .or_else(|| {
            let longest =
                flows.iter().filter_map(|flow| Some((longest_prefix(flow, called)?, flow)));
            longest.max_by_key(|(len, _)| *len).map(|(_, flow)| flow)
        })
        .or_else(|| flows.iter().find(|flow| flow.default))
}

fn longest_prefix(flow: &Flow, called: &str) -> Option<usize> {
    let matching = flow.prefixes.iter().filter(|prefix| called.starts_with(prefix.as_str()));
    matching.map(String::len).max()
}

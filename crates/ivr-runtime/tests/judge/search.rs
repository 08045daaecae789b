//! What the caller can bring about in all the calls there are.

use std::collections::BTreeSet;

use super::{At, Call};

/// The calls in which the caller can make sure of a person, or of all that may be asked.
///
/// `is_person`: whether people answer a target.
pub(super) fn safe(
    calls: &[Call],
    next: &[Vec<usize>],
    is_person: impl Fn(&str) -> bool,
) -> BTreeSet<usize> {
    let mut before = vec![Vec::new(); calls.len()];
    for (at, to) in next.iter().enumerate().flat_map(|(at, all)| all.iter().map(move |to| (at, to)))
    {
        before[*to].push(at);
    }
    let mut safe = BTreeSet::new();
    let mut open: Vec<usize> = (0..calls.len()).collect();
    while let Some(at) = open.pop() {
        let good = |to: &usize| safe.contains(to);
        let is_safe = match &calls[at].at {
            At::Rings(target) => is_person(target),
            At::Waits(_) | At::Apology | At::Over { by_leave: true } => true,
            At::Over { by_leave: false } => false,
            At::Asking(_) => next[at].iter().any(good),
            At::Named(_) | At::Doing(_) => !next[at].is_empty() && next[at].iter().all(good),
        };
        if is_safe && safe.insert(at) {
            open.extend(&before[at]);
        }
    }
    safe
}

/// A circle of calls in which the caller is never asked, and does not wait.
pub(super) fn goes_round(calls: &[Call], next: &[Vec<usize>]) -> bool {
    // What has no way left but into what is settled is settled; the rest goes round.
    let mut left: BTreeSet<usize> = (0..calls.len())
        .filter(|at| !matches!(calls[*at].at, At::Asking(_) | At::Waits(_)))
        .collect();
    loop {
        let settled: Vec<usize> = left
            .iter()
            .copied()
            .filter(|at| !next[*at].iter().any(|to| left.contains(to)))
            .collect();
        if settled.is_empty() {
            return !left.is_empty();
        }
        settled.iter().for_each(|at| {
            left.remove(at);
        });
    }
}

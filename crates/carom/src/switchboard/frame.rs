//! What is done for a call whoever it comes from: a trunk's caller, or another IVR's.

use ivr_runtime::flow::model::Flow;

use super::{live::Live, record::Ledger};
use crate::config::Snapshot;

/// A call as far as texts and questions go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub ledger: &'a Ledger,
    pub flow: &'a Flow,
    /// The configuration it began with.
    pub snapshot: &'a Snapshot,
    /// The caller asked for privacy.
    pub withheld: bool,
}

impl<'a> Frame<'a> {
    pub fn of(call: &'a Live) -> Self {
        let Live { ledger, flow, snapshot, withheld, .. } = call;
        Self { ledger, flow, snapshot, withheld: *withheld }
    }
}

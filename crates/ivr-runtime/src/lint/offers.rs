//! W06: offers without a control group, so that nobody can tell what they bring.

use super::{Lint, graph};
use crate::{diagnose::Code, flow::model::Does};

pub(super) fn check(lint: &Lint<'_>) {
    let offers = graph::steps(lint.flow).any(|(_, step)| matches!(step.does, Does::Offer(_)));
    if offers && lint.flow.holdout_percent == 0 {
        let place = lint.flow_place("holdout_percent");
        let message = "every caller hears the offers: what they bring can't be told";
        lint.note(Code::W06, place, message, "write `holdout_percent = 10`");
    }
}

//! Account data: what systems of the business, or a bot, say of a caller.

use super::model::{Does, Flow};

impl Flow {
    /// Whether a field may hold account data: a lookup, an action or an agent saves it and does not
    /// call it public. What the caller typed is the caller's own.
    pub(crate) fn is_account_data(&self, field: &str) -> bool {
        self.steps.iter().any(|step| {
            let save = match &step.does {
                Does::Lookup(lookup) => &lookup.save,
                Does::Action(action) => &action.save,
                Does::Agent(agent) => return agent.save.iter().any(|save| save.field == field),
                _ => return false,
            };
            save.iter().any(|save| save.field == field && !save.public)
        })
    }
}

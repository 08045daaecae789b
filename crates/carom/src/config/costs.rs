//! W15: texts that cost what nobody counts.

use deflect_actions::text::Sender;
use ivr_runtime::diagnose::Code;

use super::{Limits, Provider, ProviderKind, read::Table};

/// What the bill of a day is bounded by, and whether it is.
pub(super) fn warn(root: &Table<'_>, senders: &[Sender], providers: &[Provider], limits: &Limits) {
    let kind = |sender: &Sender| {
        let provider = providers.iter().find(|provider| provider.name == sender.provider);
        provider.map(|provider| &provider.kind)
    };
    let costs = |sender: &&Sender| !matches!(kind(sender), Some(ProviderKind::Sandbox) | None);
    let mut costly = senders.iter().filter(costs).peekable();
    if costly.peek().is_none() {
        return;
    }
    if limits.spend_per_day.is_none() {
        let help = "add `spend_per_day = { amount = 250, currency = \"GBP\" }` to `[limits]`, with \
                    your figures";
        root.note(Code::W15, "limits", "nothing bounds what the texts of a day may cost", help);
        return;
    }
    // These tell a price with their answer.
    let tells = |sender: &Sender| {
        matches!(kind(sender), Some(ProviderKind::Telnyx { .. } | ProviderKind::Vonage { .. }))
    };
    for sender in costly.filter(|sender| sender.price_micros.is_none() && !tells(sender)) {
        let message = format!(
            "`spend_per_day` counts nothing for texts by `{}`: it has no `price`, and its provider \
             tells none in time",
            sender.name
        );
        let help = "give the sender `price = 0.04`, the price of one SMS";
        let tables = root.tables("sender");
        if let Some((_, table)) = tables.iter().find(|(name, _)| name.value == sender.name) {
            table.note(Code::W15, "price", message, help);
        }
    }
}

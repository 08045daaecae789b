//! W15: texts whose cost nothing bounds. A01: a sender whose texts the bound does not count.

use deflect_actions::text::Sender;
use ivr_runtime::diagnose::Code;

use super::{Limits, Provider, ProviderKind, read::Table};

/// Where a sender costs money, a day's bill is to be bounded.
pub(super) fn warn(root: &Table<'_>, senders: &[Sender], providers: &[Provider], limits: &Limits) {
    let costs = |sender: &Sender| kind(sender, providers).is_some_and(costs);
    if limits.spend_per_day.is_none() && senders.iter().any(costs) {
        let help = "add `spend_per_day = { amount = 250, currency = \"GBP\" }` to `[limits]`, with \
                    your figures";
        root.note(Code::W15, "limits", "nothing bounds what the texts of a day may cost", help);
    }
}

/// The bound counts what a text costs by the provider's word, else by the sender's `price`.
pub(super) fn advise(table: &Table<'_>, sender: &Sender, providers: &[Provider], limits: &Limits) {
    let Some(kind) = kind(sender, providers) else { return };
    // These tell a price with their answer.
    let tells = match kind {
        ProviderKind::Telnyx { .. } | ProviderKind::Vonage { .. } => true,
        ProviderKind::Http(gateway) => gateway.answer.price.amount_at.is_some(),
        _ => false,
    };
    let is_counted = tells || sender.price_micros.is_some() || !costs(kind);
    // A price that can't be read is told of already.
    if limits.spend_per_day.is_none() || is_counted || table.has("price") {
        return;
    }
    let message = format!(
        "`spend_per_day` counts nothing for texts by `{}`: it has no `price`, and its provider \
         tells none in time",
        sender.name
    );
    table.note(Code::A01, "price", message, "give the sender `price = 0.04`, the price of one SMS");
}

fn kind<'a>(sender: &Sender, providers: &'a [Provider]) -> Option<&'a ProviderKind> {
    let provider = providers.iter().find(|provider| provider.name == sender.provider);
    provider.map(|provider| &provider.kind)
}

fn costs(kind: &ProviderKind) -> bool {
    !matches!(kind, ProviderKind::Sandbox)
}

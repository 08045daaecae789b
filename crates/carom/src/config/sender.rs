//! `[sender.X]`: who a message comes from.

use deflect_actions::text::Sender;

use super::read::Table;

const WHATSAPP: &str = "WhatsApp";

/// Reads a sender of one of `providers`.
pub(super) fn read(name: String, table: &Table<'_>, providers: &[&str]) -> Option<Sender> {
    let provider = table.required("provider", |t| t.reference("provider", "provider", providers));
    table.choice("channel", &[("sms", ())], &["whatsapp"]);
    let from = table.required("from", |t| t.text("from"));
    let regions = table.required("regions", |t| t.countries("regions"));
    let auto_reply = table.flag("auto_reply");
    let per_second = table.number("per_second", 1..=1_000);
    for key in ["template", "template_category", "template_languages", "variables"] {
        table.not_yet(key, WHATSAPP);
    }
    Some(Sender {
        name,
        provider: provider?.value,
        from: from?.value,
        regions: regions?,
        auto_reply,
        per_second,
    })
}

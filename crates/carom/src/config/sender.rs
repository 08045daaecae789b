//! `[sender.X]`: who a message comes from.

use deflect_actions::{
    provider::{Channel, Template, VARIABLES},
    text::Sender,
};
use ivr_runtime::diagnose::Code;

use super::{Provider, limits::micros, read::Table};

/// Keys that mean something for WhatsApp only.
const OF_WHATSAPP: [&str; 4] = ["template", "template_category", "template_languages", "variables"];

/// Reads a sender of one of the providers of these `names`; `providers` are those without errors.
pub(super) fn read(
    name: String,
    table: &Table<'_>,
    names: &[&str],
    providers: &[Provider],
    businesses: &[&str],
) -> Option<Sender> {
    let provider = table.required("provider", |t| t.reference("provider", "provider", names));
    let channels = [("sms", Channel::Sms), ("whatsapp", Channel::WhatsApp)];
    let channel = table.choice("channel", &channels, &[]).unwrap_or_default();
    let from = table.required("from", |t| t.text("from"));
    let regions = table.required("regions", |t| t.countries("regions"));
    let business = table.reference("business", "business", businesses).map(|text| text.value);
    let auto_reply = table.flag("auto_reply");
    let per_second = table.number("per_second", 1..=1_000);
    let price = table.decimal("price").filter(|price| {
        let good = (0.0..=100.0).contains(price);
        if !good {
            table.note(Code::E00, "price", "`price` is not from 0 to 100", "the price of one SMS");
        }
        good
    });
    let media = table.flag("media").unwrap_or(channel == Channel::WhatsApp);
    let template = template(table, channel);
    let provider = provider?.value;
    if let Some(found) = providers.iter().find(|found| found.name == provider) {
        refuse_wrong_channel(table, found, channel);
    }
    Some(Sender {
        name,
        provider,
        from: from?.value,
        business,
        regions: regions?,
        auto_reply,
        per_second,
        channel,
        media,
        template,
        price_micros: price.map(micros),
    })
}

fn template(table: &Table<'_>, channel: Channel) -> Option<Template> {
    let name = table.text("template");
    // A link that was asked for is no marketing, and Meta does not count it as such.
    table.choice("template_category", &[("utility", ())], &[]);
    let languages = table.text_by_language("template_languages");
    let variables = table.texts("variables").unwrap_or_default();
    if channel == Channel::Sms {
        for key in OF_WHATSAPP.into_iter().filter(|key| table.has(key)) {
            let message = format!("`{key}` is for senders with `channel = \"whatsapp\"`");
            table.note(Code::E10, key, message, "leave it out, or name the channel");
        }
        return None;
    }
    for variable in &variables {
        let rest = VARIABLES.iter().fold(variable.value.clone(), |v, known| v.replace(known, ""));
        if rest.contains(['{', '}']) {
            let message = format!("`variables`: `{}` holds something unknown", variable.value);
            let help = format!("it may hold {}", VARIABLES.map(|v| format!("`{v}`")).join(", "));
            table.notes().note(Code::E10, variable.span.clone(), message, help);
        }
    }
    let Some(name) = name else {
        let help = "add `template = \"…\"`: a call opens no window for free text";
        table.note(Code::E10, "channel", "a WhatsApp sender needs a template", help);
        return None;
    };
    let variables = variables.into_iter().map(|variable| variable.value).collect();
    Some(Template { name: name.value, languages, variables })
}

fn refuse_wrong_channel(table: &Table<'_>, provider: &Provider, channel: Channel) {
    let (sms, whatsapp) = provider.kind.carries();
    let carries = match channel {
        Channel::Sms => sms,
        Channel::WhatsApp => whatsapp,
    };
    if !carries {
        let message = format!("`[provider.{}]` carries no {}", provider.name, channel.as_str());
        let help = match (sms, whatsapp) {
            (true, _) => "write `channel = \"sms\"`",
            (false, true) => "write `channel = \"whatsapp\"`",
            (false, false) => "it is there for links; name another",
        };
        table.note(Code::E10, "channel", message, help);
    }
}

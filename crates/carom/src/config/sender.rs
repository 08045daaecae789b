//! `[sender.X]`: who a message comes from.

use deflect_actions::{
    provider::{Channel, Template, VARIABLES, telnyx, twilio},
    text::Sender,
};
use ivr_runtime::diagnose::{Code, Text};
use message_text::E164;

use super::{Provider, ProviderKind, limits::micros, read::Table};

/// Keys that mean something for WhatsApp only.
const OF_WHATSAPP: [&str; 4] = ["template", "template_category", "template_languages", "variables"];

/// Countries that take texts from numbers of +1 and short codes only.
const NANP: [&str; 2] = ["US", "CA"];
/// Digits of a short code.
const LONGEST_CODE: usize = 6;
/// Characters of a name that texts come from (3GPP TS 23.040 §9.1.2.5).
const LONGEST_NAME: usize = 11;

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
    let (from, regions) = (from?, regions?);
    let is_twilio = |p: &Provider| matches!(p.kind, ProviderKind::Twilio { .. });
    let is_service = twilio::is_service(&from.value)
        && providers.iter().any(|p| p.name == provider && is_twilio(p));
    if channel == Channel::Sms && !is_service {
        refuse_unfit_from(table, &from, &regions);
        if telnyx::is_name(&from.value) {
            ask_for_profile(table, &from, providers.iter().find(|p| p.name == provider));
        }
    }
    Some(Sender {
        name,
        provider,
        from: from.value,
        business,
        regions,
        auto_reply,
        per_second,
        channel,
        media,
        template,
        price_micros: price.map(micros),
        flow: None,
    })
}

/// Telnyx finds the settings of a number by the number, and those of a name by its profile.
fn ask_for_profile(table: &Table<'_>, from: &Text, provider: Option<&Provider>) {
    let Some(Provider { name, kind: ProviderKind::Telnyx { profile: None, .. }, .. }) = provider
    else {
        return;
    };
    let message = format!("`from`: Telnyx texts from the name `{}` by a profile", from.value);
    let help = format!("give `[provider.{name}]` its `messaging_profile_id`");
    table.notes().note(Code::E10, from.span.clone(), message, help);
}

/// Who texts may come from, and where (requirements §4.3): a number, a short code, which works in
/// one country, or a name, which nobody can answer and North America does not take.
fn refuse_unfit_from(table: &Table<'_>, from: &Text, regions: &[String]) {
    let (text, american) =
        (from.value.as_str(), |region: &&String| NANP.contains(&region.as_str()));
    let american = regions.iter().find(american);
    let refuse = |message: String, help: &str| {
        table.notes().note(Code::E10, from.span.clone(), message, help);
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = text.strip_prefix('+') {
        if text.parse::<E164>().is_err() {
            refuse(format!("`from`: `{text}` is no number"), "write it as +447700900123");
        } else if let Some(region) = american.filter(|_| !rest.starts_with('1')) {
            let message =
                format!("`from`: carriers in {region} take texts from +1 and short codes");
            refuse(message, "give that country a sender of its own");
        }
    } else if digits(text) {
        if text.len() > LONGEST_CODE {
            refuse(format!("`from`: `{text}` has no country code"), "write it as +447700900123");
        } else if regions.len() > 1 {
            let message = format!("`from`: the short code `{text}` works in one country only");
            refuse(message, "give each country a sender of its own");
        }
    } else {
        let fits = |c: char| c.is_ascii_alphanumeric() || " -_&.+".contains(c);
        let letter = text.chars().any(|c| c.is_ascii_alphabetic());
        if text.chars().count() > LONGEST_NAME || !letter || !text.chars().all(fits) {
            let message = format!("`from`: `{text}` is no name that phones show");
            refuse(message, "a name has 1 to 11 letters, digits and spaces, at least one a letter");
        } else if let Some(region) = american {
            refuse(
                format!("`from`: {region} takes no texts from names"),
                "give that country a number of +1",
            );
        }
    }
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

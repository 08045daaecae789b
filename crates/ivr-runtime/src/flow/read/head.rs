//! `[flow]`.

use super::{Reader, fields::may_be_told};
use crate::{
    diagnose::{Code, Fix, Table, Takes, Text},
    flow::{
        Sender,
        model::{Direction, Flow, RoundWait, StepId, TargetId},
    },
    key::Key,
    speech::Language,
};

/// Reads `[flow]` into a flow whose tables are still empty.
pub(in crate::flow) fn head(table: Table<'_>, reader: &Reader<'_>, rev: String) -> Flow {
    let numbers = numbers(&table);
    let extensions = digits(&table, "extensions", "digits only, such as `\"100\"`", |text| text);
    let prefixes = digits(&table, "prefixes", "`+` and digits, such as `\"+4420\"`", |text| {
        text.strip_prefix('+').unwrap_or("")
    });
    let default = table.flag("default").unwrap_or(false);
    let listed = ["numbers", "extensions", "prefixes"].iter().any(|key| table.has(key));
    if !listed && !default {
        let help = "add `numbers`, `extensions`, `prefixes` or `default = true`";
        table.notes().note(Code::E08, table.span(), "no call reaches this flow", help);
    }
    let name = table.required_text("name").map(|text| text.value).unwrap_or_default();
    let start = table.required_text("start").and_then(|name| reader.step_to(&name));
    let human = table.required_text("human").and_then(|name| reader.target_to(&name));
    let digital_only = digital_only(&table);
    let business = business(&table, reader);
    let senders = reader.shared.senders.iter().filter(|one| one.serves(business.as_deref()));
    let senders: Vec<Sender> = senders.cloned().collect();
    let flow = Flow {
        name,
        rev,
        numbers,
        extensions,
        prefixes,
        default,
        business,
        languages: languages(&table),
        start: start.unwrap_or(StepId(0)),
        human: human.unwrap_or(TargetId(0)),
        fallback: reader.shared.fallback.as_ref().and_then(|name| reader.names.target(name)),
        emergency_notice: table.flag("emergency_notice").unwrap_or(false),
        digital_only,
        operator_keys: operator_keys(&table, digital_only),
        told: told(&table),
        // At most 100, so it fits.
        holdout_percent: table.number("holdout_percent", 0..=100).unwrap_or(0) as u8,
        ask_again_days: table.number("ask_again_days", 0..=365).unwrap_or(7),
        max_minutes: table.number_or("max_minutes", 1..=240, Code::E05).unwrap_or(15),
        max_steps: table.number_or("max_steps", 1..=1_000, Code::E05).unwrap_or(60),
        round_wait: round_wait(&table),
        steps: Vec::new(),
        targets: Vec::new(),
        links: Vec::new(),
        rules: Vec::new(),
        hours: Vec::new(),
        after_call: Vec::new(),
        media_intents: media_intents(&table, &senders),
        priority_intents: table
            .texts("priority_intents")
            .map_or_else(Vec::new, |intents| unique(&table, intents)),
        senders,
    };
    table.finish();
    flow
}

/// `{ to_minutes, direction }`.
fn round_wait(table: &Table<'_>) -> RoundWait {
    let plain = RoundWait::default();
    let Some(round) = table.table("round_wait", "`round_wait`") else { return plain };
    let directions =
        [("up", Direction::Up), ("nearest", Direction::Nearest), ("down", Direction::Down)];
    let read = RoundWait {
        to_minutes: round.number("to_minutes", 1..=60).unwrap_or(plain.to_minutes),
        direction: round.choice("direction", &directions, &[]).unwrap_or(plain.direction),
    };
    round.finish();
    read
}

/// Exact called numbers.
fn numbers(table: &Table<'_>) -> Vec<String> {
    let numbers = table.texts("numbers").unwrap_or_default();
    for number in &numbers {
        if !is_e164(&number.value) {
            let message = format!("`{}` is no E.164 number", number.value);
            let help = "write it as `+442079460018`: no spaces, with the country";
            table.notes().note(Code::E08, number.span.clone(), message, help);
        }
    }
    unique(table, numbers)
}

fn digits<'a>(
    table: &Table<'a>,
    key: &'a str,
    form: &str,
    digits_of: impl Fn(&str) -> &str,
) -> Vec<String> {
    let texts = table.texts(key).unwrap_or_default();
    for text in &texts {
        let digits = digits_of(&text.value);
        if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("`{}` can't stand in `{key}`", text.value);
            table.notes().note(Code::E08, text.span.clone(), message, format!("write {form}"));
        }
    }
    unique(table, texts)
}

fn unique(table: &Table<'_>, texts: Vec<Text>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut end_of_last = 0;
    for text in texts {
        let gone = end_of_last..text.span.end;
        end_of_last = text.span.end;
        if seen.contains(&text.value) {
            let message = format!("`{}` stands here twice", text.value);
            let fix = Some(Fix { span: gone, text: String::new() });
            table.notes().note_with_fix(Code::E08, text.span, message, "leave one out", fix);
        } else {
            seen.push(text.value);
        }
    }
    seen
}

/// `+`, a country code and more: 7 to 15 digits, none of them a zero in front.
pub(super) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or("");
    (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `None`: the only one.
fn business(table: &Table<'_>, reader: &Reader<'_>) -> Option<String> {
    let known = &reader.shared.businesses;
    let Some(name) = table.text("business") else {
        if known.len() > 1 {
            let keys: Vec<&str> = known.iter().map(|business| business.key.as_str()).collect();
            let help = format!("add `business = …`; there are: {}", keys.join(", "));
            let message = "there are several businesses, and the flow names none";
            table.notes().note(Code::E01, table.span(), message, help);
        }
        return None;
    };
    if !known.iter().any(|business| business.key == name.value) {
        reader.unknown("business", &name, known.iter().map(|business| business.key.as_str()));
    }
    Some(name.value)
}

fn languages(table: &Table<'_>) -> Vec<String> {
    let Some(texts) = table.texts("languages") else { return vec!["en-GB".to_owned()] };
    if texts.is_empty() {
        table.note(Code::E00, "languages", "`languages` is empty", "name at least one");
        return vec!["en-GB".to_owned()];
    }
    texts.iter().map(|text| language(table, text)).collect()
}

/// A language as it is written, or as it must have been meant where that is none: so a mistake in the
/// tag is told once, and not of all that is played in it.
fn language(table: &Table<'_>, text: &Text) -> String {
    // A language also names a folder of the prompt set.
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let spoken = Language::ALL.map(Language::tag);
    let known =
        || spoken.into_iter().find(|tag| tag.eq_ignore_ascii_case(&text.value.replace('_', "-")));
    let is_tag =
        text.value.chars().all(fits) && text.value.starts_with(|c: char| c.is_ascii_alphabetic());
    let meant = known().filter(|tag| *tag != text.value);
    if is_tag && meant.is_none() {
        return text.value.clone();
    }
    let message = format!("`{}` is no language", text.value);
    let help = match meant {
        Some(tag) => format!("did you mean `{tag}`?"),
        None => "write it as `en-GB` or `es`".to_owned(),
    };
    let span = text.span.clone();
    let fix = meant.map(|tag| Fix { span: span.clone(), text: format!("\"{tag}\"") });
    table.notes().note_with_fix(Code::E00, span, message, help, fix);
    meant.map_or_else(|| text.value.clone(), str::to_owned)
}

/// Fields that only other systems tell: those of a call's own are not told us.
fn told(table: &Table<'_>) -> Vec<String> {
    let fields = table.texts("told").unwrap_or_default();
    for field in &fields {
        if let Err(why) = may_be_told(&field.value, "") {
            let help = "name what `POST /v1/eligibility` and its like tell of a caller";
            table.notes().note(Code::E00, field.span.clone(), why, help);
        }
    }
    unique(table, fields)
}

/// Topics that need a picture, which some sender must be able to carry.
fn media_intents(table: &Table<'_>, senders: &[Sender]) -> Vec<String> {
    let Some(intents) = table.texts("media_intents") else { return Vec::new() };
    if !senders.is_empty() && !senders.iter().any(|sender| sender.media) {
        let message = "no sender carries the pictures that these topics need";
        let help = "add a sender with `channel = \"whatsapp\"` or `media = true`";
        table.note(Code::E10, "media_intents", message, help);
    }
    unique(table, intents)
}

/// Whoever takes the person from the line says so in so many words (KH-22).
fn digital_only(table: &Table<'_>) -> bool {
    table.takes("digital_only", Takes::words(&[("acknowledged", ())]));
    let Some(value) = table.value("digital_only") else { return false };
    let acknowledged = value.get_ref().as_str() == Some("acknowledged");
    if !acknowledged {
        let message = "`digital_only` takes the person from every caller of this line";
        let help = "write `digital_only = \"acknowledged\"` if that is meant; protected calls \
                    still reach `human`";
        table.note(Code::E14, "digital_only", message, help);
    }
    acknowledged
}

/// Left out it is 0; none on a line that takes no calls.
fn operator_keys(table: &Table<'_>, digital_only: bool) -> Vec<Key> {
    let Some(texts) = table.texts("operator_keys") else {
        return "0".parse().into_iter().filter(|_| !digital_only).collect();
    };
    texts.iter().filter_map(|text| key(table, text)).collect()
}

/// A key of the telephone.
pub(super) fn key(table: &Table<'_>, text: &Text) -> Option<Key> {
    match text.value.parse() {
        Ok(key) => Some(key),
        Err(why) => {
            table.notes().note(Code::E00, text.span.clone(), format!("{why}"), "");
            None
        }
    }
}

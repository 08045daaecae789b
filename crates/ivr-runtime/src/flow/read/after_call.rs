//! `[after_call.X]`.

use super::{
    Reader,
    message::{max_segments, message},
    steps,
};
use crate::{
    diagnose::{Code, Table, Text, nearest},
    flow::model::AfterCall,
    hours::{QuietHours, is_zone, minute_of_day},
};

/// A person has used what the link leads to by then (EX-15).
const ASKED_AFTER_MINUTES: u32 = 120;

/// Reads `[after_call.X]`.
pub(super) fn after_call(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> AfterCall {
    let rules = |key| reader.rules_to(&table.texts(key).unwrap_or_default());
    table.require("needs_consent", Code::E11);
    let asks_rating = table.choice("asks", &[("rating", ())], &[]).is_some();
    let delay_minutes = if asks_rating { ASKED_AFTER_MINUTES } else { 30 };
    let leads_on = !asks_rating || table.has("link") || table.has("links");
    let after = AfterCall {
        name: name.value,
        when_intent: table.texts_owned("when_intent"),
        needs_consent: table.text("needs_consent").map(|text| text.value).unwrap_or_default(),
        only_if: rules("only_if"),
        never_if: rules("never_if"),
        asks_rating,
        delay_minutes: table.number("delay_minutes", 0..=10_080).unwrap_or(delay_minutes),
        quiet_hours: quiet_hours(table).unwrap_or_default(),
        via: steps::via(table, reader),
        links: if leads_on { steps::links(table, reader) } else { Vec::new() },
        message: message(table),
        max_segments: max_segments(table),
    };
    table.unknown_keys();
    after
}

/// `{ from, to, zone }`; `None`: not written, or not readable.
fn quiet_hours(table: &Table<'_>) -> Option<QuietHours> {
    let quiet = table.table("quiet_hours", "`quiet_hours`")?;
    let minute = |key: &'static str| {
        let text = quiet.required_text(key)?;
        let minute = minute_of_day(&text.value);
        if minute.is_none() {
            let message = format!("`{}` is no time of day", text.value);
            table.notes().note(Code::E12, text.span, message, "write it as `20:00`");
        }
        minute
    };
    let (from, to) = (minute("from"), minute("to"));
    let zone = quiet.text("zone").filter(|zone| zone.value != "caller");
    if let Some(zone) = zone.as_ref().filter(|zone| !is_zone(&zone.value)) {
        let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
        let known: Vec<String> = known.collect();
        let help = nearest(&zone.value, known.iter().map(String::as_str)).map_or_else(
            || "write `caller` or an IANA zone, such as `Europe/London`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("there is no time zone `{}`", zone.value);
        table.notes().note(Code::E12, zone.span.clone(), message, help);
    }
    quiet.finish();
    Some(QuietHours { from_minute: from?, to_minute: to?, zone: zone.map(|zone| zone.value) })
}

//! `[link.X]`.

use super::Reader;
use crate::{
    diagnose::{Code, Table, Text},
    flow::model::Link,
    lint::urls,
};

/// Kinds that are known, and refused.
const KINDS_NOT_YET: [&str; 9] = [
    "signed",
    "http",
    "liveperson-c2m",
    "liveperson-ivr",
    "khoros-flow",
    "telegram",
    "messenger",
    "whatsapp",
    "apple",
];

/// Keys that are known, and refused.
const NOT_YET: [&str; 17] = [
    "check_url",
    "expires_hours",
    "context",
    "context_level",
    "provider",
    "account",
    "skill",
    "timeout_ms",
    "if_unknown",
    "available_at",
    "url_at",
    "valid_at",
    "event",
    "bot",
    "page",
    "business_id",
    "number",
];

/// Reads `[link.X]`.
pub(super) fn link(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> Link {
    let kind = table.choice("kind", &[("static", ())], &KINDS_NOT_YET);
    // What a kind that is refused takes is not looked at.
    if kind.is_some() || !table.has("kind") {
        table.require("url", Code::E00);
        for key in NOT_YET {
            table.not_yet(key);
        }
    } else {
        for key in NOT_YET {
            table.value(key);
        }
    }
    let url = table.text("url");
    if let Some(url) = &url
        && let Some((message, help)) = urls::problem(&url.value)
    {
        table.note(Code::E13, "url", message, help);
    }
    let staffing = [("operator", "operator"), ("self-service", "self-service")];
    let link = Link {
        name: name.value,
        url: url.map(|url| url.value).unwrap_or_default(),
        if_missing: table.text("if_missing").and_then(|name| reader.link_to(&name)),
        intents: table.texts("intents").into_iter().flatten().map(|text| text.value).collect(),
        staffing: table.choice("staffing", &staffing, &[]).map(str::to_owned),
    };
    table.unknown_keys();
    link
}

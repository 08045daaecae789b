//! `agent`.

use super::{Reader, ask::can_be_saved};
use crate::{
    diagnose::{Code, Table, Text},
    flow::{
        model::{Agent, FieldType, SaveHeader, TargetId},
        tables::{is_token, own_headers},
    },
};

pub(super) const TYPES: [(&str, FieldType); 5] = [
    ("text", FieldType::Text),
    ("number", FieldType::Number),
    ("digits", FieldType::Digits),
    ("date", FieldType::Date),
    ("flag", FieldType::Flag),
];
/// Headers that a bot's outcome can't stand in: they are the protocol's own.
const OF_SIP: [&str; 11] = [
    "Call-ID",
    "Contact",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "From",
    "Max-Forwards",
    "Record-Route",
    "Route",
    "To",
    "Via",
];

/// `do = "agent"`.
pub(super) fn agent(table: &Table<'_>, reader: &Reader<'_>) -> Agent {
    let target = table.required_text("target").and_then(|name| reader.target_to(&name));
    Agent {
        target: target.unwrap_or(TargetId(0)),
        max_minutes: table.number_or("max_minutes", 1..=60, Code::E05).unwrap_or(5),
        headers: table
            .table("headers", "`headers`")
            .map(|headers| own_headers(&headers))
            .unwrap_or_default(),
        save: saves(table),
        then: reader.required_go(table, "then", Code::E00),
        if_busy: reader.go(table, "if_busy"),
        if_no_answer: reader.go(table, "if_no_answer"),
        if_timeout: reader.go(table, "if_timeout"),
        if_fails: reader.go(table, "if_fails"),
    }
}

/// `field = "X-Header"`, or `field = { header = "X-Header", type = "number" }`.
fn saves(table: &Table<'_>) -> Vec<SaveHeader> {
    let Some(fields) = table.table("save", "`save`") else { return Vec::new() };
    let mut saves = Vec::new();
    for name in fields.keys() {
        can_be_saved(table, &Text { value: name.to_owned(), span: fields.key_place(name) });
        let is_table = fields.value(name).is_some_and(|value| value.get_ref().as_table().is_some());
        let (header, is) = if is_table {
            let Some(one) = fields.table(name, format!("`{name}`")) else { continue };
            let header = one.required_text("header");
            let is = one.choice("type", &TYPES, &[]).unwrap_or_default();
            one.finish();
            (header, is)
        } else {
            (fields.text(name), FieldType::default())
        };
        let Some(header) = header else { continue };
        if !is_token(&header.value) || OF_SIP.iter().any(|s| s.eq_ignore_ascii_case(&header.value))
        {
            let message = format!("`{}` is no header that tells an outcome", header.value);
            table.notes().note(Code::E00, header.span, message, "such as `\"X-Outcome\"`");
            continue;
        }
        saves.push(SaveHeader { field: name.to_owned(), header: header.value, is });
    }
    saves
}

//! `[target.X]`.

use std::collections::BTreeMap;

use crate::{
    diagnose::{Code, Notes, Span, Table, Text},
    flow::{
        model::{AnsweredMeans, HumanSignal, TargetMode},
        way::{self, Socket},
    },
    key::Key,
    lint::addresses,
};

/// Keys of a feature code: one alone is pressed by mistake.
const CODE: std::ops::RangeInclusive<usize> = 2..=6;

/// A target whose names are not looked up yet: each flow looks them up among its own steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetDraft {
    /// `X`.
    pub name: Text,
    /// `sip`, then `next_sip`.
    pub addresses: Vec<String>,
    /// Without a provisional for so long → next address, ms.
    pub no_reply_ms: u32,
    /// Ringing for so long is no answer, seconds.
    pub ring_seconds: u32,
    /// Between two OPTIONS, seconds; 0: none.
    pub ping_seconds: u32,
    /// How a call gets there.
    pub mode: TargetMode,
    /// `udp`, `tcp`, `tls` or `auto`.
    pub transport: String,
    /// Name of its hours.
    pub hours: Option<Text>,
    /// Where to outside them.
    pub when_closed: Option<Text>,
    /// What a 200 means.
    pub answered_means: AnsweredMeans,
    /// How we learn that a person is there.
    pub human_signal: HumanSignal,
    /// Header name → template.
    pub headers: BTreeMap<String, String>,
    /// Keys by which its agents have a link sent.
    pub feature_code: Vec<Key>,
    /// Name of the `text` step of that link.
    pub send_link: Option<Text>,
    /// 486, 600.
    pub if_busy: Option<Text>,
    /// 480, 408 after ringing, `ring_seconds`.
    pub if_no_answer: Option<Text>,
    /// Any other failure.
    pub if_fails: Option<Text>,
    /// `false` permits an end in a hang-up without trying `[fallback]`.
    pub fallback: bool,
}

impl Default for TargetDraft {
    /// Every key left out; no address.
    fn default() -> Self {
        Self {
            name: Text { value: String::new(), span: 0..0 },
            addresses: Vec::new(),
            no_reply_ms: 3_000,
            ring_seconds: 45,
            ping_seconds: 30,
            mode: TargetMode::default(),
            transport: "auto".to_owned(),
            hours: None,
            when_closed: None,
            answered_means: AnsweredMeans::default(),
            human_signal: HumanSignal::None,
            headers: default_headers(),
            feature_code: Vec::new(),
            send_link: None,
            if_busy: None,
            if_no_answer: None,
            if_fails: None,
            fallback: true,
        }
    }
}

/// Fields that `headers` may name.
const HEADER_FIELDS: [&str; 2] = ["call_id", "context_url"];

/// Reads `[target.X]`; `None`: it can't be used; why is noted.
pub fn target(name: Text, table: Table<'_>) -> Option<TargetDraft> {
    let addresses = addresses(&table);
    let hours = table.text("hours");
    if hours.is_some() {
        table.require("when_closed", Code::E00);
    }
    let when_closed = table.text("when_closed");
    if when_closed.is_some() && hours.is_none() && !table.has("hours") {
        let help = "add `hours = …`, or leave it out";
        table.note(Code::E00, "when_closed", "`when_closed` without `hours`", help);
    }
    let modes = [
        ("bridge", TargetMode::Bridge),
        ("refer", TargetMode::Refer),
        ("redirect", TargetMode::Redirect),
    ];
    let means = [("human", AnsweredMeans::Human), ("queue", AnsweredMeans::Queue)];
    let answered_means = table.choice("answered_means", &means, &[]).unwrap_or_default();
    let transports = [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("auto", "auto")];
    let usual = TargetDraft::default();
    let draft = TargetDraft {
        name,
        addresses: addresses.unwrap_or_default(),
        no_reply_ms: table.number("no_reply_ms", 100..=60_000).unwrap_or(usual.no_reply_ms),
        ping_seconds: table.number("ping_seconds", 0..=3_600).unwrap_or(usual.ping_seconds),
        ring_seconds: table.number("ring_seconds", 1..=600).unwrap_or(usual.ring_seconds),
        mode: table.choice("mode", &modes, &[]).unwrap_or_default(),
        transport: table.choice("transport", &transports, &[]).unwrap_or("auto").to_owned(),
        hours,
        when_closed,
        answered_means,
        human_signal: human_signal(&table).unwrap_or(match answered_means {
            AnsweredMeans::Human => HumanSignal::Answer,
            AnsweredMeans::Queue => HumanSignal::None,
        }),
        headers: headers(&table),
        feature_code: feature_code(&table),
        send_link: table.text("send_link"),
        if_busy: table.text("if_busy"),
        if_no_answer: table.text("if_no_answer"),
        if_fails: table.text("if_fails"),
        fallback: table.flag("fallback").unwrap_or(true),
    };
    table.finish();
    (!draft.addresses.is_empty()).then_some(draft)
}

/// Notes the addresses of a target that must not be dialled where calls come from these
/// countries; `place` is that of its `sip`.
pub fn refuse_numbers(target: &TargetDraft, place: &Span, countries: &[String], notes: &Notes) {
    for address in &target.addresses {
        if let Some((message, help)) = addresses::refused_in(address, countries) {
            notes.note(Code::E08, place.clone(), message, help);
        }
    }
}

/// Notes a target with an address that none of these sockets can ask; `place` is that of its `sip`.
pub fn refuse_unreached(target: &TargetDraft, place: &Span, sockets: &[Socket], notes: &Notes) {
    for (n, address) in target.addresses.iter().enumerate() {
        let unreached = way::unreached(address, &target.transport, sockets);
        let Some((what, help)) = unreached else { continue };
        let name = &target.name.value;
        let message = match n {
            0 => format!("`{name}` {what}"),
            _ => format!("`{address}` of `{name}` {what}"),
        };
        notes.note(Code::E01, place.clone(), message, help);
    }
}

fn addresses(table: &Table<'_>) -> Option<Vec<String>> {
    let first = table.required_text("sip");
    let next = table.texts("next_sip").unwrap_or_default();
    for address in first.iter().chain(&next) {
        if let Some((message, help)) = addresses::problem(&address.value) {
            table.notes().note(Code::E08, address.span.clone(), message, help);
        }
    }
    Some(std::iter::once(first?).chain(next).map(|address| address.value).collect())
}

fn human_signal(table: &Table<'_>) -> Option<HumanSignal> {
    let text = table.text("human_signal")?;
    if let Some(header) = text.value.strip_prefix("header:") {
        if is_token(header) {
            return Some(HumanSignal::Header(header.to_owned()));
        }
        let help = "write it as `\"header:X-Agent\"`";
        table.note(Code::E00, "human_signal", "this names no header", help);
        return None;
    }
    let words = [
        ("answer", HumanSignal::Answer),
        ("reinvite", HumanSignal::Reinvite),
        ("ami", HumanSignal::Ami),
        ("esl", HumanSignal::Esl),
        ("api", HumanSignal::Api),
        ("none", HumanSignal::None),
        ("header:…", HumanSignal::None),
    ];
    table.choose("human_signal", &text, &words, &[])
}

/// What its agents press on the bridge.
fn feature_code(table: &Table<'_>) -> Vec<Key> {
    let Some(text) = table.text("feature_code") else { return Vec::new() };
    let keys: Option<Vec<Key>> = text.value.chars().map(|c| Key::try_from(c).ok()).collect();
    let keys = keys.filter(|keys| CODE.contains(&keys.len()));
    if keys.is_none() {
        let message = format!("`{}` is no feature code", text.value);
        table.notes().note(Code::E00, text.span, message, "2 to 6 keys, such as `\"*7\"`");
    } else if !table.has("send_link") {
        let help = "add `send_link`, with the `text` step whose link it sends";
        table.note(Code::E00, "feature_code", "the code sends nothing", help);
    }
    keys.unwrap_or_default()
}

/// Without `headers` the PBX learns our id of the call.
fn default_headers() -> BTreeMap<String, String> {
    BTreeMap::from([("X-Carom-Call".to_owned(), "{call_id}".to_owned())])
}

fn headers(table: &Table<'_>) -> BTreeMap<String, String> {
    let Some(headers) = table.table("headers", "`headers`") else {
        return default_headers();
    };
    let found = own_headers(&headers);
    for (name, template) in &found {
        for field in fields(template).filter(|field| !HEADER_FIELDS.contains(field)) {
            let message = format!("`{{{field}}}` is not known here");
            headers.note(Code::E00, name, message, "known: `{call_id}`, `{context_url}`");
        }
    }
    found
}

/// Headers that a flow may set, by name.
pub(in crate::flow) fn own_headers(headers: &Table<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in headers.keys() {
        let Some(template) = headers.text(name) else { continue };
        if !is_token(name) || !name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-")) {
            let help = "name it `X-…`; the others are the protocol's own";
            let message = format!("`{name}` is no header a flow may set");
            headers.notes().note(Code::E00, headers.key_place(name), message, help);
        }
        if template.value.chars().any(char::is_control) {
            headers.note(Code::E00, name, "a header has one line", "");
        }
        found.insert(name.to_owned(), template.value);
    }
    found
}

/// The names in braces.
fn fields(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// RFC 3261 §25.1.
pub(in crate::flow) fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

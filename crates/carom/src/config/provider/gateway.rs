//! `kind = "http"`: a gateway whose requests and receipts are described here.

use std::{collections::BTreeMap, str::FromStr as _};

use deflect_actions::provider::{
    Class, State,
    gateway::{
        Algorithm, Description, FIELDS, FIELDS_OF_A_NUMBER, Hooks, Lines, Signing, Style,
        plivo::Version,
    },
};
use ivr_runtime::diagnose::Code;

use super::{ProviderKind, secret};
use crate::config::read::Table;

/// Keys of the webhook.
const HOOKS: [&str; 12] = [
    "signature_header",
    "timestamp_header",
    "app_secret",
    "id_at",
    "reference_at",
    "state_at",
    "states",
    "code_at",
    "codes",
    "from_at",
    "to_at",
    "text_at",
];

pub(super) fn read(table: &Table<'_>) -> Option<ProviderKind> {
    let methods = ["POST", "PUT", "GET"].map(|method| (method, method));
    let method = table.choice("method", &methods, &[]).unwrap_or("POST");
    let url = table.required("url", |t| t.web_address("url"));
    let headers = table.table("headers").map(|headers| pairs(&headers)).unwrap_or_default();
    let body = table.text("body").map(|body| body.value).unwrap_or_default();
    let key = if table.has("secret") { secret(table, "secret") } else { None };
    let account = table.secret_or_text("account");
    let id_at = pointer(table, "id");
    let errors = words(table, "errors", Class::parse);
    let hooks = hooks(table);
    let lines = lines(table);
    let url = url?;
    check_fields(table, &url, &body);
    let errors = errors.into_iter().filter_map(|(status, class)| {
        let read = u16::from_str(&status).ok().filter(|status| (300..600).contains(status));
        if read.is_none() {
            let message = format!("`errors`: `{status}` is no status of an error answer");
            table.note(Code::E00, "errors", message, "such as `\"402\"`");
        }
        Some((read?, class))
    });
    let text = |secret: Option<crate::config::Secret>| {
        secret.map(|secret| secret.reveal().to_owned()).unwrap_or_default()
    };
    Some(ProviderKind::Http(Box::new(Description {
        method: method.parse().ok()?,
        url,
        headers,
        body,
        secret: text(key),
        account: text(account),
        id_at,
        errors: errors.collect(),
        hooks,
        lines,
    })))
}

/// A request that leaves out number or text would be one for nothing.
fn check_fields(table: &Table<'_>, url: &str, body: &str) {
    let has = |field: &str| url.contains(field) || body.contains(field);
    for (fields, what) in [(&["{to}", "{to_digits}"][..], "the number"), (&["{text}"], "the text")]
    {
        if !fields.iter().any(|field| has(field)) {
            let message = format!("neither `url` nor `body` holds {what}");
            let help = format!("write `{}` where it belongs", fields[0]);
            table.note(Code::E00, "body", message, help);
        }
    }
    let filled = FIELDS.iter().fold(body.to_owned(), |body, field| {
        // A field may stand where a number does.
        body.replace(&format!("{{{field}}}"), "0")
    });
    if !body.is_empty() && Style::of(body) == Style::Json {
        let read = serde_json::from_str::<serde_json::Value>(&filled);
        if let Err(why) = read {
            table.note(Code::E00, "body", format!("`body` is no JSON: {why}"), "");
        }
    }
}

/// What it is asked of a number, where it knows kinds of lines.
fn lines(table: &Table<'_>) -> Option<Lines> {
    if !table.has("line_url") {
        table.value("line_url");
        for key in ["line_at", "line_kinds"] {
            if table.value(key).is_some() {
                let message = format!("`{key}` is for kinds of lines, and there is no `line_url`");
                table.note(Code::E00, key, message, "say where they are asked for");
            }
        }
        return None;
    }
    let url = table.web_address("line_url");
    if url.as_ref().is_some_and(|url| !["{to}", "{to_digits}"].iter().any(|to| url.contains(to))) {
        let message = "`line_url` does not hold the number";
        table.note(Code::E00, "line_url", message, "write `{to}` where it belongs");
    }
    let rest = FIELDS_OF_A_NUMBER.iter().fold(url.clone().unwrap_or_default(), |rest, field| {
        rest.replace(&format!("{{{field}}}"), "")
    });
    if rest.contains(['{', '}']) {
        let message = "`line_url` holds a field that a question about a number has not";
        let known = FIELDS_OF_A_NUMBER.map(|field| format!("`{{{field}}}`")).join(" ");
        table.note(Code::E00, "line_url", message, format!("there are {known}"));
    }
    let kind_at = table.required("line_at", |t| pointer(t, "line_at"));
    let takes_texts = |word: &str| match word {
        "textable" => Some(true),
        "not_textable" => Some(false),
        _ => None,
    };
    let kinds = words(table, "line_kinds", takes_texts);
    Some(Lines { url: url?, kind_at: kind_at?, kinds })
}

fn hooks<'a>(table: &Table<'a>) -> Option<Hooks> {
    let algorithms = [
        ("token", Algorithm::Token),
        ("hmac-sha1", Algorithm::HmacSha1),
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("plivo-v2", Algorithm::Plivo(Version::V2)),
        ("plivo-v3", Algorithm::Plivo(Version::V3)),
    ];
    if !table.has("signature") {
        table.value("signature");
        for key in HOOKS {
            if table.value(key).is_some() {
                let message = format!("`{key}` is for webhooks, and there is no `signature`");
                table.note(Code::E00, key, message, "say how they are signed");
            }
        }
        return None;
    }
    let algorithm = table.choice("signature", &algorithms, &[]);
    let named = |t: &Table<'a>| t.text("signature_header").map(|header| header.value);
    let header = match algorithm {
        Some(Algorithm::Plivo(version)) => {
            Some(named(table).unwrap_or_else(|| version.header().to_owned()))
        }
        _ => table.required("signature_header", named),
    };
    let timestamp_header = table.text("timestamp_header").map(|header| header.value);
    if timestamp_header.is_some() && matches!(algorithm, Some(Algorithm::Plivo(_))) {
        let message = "`timestamp_header`: Plivo signs no moment";
        table.note(Code::E00, "timestamp_header", message, "leave it out");
    }
    let secret = secret(table, "app_secret");
    let [id_at, reference_at, state_at, code_at, from_at, to_at, text_at] =
        ["id_at", "reference_at", "state_at", "code_at", "from_at", "to_at", "text_at"]
            .map(|key| pointer(table, key));
    let states = words(table, "states", State::told);
    let codes = words(table, "codes", Class::parse);
    let secret = secret?.reveal().to_owned();
    let signing = Signing { algorithm: algorithm?, header: header?, timestamp_header, secret };
    Some(Hooks {
        signing,
        id_at,
        reference_at,
        state_at,
        states,
        code_at,
        codes,
        from_at,
        to_at,
        text_at,
    })
}

/// A JSON pointer (RFC 6901).
fn pointer<'a>(table: &Table<'a>, key: &'a str) -> Option<String> {
    let text = table.text(key)?;
    if !text.value.starts_with('/') {
        let message = format!("`{key}`: `{}` is no JSON pointer", text.value);
        table.note(Code::E00, key, message, "such as `\"/messages/0/id\"`");
    }
    Some(text.value)
}

fn pairs(table: &Table<'_>) -> Vec<(String, String)> {
    let keys = table.keys().into_iter();
    keys.filter_map(|key| Some((key.to_owned(), table.text(key)?.value))).collect()
}

/// A table from the gateway's words to ours.
fn words<'a, T>(
    table: &Table<'a>,
    key: &'a str,
    read: fn(&str) -> Option<T>,
) -> BTreeMap<String, T> {
    let words = table.table(key).map(|words| pairs(&words)).unwrap_or_default();
    let word = |(theirs, ours): (String, String)| {
        let meaning = read(&ours);
        if meaning.is_none() {
            table.note(Code::E00, key, format!("`{key}` does not know `{ours}`"), "");
        }
        Some((theirs, meaning?))
    };
    words.into_iter().filter_map(word).collect()
}

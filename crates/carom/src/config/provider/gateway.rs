//! `kind = "http"`: a gateway whose requests and receipts are described here.

use std::{collections::BTreeMap, str::FromStr as _};

use deflect_actions::provider::{
    Class, State,
    gateway::{
        Algorithm, Answer, Currency, Description, FIELDS, FIELDS_OF_A_NUMBER, FIELDS_OF_AN_ACCOUNT,
        Hooks, Lines, Price, SIGNED, Signing, Style, is_currency, plivo::Version,
    },
};
use ivr_runtime::diagnose::Code;

use super::{ProviderKind, secret};
use crate::config::read::Table;

/// Keys of the webhook.
const HOOKS: [&str; 18] = [
    "signature_header",
    "timestamp_header",
    "nonce_header",
    "signed",
    "app_secret",
    "events_at",
    "id_at",
    "reference_at",
    "state_at",
    "states",
    "code_at",
    "codes",
    "parts_at",
    "price_at",
    "currency_at",
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
    let answer = answer(table);
    let errors = words(table, "errors", Class::parse);
    let hooks = hooks(table);
    let lines = lines(table);
    let check_url = table.web_address("check_url");
    if let Some(url) = &check_url {
        holds_no_more(table, "check_url", url, &FIELDS_OF_AN_ACCOUNT, "a question about nobody");
    }
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
        answer,
        errors: errors.collect(),
        hooks,
        lines,
        check_url,
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

/// A template that has no other fields than these.
fn holds_no_more<'a>(
    table: &Table<'a>,
    key: &'a str,
    template: &str,
    fields: &[&str],
    whose: &str,
) {
    let named = |field: &&str| format!("{{{field}}}");
    let rest =
        fields.iter().fold(template.to_owned(), |rest, field| rest.replace(&named(field), ""));
    if rest.contains(['{', '}']) {
        let message = format!("`{key}` holds a field that {whose} has not");
        let known: Vec<_> = fields.iter().map(|field| format!("`{}`", named(field))).collect();
        table.note(Code::E00, key, message, format!("there are {}", known.join(" ")));
    }
}

/// What stands where in its answers.
fn answer(table: &Table<'_>) -> Answer {
    let [id_at, parts_at, error_at] = ["id", "parts", "error"].map(|key| pointer(table, key));
    let meaning = |word: &str| match word {
        "none" => Some(None),
        _ => Class::parse(word).map(Some),
    };
    let error_codes = words(table, "error_codes", meaning);
    if table.has("error_codes") && !table.has("error") {
        let message = "`error_codes` are those of `error`, and there is none";
        table.note(Code::E00, "error_codes", message, "say where the code stands");
    }
    Answer { id_at, parts_at, price: price(table, "price", "currency"), error_at, error_codes }
}

/// Where an amount stands, and its currency, or what that always is.
fn price<'a>(table: &Table<'a>, amount: &'a str, currency: &'a str) -> Price {
    let amount_at = pointer(table, amount);
    let unit = table.text(currency).map(|unit| unit.value);
    if unit.is_some() && !table.has(amount) {
        let message = format!("`{currency}` is that of `{amount}`, and there is none");
        table.note(Code::E00, currency, message, "say where the amount stands");
    }
    let unit = unit.map(|unit| {
        if unit.starts_with('/') {
            return Currency::At(unit);
        }
        if !is_currency(&unit) {
            let message =
                format!("`{currency}`: `{unit}` is neither a currency nor a JSON pointer");
            table.note(Code::E00, currency, message, "such as `\"EUR\"` or `\"/cost/currency\"`");
        }
        Currency::Is(unit)
    });
    Price { amount_at, currency: unit }
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
    if let Some(url) = &url {
        holds_no_more(table, "line_url", url, &FIELDS_OF_A_NUMBER, "a question about a number");
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
    let [timestamp_header, nonce_header, signed] = ["timestamp_header", "nonce_header", "signed"]
        .map(|key| table.text(key).map(|text| text.value));
    if matches!(algorithm, Some(Algorithm::Plivo(_))) {
        for (key, what) in [("timestamp_header", "no moment"), ("signed", "by a rule of its own")] {
            if table.has(key) {
                let message = format!("`{key}`: Plivo signs {what}");
                table.note(Code::E00, key, message, "leave it out");
            }
        }
    }
    if let Some(signed) = &signed {
        check_signed(table, signed, algorithm);
    }
    let secret = secret(table, "app_secret");
    let [events_at, id_at, reference_at, state_at, code_at, parts_at] =
        ["events_at", "id_at", "reference_at", "state_at", "code_at", "parts_at"]
            .map(|key| pointer(table, key));
    let [from_at, to_at, text_at] = ["from_at", "to_at", "text_at"].map(|key| pointer(table, key));
    let states = words(table, "states", State::told);
    let codes = words(table, "codes", Class::parse);
    let secret = secret?.reveal().to_owned();
    let price = price(table, "price_at", "currency_at");
    let signing = Signing {
        algorithm: algorithm?,
        header: header?,
        timestamp_header,
        nonce_header,
        signed,
        secret,
    };
    Some(Hooks {
        signing,
        events_at,
        id_at,
        reference_at,
        state_at,
        states,
        code_at,
        codes,
        parts_at,
        price,
        from_at,
        to_at,
        text_at,
    })
}

/// What a signature is over: all that is believed stands in it.
fn check_signed(table: &Table<'_>, signed: &str, algorithm: Option<Algorithm>) {
    if algorithm == Some(Algorithm::Token) {
        let message = "`signed`: a token signs nothing";
        table.note(Code::E00, "signed", message, "leave it out");
    }
    holds_no_more(table, "signed", signed, &SIGNED, "a webhook");
    let with = [
        ("{body}", None),
        ("{timestamp}", Some("timestamp_header")),
        ("{nonce}", Some("nonce_header")),
    ];
    for (field, header) in with {
        let wanted = header.is_none_or(|header| table.has(header));
        if wanted && !signed.contains(field) {
            let message = format!("`signed` does not hold `{field}`: anybody could change it");
            table.note(Code::E00, "signed", message, "write it as the gateway's documents do");
        }
        if let Some(header) = header.filter(|_| !wanted && signed.contains(field)) {
            let message = format!("`signed` holds `{field}`, and there is no `{header}`");
            table.note(Code::E00, "signed", message, "say which header it stands in");
        }
    }
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

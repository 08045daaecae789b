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
    let errors = words(table, "errors", &classes());
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
    let meanings = classes().map(|(word, class)| (word, Some(class))).into_iter();
    let meanings: Vec<_> = meanings.chain([("none", None)]).collect();
    let error_codes = words(table, "error_codes", &meanings);
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
        let what = "kinds of lines are asked for by `line_url`";
        lacks(table, "line_url", &["line_at", "line_kinds"], what);
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
    let kinds = words(table, "line_kinds", &[("textable", true), ("not_textable", false)]);
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
        lacks(table, "signature", &HOOKS, "webhooks are told from others by `signature`");
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
    let states = State::ALL.map(State::as_str).into_iter();
    let states: Vec<_> = states.filter_map(|word| Some((word, State::told(word)?))).collect();
    let states = words(table, "states", &states);
    let codes = words(table, "codes", &classes());
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

/// Keys that say nothing without another: told once, of that one, and not where it is misspelt.
fn lacks<'a>(table: &Table<'a>, key: &'a str, without: &[&'a str], what: &str) {
    table.value(key);
    let there: Vec<String> = without
        .iter()
        .filter(|key| table.value(key).is_some())
        .map(|key| format!("`{key}`"))
        .collect();
    let (says, them) = if there.len() == 1 { ("says", "it") } else { ("say", "them") };
    if !there.is_empty() {
        let message = format!("{} {says} nothing: {what}", there.join(", "));
        table.lacks(Code::E00, key, message, format!("add `{key} = …`, or leave {them} out"));
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

/// Kinds of failures by their words.
fn classes() -> [(&'static str, Class); 13] {
    Class::ALL.map(|class| (class.as_str(), class))
}

/// A table from the gateway's words to ours, each one of `ours`.
fn words<'a, T: Clone>(table: &Table<'a>, key: &'a str, ours: &[(&str, T)]) -> BTreeMap<String, T> {
    let Some(words) = table.table(key) else { return BTreeMap::new() };
    let word = |theirs: &'a str| {
        let text = words.text(theirs)?;
        Some((theirs.to_owned(), words.choose(key, &text, ours, &[])?))
    };
    words.keys().into_iter().filter_map(word).collect()
}

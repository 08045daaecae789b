//! `kind = "smpp"`: a message centre.

use std::time::Duration;

use deflect_actions::provider::smpp::{Alphabet, Bind, Long, ReceiptIds, Settings};
use ivr_runtime::diagnose::Code;

use super::{ProviderKind, secret};
use crate::config::read::Table;

/// Lengths that SMPP 3.4 allows (§4.1.5).
const LONGEST: [(&str, usize); 3] = [("account", 15), ("secret", 8), ("system_type", 12)];

pub(super) fn read(table: &Table<'_>) -> Option<ProviderKind> {
    let place = table.required("url", place);
    let account = table.required("account", |t| t.secret_or_text("account"));
    let password = secret(table, "secret");
    let system_type = table.text("system_type").map(|text| text.value).unwrap_or_default();
    let alphabets = [("gsm7", Alphabet::Gsm7), ("latin1", Alphabet::Latin1)];
    let alphabet = table.choice("data_coding", &alphabets, &[]).unwrap_or_default();
    let longs = [("udh", Long::Udh), ("payload", Long::Payload)];
    let long = table.choice("long_texts", &longs, &[]).unwrap_or_default();
    let ids = [
        ("same", ReceiptIds::Same),
        ("decimal", ReceiptIds::Decimal),
        ("hexadecimal", ReceiptIds::Hexadecimal),
    ];
    let receipt_ids = table.choice("receipt_ids", &ids, &[]).unwrap_or_default();
    let window = table.number("window", 1..=1_000).unwrap_or(10);
    let enquire = table.duration("enquire_seconds", 1, 1..=3_600);
    let (tls, host, port) = place?;
    let bind = Bind {
        system_id: account?.reveal().to_owned(),
        password: password?.reveal().to_owned(),
        system_type,
    };
    for ((key, most), text) in
        LONGEST.into_iter().zip([&bind.system_id, &bind.password, &bind.system_type])
    {
        if text.len() > most {
            let message = format!("`{key}` is longer than the {most} characters of SMPP 3.4");
            table.note(Code::E00, key, message, "");
        }
    }
    Some(ProviderKind::Smpp(Settings {
        host,
        port,
        tls,
        bind,
        alphabet,
        long,
        receipt_ids,
        window: usize::try_from(window).unwrap_or(10),
        enquire: enquire.unwrap_or(Duration::from_secs(30)),
    }))
}

/// `smpp://HOST[:PORT]`, or `smpps://` for TLS.
fn place(table: &Table<'_>) -> Option<(bool, String, u16)> {
    let text = table.text("url")?;
    let read = || {
        let (scheme, rest) = text.value.split_once("://")?;
        let (tls, usual) = match scheme {
            "smpp" => (false, 2775),
            "smpps" => (true, 3550),
            _ => return None,
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, usual),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        (!host.is_empty() && host.chars().all(plain)).then(|| (tls, host.to_owned(), port))
    };
    let place = read();
    if place.is_none() {
        let message = format!("`url`: `{}` is no message centre", text.value);
        table.note(Code::E00, "url", message, "write `\"smpps://HOST:PORT\"`, or `smpp://`");
    }
    place
}

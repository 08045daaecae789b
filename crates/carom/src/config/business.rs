//! `[business.X]`: on whose behalf calls are taken.

use std::collections::BTreeMap;

use deflect_actions::{
    hooks::Hook,
    text::{Reply, means_stop, plain},
};
use ivr_runtime::diagnose::Code;

use super::{http, read::Table, secret::SecretRef};

/// A business and its brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    /// `X`, as flows name it.
    pub key: String,
    /// Its name in reports.
    pub name: String,
    /// Stands in every message; callers are one person per brand.
    pub brand: String,
    /// Key of the callers' hashes. A file that is missing is made on first run, mode 0600.
    pub number_key: SecretRef,
    /// Key of the opt-out list; never rotated. Made like the other.
    pub opt_out_key: SecretRef,
    /// Answer to HELP, by language; empty: the built-in one.
    pub help_text: BTreeMap<String, String>,
    /// What people may answer to its texts.
    pub replies: Vec<Reply>,
}

pub(super) fn read(key: String, table: &Table<'_>) -> Option<Business> {
    let name = table.required("name", |t| t.text("name"));
    let brand = table.required("brand", |t| t.text("brand"));
    let made = |table: &Table<'_>, what: &str| {
        SecretRef::File(table.base().join(format!("var/keys/{key}-{what}.key")))
    };
    let number_key = table.made_secret("number_key").unwrap_or_else(|| made(table, "number"));
    let opt_out_key = table.made_secret("opt_out_key").unwrap_or_else(|| made(table, "opt-out"));
    let help_text = table.text_by_language("help_text");
    let replies = table.array_of_tables("replies").into_iter().filter_map(reply).collect();
    Some(Business {
        name: name?.value,
        brand: brand?.value,
        number_key,
        opt_out_key,
        help_text,
        replies,
        key,
    })
}

/// An answer that people may give to texts, and who is told.
fn reply(table: Table<'_>) -> Option<Reply> {
    let words = table.required("words", |t| t.texts("words")).unwrap_or_default();
    for word in &words {
        if means_stop(&word.value) {
            let message = format!("`{}` means STOP to everybody", word.value);
            table.problem(Code::E00, &word.span, message, "take another word");
        } else if plain(&word.value).is_empty() {
            let message = format!("`{}` has no letter and no digit", word.value);
            table.problem(Code::E00, &word.span, message, "write a word such as `yes`");
        }
    }
    let url = table.required("url", |t| t.web_address("url"));
    let secret = table.required("secret", |t| t.secret_value("secret"));
    let secret = secret.and_then(|secret| http::signing_key(&table, &secret));
    let answer = table.text_by_language("answer");
    table.finish();
    let words = words.iter().map(|word| plain(&word.value)).collect();
    // It is told what is meant for it, and wants nothing by itself.
    let hook = Hook { url: url?, secret: secret?, kinds: Vec::new() };
    Some(Reply { words, hook, answer })
}

//! `[business.X]`: on whose behalf calls are taken.

use std::collections::BTreeMap;

use deflect_actions::{
    hooks::Hook,
    text::{OwnWords, Reply, compared, is_keyword, means_stop, plain},
};
use ivr_runtime::diagnose::{Code, Text};

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
    /// What means STOP and HELP to it, besides the usual words.
    pub own_words: OwnWords,
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
    let own_words = own_words(table);
    let replies = table.array_of_tables("replies").into_iter();
    let replies = replies.filter_map(|table| reply(table, &own_words)).collect();
    Some(Business {
        name: name?.value,
        brand: brand?.value,
        number_key,
        opt_out_key,
        help_text,
        own_words,
        replies,
        key,
    })
}

/// `stop_words` and `help_words`. What can't be one is told of and left out.
fn own_words(table: &Table<'_>) -> OwnWords {
    let fit = |key| -> Vec<Text> {
        let words = table.texts(key).unwrap_or_default().into_iter();
        words.filter(|word| is_fit(table, word)).collect()
    };
    let (stop, help) = (fit("stop_words"), fit("help_words"));
    let texts = |words: &[Text]| words.iter().map(|word| compared(&word.value)).collect();
    let mut own = OwnWords { stop: texts(&stop), help: Vec::new() };
    for word in help {
        if own.stop.contains(&compared(&word.value)) {
            let message = format!("`{}` is one of the `stop_words`, too", word.value);
            table.problem(Code::E00, &word.span, message, "it can mean one thing only");
        } else {
            own.help.push(compared(&word.value));
        }
    }
    own
}

/// Whether it is one word that means nothing else.
fn is_fit(table: &Table<'_>, word: &Text) -> bool {
    let text = compared(&word.value);
    let (message, help) = if text.is_empty() {
        (format!("`{}` has no letter", word.value), "write a word such as `basta`")
    } else if text.contains(' ') {
        (format!("`{}` is more than one word", word.value), "each text is one word")
    } else if !text.contains(char::is_alphabetic) {
        let message = format!("`{}` has no letter: it may be a rating", word.value);
        (message, "write a word such as `basta`")
    } else if is_keyword(&text) {
        (format!("`{}` means something to everybody already", word.value), "leave it out")
    } else {
        return true;
    };
    table.problem(Code::E00, &word.span, message, help);
    false
}

/// An answer that people may give to texts, and who is told.
fn reply(table: Table<'_>, own: &OwnWords) -> Option<Reply> {
    let words = table.required("words", |t| t.texts("words")).unwrap_or_default();
    for word in &words {
        if means_stop(&word.value, own) {
            let message = format!("`{}` means STOP", word.value);
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

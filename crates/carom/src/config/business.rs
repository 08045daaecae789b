//! `[business.X]`: on whose behalf calls are taken.

use std::collections::BTreeMap;

use super::{read::Table, secret::SecretRef};

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
}

pub(super) fn read(key: String, table: &Table<'_>) -> Option<Business> {
    let name = table.required("name", |t| t.text("name"));
    let brand = table.required("brand", |t| t.text("brand"));
    let made = |table: &Table<'_>, what: &str| {
        SecretRef::File(table.base().join(format!("var/keys/{key}-{what}.key")))
    };
    let number_key = table.secret("number_key").unwrap_or_else(|| made(table, "number"));
    let opt_out_key = table.secret("opt_out_key").unwrap_or_else(|| made(table, "opt-out"));
    let help_text = table.text_by_language("help_text");
    Some(Business {
        name: name?.value,
        brand: brand?.value,
        number_key,
        opt_out_key,
        help_text,
        key,
    })
}

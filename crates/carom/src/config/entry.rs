//! `[entry.X]`: a tracked place that leads people to a digital channel before they call.

use ivr_runtime::diagnose::Code;

use super::read::Table;

/// Fields of an entry's address.
const FIELDS: [&str; 2] = ["{entry}", "{contact}"];
/// Longest name: it stands in an address and in a QR code.
const LONGEST: usize = 40;

/// A place outside: a button of a website, a sign, an entry of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `X`: the end of its address, and its name in reports.
    pub name: String,
    /// Key of the business that it belongs to.
    pub business: String,
    /// Where it leads: https, with `{entry}` and `{contact}`.
    pub url: String,
}

impl Entry {
    /// Where somebody is led who has this contact; a program that looks has none.
    #[must_use]
    pub fn leads_to(&self, contact: Option<&str>) -> String {
        self.url.replace("{entry}", &self.name).replace("{contact}", contact.unwrap_or_default())
    }

    /// Its own address, under our public one.
    #[must_use]
    pub fn address(&self, public_url: &str) -> String {
        format!("{public_url}/e/{}", self.name)
    }
}

pub(super) fn read(name: String, table: &Table<'_>, businesses: &[&str]) -> Option<Entry> {
    let url = table.required("url", |t| t.web_address("url"));
    if let Some(url) = &url {
        let rest = FIELDS.iter().fold(url.clone(), |url, field| url.replace(field, ""));
        if rest.contains(['{', '}']) {
            let message = "`url` has a field that is none";
            table.note(Code::E00, "url", message, "fields are `{entry}` and `{contact}`");
        }
    }
    let named = table.reference("business", "business", businesses).map(|it| it.value);
    let only = || match businesses {
        [only] if !table.has("business") => Some((*only).to_owned()),
        _ => None,
    };
    let business = named.or_else(only);
    if business.is_none() && !table.has("business") {
        let help = "there are several; each entry belongs to one";
        table.note(Code::E00, "url", "`business` is missing", help);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.len() > LONGEST || !name.bytes().all(plain) {
        let message = format!("`{name}` cannot stand in an address");
        let help = format!("use letters, digits, `-` and `_`, {LONGEST} at most");
        table.note(Code::E00, "url", message, help.as_str());
    }
    Some(Entry { name, business: business?, url: url? })
}

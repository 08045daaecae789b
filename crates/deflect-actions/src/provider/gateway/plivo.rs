//! Plivo's `X-Plivo-Signature-V2` and `X-Plivo-Signature-V3`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::provider::{address::spellings, form::form as read, mac::hmac};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Over the address without its query; it says who posted, and nothing of what.
    V2,
    /// Over the address, its query and the form.
    V3,
}

impl Version {
    /// The header that it stands in.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::V2 => "X-Plivo-Signature-V2",
            Self::V3 => "X-Plivo-Signature-V3",
        }
    }

    /// The header of the word, another for each webhook, that is signed with it.
    #[must_use]
    pub fn nonce_header(self) -> &'static str {
        match self {
            Self::V2 => "X-Plivo-Signature-V2-Nonce",
            Self::V3 => "X-Plivo-Signature-V3-Nonce",
        }
    }

    /// The signature of a form posted to `url`, in base64: HMAC-SHA256 under the account's token.
    #[must_use]
    pub fn signature(
        self,
        token: &str,
        url: &str,
        form: &[(String, String)],
        nonce: &str,
    ) -> String {
        STANDARD.encode(self.tag(token, url, form, nonce))
    }

    /// Whether one of `claimed`, which stand between commas, signs the form, with or without the
    /// port in the address. Compared in constant time.
    #[must_use]
    pub fn is_genuine(
        self,
        token: &str,
        url: &str,
        form: &[(String, String)],
        nonce: &str,
        claimed: &str,
    ) -> bool {
        let claimed = claimed.split(',').filter_map(|one| STANDARD.decode(one.trim()).ok());
        let claimed: Vec<_> = claimed.collect();
        let mut genuine = subtle::Choice::from(0);
        for spelling in spellings(url) {
            let tag = self.tag(token, &spelling, form, nonce);
            for claimed in &claimed {
                genuine |= tag.ct_eq(claimed);
            }
        }
        genuine.into()
    }

    fn tag(self, token: &str, url: &str, form: &[(String, String)], nonce: &str) -> Vec<u8> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let signed = match self {
            Self::V2 => format!("{address}{nonce}"),
            Self::V3 => format!("{address}{}.{nonce}", parameters(query, form)),
        };
        hmac::<Hmac<Sha256>>(token, signed.as_bytes())
    }
}

/// Query and form as they are signed: names in order, values of a name in order, the query's as
/// `name=value` between `&`, the form's with nothing between. A query that cannot be read is
/// signed by nobody, so it counts as none.
fn parameters(query: &str, form: &[(String, String)]) -> String {
    let query = read(query.as_bytes()).unwrap_or_default();
    let queried = sorted(&query, "=").join("&");
    let mut written = String::new();
    if !queried.is_empty() || !form.is_empty() {
        written = format!("?{queried}");
    }
    if !queried.is_empty() && !form.is_empty() {
        written.push('.');
    }
    written + &sorted(form, "").concat()
}

fn sorted(pairs: &[(String, String)], between: &str) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        by_name.entry(name).or_default().push(value);
    }
    let of_name = |(name, mut values): (&str, Vec<&str>)| {
        values.sort_unstable();
        values.into_iter().map(|value| format!("{name}{between}{value}")).collect::<Vec<_>>()
    };
    by_name.into_iter().flat_map(of_name).collect()
}

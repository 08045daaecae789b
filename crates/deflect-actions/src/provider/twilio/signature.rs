//! `X-Twilio-Signature`.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::provider::address::spellings;

/// The signature of a form posted to `url`: HMAC-SHA1 under the token over the address and each
/// name and value, names in order, values of a name in order and each once.
#[must_use]
pub fn signature(token: &str, url: &str, form: &[(String, String)]) -> String {
    STANDARD.encode(tag(token, url, form))
}

/// Whether `claimed` signs the form, with or without the port in the address. Compared in
/// constant time.
#[must_use]
pub fn is_genuine(token: &str, url: &str, form: &[(String, String)], claimed: &str) -> bool {
    let Ok(claimed) = STANDARD.decode(claimed.trim()) else { return false };
    let mut genuine = subtle::Choice::from(0);
    for spelling in spellings(url) {
        genuine |= tag(token, &spelling, form).ct_eq(&claimed);
    }
    genuine.into()
}

/// The hash that the query says the body has: what is signed of a body that is no form, such as
/// JSON.
#[must_use]
pub fn body_hash(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256="))
}

/// Whether `claimed` signs an address whose query has the SHA-256 of this body, in hex.
#[must_use]
pub fn is_genuine_body(token: &str, url: &str, body: &[u8], claimed: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let Some(hash) = body_hash(query) else { return false };
    let own = hex::encode(Sha256::digest(body));
    let same = own.as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes());
    bool::from(same) & is_genuine(token, url, &[], claimed)
}

fn tag(token: &str, url: &str, form: &[(String, String)]) -> Vec<u8> {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in form {
        sorted.entry(name).or_default().insert(value);
    }
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    for (name, values) in sorted {
        for value in values {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Twilio's security documentation.
    fn example() -> (&'static str, &'static str, Vec<(String, String)>) {
        let form = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        ("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form)
    }

    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let (token, url, form) = example();
        assert_eq!(signature(token, url, &form), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let mut shuffled = form.clone();
        shuffled.reverse();
        shuffled.push(form[0].clone());
        assert_eq!(signature(token, url, &shuffled), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    #[test]
    fn an_address_is_accepted_with_and_without_its_port() {
        let (token, url, form) = example();
        let with = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
        for (signed, seen) in [(url, url), (with, url), (url, with), (with, with)] {
            let claimed = signature(token, signed, &form);
            assert!(is_genuine(token, seen, &form, &claimed), "{signed} {seen}");
        }
        let own = signature(token, "http://[::1]:8080/x", &form);
        assert!(is_genuine(token, "http://[::1]:8080/x", &form, &own));
    }

    #[test]
    fn a_body_of_json_is_signed_by_its_hash_in_the_address() {
        // That of the tests of Twilio's SDKs.
        let body = br#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let url = format!("https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256={hash}");
        let claimed = "a9nBmqA0ju/hNViExpshrM61xv4=";
        assert!(is_genuine_body("12345", &url, body, claimed));
        assert!(!is_genuine_body("12345", &url, &body[1..], claimed), "another body");
        assert!(!is_genuine_body("12346", &url, body, claimed), "another token");
        let bare = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert!(!is_genuine_body("12345", bare, body, &signature("12345", bare, &[])), "no hash");
        let other = url.replace("0a1f", "0a1e");
        let signed = signature("12345", &other, &[]);
        assert!(!is_genuine_body("12345", &other, body, &signed), "the hash of another body");
    }

    #[test]
    fn anything_else_is_not_genuine() {
        let (token, url, form) = example();
        let claimed = signature(token, url, &form);
        assert!(!is_genuine("other", url, &form, &claimed));
        assert!(!is_genuine(token, "https://mycompany.com/other", &form, &claimed));
        assert!(!is_genuine(token, url, &form[1..], &claimed));
        for claimed in ["", "AAAA", "not base64", &claimed[1..]] {
            assert!(!is_genuine(token, url, &form, claimed), "{claimed}");
        }
    }
}

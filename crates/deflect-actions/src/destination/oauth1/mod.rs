//! OAuth 1.0a with HMAC-SHA1 (RFC 5849), as LivePerson's API keys are used.

mod claim;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

pub use self::claim::Claim;

/// Who asks, for whom, and the proof of both.
#[derive(Clone)]
pub struct Keys {
    /// Who asks.
    pub consumer_key: String,
    /// Proves it.
    pub consumer_secret: String,
    /// For whom.
    pub token: String,
    /// Proves that.
    pub token_secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// The `Authorization` of a request. What stands in the query of `url` is signed; a body is
    /// signed only where it is a form, which ours are not.
    pub(super) fn authorization(
        &self,
        method: &str,
        url: &reqwest::Url,
        timestamp: i64,
        nonce: &str,
    ) -> String {
        let timestamp = timestamp.to_string();
        let protocol = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let signature = self.signature(method, url, &protocol);
        let shown = protocol.into_iter().chain([("oauth_signature", signature.as_str())]);
        let shown: Vec<String> =
            shown.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        format!("OAuth {}", shown.join(", "))
    }

    /// RFC 5849 §3.4.2.
    fn signature(&self, method: &str, url: &reqwest::Url, parameters: &[(&str, &str)]) -> String {
        let key = format!("{}&{}", escaped(&self.consumer_secret), escaped(&self.token_secret));
        let mut mac =
            Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        mac.update(base_string(method, url, parameters).as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// RFC 5849 §3.4.1.
fn base_string(method: &str, url: &reqwest::Url, parameters: &[(&str, &str)]) -> String {
    let query = url.query_pairs().map(|(name, value)| (escaped(&name), escaped(&value)));
    let own = parameters.iter().map(|(name, value)| (escaped(name), escaped(value)));
    let mut all: Vec<(String, String)> = query.chain(own).collect();
    all.sort();
    let all: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The default port is left out by the type itself.
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    format!("{}&{}&{}", method.to_uppercase(), escaped(address.as_str()), escaped(&all.join("&")))
}

/// RFC 5849 §3.6.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: [&str; 4]) -> Keys {
        let [key, secret, token, token_secret] = secrets.map(str::to_owned);
        Keys { consumer_key: key, consumer_secret: secret, token, token_secret }
    }

    /// RFC 5849 §1.2: the request for temporary credentials, without a token.
    #[test]
    fn the_first_request_of_the_standard_is_signed_as_it_says() {
        let keys = keys(["dpf43f3p2l4k3l03", "kd94hf93k423kf44", "", ""]);
        let url = "https://photos.example.net/initiate".parse().unwrap();
        let parameters = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131200"),
            ("oauth_nonce", "wIjqoS"),
            ("oauth_callback", "http://printer.example.com/ready"),
        ];
        assert_eq!(keys.signature("POST", &url, &parameters), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=");
    }

    /// RFC 5849 §1.2: the photo, by a query that is part of what is signed.
    #[test]
    fn the_query_is_part_of_what_is_signed() {
        let keys =
            keys(["dpf43f3p2l4k3l03", "kd94hf93k423kf44", "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"]);
        let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        let url: reqwest::Url = url.parse().unwrap();
        let parameters = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ];
        assert_eq!(keys.signature("get", &url, &parameters), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    /// RFC 5849 §3.4.1.1: names twice, empty values, and characters that are written otherwise.
    #[test]
    fn parameters_are_written_and_sorted_as_the_standard_does() {
        let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
        let url: reqwest::Url = url.parse().unwrap();
        let parameters = [
            ("c2", ""),
            ("a3", "2 q"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        assert_eq!(
            base_string("POST", &url, &parameters),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%\
             253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%\
             3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_\
             token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_header_holds_each_parameter_once_and_no_secret() {
        let keys = keys(["key", "s3cret", "tok/en", "t0ken-s3cret"]);
        let url = "https://va.example.net/api/account/1/eligibility?v=2.0".parse().unwrap();
        let header = keys.authorization("POST", &url, 7, "n0nce");
        assert!(header.starts_with("OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0nce\""));
        assert!(header.contains("oauth_token=\"tok%2Fen\""), "{header}");
        assert!(header.contains("oauth_version=\"1.0\"") && !header.contains("s3cret"));
        assert_eq!(header.matches("oauth_signature=").count(), 1);
        assert_eq!(format!("{keys:?}"), "Keys(…)");
    }
}

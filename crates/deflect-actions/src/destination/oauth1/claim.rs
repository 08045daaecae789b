//! What a request says of who sent it, and whether that is so (RFC 5849 §3.2).

use reqwest::Url;
use subtle::ConstantTimeEq as _;

use super::Keys;

/// The only method that is taken.
const METHOD: &str = "HMAC-SHA1";

/// The `Authorization` of a request, not believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// As they stand there, without `realm` and the signature; names may come once only.
    parameters: Vec<(String, String)>,
    signature: String,
}

impl Claim {
    /// Reads the header (RFC 5849 §3.5.1); `None`: it is none of OAuth 1.0a by HMAC-SHA1.
    #[must_use]
    pub fn parse(authorization: &str) -> Option<Self> {
        let (scheme, rest) = authorization.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("oauth") {
            return None;
        }
        let (mut parameters, mut signature) = (Vec::new(), None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
            let (name, value) = (decoded(name)?, decoded(value)?);
            let twice = parameters.iter().any(|(known, _)| *known == name);
            match name.as_str() {
                "realm" => {}
                _ if twice => return None,
                "oauth_signature" if signature.is_some() => return None,
                "oauth_signature" => signature = Some(value),
                _ => parameters.push((name, value)),
            }
        }
        let claim = Self { parameters, signature: signature? };
        let version = claim.value("oauth_version");
        let fits = claim.value("oauth_signature_method") == METHOD
            && (version.is_empty() || version == "1.0")
            && claim.at_s().is_some()
            && !claim.nonce().is_empty();
        fits.then_some(claim)
    }

    /// When it was signed, seconds since 1970; what it says itself.
    #[must_use]
    pub fn at_s(&self) -> Option<i64> {
        self.value("oauth_timestamp").parse().ok().filter(|at| *at >= 0)
    }

    /// What makes it one of its second.
    #[must_use]
    pub fn nonce(&self) -> &str {
        self.value("oauth_nonce")
    }

    /// Whether it is signed by these keys for this method, and for one of these addresses: behind a
    /// proxy nobody knows which the sender had.
    #[must_use]
    pub fn is_by(&self, keys: &Keys, method: &str, addresses: &[String]) -> bool {
        let parameters: Vec<(&str, &str)> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fits = |address: &String| {
            let Ok(address) = Url::parse(address) else { return false };
            let expected = keys.signature(method, &address, &parameters);
            bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes()))
        };
        self.value("oauth_consumer_key") == keys.consumer_key
            && self.value("oauth_token") == keys.token
            && addresses.iter().any(fits)
    }

    fn value(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// RFC 5849 §3.6, undone.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let pair = [rest.next()?, rest.next()?];
        bytes.extend(hex::decode(pair).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let text = str::to_owned;
        Keys {
            consumer_key: text("key"),
            consumer_secret: text("s3cret"),
            token: text("tok/en"),
            token_secret: text("t0ken s3cret"),
        }
    }

    const AT: &str = "https://carom.example/api/account/1/invite?v=2.0";

    fn is_by(claim: &Claim, keys: &Keys, method: &str, addresses: &[&str]) -> bool {
        let addresses: Vec<_> = addresses.iter().map(|&address| address.to_owned()).collect();
        claim.is_by(keys, method, &addresses)
    }

    fn signed(timestamp: i64, nonce: &str) -> String {
        keys().authorization("POST", &AT.parse().unwrap(), timestamp, nonce)
    }

    #[test]
    fn what_our_client_signs_is_believed_for_its_address_only() {
        let claim = Claim::parse(&signed(1_700_000_000, "n/once")).unwrap();
        assert_eq!((claim.at_s(), claim.nonce()), (Some(1_700_000_000), "n/once"));
        assert!(is_by(&claim, &keys(), "POST", &[AT]));
        let plain = "http://carom.example/api/account/1/invite?v=2.0";
        assert!(is_by(&claim, &keys(), "POST", &["no address", plain, AT]), "one of several");
        assert!(!is_by(&claim, &keys(), "POST", &[plain]));
        assert!(!is_by(&claim, &keys(), "POST", &["https://carom.example/api/account/1/invite"]));
        assert!(!is_by(&claim, &keys(), "GET", &[AT]));
        let forger = Keys { token_secret: "guess".to_owned(), ..keys() };
        assert!(!is_by(&claim, &forger, "POST", &[AT]));
        let other = Keys { token: "other".to_owned(), ..keys() };
        assert!(!is_by(&claim, &other, "POST", &[AT]));
    }

    /// RFC 5849 §1.2, as it stands there.
    #[test]
    fn the_header_of_the_standard_is_read() {
        let header = r#"OAuth realm="Photos",
            oauth_consumer_key="dpf43f3p2l4k3l03",
            oauth_token="nnch734d00sl2jdk",
            oauth_signature_method="HMAC-SHA1",
            oauth_timestamp="137131202",
            oauth_nonce="chapoH",
            oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D""#;
        let claim = Claim::parse(header).unwrap();
        let keys = Keys {
            consumer_key: "dpf43f3p2l4k3l03".to_owned(),
            consumer_secret: "kd94hf93k423kf44".to_owned(),
            token: "nnch734d00sl2jdk".to_owned(),
            token_secret: "pfkkdhi9sl3r4s00".to_owned(),
        };
        let at = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        assert!(is_by(&claim, &keys, "GET", &[at]));
    }

    #[test]
    fn what_is_no_such_header_is_no_claim() {
        let good = signed(7, "n");
        assert!(Claim::parse(&good).is_some());
        for bad in [
            "Bearer abc".to_owned(),
            "OAuth".to_owned(),
            "OAuth abc".to_owned(),
            good.replace("HMAC-SHA1", "PLAINTEXT"),
            good.replace("oauth_nonce=\"n\"", "oauth_nonce=\"\""),
            good.replace("oauth_timestamp=\"7\"", "oauth_timestamp=\"-7\""),
            good.replace("oauth_version=\"1.0\"", "oauth_version=\"2.0\""),
            good.replace("oauth_token=\"tok%2Fen\"", "oauth_token=\"tok%2\""),
            format!("{good}, oauth_nonce=\"m\""),
            format!("{good}, oauth_signature=\"m\""),
        ] {
            assert_eq!(Claim::parse(&bad), None, "{bad}");
        }
    }
}

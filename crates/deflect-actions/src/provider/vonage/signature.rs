//! `sig`: over the parameters in the order of their names.

use hmac::Hmac;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::provider::mac::hmac;

/// How an account signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A plain MD5 with the secret at the end.
    Md5Hash,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

impl Method {
    /// Whether `sig` of the parameters is over the others, under `secret`.
    #[must_use]
    pub fn signed(self, secret: &str, parameters: &[(String, String)]) -> bool {
        let claimed = super::super::form::field(parameters, "sig").unwrap_or_default();
        let Ok(claimed) = hex::decode(claimed) else { return false };
        self.tag(secret, parameters).ct_eq(&claimed).into()
    }

    /// The signature of the parameters; `sig` is left out.
    #[must_use]
    pub fn tag(self, secret: &str, parameters: &[(String, String)]) -> Vec<u8> {
        let mut sorted: Vec<_> = parameters.iter().filter(|(name, _)| name != "sig").collect();
        sorted.sort();
        let written: String = sorted
            .into_iter()
            .map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_")))
            .collect();
        match self {
            Self::Md5Hash => Md5::digest(written + secret).to_vec(),
            Self::Md5 => hmac::<Hmac<Md5>>(secret, written.as_bytes()),
            Self::Sha1 => hmac::<Hmac<Sha1>>(secret, written.as_bytes()),
            Self::Sha256 => hmac::<Hmac<Sha256>>(secret, written.as_bytes()),
            Self::Sha512 => hmac::<Hmac<Sha512>>(secret, written.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Vec<(String, String)> {
        [("to", "44"), ("text", "a&b=c"), ("timestamp", "1461605396"), ("sig", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// By `printf '&text=a_b_c&timestamp=1461605396&to=44' | openssl dgst`, and for the plain MD5
    /// with the secret at the end.
    #[test]
    fn each_method_gives_what_openssl_gives() {
        for (method, expected) in [
            (Method::Md5Hash, "a202dd99c9079f81e2484efaa9814751"),
            (Method::Md5, "14877fceec2946507edcfa1235ef9f97"),
            (Method::Sha1, "cfd5ff5427c0de6dc8230628a02639e8ba52c7ea"),
            (Method::Sha256, "2f227de994e3070b9dba62921e214e830b4d0e9edb7499a39e8f337d3a279253"),
            (
                Method::Sha512,
                "34ca23b5fb7b2b27ce60b9ce0e54e50d03bb8d3a03c5b58839196a67277395740143e8a8ce82b2dcc4af18eaf015c0034998bb01a6c7d8775185eb2acbbc6738",
            ),
        ] {
            assert_eq!(hex::encode(method.tag("s3cret", &parameters())), expected, "{method:?}");
            let mut signed = parameters();
            signed[3].1 = expected.to_uppercase();
            assert!(method.signed("s3cret", &signed));
            assert!(!method.signed("other", &signed));
            signed[0].1 = "45".to_owned();
            assert!(!method.signed("s3cret", &signed));
        }
    }
}

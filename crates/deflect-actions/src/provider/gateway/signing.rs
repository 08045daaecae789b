//! How a gateway's webhooks are proven to be its own.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::plivo;
use crate::provider::{Posted, Refused, address::spellings, form, mac::hmac};

/// Fields of what is signed: the moment, the word of this webhook alone, the address it was posted
/// to, with and without its port, and the body.
pub const SIGNED: [&str; 4] = ["timestamp", "nonce", "url", "body"];
/// Moments from here on are milliseconds: as seconds they would be more than 3,000 years away.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// What a webhook is proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The secret itself.
    Token,
    /// HMAC-SHA1 over the body, in hex or base64.
    HmacSha1,
    /// HMAC-SHA256.
    HmacSha256,
    /// HMAC-SHA512.
    HmacSha512,
    /// Plivo's, over the address.
    Plivo(plivo::Version),
}

/// How webhooks are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Signing {
    /// What stands in the header.
    pub algorithm: Algorithm,
    /// Header of the signature.
    pub header: String,
    /// Header of the moment, in seconds or milliseconds since 1970.
    pub timestamp_header: Option<String>,
    /// Header of a word that is another for each webhook.
    pub nonce_header: Option<String>,
    /// What the signature is over, with the fields [`SIGNED`]; `None`: the moment, where there is
    /// one, a point and the body.
    pub signed: Option<String>,
    /// The secret.
    pub secret: String,
}

impl Signing {
    /// Whether the webhook is the gateway's.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refused> {
        let claimed = posted.header(&self.header).ok_or(Refused::Untrusted)?;
        if let Algorithm::Plivo(version) = self.algorithm {
            return self.verify_plivo(version, posted, claimed);
        }
        let named = |header: &Option<String>| match header {
            Some(header) => posted.header(header).ok_or(Refused::Untrusted),
            None => Ok(""),
        };
        let (timestamp, nonce) = (named(&self.timestamp_header)?, named(&self.nonce_header)?);
        if self.timestamp_header.is_some()
            && !moment(timestamp).is_some_and(|at| posted.is_fresh(at))
        {
            return Err(Refused::Untrusted);
        }
        let template = match (&self.signed, &self.timestamp_header) {
            (Some(signed), _) => signed.as_str(),
            (None, Some(_)) => "{timestamp}.{body}",
            (None, None) => "{body}",
        };
        let url = posted.public_url.map(|base| format!("{base}{}", posted.path));
        let urls = match url {
            Some(url) if template.contains("{url}") => spellings(&url).to_vec(),
            _ => vec![String::new()],
        };
        let proven = urls.iter().any(|url| {
            let values = [timestamp.as_bytes(), nonce.as_bytes(), url.as_bytes(), posted.body];
            self.proves(claimed, &written(template, values))
        });
        if proven { Ok(()) } else { Err(Refused::Untrusted) }
    }

    fn verify_plivo(
        &self,
        version: plivo::Version,
        posted: &Posted<'_>,
        claimed: &str,
    ) -> Result<(), Refused> {
        let nonce = posted.header(version.nonce_header()).ok_or(Refused::Untrusted)?;
        let base = posted.public_url.ok_or(Refused::Untrusted)?;
        // What is no form cannot have been signed as one.
        let form = form(posted.body).map_err(|_| Refused::Untrusted)?;
        let url = format!("{base}{}", posted.path);
        let genuine = version.is_genuine(&self.secret, &url, &form, nonce, claimed);
        if genuine { Ok(()) } else { Err(Refused::Untrusted) }
    }

    fn proves(&self, claimed: &str, signed: &[u8]) -> bool {
        let tag = match self.algorithm {
            Algorithm::Token => {
                let claimed = claimed.strip_prefix("Bearer ").unwrap_or(claimed);
                return claimed.as_bytes().ct_eq(self.secret.as_bytes()).into();
            }
            Algorithm::HmacSha1 => hmac::<Hmac<Sha1>>(&self.secret, signed),
            Algorithm::HmacSha256 => hmac::<Hmac<Sha256>>(&self.secret, signed),
            Algorithm::HmacSha512 => hmac::<Hmac<Sha512>>(&self.secret, signed),
            // It is not over the body.
            Algorithm::Plivo(_) => return false,
        };
        // Some name the algorithm first, as in `sha256=…`.
        let bare =
            claimed.split_once('=').filter(|(name, rest)| name.len() < 8 && !rest.is_empty());
        let spellings = [claimed, bare.map_or(claimed, |(_, rest)| rest)];
        let read = |text: &str| hex::decode(text).or_else(|_| STANDARD.decode(text)).ok();
        spellings.into_iter().filter_map(read).any(|claimed| tag.ct_eq(&claimed).into())
    }
}

/// A moment of a header, in ms since 1970.
fn moment(text: &str) -> Option<i64> {
    let at: i64 = text.parse().ok()?;
    if at >= MILLISECONDS_FROM { Some(at) } else { at.checked_mul(1_000) }
}

/// The template with the values of [`SIGNED`], in their order.
fn written(template: &str, values: [&[u8]; 4]) -> Vec<u8> {
    let (mut signed, mut rest) = (Vec::new(), template);
    while let Some(open) = rest.find('{') {
        signed.extend_from_slice(&rest.as_bytes()[..open]);
        let field = rest[open + 1..].split_once('}');
        let known = field.and_then(|(name, tail)| {
            let at = SIGNED.iter().position(|field| *field == name)?;
            Some((values.get(at)?, tail))
        });
        match known {
            Some((value, tail)) => {
                signed.extend_from_slice(value);
                rest = tail;
            }
            None => {
                signed.push(b'{');
                rest = &rest[open + 1..];
            }
        }
    }
    signed.extend_from_slice(rest.as_bytes());
    signed
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    const NOW_MS: i64 = 1_795_521_600_000;

    fn signing(signed: Option<&str>, dated: bool) -> Signing {
        Signing {
            algorithm: Algorithm::HmacSha256,
            header: "X-Signature".to_owned(),
            timestamp_header: dated.then(|| "X-Time".to_owned()),
            nonce_header: Some("X-Nonce".to_owned()),
            signed: signed.map(str::to_owned),
            secret: "key".to_owned(),
        }
    }

    fn is_proven(signing: &Signing, over: &str, moment: &str) -> bool {
        let tag = hex::encode(hmac::<Hmac<Sha256>>("key", over.as_bytes()));
        let headers: HeaderMap =
            [("x-signature", tag.as_str()), ("x-time", moment), ("x-nonce", "n1")]
                .into_iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
                })
                .collect();
        let posted = Posted {
            asks: false,
            what: "",
            path: "/webhooks/http/x?a={body}",
            headers: &headers,
            body: b"{\"id\":\"{nonce}\"}",
            public_url: Some("https://carom.example"),
            now_ms: NOW_MS,
        };
        signing.verify(&posted).is_ok()
    }

    #[test]
    fn a_signature_is_over_what_the_template_says_and_nothing_else() {
        let (body, at) = (r#"{"id":"{nonce}"}"#, "1795521600");
        let url = "https://carom.example/webhooks/http/x?a={body}";
        for (signed, dated, over) in [
            (None, false, body.to_owned()),
            (None, true, format!("{at}.{body}")),
            (Some("{body}.{nonce}.{timestamp}"), true, format!("{body}.n1.{at}")),
            (Some("{url}|{body}"), false, format!("{url}|{body}")),
            // With a port, as some write it.
            (
                Some("{url}{body}"),
                false,
                format!("{}{body}", url.replace("example/", "example:443/")),
            ),
            (Some("{x}{body}{"), false, format!("{{x}}{body}{{")),
        ] {
            let signing = signing(signed, dated);
            assert!(is_proven(&signing, &over, at), "{signed:?}");
            assert!(!is_proven(&signing, &format!("{over} "), at), "{signed:?}");
        }
    }

    #[test]
    fn a_moment_is_in_seconds_or_milliseconds_and_not_long_ago() {
        let signing = signing(None, true);
        for (moment, fresh) in [
            ("1795521600", true),
            ("1795521600000", true),
            ("1795521200", false),
            ("1795521200000", false),
            ("1795522000000", false),
            ("", false),
            ("2026-11-24T12:00:00Z", false),
            ("9223372036854775807", false),
        ] {
            let over = format!("{moment}.{{\"id\":\"{{nonce}}\"}}");
            assert_eq!(is_proven(&signing, &over, moment), fresh, "{moment}");
        }
    }

    /// Tags by `openssl dgst -ALGORITHM -hmac s3cret`, in hex and in base64.
    #[test]
    fn each_algorithm_proves_what_openssl_signed_by_it_and_nothing_else() {
        const BODY: &str = r#"{"id":"m1","state":"DELIVRD"}"#;
        let of = [
            (
                Algorithm::HmacSha1,
                "sha1",
                "f09fa43e474a1d2282fc3d69b93154a63b7bab04",
                "8J+kPkdKHSKC/D1puTFUpjt7qwQ=",
            ),
            (
                Algorithm::HmacSha256,
                "sha256",
                "f25be87565d655e1ead756dcedf71163bff5077b7e8ece37c1e852ea153d74e0",
                "8lvodWXWVeHq11bc7fcRY7/1B3t+js43wehS6hU9dOA=",
            ),
            (
                Algorithm::HmacSha512,
                "sha512",
                "cdc98ef2bff4e25e349a83c5ab8a0e4faa763ad3bb9844ad7fabfa17d771fe55\
                 367079bb5d02f6c04086482a8c51e7590509960cfcfc513d78cadd8b0ec07ec4",
                "zcmO8r/04l40moPFq4oOT6p2OtO7mEStf6v6F9dx/lU2cHm7XQL2wECGSCqMUedZBQmWDPz8UT14yt2L\
                 DsB+xA==",
            ),
        ];
        let is_proven = |algorithm, claimed: &str, body: &str, secret: &str| {
            let (header, secret) = ("X-Signature".to_owned(), secret.to_owned());
            let bare =
                Signing { timestamp_header: None, nonce_header: None, ..signing(None, false) };
            let signing = Signing { algorithm, header, secret, ..bare };
            let claimed = HeaderValue::from_str(claimed).unwrap();
            let headers = [(HeaderName::from_static("x-signature"), claimed)].into_iter().collect();
            signing.verify(&posted_with(&headers, body)).is_ok()
        };
        for (algorithm, name, hex, base64) in of {
            for claimed in [hex, base64, &hex.to_uppercase(), &format!("{name}={hex}")] {
                assert!(is_proven(algorithm, claimed, BODY, "s3cret"), "{name}: {claimed}");
                assert!(!is_proven(algorithm, claimed, &BODY.replace('1', "2"), "s3cret"));
                assert!(!is_proven(algorithm, claimed, BODY, "s3cret2"), "{name}: another's");
            }
            for forged in ["", "00", name, "s3cret", &hex[2..], &format!("{hex}00")] {
                assert!(!is_proven(algorithm, forged, BODY, "s3cret"), "{name}: {forged}");
            }
            let others = of.iter().filter(|other| other.0 != algorithm);
            for (other, _, _, _) in others {
                assert!(!is_proven(*other, hex, BODY, "s3cret"), "{name} as {other:?}");
            }
        }
        for (claimed, known) in [
            ("s3cret", true),
            ("Bearer s3cret", true),
            ("", false),
            ("Bearer ", false),
            ("s3cre", false),
            ("s3cret2", false),
            ("S3CRET", false),
            ("Basic s3cret", false),
            (of[0].2, false),
        ] {
            assert_eq!(is_proven(Algorithm::Token, claimed, BODY, "s3cret"), known, "{claimed}");
        }
    }

    fn posted_with<'a>(headers: &'a HeaderMap, body: &'a str) -> Posted<'a> {
        Posted {
            asks: false,
            what: "",
            path: "/webhooks/http/x",
            headers,
            body: body.as_bytes(),
            public_url: None,
            now_ms: NOW_MS,
        }
    }
}

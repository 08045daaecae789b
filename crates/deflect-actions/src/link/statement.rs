//! What a destination is told of who comes: a JWT (RFC 7519, by the advice of RFC 8725) that is
//! good for two minutes, signed with a key of ours or with a secret that both know.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::SigningKey;

/// A statement is good for so long, seconds.
const GOOD_FOR: i64 = 120;

/// Who comes, and why.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// Who says so: our address.
    pub issuer: &'a str,
    /// To whom: the origin of the destination.
    pub audience: &'a str,
    /// Names this statement; it is not to be taken twice.
    pub id: &'a str,
    /// Now, seconds since 1970.
    pub now: i64,
    /// `L0`, `L1`, `L2`.
    pub level: &'a str,
    /// What the call was about.
    pub topic: Option<&'a str>,
    /// Language of the call.
    pub language: &'a str,
    /// What else is handed over.
    pub context: &'a BTreeMap<String, String>,
}

impl Statement<'_> {
    fn claims(&self) -> Value {
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "jti": self.id,
            "iat": self.now,
            "exp": self.now + GOOD_FOR,
            "level": self.level,
            "language": self.language,
        });
        if let Some(topic) = self.topic {
            claims["topic"] = json!(topic);
        }
        if !self.context.is_empty() {
            claims["context"] = json!(self.context);
        }
        claims
    }

    /// Signed with a secret that the destination knows (HS256).
    #[must_use]
    pub fn sign_with_secret(&self, secret: &[u8]) -> String {
        let signed = signed_part(&json!({ "alg": "HS256", "typ": "JWT" }), &self.claims());
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{signed}.{signature}")
    }
}

/// Our keys. The first signs; the others are published beside it, so that what they have signed, or
/// will sign on another node, is believed.
#[derive(Debug)]
pub struct Signer {
    first: SigningKey,
    others: Vec<SigningKey>,
}

impl Signer {
    /// Signs with the first of `given`, else with `own`; all are published, none twice.
    #[must_use]
    pub fn new(given: Vec<SigningKey>, own: SigningKey) -> Self {
        let mut keys: Vec<SigningKey> = Vec::new();
        for key in given {
            if keys.iter().all(|known| known.kid() != key.kid()) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Self { first: own, others: keys };
        }
        let first = keys.remove(0);
        keys.push(own);
        Self { first, others: keys }
    }

    /// Signs a statement; `None`: the system has no random numbers.
    #[must_use]
    pub fn sign(&self, statement: &Statement<'_>) -> Option<String> {
        let key = &self.first;
        let header = json!({ "alg": key.alg(), "typ": "JWT", "kid": key.kid() });
        let signed = signed_part(&header, &statement.claims());
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
        Some(format!("{signed}.{signature}"))
    }

    /// The key set that is published (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys = std::iter::once(&self.first).chain(&self.others);
        json!({ "keys": keys.map(SigningKey::jwk).collect::<Vec<_>>() })
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_says_who_comes_for_two_minutes_and_no_more() {
        let context = BTreeMap::from([("customer_id".to_owned(), "c7".to_owned())]);
        let statement = Statement {
            issuer: "https://c.example.com",
            audience: "https://shop.example.com",
            id: "j1",
            now: 1_000,
            level: "L2",
            topic: Some("orders"),
            language: "en-GB",
            context: &context,
        };
        let token = statement.sign_with_secret(b"secret");
        let parts: Vec<&str> = token.split('.').collect();
        let part = |n: usize| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[n]).unwrap()).unwrap()
        };
        assert_eq!(part(0)["alg"], "HS256");
        let claims = part(1);
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000), &json!(1_120)));
        assert_eq!(claims["aud"], "https://shop.example.com");
        assert_eq!(claims["context"]["customer_id"], "c7");
        let nothing = BTreeMap::new();
        let bare = Statement { level: "L0", context: &nothing, ..statement };
        assert!(bare.claims().get("context").is_none());
    }
}

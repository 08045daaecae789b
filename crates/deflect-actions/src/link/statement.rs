//! What a destination is told of who comes: a JWT (RFC 7519, by the advice of RFC 8725) that is
//! good for two minutes, signed with our key (EdDSA, RFC 8037) or with a secret that both know.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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

/// Our key, whose public half everybody may have.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: String,
    kid: String,
}

impl Signer {
    /// The key that comes of a secret.
    ///
    /// # Panics
    /// Never: any 32 octets are a seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 octets are a seed");
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // RFC 7638: the members in this order, without blanks.
        let thumb = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(thumb));
        Self { pair, public, kid }
    }

    /// Signs a statement.
    #[must_use]
    pub fn sign(&self, statement: &Statement<'_>) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid });
        let signed = signed_part(&header, &statement.claims());
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The key set that is published (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.kid, "x": self.public,
        }] })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: the key of its examples.
    #[test]
    fn the_key_and_its_thumbprint_are_those_of_the_standard() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let signer = Signer::from_seed(&seed.try_into().unwrap());
        assert_eq!(signer.public, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(signer.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let signature =
            signer.pair.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

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

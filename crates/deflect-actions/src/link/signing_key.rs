//! Keys that statements are signed with: Ed25519 (EdDSA, RFC 8037) and P-256 (ES256, RFC 7518 §3.4).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A private key, whose public half everybody may have.
pub struct SigningKey {
    pair: Pair,
    kid: String,
    jwk: Value,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// Why a text is no key to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no private key of kind Ed25519 or P-256 (PKCS #8, PEM)")]
pub struct NoSigningKey;

impl SigningKey {
    /// The Ed25519 key that comes of a secret.
    ///
    /// # Panics
    /// Never: any 32 octets are a seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 octets are a seed");
        Self::of(Pair::Ed25519(pair))
    }

    /// The key of a PEM file (`PRIVATE KEY`, RFC 5958); its kind decides how it signs.
    ///
    /// # Errors
    /// It is none, or of a kind that no statement is signed by.
    pub fn from_pem(pem: &[u8]) -> Result<Self, NoSigningKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| NoSigningKey)?;
        let der = der.secret_pkcs8_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::of(Pair::Ed25519(pair)));
        }
        let random = SystemRandom::new();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
            .map(|pair| Self::of(Pair::P256(pair)))
            .map_err(|_| NoSigningKey)
    }

    /// The name is a thumbprint (RFC 7638): the required members in their order, without blanks.
    fn of(pair: Pair) -> Self {
        let (thumb, mut jwk) = match &pair {
            Pair::Ed25519(pair) => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key());
                let thumb = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (thumb, json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x }))
            }
            Pair::P256(pair) => {
                // An octet that says "uncompressed", then both coordinates (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                let thumb = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (thumb, json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y }))
            }
        };
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(thumb));
        jwk["use"] = "sig".into();
        jwk["kid"] = kid.clone().into();
        Self { pair, kid, jwk }
    }

    /// `EdDSA` or `ES256`.
    pub(super) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
        }
    }

    /// Its name in what it signs.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (RFC 7517).
    pub(super) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// `None`: the system has no random numbers.
    pub(super) fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Ed25519(pair) => Some(pair.sign(signed).as_ref().to_vec()),
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), signed);
                signature.ok().map(|signature| signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: the key of its examples.
    #[test]
    fn the_key_and_its_thumbprint_are_those_of_the_standard() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap());
        assert_eq!(key.jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let signature = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature.unwrap()),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn what_is_no_key_of_these_kinds_is_refused() {
        for pem in ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            assert_eq!(SigningKey::from_pem(pem.as_bytes()).unwrap_err(), NoSigningKey);
        }
    }
}

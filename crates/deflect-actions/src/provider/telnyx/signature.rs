//! `telnyx-signature-ed25519`.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};

/// Bytes of an Ed25519 public key (RFC 8032).
const KEY_LEN: usize = 32;

/// The key of an account that its webhooks are proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; KEY_LEN]);

/// No such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no Ed25519 public key: 32 bytes in base64")]
pub struct BadKey;

impl PublicKey {
    /// Reads a key as the account shows it, in base64.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| BadKey)?;
        bytes.try_into().map(Self).map_err(|_| BadKey)
    }

    /// Whether `signature`, in base64, is over `timestamp`, a bar and `body`.
    #[must_use]
    pub fn signed(&self, timestamp: &str, body: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        let signed = [timestamp.as_bytes(), b"|", body].concat();
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&signed, &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn only_what_the_account_signed_is_genuine() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = PublicKey::parse(&STANDARD.encode(pair.public_key())).unwrap();
        let signature = STANDARD.encode(pair.sign(b"1796000000|{\"a\":1}"));
        assert!(key.signed("1796000000", b"{\"a\":1}", &signature));
        assert!(!key.signed("1796000001", b"{\"a\":1}", &signature));
        assert!(!key.signed("1796000000", b"{\"a\":2}", &signature));
        for wrong in ["", "AAAA", "no base64", &signature[4..]] {
            assert!(!key.signed("1796000000", b"{\"a\":1}", wrong), "{wrong}");
        }
        assert_eq!(PublicKey::parse("AAAA"), Err(BadKey));
    }

    #[test]
    fn rfc_8032_test_2_is_genuine() {
        let key = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = hex::decode(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let key = UnparsedPublicKey::new(&ED25519, key.unwrap());
        assert!(key.verify(&[0x72], &signature.unwrap()).is_ok());
    }
}

//! Numbers and bodies at rest: AES-256-GCM, base64.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{file, hmac};
use crate::link::Signer;

const NONCE_LEN: usize = 12;

/// Encrypts and decrypts what is personal.
pub struct Seal {
    cipher: Aes256Gcm,
    /// Seed of the key that statements of links are signed with: of the same secret, so that all
    /// nodes of a database have the same.
    links: [u8; 32],
}

/// Why a ciphertext cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("encrypted under another key, or damaged")]
pub struct SealError;

impl Seal {
    /// A seal whose key is derived from `secret`, of any length.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        let key = hmac(secret, &[b"carom store 1"]);
        let cipher = Aes256Gcm::new_from_slice(&key).expect("the key has 32 octets");
        Self { cipher, links: hmac(secret, &[b"carom links 1"]) }
    }

    /// What signs the statements of links.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&self.links)
    }

    /// Encrypts `plain`; only with the same `bound` (the row's id) it can be read again.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn close(&self, bound: &str, plain: &str) -> std::io::Result<String> {
        let nonce = file::random::<NONCE_LEN>()?;
        let payload = Payload { msg: plain.as_bytes(), aad: bound.as_bytes() };
        let cipher = self
            .cipher
            .encrypt(&nonce.into(), payload)
            .map_err(|_| std::io::Error::other("the text is too long to encrypt"))?;
        Ok(STANDARD.encode([&nonce[..], &cipher].concat()))
    }

    /// Decrypts what [`Self::close`] wrote.
    ///
    /// # Errors
    /// Another key, another row, or damage.
    pub fn open(&self, bound: &str, sealed: &str) -> Result<String, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError)?;
        let (nonce, cipher) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| SealError)?;
        let payload = Payload { msg: cipher, aad: bound.as_bytes() };
        let plain = self.cipher.decrypt(&nonce.into(), payload).map_err(|_| SealError)?;
        String::from_utf8(plain).map_err(|_| SealError)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_in_its_row() {
        let seal = Seal::from_secret(b"secret");
        let sealed = seal.close("row-1", "+447700900123").unwrap();
        assert!(!sealed.contains("7700"));
        assert_ne!(sealed, seal.close("row-1", "+447700900123").unwrap());
        assert_eq!(seal.open("row-1", &sealed).as_deref(), Ok("+447700900123"));
        assert_eq!(seal.open("row-2", &sealed), Err(SealError));
        assert_eq!(Seal::from_secret(b"other").open("row-1", &sealed), Err(SealError));
        for broken in ["", "AAAA", "not base64!", &sealed[..20]] {
            assert_eq!(seal.open("row-1", broken), Err(SealError), "{broken}");
        }
    }
}

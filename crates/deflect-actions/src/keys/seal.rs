//! Numbers and bodies at rest: AES-256-GCM, base64.

use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{StoreKeys, file, hmac};
use crate::link::SigningKey;

const NONCE_LEN: usize = 12;

/// Encrypts and decrypts what is personal.
pub struct Seal {
    /// The first encrypts, all decrypt.
    ciphers: RwLock<Arc<Vec<Aes256Gcm>>>,
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
        let links = hmac(secret, &[b"carom links 1"]);
        Self { ciphers: RwLock::new(Arc::new(vec![cipher(secret)])), links }
    }

    /// A seal of several keys.
    #[must_use]
    pub fn of(keys: &StoreKeys) -> Self {
        let seal = Self::from_secret(keys.each().next().unwrap_or_default());
        seal.take(keys);
        seal
    }

    /// From now on these are its keys; what signs the statements of links stays until the next
    /// start.
    pub fn take(&self, keys: &StoreKeys) {
        let ciphers = Arc::new(keys.each().map(cipher).collect());
        *self.ciphers.write().unwrap_or_else(PoisonError::into_inner) = ciphers;
    }

    fn ciphers(&self) -> Arc<Vec<Aes256Gcm>> {
        Arc::clone(&self.ciphers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What signs the statements of links where no other key is given.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.links)
    }

    /// Encrypts `plain`; only with the same `bound` (the row's id) it can be read again.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn close(&self, bound: &str, plain: &str) -> std::io::Result<String> {
        let nonce = file::random::<NONCE_LEN>()?;
        let payload = Payload { msg: plain.as_bytes(), aad: bound.as_bytes() };
        let ciphers = self.ciphers();
        let newest = ciphers.first().ok_or_else(|| std::io::Error::other("there is no key"))?;
        let cipher = newest
            .encrypt(&nonce.into(), payload)
            .map_err(|_| std::io::Error::other("the text is too long to encrypt"))?;
        Ok(STANDARD.encode([&nonce[..], &cipher].concat()))
    }

    /// Decrypts what [`Self::close`] wrote, by whichever of the keys it was.
    ///
    /// # Errors
    /// Another key, another row, or damage.
    pub fn open(&self, bound: &str, sealed: &str) -> Result<String, SealError> {
        let ciphers = self.ciphers();
        ciphers.iter().find_map(|cipher| open(cipher, bound, sealed)).ok_or(SealError)
    }

    /// The same under the newest key; `None`: it is already.
    ///
    /// # Errors
    /// What is sealed cannot be read, or the system has no random numbers.
    pub fn renew(&self, bound: &str, sealed: &str) -> std::io::Result<Option<String>> {
        let ciphers = self.ciphers();
        if ciphers.first().is_some_and(|newest| open(newest, bound, sealed).is_some()) {
            return Ok(None);
        }
        let plain = self.open(bound, sealed).map_err(std::io::Error::other)?;
        self.close(bound, &plain).map(Some)
    }
}

fn cipher(secret: &[u8]) -> Aes256Gcm {
    let key = hmac(secret, &[b"carom store 1"]);
    Aes256Gcm::new_from_slice(&key).expect("the key has 32 octets")
}

fn open(cipher: &Aes256Gcm, bound: &str, sealed: &str) -> Option<String> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
    let payload = Payload { msg: sealed, aad: bound.as_bytes() };
    String::from_utf8(cipher.decrypt(&nonce.into(), payload).ok()?).ok()
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

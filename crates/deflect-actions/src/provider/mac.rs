//! HMAC (RFC 2104) of what providers sign.

use hmac::{KeyInit, Mac};

/// The tag of `signed` under `secret`.
pub(super) fn hmac<M: Mac + KeyInit>(secret: &str, signed: &[u8]) -> Vec<u8> {
    // It hashes a key that is longer than its block, and fills up a shorter one.
    let mut mac =
        <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}

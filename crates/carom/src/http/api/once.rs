//! `Idempotency-Key`: a request that is told twice is done once.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Problem;

/// Bytes of a key at most.
const LONGEST: usize = 255;

/// The key of a request, as a hash that belongs to its client and its route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Once([u8; 32]);

impl Once {
    /// `None`: the request has no key.
    pub fn of(route: &str, client: &str, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()));
        let Some(key) = key else {
            let message = format!("`Idempotency-Key` has 1 to {LONGEST} printable characters");
            return Err(Problem::bad("invalid_idempotency_key", message));
        };
        Ok(Some(Self(Sha256::digest(format!("{route}|{client}|{key}")).into())))
    }

    /// Where one is needed.
    pub fn needed(route: &str, client: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let needed = || {
            let message = "`Idempotency-Key` is needed: without one a repeat would be done twice";
            Problem::bad("idempotency_key_needed", message)
        };
        Self::of(route, client, headers)?.ok_or_else(needed)
    }

    /// An id that the same request always has.
    pub fn id(&self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

/// The id of the key, or a new one.
pub(crate) fn id(once: Option<&Once>) -> String {
    once.map_or_else(|| Uuid::now_v7().to_string(), Once::id)
}

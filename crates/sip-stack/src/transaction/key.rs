use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::message::{Method, Request, Response, Via};

/// What a response is matched to its client transaction by (RFC 3261 §17.1.3): the number that
/// this stack wrote into the branch. Branch numbers are even; a CANCEL, which shares the branch
/// of its INVITE, has the odd one above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientKey(u64);

impl ClientKey {
    /// Makes the key of a new transaction.
    pub fn new(branch: u64) -> Self {
        Self(branch & !1)
    }

    /// Returns the key of the CANCEL of this INVITE.
    pub fn cancel(self) -> Self {
        Self(self.0 | 1)
    }

    /// Returns the key of the transaction a response belongs to, if this stack made its branch.
    pub fn of(response: &Response) -> Option<Self> {
        let branch = response.via().ok()?.branch?;
        let number = branch.get(Via::COOKIE.len()..).filter(|hex| hex.len() == 16)?;
        let key = Self::new(u64::from_str_radix(number, 16).ok()?);
        let cancel = response.cseq().ok()?.method == Method::Cancel;
        Some(if cancel { key.cancel() } else { key })
    }

    /// Returns the branch parameter.
    pub fn branch(self) -> String {
        format!("{}{:016x}", Via::COOKIE, self.0 & !1)
    }
}

/// What a request is matched to its server transaction by (RFC 3261 §17.2.3): a seeded hash of
/// branch, sent-by and method, where an ACK counts as its INVITE. Without the magic cookie it is
/// a hash of what RFC 2543 compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerKey(u64);

impl ServerKey {
    /// Returns the key of a request whose headers have been checked.
    pub fn of(request: &Request, seed: u64) -> Option<Self> {
        let method = match request.method() {
            Method::Ack => &Method::Invite,
            other => other,
        };
        Self::of_method(request, method, seed)
    }

    /// Returns the key of the INVITE that a CANCEL is for (§9.2).
    pub fn of_cancelled(cancel: &Request, seed: u64) -> Option<Self> {
        Self::of_method(cancel, &Method::Invite, seed)
    }

    fn of_method(request: &Request, method: &Method, seed: u64) -> Option<Self> {
        let via = request.via().ok()?;
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        via.branch.hash(&mut hasher);
        via.host.hash(&mut hasher);
        via.port.hash(&mut hasher);
        method.as_str().hash(&mut hasher);
        if !via.has_cookie() {
            request.call_id().hash(&mut hasher);
            request.cseq().ok()?.seq.hash(&mut hasher);
            request.from().ok()?.tag().hash(&mut hasher);
        }
        Some(Self(hasher.finish()))
    }
}

/// Returns what two requests share that a fork brought here on two ways (RFC 3261 §8.2.2.2), as a
/// seeded hash; `None` inside a dialog.
pub fn origin(request: &Request, seed: u64) -> Option<u64> {
    if request.to().ok()?.tag().is_some() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    request.from().ok()?.tag().hash(&mut hasher);
    request.call_id().hash(&mut hasher);
    let cseq = request.cseq().ok()?;
    cseq.seq.hash(&mut hasher);
    cseq.method.as_str().hash(&mut hasher);
    Some(hasher.finish())
}

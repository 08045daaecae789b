//! Keys of SRTP in descriptions: SDES (RFC 4568).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Bytes of a master key and its salt, in both suites.
pub const KEY_BYTES: usize = 30;

/// A crypto suite (RFC 4568 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

impl CryptoSuite {
    /// Both, the better one first.
    pub const ALL: [Self; 2] = [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// Returns the name in an attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }
}

/// A master key and its salt. It shows itself in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CryptoKey(pub [u8; KEY_BYTES]);

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptoKey(…)")
    }
}

/// What we bring to an exchange that may end in SRTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCrypto {
    /// Nothing is agreed without.
    pub required: bool,
    /// Our own offers have keys; a peer's are answered with one in any case. Where `required` is
    /// not set they leave the choice: `RTP/AVP` with keys, as peers with optional encryption do.
    pub offered: bool,
    /// Our keys, for each of [`CryptoSuite::ALL`]; the same for all of a dialog.
    pub keys: [CryptoKey; 2],
}

/// The keys that both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NegotiatedCrypto {
    /// The suite of both directions.
    pub suite: CryptoSuite,
    /// Ours.
    pub send: CryptoKey,
    /// The peer's.
    pub receive: CryptoKey,
}

/// One crypto attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) suite: CryptoSuite,
    pub(super) key: CryptoKey,
}

impl LocalCrypto {
    /// The attributes of a first offer.
    pub(super) fn attributes(&self) -> Vec<Crypto> {
        let each = CryptoSuite::ALL.into_iter().zip(&self.keys).zip(1..);
        each.map(|((suite, key), tag)| Crypto { tag, suite, key: key.clone() }).collect()
    }

    /// Our answer to a peer's attribute: its tag and suite, with our key.
    pub(super) fn answer(&self, theirs: &Crypto) -> Crypto {
        let [first, second] = &self.keys;
        let key = match theirs.suite {
            CryptoSuite::AesCm128HmacSha1_80 => first,
            CryptoSuite::AesCm128HmacSha1_32 => second,
        };
        Crypto { key: key.clone(), ..theirs.clone() }
    }
}

impl Crypto {
    /// Reads an attribute's value. `None`: another suite, a key with an identifier in each packet
    /// (MKI), a parameter that changes what packets look like, or nothing that can be read.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, keys) = (words.next()?, words.next()?, words.next()?);
        let tag: u32 = tag.parse().ok().filter(|tag| *tag < 1_000_000_000)?;
        let suite =
            CryptoSuite::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(suite))?;
        // The window of replays is our own affair.
        if words.any(|parameter| !parameter.starts_with("WSH=")) {
            return None;
        }
        let (method, key) = keys.split_once(':')?;
        let mut parts = key.split('|');
        let key = STANDARD.decode(parts.next()?).ok()?;
        let lifetime_only = parts.all(|part| !part.contains(':'));
        if !method.eq_ignore_ascii_case("inline") || key_has_more(keys) || !lifetime_only {
            return None;
        }
        Some(Self { tag, suite, key: CryptoKey(key.try_into().ok()?) })
    }

    /// Settles an exchange in which the peer sends with `theirs`, and we with this.
    pub(super) fn settled(&self, theirs: &Self) -> NegotiatedCrypto {
        NegotiatedCrypto { suite: self.suite, send: self.key.clone(), receive: theirs.key.clone() }
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(self.key.0);
        write!(f, "a=crypto:{} {} inline:{key}", self.tag, self.suite.name())
    }
}

/// Several keys, which need an identifier.
fn key_has_more(keys: &str) -> bool {
    keys.contains(';')
}

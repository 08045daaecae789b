//! Keys: callers are hashes, numbers and texts are ciphertext.

mod file;
mod ratchet;
mod ring;
mod seal;

use std::{collections::BTreeMap, fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use message_text::E164;
use sha2::Sha256;

pub use file::secret_file;
pub use ratchet::NumberKey;
pub use ring::StoreKeys;
pub use seal::{Seal, SealError};

/// Octets of a caller's hash.
const HASH_LEN: usize = 16;

/// The keys of a node.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    seal: Seal,
    epoch_ms: i64,
    businesses: BTreeMap<String, BusinessKeys>,
}

/// The keys of one business.
pub struct BusinessKeys {
    /// Callers are one person per brand.
    pub brand: String,
    /// Key of the callers' hashes; it changes with each epoch.
    pub number_key: NumberKey,
    /// Key of the opt-out list; it never changes.
    pub opt_out_key: Vec<u8>,
}

impl Keys {
    /// Keys of a node: `seal` hides numbers and bodies, callers' hashes change every
    /// `epoch_days`.
    #[must_use]
    pub fn new(seal: Seal, epoch_days: u32, businesses: BTreeMap<String, BusinessKeys>) -> Self {
        let epoch_ms = i64::from(epoch_days.max(1)) * 86_400_000;
        Self(Arc::new(Inner { seal, epoch_ms, businesses }))
    }

    /// The caller's hash under this epoch's secret and under the previous one's, hex.
    ///
    /// A business without keys shares the one of an empty secret; the configuration has none.
    #[must_use]
    pub fn caller_keys(&self, business: &str, caller: &E164, now_ms: i64) -> (String, String) {
        let Some(keys) = self.0.businesses.get(business) else {
            let none = keyed(&[], "", caller.as_str());
            return (none.clone(), none);
        };
        let (now, previous) = keys.number_key.secrets(now_ms.div_euclid(self.0.epoch_ms));
        let hash = |secret: &[u8]| keyed(secret, &keys.brand, caller.as_str());
        (hash(&now), hash(&previous))
    }

    /// The number's hash in the opt-out list, hex.
    #[must_use]
    pub fn opt_key(&self, business: &str, number: &E164) -> String {
        let keys = self.0.businesses.get(business);
        let secret = keys.map_or(&[][..], |keys| &keys.opt_out_key);
        keyed(secret, self.brand(business), number.as_str())
    }

    /// What tells the key of a business's opt-out list from another, and nothing of either.
    #[must_use]
    pub fn opt_out_check(&self, business: &str) -> String {
        let keys = self.0.businesses.get(business);
        opt_out_check(keys.map_or(&[][..], |keys| &keys.opt_out_key), self.brand(business))
    }

    /// The brand of a business; empty where it is unknown.
    #[must_use]
    pub fn brand(&self, business: &str) -> &str {
        self.0.businesses.get(business).map_or("", |keys| &keys.brand)
    }

    /// The businesses, by name.
    pub fn businesses(&self) -> impl Iterator<Item = &str> {
        self.0.businesses.keys().map(String::as_str)
    }

    /// Hides numbers and bodies.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// Destroys secrets older than the previous epoch's, in memory and in their files.
    pub fn rotate(&self, now_ms: i64) {
        let epoch = now_ms.div_euclid(self.0.epoch_ms);
        for keys in self.0.businesses.values() {
            keys.number_key.rotate(epoch);
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.businesses.keys()).finish()
    }
}

impl fmt::Debug for BusinessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusinessKeys").field("brand", &self.brand).finish_non_exhaustive()
    }
}

/// The check value of a key of a brand's opt-out list, hex. No number hashes to it.
#[must_use]
pub fn opt_out_check(opt_out_key: &[u8], brand: &str) -> String {
    keyed(opt_out_key, brand, "the key of this list")
}

/// HMAC-SHA-256 over brand and number, its first octets in hex.
fn keyed(secret: &[u8], brand: &str, number: &str) -> String {
    let tag = hmac(secret, &[brand.as_bytes(), &[0], number.as_bytes()]);
    hex::encode(&tag[..HASH_LEN])
}

fn hmac(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn keys() -> Keys {
        let business = BusinessKeys {
            brand: "Example".to_owned(),
            number_key: NumberKey::from_secret(b"number"),
            opt_out_key: b"opt-out".to_vec(),
        };
        let businesses = BTreeMap::from([("retail".to_owned(), business)]);
        Keys::new(Seal::from_secret(b"seal"), 90, businesses)
    }

    fn caller(number: &str) -> E164 {
        number.parse().unwrap()
    }

    #[test]
    fn a_caller_is_known_across_one_change_of_epoch_and_not_across_two() {
        let (keys, who) = (keys(), caller("+447700900123"));
        let (first, _) = keys.caller_keys("retail", &who, 0);
        let (second, second_prev) = keys.caller_keys("retail", &who, 90 * DAY);
        let (third, third_prev) = keys.caller_keys("retail", &who, 180 * DAY);
        assert_eq!(second_prev, first);
        assert_eq!(third_prev, second);
        assert!(first != second && second != third && first != third);
        assert_eq!(first.len(), 32);
    }

    #[test]
    fn the_opt_out_list_outlives_every_epoch_and_brands_are_apart() {
        let (keys, who) = (keys(), caller("+447700900123"));
        assert_eq!(keys.opt_key("retail", &who), keys.opt_key("retail", &who));
        assert_ne!(keys.opt_key("retail", &who), keys.opt_key("other", &who));
        assert_ne!(keys.opt_key("retail", &who), keys.caller_keys("retail", &who, 0).0);
    }

    #[test]
    fn keys_show_no_secret_when_printed() {
        assert_eq!(format!("{:?}", keys()), "Keys([\"retail\"])");
    }
}

//! The store's keys where there is more than one: while numbers and bodies move from an old key to
//! a new one, both can be read.

use std::{io, path::Path};

use super::file;

/// First word of a secret that holds several keys, in hex and the newest first. Any other secret is
/// one key as it stands.
const HEAD: &str = "carom-store-keys-1";

/// Keys of a store: the first encrypts, all decrypt.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKeys(Vec<Vec<u8>>);

impl StoreKeys {
    /// Reads what a file or a variable holds.
    ///
    /// # Errors
    /// It begins like a list of keys and is none.
    pub fn parse(secret: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(secret).unwrap_or_default();
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(HEAD) {
            return Ok(Self(vec![secret.to_vec()]));
        }
        let damaged = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let keys: Result<Vec<_>, _> = words.map(hex::decode).collect();
        let keys = keys.map_err(|_| damaged("a key in the list of keys is no hex"))?;
        if keys.is_empty() || keys.iter().any(Vec::is_empty) {
            return Err(damaged("the list of keys holds none"));
        }
        Ok(Self(keys))
    }

    /// A new key before the present ones.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn with_new(&self) -> io::Result<Self> {
        let mut keys = vec![file::random::<32>()?.to_vec()];
        keys.extend(self.0.iter().cloned());
        Ok(Self(keys))
    }

    /// The first alone.
    #[must_use]
    pub fn newest(&self) -> Self {
        Self(self.0[..1].to_vec())
    }

    /// Replaces the file that held them, whole or not at all; mode 0600.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = HEAD.to_owned();
        for key in &self.0 {
            text.push('\n');
            text.push_str(&hex::encode(key));
        }
        text.push('\n');
        file::replace(path, text.as_bytes())
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl std::fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_key_unless_it_says_that_it_is_several() {
        let one = StoreKeys::parse(b"hunter2 \n\xff").unwrap();
        assert_eq!(one.each().collect::<Vec<_>>(), [b"hunter2 \n\xff"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let two = one.with_new().unwrap();
        two.write(&path).unwrap();
        assert_eq!(StoreKeys::parse(&super::super::secret_file(&path).unwrap()).unwrap(), two);
        two.newest().write(&path).unwrap();
        let newest = StoreKeys::parse(&super::super::secret_file(&path).unwrap()).unwrap();
        assert_eq!(newest.each().collect::<Vec<_>>(), [two.each().next().unwrap()]);
        for damaged in ["carom-store-keys-1", "carom-store-keys-1 xyz", "carom-store-keys-1 0"] {
            assert!(StoreKeys::parse(damaged.as_bytes()).is_err(), "{damaged}");
        }
        assert_eq!(format!("{two:?}"), "StoreKeys(2)");
    }
}

//! The secret of the callers' hashes: one per epoch, each derived from the one before, so that
//! an old one is gone once its successor's successor is all that is kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{file, hmac};

const HEAD: &str = "carom-number-key-1";

/// The key of a business's callers.
#[derive(Debug)]
pub struct NumberKey(Kind);

enum Kind {
    /// Given from outside: epochs are derived from it, and it alone decides how long they are
    /// kept.
    Given(Vec<u8>),
    /// Kept in a file of ours, which forgets.
    Kept { path: PathBuf, chain: Mutex<Chain> },
}

#[derive(Clone)]
struct Chain {
    epoch: i64,
    secret: [u8; 32],
}

impl NumberKey {
    /// A key from a secret that is managed elsewhere (`env:`, or a file of one line).
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(Kind::Given(secret.to_vec()))
    }

    /// The key of a file; a file that is missing is made, mode 0600. What the file holds may
    /// also be a secret of the operator's own, then it is never rewritten.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn from_file(path: &Path, epoch_days: u32, now_ms: i64) -> io::Result<Self> {
        if !path.exists() {
            let epoch = now_ms.div_euclid(i64::from(epoch_days.max(1)) * 86_400_000) - 1;
            let chain = Chain { epoch, secret: file::random()? };
            file::create(path, chain.text().as_bytes())?;
        }
        let text = fs::read_to_string(path)?;
        match Chain::parse(&text) {
            Some(chain) => Ok(Self(Kind::Kept { path: path.to_owned(), chain: Mutex::new(chain) })),
            None if text.starts_with(HEAD) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the key file is damaged"))
            }
            None if text.trim_end().is_empty() => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"))
            }
            None => Ok(Self::from_secret(text.trim_end().as_bytes())),
        }
    }

    /// The secrets of `epoch` and of the one before.
    pub(super) fn secrets(&self, epoch: i64) -> ([u8; 32], [u8; 32]) {
        match &self.0 {
            Kind::Given(secret) => {
                let of = |epoch: i64| hmac(secret, &[b"epoch", &epoch.to_be_bytes()]);
                (of(epoch), of(epoch - 1))
            }
            Kind::Kept { chain, .. } => {
                let chain = lock(chain).clone();
                (chain.at(epoch).secret, chain.at(epoch - 1).secret)
            }
        }
    }

    /// Forgets what is older than the epoch before `epoch`.
    pub(super) fn rotate(&self, epoch: i64) {
        let Kind::Kept { path, chain } = &self.0 else { return };
        let next = {
            let mut chain = lock(chain);
            if chain.epoch >= epoch - 1 {
                return;
            }
            *chain = chain.at(epoch - 1);
            chain.text()
        };
        if let Err(error) = file::replace(path, next.as_bytes()) {
            tracing::error!(path = %path.display(), %error, "number key cannot be rotated");
        }
    }
}

impl Chain {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(HEAD) {
            return None;
        }
        let epoch = words.next()?.parse().ok()?;
        let secret = hex::decode(words.next()?).ok()?.try_into().ok()?;
        Some(Self { epoch, secret })
    }

    fn text(&self) -> String {
        format!("{HEAD} {} {}\n", self.epoch, hex::encode(self.secret))
    }

    /// The link of `epoch`; an epoch before the kept one has the kept secret, its own is gone.
    fn at(&self, epoch: i64) -> Self {
        let mut link = self.clone();
        while link.epoch < epoch {
            link = Self { epoch: link.epoch + 1, secret: hmac(&link.secret, &[b"next"]) };
        }
        link
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

fn lock(chain: &Mutex<Chain>) -> std::sync::MutexGuard<'_, Chain> {
    chain.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_kept_key_forgets_old_epochs_and_keeps_the_two_that_joins_need() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("retail.key");
        let key = NumberKey::from_file(&path, 90, 900 * DAY).unwrap();
        let (ten, nine) = key.secrets(10);
        let (eleven, ten_again) = key.secrets(11);
        assert_eq!(ten, ten_again);
        key.rotate(11);
        let kept = NumberKey::from_file(&path, 90, 990 * DAY).unwrap();
        assert_eq!(kept.secrets(11), (eleven, ten));
        assert_ne!(kept.secrets(10).1, nine, "the ninth epoch's secret is gone");
    }

    #[test]
    fn a_secret_of_the_operators_own_is_never_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.key");
        fs::write(&path, "hunter2\n").unwrap();
        let key = NumberKey::from_file(&path, 90, 0).unwrap();
        key.rotate(1_000);
        assert_eq!(fs::read_to_string(&path).unwrap(), "hunter2\n");
        assert_eq!(key.secrets(3), NumberKey::from_secret(b"hunter2").secrets(3));
    }
}

//! `[store]`: the database.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    read::Table,
    secret::{Secret, SecretRef},
};

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// `sqlite:PATH` (absolute, or relative to the working folder) or `postgres://…`.
    pub url: Secret,
    /// Key that numbers and bodies are encrypted with. A file that is missing is made on first
    /// run, mode 0600.
    pub aead_key: SecretRef,
    /// Folder of what callers left, made at the first message, mode 0700.
    pub voicemail: PathBuf,
    /// A node silent for longer has its open calls closed by another.
    pub lease: Duration,
}

impl Store {
    /// The defaults, under the folder `base`.
    pub(super) fn at(base: &Path) -> Self {
        Self {
            url: format!("sqlite:{}", base.join("var/carom.db").display()).into(),
            aead_key: SecretRef::File(base.join("var/keys/store.key")),
            voicemail: base.join("var/voicemail"),
            lease: Duration::from_secs(30),
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Store {
    let default = Store::at(table.base());
    Store {
        url: table.database("url").unwrap_or(default.url),
        aead_key: table.secret("aead_key").unwrap_or(default.aead_key),
        voicemail: table.path("voicemail").unwrap_or(default.voicemail),
        lease: table.duration("lease_seconds", 1, 5..=3_600).unwrap_or(default.lease),
    }
}

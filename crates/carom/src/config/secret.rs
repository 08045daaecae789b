//! Secrets: never in the configuration itself, only references to where they are.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where a secret is: `"env:NAME"` or `"file:PATH"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one newline at its end does not count.
    File(PathBuf),
}

/// A secret's value. It shows itself in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The value itself stands in the file (E13).
    #[error("a secret stands here in the open")]
    Literal,
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The variable or the file holds nothing.
    #[error("{0} is empty")]
    Empty(String),
    /// The file can't be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        why: String,
    },
}

impl SecretRef {
    /// Reads a reference; a file is relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(base.join(path))),
            _ => Err(SecretError::Literal),
        }
    }

    /// Returns the secret.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::NotSet(name.clone()))?
            }
            Self::File(path) => {
                let mut text =
                    std::fs::read_to_string(path).map_err(|error| SecretError::Unreadable {
                        path: path.display().to_string(),
                        why: error.to_string(),
                    })?;
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
                text
            }
        };
        if value.is_empty() { Err(SecretError::Empty(self.to_string())) } else { Ok(Secret(value)) }
    }
}

impl Secret {
    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
        let secret = SecretRef::parse("file:token", folder.path()).unwrap().resolve().unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_secret_that_cannot_be_had_tells_why() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("none"), "\n").unwrap();
        let why = |text| {
            SecretRef::parse(text, folder.path()).and_then(|r| r.resolve()).unwrap_err().to_string()
        };
        assert_eq!(why("hunter2"), "a secret stands here in the open");
        assert_eq!(why("env:"), "a secret stands here in the open");
        assert_eq!(
            why("env:CAROM_NO_SUCH_NAME"),
            "the environment variable CAROM_NO_SUCH_NAME is not set"
        );
        assert!(why("file:none").ends_with("none is empty"));
        assert!(why("file:gone").contains("gone cannot be read: "));
    }
}

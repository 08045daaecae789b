//! What is reported of a call's requests: which, and what became of it.

use serde::{Deserialize, Serialize};

/// What became of one of a call's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored<T>")]
pub struct Report<T> {
    /// The number of the request; `None`: in a record that does not say it, of the one that waits.
    pub of: Option<u32>,
    /// What became of it.
    pub outcome: T,
}

impl<T> Report<T> {
    /// Of the request with this number.
    pub fn new(number: u32, outcome: T) -> Self {
        Self { of: Some(number), outcome }
    }

    /// Whether it is about that request.
    pub(crate) fn is_of(&self, number: u32) -> bool {
        self.of.is_none_or(|of| of == number)
    }
}

/// As records have it; the first ones have the outcome alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored<T> {
    Numbered { of: Option<u32>, outcome: T },
    Bare(T),
}

impl<T> From<Stored<T>> for Report<T> {
    fn from(stored: Stored<T>) -> Self {
        match stored {
            Stored::Numbered { of, outcome } => Self { of, outcome },
            Stored::Bare(outcome) => Self { of: None, outcome },
        }
    }
}

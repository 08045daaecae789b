//! A message that a provider took.

use serde_json::Value;

use crate::Says;

/// A message that a provider took.
#[derive(Debug, Clone)]
pub struct Message {
    /// The provider's id of it.
    pub id: String,
    /// To whom, with `+`.
    pub to: String,
    /// From whom, as it was asked for.
    pub from: String,
    /// Its text, or the name of its template.
    pub text: String,
    /// Where receipts go, as it was asked for.
    pub callback: Option<String>,
    /// What we call it.
    pub reference: Option<String>,
    /// How many it counts as.
    pub segments: usize,
    /// When the request's first byte was there to be read, nanoseconds since 1970.
    pub at_ns: u64,
    /// The request, as JSON.
    pub posted: Value,
    /// The newest that was told of it.
    pub says: Option<Says<'static>>,
}

impl Message {
    /// What the provider charges, in millionths of a dollar: 7,500 for each part.
    #[must_use]
    pub fn price_micros(&self) -> usize {
        self.segments * 7_500
    }
}

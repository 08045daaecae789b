//! Who wrote to us, as a handle by which they can be answered: events name no number.

use message_text::E164;

use super::{Store, StoreError};

impl Store {
    /// A handle of a number, good as long as numbers are kept, on every node with our keys. Nobody
    /// else can read it.
    ///
    /// # Errors
    /// There is no key.
    pub(crate) fn reply_to(&self, number: &E164) -> Result<String, StoreError> {
        let until_ms = self.now_ms() + self.raw_number_ms();
        let sealed = self.keys().seal().close(&bound(until_ms), number.as_str())?;
        Ok(format!("{until_ms}.{sealed}"))
    }

    /// The number of a handle; `None`: it is none of ours, or too old.
    #[must_use]
    pub fn number_of_handle(&self, handle: &str) -> Option<E164> {
        let (until_ms, sealed) = handle.split_once('.')?;
        let until_ms: i64 = until_ms.parse().ok()?;
        if until_ms <= self.now_ms() {
            return None;
        }
        self.keys().seal().open(&bound(until_ms), sealed).ok()?.parse().ok()
    }
}

/// Its end can't be changed.
fn bound(until_ms: i64) -> String {
    format!("reply|{until_ms}")
}

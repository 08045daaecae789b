//! Names of fields.

use crate::call::FIELD_LEN;

/// How a field is written.
pub(super) const FIELD_HELP: &str = "letters, digits and `_`, such as `order_state`";

/// Whether it can name a field.
pub(super) fn is_field(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

/// Fields that every call has of itself; nothing else is kept under their names.
pub(super) const OF_THE_CALL: [&str; 7] =
    ["call_id", "called", "called_number", "caller_key", "caller_number", "intent", "language"];

/// Told by a source, where there is one.
pub(crate) const TOLD: [&str; 4] =
    ["wait_minutes", "wait_seconds", "agents_available", "callers_waiting"];
/// What is known of the caller's visits to our pages.
const VISITS: &str = "site_visits";

/// Whether another system may tell a field of a call: what is known by ourselves is not told us.
///
/// # Errors
/// Why not.
pub fn may_be_told(name: &str, value: &str) -> Result<(), String> {
    if !is_field(name) {
        return Err(format!("{}: {FIELD_HELP}", not_a_field(name)));
    }
    if OF_THE_CALL.contains(&name) || TOLD.contains(&name) || name == VISITS {
        return Err(format!("a call knows `{name}` of itself"));
    }
    match value.len() <= FIELD_LEN {
        true => Ok(()),
        false => Err(format!("`{name}` is longer than {FIELD_LEN} bytes")),
    }
}

/// What is said of one that can't.
pub(super) fn not_a_field(name: &str) -> String {
    format!("`{name}` is no name of a field")
}

//! Names of fields.

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

/// What is said of one that can't.
pub(super) fn not_a_field(name: &str) -> String {
    format!("`{name}` is no name of a field")
}

//! Names of fields.

/// How a field is written.
pub(super) const FIELD_HELP: &str = "letters, digits and `_`, such as `order_state`";

/// Whether it can name a field.
pub(super) fn is_field(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

/// What is said of one that can't.
pub(super) fn not_a_field(name: &str) -> String {
    format!("`{name}` is no name of a field")
}

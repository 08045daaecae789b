//! Command statuses in our classes (SMPP 3.4 §5.1.3).

use crate::provider::Class;

/// All is well.
pub(super) const OK: u32 = 0;
/// Try the delivery again later.
pub(super) const TEMPORARY: u32 = 0x64;
/// Do not try the delivery again: we can't read it.
pub(super) const PERMANENT: u32 = 0x65;
/// The length of a message is not that of its fields.
pub(super) const INVALID_LENGTH: u32 = 0x01;
/// We do not know that command.
pub(super) const UNKNOWN_COMMAND: u32 = 0x03;

/// The class of a refusal.
pub(super) fn class(status: u32) -> Class {
    match status {
        0x0b => Class::Invalid,
        0x01 => Class::TooLong,
        0x0a | 0x48..=0x51 | 0x61 | 0x62 => Class::Config,
        0x14 | 0x58 => Class::RateLimited,
        0x0d..=0x0f => Class::Auth,
        // Bound already, or not yet: a session before this one is not over for the centre.
        0x04 | 0x05 | 0x08 => Class::ProviderDown,
        0x45 => Class::Funds,
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_apart() {
        for (status, expected) in [
            (0x0b, Class::Invalid),
            (0x0a, Class::Config),
            (0x58, Class::RateLimited),
            (0x14, Class::RateLimited),
            (0x0e, Class::Auth),
            (0x04, Class::ProviderDown),
            (0x05, Class::ProviderDown),
            (0x08, Class::ProviderDown),
            (0x45, Class::Funds),
            (0xff, Class::Unknown),
        ] {
            assert_eq!(class(status), expected, "{status:#x}");
        }
    }
}

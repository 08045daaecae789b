//! Goodbye (RFC 3550 §6.6).

use super::{BYE, Writer, word};

/// The first source that a BYE packet names.
pub fn parse_bye(packet: &[u8]) -> Option<u32> {
    if packet.first()? & 0x1F == 0 { None } else { word(packet, 4) }
}

/// Writes a BYE of one source.
pub fn write_bye(out: &mut Writer, ssrc: u32) {
    out.header(1, BYE, 8);
    out.word(ssrc);
}

//! The source description that every compound carries: a CNAME (RFC 3550 §6.5).

use super::{SOURCE_DESCRIPTION, Writer};

const CNAME: u8 = 1;

/// Writes a description of one source with its canonical name, of at most 255 bytes.
pub fn write_cname(out: &mut Writer, ssrc: u32, cname: &str) {
    let name = &cname.as_bytes()[..cname.len().min(255)];
    // The list of items ends with at least one zero byte and is padded to a word.
    let padding = 4 - (2 + name.len()) % 4;
    out.header(1, SOURCE_DESCRIPTION, 8 + 2 + name.len() + padding);
    out.word(ssrc);
    out.bytes(&[CNAME, name.len() as u8]);
    out.bytes(name);
    out.bytes(&[0; 4][..padding]);
}

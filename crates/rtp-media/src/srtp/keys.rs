//! Session keys and what is done with them (RFC 3711 §4).

use std::fmt;

use aes::{
    Aes128, Block,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use super::MasterKey;

/// Labels of the keys derived (RFC 3711 §4.3.1); those of SRTCP are three more.
const CIPHER: u8 = 0;
const AUTH: u8 = 1;
const SALT: u8 = 2;
const RTCP: u8 = 3;

/// Blocks of key stream that are made together.
const BATCH: usize = 8;

/// The session keys of one direction, for RTP or for RTCP.
#[derive(Clone)]
pub(super) struct SessionKeys {
    cipher: Aes128,
    salt: [u8; 14],
    auth: Hmac<Sha1>,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys(…)")
    }
}

impl SessionKeys {
    pub(super) fn rtp(master: &MasterKey) -> Self {
        Self::derive(master, 0)
    }

    pub(super) fn rtcp(master: &MasterKey) -> Self {
        Self::derive(master, RTCP)
    }

    fn derive(master: &MasterKey, first: u8) -> Self {
        let (mut key, mut salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
        generate(master, first + CIPHER, &mut key);
        generate(master, first + SALT, &mut salt);
        generate(master, first + AUTH, &mut auth);
        let mac = Hmac::<Sha1>::new_from_slice(&auth).expect("HMAC takes keys of any length");
        Self { cipher: Aes128::new(&key.into()), salt, auth: mac }
    }

    /// Encrypts or decrypts the part of a packet that is not clear (§4.1.1). `index` has 48 bits.
    pub(super) fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        for (byte, part) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= part;
        }
        for (byte, part) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= part;
        }
        key_stream(&self.cipher, iv, data);
    }

    /// Writes the tag over `parts` (§4.2); its length is that of `tag`, 20 at most.
    pub(super) fn sign(&self, parts: [&[u8]; 2], tag: &mut [u8]) {
        let full = self.mac(parts).finalize().into_bytes();
        tag.copy_from_slice(&full[..tag.len()]);
    }

    /// Whether the tag is right, in a time that does not tell where it is wrong.
    pub(super) fn verifies(&self, parts: [&[u8]; 2], tag: &[u8]) -> bool {
        self.mac(parts).verify_truncated_left(tag).is_ok()
    }

    fn mac(&self, parts: [&[u8]; 2]) -> Hmac<Sha1> {
        let mut mac = self.auth.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// The pseudo-random function that derives keys (§4.3.3), for a key derivation rate of 0.
fn generate(master: &MasterKey, label: u8, out: &mut [u8]) {
    let (key, salt) = master.0.split_at(16);
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    iv[7] ^= label;
    let cipher = Aes128::new_from_slice(key).expect("16 bytes are split off");
    out.fill(0);
    key_stream(&cipher, iv, out);
}

/// Adds the key stream of counter mode that begins at `iv`, whose last two bytes count.
fn key_stream(cipher: &Aes128, iv: [u8; 16], data: &mut [u8]) {
    let mut counter = u16::from_be_bytes([iv[14], iv[15]]);
    for chunk in data.chunks_mut(16 * BATCH) {
        let count = chunk.len().div_ceil(16);
        let mut blocks = [Block::from(iv); BATCH];
        for block in &mut blocks[..count] {
            block[14..].copy_from_slice(&counter.to_be_bytes());
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(&mut blocks[..count]);
        for (bytes, keys) in chunk.chunks_mut(16).zip(&blocks) {
            for (byte, key) in bytes.iter_mut().zip(keys) {
                *byte ^= key;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 appendix B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let key = bytes("2B7E151628AED2A6ABF7158809CF4F3C");
        let cipher = Aes128::new_from_slice(&key).unwrap();
        let iv: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut stream = vec![0; 16 * 0xFF02];
        key_stream(&cipher, iv, &mut stream);
        for (block, expected) in [
            (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
            (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
            (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (0xFEFF, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
            (0xFF00, "362B7C3C6773516318A077D7FC5073AE"),
            (0xFF01, "6A2CC3787889374FBEB4C81B17BA6C44"),
        ] {
            assert_eq!(stream[16 * block..16 * (block + 1)], bytes(expected), "block {block:#x}");
        }
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn session_keys_are_those_of_the_rfc() {
        let master = bytes("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey(master.try_into().unwrap());
        let derived = |label: u8, len: usize| {
            let mut out = vec![0; len];
            generate(&master, label, &mut out);
            out
        };
        assert_eq!(derived(CIPHER, 16), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(SALT, 14), bytes("30CBBC08863D8C85D49DB34A9AE1"));
        let auth = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9\
            327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68\
            642C59BBFC2F34DB60DBDFB2DC68";
        assert_eq!(derived(AUTH, 96), bytes(auth));
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }
}

//! Fuzz targets; plain `cargo test` tries some random bytes, `cargo bolero test NAME --sanitizer
//! NONE` searches for more. Failures print their seed.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use bytes::BytesMut;
use deflect_actions::{
    provider::smpp::{Address, Body, Pdu, Short, take},
    queue::{Blocks, Frames},
};

#[test]
fn smpp_stream() {
    bolero::check!().for_each(|bytes: &[u8]| {
        // With the length that the message claims set right, so that more than the header is read.
        let mut one = bytes.to_vec();
        if let (Ok(length), Some(claimed)) = (u32::try_from(bytes.len()), one.get_mut(..4)) {
            claimed.copy_from_slice(&length.to_be_bytes());
        }
        for mut stream in [bytes.to_vec(), one] {
            let mut before = stream.len() + 1;
            while let Ok(Some(pdu)) = take(&mut stream) {
                assert!(stream.len() < before, "it goes forward");
                before = stream.len();
                same_again(&pdu);
            }
        }
    });
}

/// Messages that are almost right: deeper than random bytes get.
#[test]
fn smpp_deliver_sm_almost_right() {
    let short = Short {
        source: Address { ton: 1, npi: 1, text: "447700900123".to_owned() },
        short_message: b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:".to_vec(),
        esm_class: 4,
        tlvs: vec![(0x001e, b"1\0".to_vec()), (0x0427, vec![2])],
        ..Short::default()
    };
    let seed = Pdu { sequence: 7, body: Body::DeliverSm(short) }.encode();
    bolero::check!().with_type::<Vec<(u16, u8)>>().for_each(|changes| {
        let mut bytes = seed.clone();
        for (at, byte) in changes.iter().take(8) {
            let at = 8 + usize::from(*at) % (bytes.len() - 8);
            bytes[at] = *byte;
        }
        if let Ok(pdu) = Pdu::decode(&bytes) {
            same_again(&pdu);
        }
    });
}

fn same_again(pdu: &Pdu) {
    // What we have no use for is not kept whole.
    if let Body::SubmitSm(_) | Body::DeliverSm(_) | Body::SubmitSmResp(..) = pdu.body {
        assert_eq!(Pdu::decode(&pdu.encode()).as_ref(), Ok(pdu));
    }
}

/// What a PBX sends, in pieces of its own words: cut anywhere, it is read the same.
#[test]
fn pbx_streams() {
    const WORDS: [&str; 12] = [
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\n\n",
        "Event: AgentConnect",
        "Content-Length: ",
        "3",
        "17",
        ": ",
        "%4",
        "a|b",
        "\u{e9}\0",
    ];
    bolero::check!().with_type::<(Vec<u8>, u16)>().for_each(|(picks, cut)| {
        let text: String = picks.iter().map(|pick| WORDS[usize::from(*pick) % 12]).collect();
        let bytes = text.as_bytes();
        let parts = bytes.split_at(usize::from(*cut) % (bytes.len() + 1));
        let blocks = |parts: &[&[u8]]| {
            let mut blocks = Blocks::default();
            read(parts, |buffer| blocks.take(buffer))
        };
        assert_eq!(blocks(&[bytes]), blocks(&[parts.0, parts.1]));
        let frames = |parts: &[&[u8]]| read(parts, Frames::take);
        assert_eq!(frames(&[bytes]), frames(&[parts.0, parts.1]));
        for frame in frames(&[bytes]).0 {
            let _ = frame.event().get("Event");
        }
        let _ = Blocks::greeting(&mut BytesMut::from(bytes));
    });
}

/// All that is read, and the error that ended it.
fn read<T, E>(
    parts: &[&[u8]],
    mut take: impl FnMut(&mut BytesMut) -> Result<Option<T>, E>,
) -> (Vec<T>, Option<E>) {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for part in parts {
        buffer.extend_from_slice(part);
        loop {
            let before = buffer.len();
            match take(&mut buffer) {
                Ok(Some(one)) => {
                    assert!(buffer.len() < before, "it goes forward");
                    found.push(one);
                }
                Ok(None) => break,
                Err(why) => return (found, Some(why)),
            }
        }
    }
    (found, None)
}

//! SRTP by keys in descriptions (RFC 4568): offered, answered, refused, kept.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use std::net::{IpAddr, Ipv4Addr};

use sip_stack::offer_answer::{
    AnswerKind, Codec, CryptoKey, CryptoSuite, Direction, KEY_BYTES, LocalCrypto, LocalMedia,
    Negotiated, Negotiation, Rejected, answer, conclude, offer,
};

/// Thirty bytes of 1, 2 and `t` in Base64.
const OURS_80: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const OURS_32: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";
const THEIRS: &str = "dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0";
const SHA1_80: &str = "AES_CM_128_HMAC_SHA1_80";
const SHA1_32: &str = "AES_CM_128_HMAC_SHA1_32";

#[test]
fn a_secure_offer_is_answered_with_its_tag_and_suite_and_our_key() {
    for (suite, key, kind) in [
        (SHA1_80, OURS_80, CryptoSuite::AesCm128HmacSha1_80),
        (SHA1_32, OURS_32, CryptoSuite::AesCm128HmacSha1_32),
    ] {
        // The first that we can use: not one of another suite, with MKI, or unencrypted.
        let lines = format!(
            "m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{THEIRS}{THEIRS}\n\
             a=crypto:2 {suite} inline:{THEIRS}|2^20|1:4\n\
             a=crypto:3 {suite} inline:{THEIRS} UNENCRYPTED_SRTP\n\
             a=crypto:4 {suite} inline:short\n\
             a=crypto:7 {suite} inline:{THEIRS}|2^31 WSH=128\n\
             a=crypto:8 {SHA1_80} inline:{THEIRS}\n"
        );
        let (text, agreed) = settled(&lines, optional());
        assert!(text.contains("m=audio 30000 RTP/SAVP 8\r\n"), "{text}");
        assert_eq!(crypto_lines(&text), [format!("7 {suite} inline:{key}")]);
        let crypto = agreed.crypto.unwrap();
        assert_eq!(crypto.suite, kind);
        assert_eq!(crypto.receive, CryptoKey([b't'; KEY_BYTES]));
    }
}

#[test]
fn keys_offered_without_the_secure_profile_are_taken_and_may_be_left() {
    let lines = format!("m=audio 4000 RTP/AVP 8\na=crypto:1 {SHA1_80} inline:{THEIRS}\n");
    for crypto in [optional(), required()] {
        let (text, agreed) = settled(&lines, crypto);
        assert!(text.contains("m=audio 30000 RTP/AVP 8\r\n"), "{text}");
        assert_eq!(crypto_lines(&text), [format!("1 {SHA1_80} inline:{OURS_80}")]);
        assert!(agreed.crypto.is_some());
    }
    let (text, agreed) = settled(&lines, None);
    assert_eq!((crypto_lines(&text).len(), agreed.crypto), (0, None), "off: it goes plain");
    let (text, agreed) = settled("m=audio 4000 RTP/AVP 8\n", optional());
    assert_eq!((crypto_lines(&text).len(), agreed.crypto), (0, None));
}

#[test]
fn what_cannot_be_protected_as_it_must_be_is_refused() {
    let secure = format!("m=audio 4000 RTP/SAVP 8\na=crypto:1 {SHA1_80} inline:{THEIRS}\n");
    for (lines, crypto) in [
        (secure.as_str(), None),
        ("m=audio 4000 RTP/SAVP 8\n", optional()),
        ("m=audio 4000 RTP/AVP 8\n", required()),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 8\n", optional()),
    ] {
        let refused = answer(&description(lines), &local(crypto)).unwrap_err();
        assert_eq!((refused, refused.status()), (Rejected::Transport, 488), "{lines}");
    }
    // Where both are offered, the one that can be taken is.
    let both = format!("m=audio 4002 RTP/AVP 8\n{secure}");
    let (text, agreed) = settled(&both, required());
    assert!(text.contains("m=audio 0 RTP/AVP 8\r\nm=audio 30000 RTP/SAVP 8\r\n"), "{text}");
    assert!(agreed.crypto.is_some());
}

#[test]
fn our_offers_have_keys_where_they_are_to_and_insist_where_they_must() {
    let text = |crypto| String::from_utf8(offer(&local(crypto)).to_vec()).unwrap();
    let both = [format!("1 {SHA1_80} inline:{OURS_80}"), format!("2 {SHA1_32} inline:{OURS_32}")];
    let offered = optional().map(|crypto| LocalCrypto { offered: true, ..crypto });
    for (crypto, proto, keys) in [
        (None, "RTP/AVP", &both[..0]),
        (optional(), "RTP/AVP", &both[..0]),
        (offered, "RTP/AVP", &both),
        (required(), "RTP/SAVP", &both),
    ] {
        let text = text(crypto);
        assert!(text.contains(&format!("m=audio 30000 {proto} 8 ")), "{text}");
        assert_eq!(crypto_lines(&text), keys);
    }
}

#[test]
fn an_answer_chooses_one_of_our_keys_or_none_where_it_may() {
    let offered = || optional().map(|crypto| LocalCrypto { offered: true, ..crypto });
    let told = |crypto, lines: &str| conclude(&local(crypto), &description(lines));
    let chosen = format!("m=audio 4000 RTP/AVP 8\na=crypto:2 {SHA1_32} inline:{THEIRS}\n");
    let crypto = told(offered(), &chosen).unwrap().crypto.unwrap();
    assert_eq!(crypto.suite, CryptoSuite::AesCm128HmacSha1_32);
    assert_eq!(crypto.send, CryptoKey([2; KEY_BYTES]), "the key of that suite");
    let plain = "m=audio 4000 RTP/AVP 8\n";
    assert_eq!(told(offered(), plain).unwrap().crypto, None);
    assert_eq!(told(required(), plain).unwrap_err(), Rejected::Transport);
    let strange = format!("m=audio 4000 RTP/AVP 8\na=crypto:9 {SHA1_80} inline:{THEIRS}\n");
    assert_eq!(told(offered(), &strange).unwrap_err(), Rejected::Mismatch);
    assert_eq!(told(optional(), &strange).unwrap().crypto, None, "none was offered");
}

#[test]
fn our_key_stays_over_a_dialog_whoever_offers_and_shows_itself_nowhere() {
    let secure = format!("m=audio 4000 RTP/SAVP 8\na=crypto:5 {SHA1_80} inline:{THEIRS}\n");
    let mut talk = Negotiation::new(local(optional()));
    talk.handle_offer(&description(&secure)).unwrap();
    let (first, agreed) = talk.answer().unwrap();
    let again = talk.offer().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(crypto_lines(&text(&again)), crypto_lines(&text(&first)), "the same key again");
    assert!(text(&again).contains("RTP/SAVP"));
    let other = secure.replace(THEIRS, OURS_32);
    let renewed = talk.handle_answer(&description(&other), AnswerKind::Final).unwrap();
    let (before, after) = (agreed.crypto.clone().unwrap(), renewed.crypto.unwrap());
    assert_eq!(before.send, after.send);
    assert_ne!(before.receive, after.receive, "the peer may take another");
    let shown = format!("{:?} {:?}", agreed, talk.local());
    assert!(shown.contains("CryptoKey(…)") && !shown.contains("116, 116"), "{shown}");
}

fn optional() -> Option<LocalCrypto> {
    let keys = [CryptoKey([1; KEY_BYTES]), CryptoKey([2; KEY_BYTES])];
    Some(LocalCrypto { required: false, offered: false, keys })
}

fn required() -> Option<LocalCrypto> {
    optional().map(|crypto| LocalCrypto { required: true, ..crypto })
}

fn local(crypto: Option<LocalCrypto>) -> LocalMedia {
    LocalMedia {
        addr: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
        port: 30_000,
        codecs: vec![Codec::Pcma],
        ptime_ms: 20,
        telephone_event: true,
        direction: Direction::SendRecv,
        session_id: 1,
        version: 1,
        crypto,
    }
}

fn description(media: &str) -> Vec<u8> {
    let text =
        format!("v=0\no=- 7 7 IN IP4 198.51.100.1\ns=call\nc=IN IP4 198.51.100.1\nt=0 0\n{media}");
    text.replace('\n', "\r\n").into_bytes()
}

fn settled(media: &str, crypto: Option<LocalCrypto>) -> (String, Negotiated) {
    let (bytes, negotiated) = answer(&description(media), &local(crypto)).unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), negotiated)
}

/// The values of the crypto attributes.
fn crypto_lines(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("a=crypto:")).map(str::to_owned).collect()
}

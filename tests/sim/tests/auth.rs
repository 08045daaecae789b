//! Challenges and what is sent again with credentials (RFC 3261 §22; RFC 7616, RFC 8760).

mod common;

use bytes::Bytes;
use carom_sim::text::{self, SDP};
use common::Outgoing;
use sip_stack::endpoint::{Cause, Credentials, ReofferMethod};

#[test]
fn a_challenged_invite_is_sent_again_with_credentials() {
    for (status, challenge, answer) in [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ] {
        let mut scene = challenged();
        assert_eq!(text::header(&scene.invite, answer), "", "not before it is asked for");
        let first = scene.invite.clone();
        scene.reply(status, "pbx", &format!("{challenge}: {}\r\n", digest("n1", "")), "");
        let ack = scene.expect("ACK").text;
        assert_eq!(text::header(&ack, "Via"), text::header(&first, "Via"));
        let again = scene.expect("INVITE").text;
        let given = text::header(&again, answer);
        assert!(given.starts_with("Digest username=\"carom\", realm=\"pbx\", nonce=\"n1\""));
        assert!(given.contains("uri=\"sip:bob@10.0.0.3:5060\""), "{given}");
        assert!(given.contains("qop=auth, nc=00000001, cnonce="), "{given}");
        assert_eq!(text::header(&again, "CSeq"), "2 INVITE");
        assert_ne!(text::header(&again, "Via"), text::header(&first, "Via"));
        for same in ["Call-ID", "From", "To", "Contact"] {
            assert_eq!(text::header(&again, same), text::header(&first, same));
        }
        assert_eq!(text::body(&again), SDP);
        scene.invite = again.clone();
        scene.answer("bob");
        let ack = scene.expect("ACK").text;
        assert_eq!(text::header(&ack, "CSeq"), "2 ACK");
        assert_eq!(text::header(&ack, answer), given, "the ACK repeats them as they are (§22.1)");
    }
}

#[test]
fn the_ack_of_a_failure_repeats_the_credentials_of_its_invite() {
    let mut scene = challenged();
    scene.challenge(&digest("n1", ""));
    let given = text::header(&scene.invite, "Authorization").to_owned();
    scene.reply("486 Busy Here", "bob", "", "");
    let ack = scene.expect("ACK").text;
    assert_eq!(text::header(&ack, "Authorization"), given);
}

#[test]
fn without_credentials_a_challenge_is_a_failure_like_any_other() {
    let mut scene = Outgoing::udp();
    scene.reply(
        "401 Unauthorized",
        "pbx",
        &format!("WWW-Authenticate: {}\r\n", digest("n1", "")),
        "",
    );
    assert_eq!(scene.failure(), (401, Cause::Response));
    assert_eq!(scene.sent("INVITE").len(), 1);
}

#[test]
fn credentials_that_were_refused_are_not_sent_again() {
    for second in [digest("n1", ""), digest("n2", ""), digest("n1", ", stale=true")] {
        let mut scene = challenged();
        scene.challenge(&digest("n1", ""));
        let more = format!("WWW-Authenticate: {second}\r\n");
        scene.reply("401 Unauthorized", "pbx", &more, "");
        assert_eq!(scene.failure(), (401, Cause::Response), "{second}");
        assert_eq!(scene.sent("INVITE").len(), 2, "{second}");
    }
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let mut scene = challenged();
    scene.challenge(&digest("n1", ""));
    scene.challenge(&digest("n2", ", stale=TRUE"));
    let given = text::header(&scene.invite, "Authorization");
    assert!(given.contains("nonce=\"n2\"") && given.contains("nc=00000001"), "{given}");
    assert_eq!(text::headers(&scene.invite, "Authorization").len(), 1);
    scene.challenge(&digest("n3", ", stale=true"));
    let more = format!("WWW-Authenticate: {}\r\n", digest("n4", ", stale=true"));
    scene.reply("401 Unauthorized", "pbx", &more, "");
    assert_eq!(scene.failure(), (401, Cause::Response), "a server that never has enough");
}

#[test]
fn a_challenge_that_cannot_be_answered_is_a_failure() {
    for challenge in ["Basic realm=\"pbx\"", "Digest realm=\"pbx\", nonce=\"n\", algorithm=X"] {
        let mut scene = challenged();
        let more = format!("WWW-Authenticate: {challenge}\r\n");
        scene.reply("401 Unauthorized", "pbx", &more, "");
        assert_eq!(scene.failure(), (401, Cause::Response));
    }
}

#[test]
fn a_proxy_and_the_called_may_both_ask() {
    let mut scene = challenged();
    let more = format!("Proxy-Authenticate: {}\r\n", digest("p1", "").replace("pbx", "proxy"));
    scene.reply("407 Proxy Authentication Required", "proxy", &more, "");
    scene.expect("ACK");
    scene.invite = scene.expect("INVITE").text;
    scene.challenge(&digest("n1", ""));
    assert!(text::header(&scene.invite, "Authorization").contains("nonce=\"n1\""));
    let for_proxy = text::header(&scene.invite, "Proxy-Authorization");
    assert!(for_proxy.contains("nonce=\"p1\"") && for_proxy.contains("nc=00000002"), "{for_proxy}");
}

#[test]
fn requests_of_the_call_use_the_nonce_again_and_count() {
    let mut scene = talking();
    let (leg, sdp) = (scene.leg, Some(Bytes::from_static(SDP.as_bytes())));
    let update = ReofferMethod::Update;
    let done = scene.net.with(scene.carom, |carom, now| carom.reoffer(now, leg, sdp, update));
    assert_eq!(done, Ok(()));
    let update = scene.expect("UPDATE").text;
    scene.ok(&update);
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    for (request, count) in [(&update, 2), (&bye, 3)] {
        let given = text::header(request, "Authorization");
        assert!(given.contains("nonce=\"n1\""), "{given}");
        assert!(given.contains(&format!("nc=0000000{count}")), "{given}");
    }
}

/// Some servers take each nonce once, and do not call it stale.
#[test]
fn a_bye_that_is_challenged_anew_is_sent_again_so_that_no_call_is_left() {
    let mut scene = talking();
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    assert_eq!(text::header(&bye, "CSeq"), "3 BYE");
    let more = format!("WWW-Authenticate: {}\r\n", digest("n2", ""));
    scene.send(&text::reply(&bye, "401 Unauthorized", "", &more, ""));
    let again = scene.expect("BYE").text;
    assert_eq!(text::header(&again, "CSeq"), "4 BYE");
    let given = text::header(&again, "Authorization");
    assert!(given.contains("nonce=\"n2\"") && given.contains("nc=00000001"), "{given}");
    scene.send(&text::reply(&again, "401 Unauthorized", "", &more, ""));
    scene.net.run_ms(33_000);
    assert_eq!(scene.sent("BYE").len(), 2);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_hang_up_cancels_the_invite_that_carries_the_credentials() {
    let mut scene = challenged();
    scene.challenge(&digest("n1", ""));
    scene.reply("180 Ringing", "bob", "", "");
    scene.net.run_ms(100);
    scene.hang_up();
    let cancel = scene.expect("CANCEL").text;
    assert_eq!(text::header(&cancel, "CSeq"), "2 CANCEL");
    assert_eq!(text::header(&cancel, "Via"), text::header(&scene.invite, "Via"));
}

#[test]
fn a_call_that_was_given_up_is_not_sent_again() {
    let mut scene = challenged();
    scene.hang_up();
    let more = format!("WWW-Authenticate: {}\r\n", digest("n1", ""));
    scene.reply("401 Unauthorized", "pbx", &more, "");
    scene.expect("ACK");
    scene.net.run_ms(40_000);
    assert_eq!(scene.net.unread(scene.bob), Vec::<String>::new());
    assert_eq!(scene.left(), (0, 0, false));
}

/// Carom calls Bob and has a password for him.
fn challenged() -> Outgoing {
    let auth = Credentials { username: "carom".to_owned(), password: "secret".to_owned() };
    Outgoing::with(false, |invite| invite.auth = Some(auth))
}

/// The same, through to the conversation.
fn talking() -> Outgoing {
    let mut scene = challenged();
    scene.challenge(&digest("n1", ""));
    scene.answer("bob");
    scene.expect("ACK");
    scene
}

fn digest(nonce: &str, more: &str) -> String {
    format!("Digest realm=\"pbx\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5{more}")
}

trait Challenging {
    /// Bob challenges the INVITE; it comes again.
    fn challenge(&mut self, challenge: &str);
}

impl Challenging for Outgoing {
    fn challenge(&mut self, challenge: &str) {
        self.reply("401 Unauthorized", "pbx", &format!("WWW-Authenticate: {challenge}\r\n"), "");
        self.expect("ACK");
        self.invite = self.expect("INVITE").text;
    }
}

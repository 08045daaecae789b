//! Targets that take a call without us: by 302, by REFER, and when the node stops.

use carom_blackbox::{
    Ask, CONFIG, Engine, FORWARD, Place, Scenario, Wire, eventually, go_on_for, header, respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// Says a word, so that the call is answered, and forwards.
const ANSWERED: &str = r#"
version = 1

[flow]
name    = "Answered"
default = true
start   = "greet"
human   = "agents"

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ring_seconds   = 5
ping_seconds   = 0

[step.greet]
do   = "say"
play = "goodbye.wav"
then = "agents"
"#;

fn with(flow: &str, mode: &str) -> String {
    let ring = if flow.contains("ring_seconds   = 5") {
        "ring_seconds   = 5"
    } else {
        "ring_seconds   = 2"
    };
    flow.replacen(ring, &format!("{ring}\nmode = \"{mode}\""), 1)
}

/// A call by hand: the carrier's side of its dialog.
struct Hand {
    wire: Wire,
    ask: Ask,
    to: String,
}

impl Hand {
    /// Calls, and is answered.
    fn answered(place: &Place) -> Self {
        let (here, wire) = (place.carrier(), Wire::at(place, place.carrier()));
        let ask = Ask::new(place, "INVITE").offer(here);
        let answer = wire.ask(&ask);
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        let to = header(&answer, "To").to_owned();
        wire.send(&ask.within("ACK", "1 ACK", &to).text(here));
        Self { wire, ask, to }
    }

    fn within(&self, method: &str, seq: u32) -> Ask {
        self.ask.within(method, &format!("{seq} {method}"), &self.to)
    }

    fn notify(&self, seq: u32, state: &str, fragment: &str) {
        let notify = self.within("NOTIFY", seq).line("Event: refer");
        let notify = notify.line(&format!("Subscription-State: {state}"));
        let notify = notify.line("Content-Type: message/sipfrag").body(fragment);
        let answer = self.wire.ask(&notify);
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }

    /// The carrier takes the REFER, and who was named there answers.
    fn takes_refer(&self, refer: &str) {
        self.wire.send(&respond(refer, "202 Accepted"));
        self.notify(2, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
        let bye = self.wire.receive_until("BYE");
        self.wire.send(&respond(&bye, "200 OK"));
    }

    fn hangs_up(&self) {
        let bye = self.wire.ask(&self.within("BYE", 9));
        assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    }
}

fn end_of(engine: &Engine) -> String {
    eventually("the end of the call", || {
        let calls = engine.calls();
        let end = calls.first()?["end"].as_str()?.to_owned();
        Some(end)
    })
}

#[test]
fn a_call_that_is_not_answered_is_sent_on_by_302_with_all_addresses() {
    let place = Place::new();
    let nobody = place.nobody().to_string();
    let flow = with(FORWARD, "redirect")
        .replace("next_sip       = []", "next_sip = [\"sip:spare@{pbx}:5070\"]");
    let engine = Engine::start_with(BIN, &place, &CONFIG.replace("{pbx}", &nobody), &flow);
    let pbx = Wire::at(&place, place.pbx());
    let carrier = Scenario::new("carrier-is-redirected", place.carrier()).call(&place);
    let messages = carrier.succeeds();
    for (uri, q) in [("agents", "5060>;q=1.000"), ("spare", "5070>;q=0.500")] {
        let contact = format!("Contact: <sip:{uri}@{}:{q}", place.pbx());
        assert!(messages.contains(&contact), "{contact}\n{messages}");
    }
    assert_eq!(end_of(&engine), "forwarded");
    assert!(pbx.is_silent(), "it is the carrier's call");
    engine.idle();
}

#[test]
fn a_call_that_is_answered_is_bridged_where_it_would_be_redirected() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, &with(ANSWERED, "redirect"));
    let pbx = Wire::at(&place, place.pbx());
    let hand = Hand::answered(&place);
    let invite = pbx.receive_until("INVITE");
    pbx.send(&respond(&invite, "200 OK"));
    let _ = pbx.receive_until("ACK");
    hand.hangs_up();
    pbx.send(&respond(&pbx.receive_until("BYE"), "200 OK"));
    engine.idle();
}

#[test]
fn an_answered_call_is_handed_to_the_carrier_by_refer() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, &with(ANSWERED, "refer"));
    let pbx = Wire::at(&place, place.pbx());
    let carrier = Scenario::new("carrier-takes-refer", place.carrier()).pause_ms(300).call(&place);
    let messages = carrier.succeeds();
    let refer = format!("Refer-To: <sip:agents@{}:5060>", place.pbx());
    assert!(messages.contains(&refer), "{messages}");
    let by = format!("Referred-By: <sip:{}:5060>", place.engine());
    assert!(messages.contains(&by), "{messages}");
    assert_eq!(end_of(&engine), "forwarded");
    assert!(pbx.is_silent(), "it is the carrier's call");
    assert!(engine.metric(&place, "carom_handovers_total{how=\"refer\",outcome=\"taken\"}") >= 1.0);
    engine.idle();
}

#[test]
fn a_carrier_that_has_taken_the_refer_may_hang_up_at_once() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, &with(ANSWERED, "refer"));
    let hand = Hand::answered(&place);
    let refer = hand.wire.receive_until("REFER");
    hand.wire.send(&respond(&refer, "202 Accepted"));
    hand.hangs_up();
    assert_eq!(end_of(&engine), "forwarded");
    engine.idle();
}

#[test]
fn a_caller_whose_carrier_does_not_take_the_refer_is_bridged() {
    type Answer = fn(&Hand, &str);
    let answers: [(&str, Answer); 4] = [
        ("405", |hand, refer| hand.wire.send(&respond(refer, "405 Method Not Allowed"))),
        ("603", |hand, refer| hand.wire.send(&respond(refer, "603 Decline"))),
        ("busy", |hand, refer| {
            hand.wire.send(&respond(refer, "202 Accepted"));
            hand.notify(2, "active;expires=60", "SIP/2.0 100 Trying\r\n");
            hand.notify(3, "terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n");
        }),
        // Five seconds of it: the other silences are told in virtual time (tests/sim).
        ("silence", |_, _| ()),
    ];
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, &with(ANSWERED, "refer"));
    let pbx = Wire::at(&place, place.pbx());
    for (name, answer) in answers {
        let hand = Hand::answered(&place);
        let refer = hand.wire.receive_until("REFER");
        answer(&hand, &refer);
        let invite = pbx.receive_until("INVITE");
        pbx.send(&respond(&invite, "200 OK"));
        let _ = pbx.receive_until("ACK");
        hand.hangs_up();
        pbx.send(&respond(&pbx.receive_until("BYE"), "200 OK"));
        assert_eq!(end_of(&engine), "forwarded", "{name}");
        engine.idle();
    }
    assert!(
        engine.metric(&place, "carom_handovers_total{how=\"refer\",outcome=\"failed\"}") >= 4.0
    );
}

/// A configuration whose trunk lets its calls go on without a node that stops.
fn leaving() -> String {
    CONFIG.replace("trusted    = true", "trusted    = true\nleave_on_stop = true")
}

#[test]
fn at_a_stop_a_bridged_call_goes_on_between_carrier_and_target_alone() {
    let place = Place::new();
    let mut engine = Engine::start_with(BIN, &place, &leaving(), ANSWERED);
    let pbx = Wire::at(&place, place.pbx());
    let hand = Hand::answered(&place);
    let invite = pbx.receive_until("INVITE");
    let answer = respond(&invite, "200 OK");
    pbx.send(&answer.replacen("\r\nContact:", "\r\nSupported: timer, replaces\r\nContact:", 1));
    let _ = pbx.receive_until("ACK");
    engine.signal("TERM");
    let refer = hand.wire.receive_until("REFER");
    let tag = |of: &str| header(of, "From").split(";tag=").nth(1).unwrap().to_owned();
    let wanted = format!(
        "?Replaces={}%3Bto-tag%3Dby-hand%3Bfrom-tag%3D{}>",
        header(&invite, "Call-ID"),
        tag(&invite)
    );
    assert!(header(&refer, "Refer-To").ends_with(&wanted), "{refer}\n{wanted}");
    assert!(engine.runs());
    hand.takes_refer(&refer);
    // The target's side of the bridge is another's now.
    pbx.send(&respond(&pbx.receive_until("BYE"), "200 OK"));
    assert!(engine.ended().success(), "{}", engine.log());
}

#[test]
fn at_a_stop_the_target_is_kept_for_a_carrier_that_hangs_up_before_it_takes_our_place() {
    let place = Place::new();
    let mut engine = Engine::start_with(BIN, &place, &leaving(), ANSWERED);
    let pbx = Wire::at(&place, place.pbx());
    let hand = Hand::answered(&place);
    let answer = respond(&pbx.receive_until("INVITE"), "200 OK");
    pbx.send(&answer.replacen("\r\nContact:", "\r\nSupported: replaces\r\nContact:", 1));
    let ack = pbx.receive_until("ACK");
    engine.signal("TERM");
    let refer = hand.wire.receive_until("REFER");
    hand.wire.send(&respond(&refer, "202 Accepted"));
    hand.hangs_up();
    // The carrier's INVITE with Replaces comes now, and the target ends our side of it.
    go_on_for(500);
    assert!(pbx.is_silent() && engine.runs(), "the dialog is there to be replaced");
    let of = |name| header(&ack, name);
    let bye = format!(
        "BYE sip:{engine}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {pbx}:5060;branch=z9hG4bKbye\r\n\
         From: {to}\r\nTo: {from}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        engine = place.engine(),
        pbx = place.pbx(),
        to = of("To"),
        from = of("From"),
        id = of("Call-ID"),
    );
    pbx.send(&bye);
    assert!(pbx.receive_until("SIP/2.0 200").contains("1 BYE"));
    assert!(engine.ended().success(), "{}", engine.log());
}

#[test]
fn at_a_stop_a_bridge_stays_whose_target_or_carrier_can_not_do_without_us() {
    for knows in [false, true] {
        let place = Place::new();
        let mut engine = Engine::start_with(BIN, &place, &leaving(), ANSWERED);
        let pbx = Wire::at(&place, place.pbx());
        let hand = Hand::answered(&place);
        let answer = respond(&pbx.receive_until("INVITE"), "200 OK");
        let supported = if knows { "\r\nSupported: replaces\r\nContact:" } else { "\r\nContact:" };
        pbx.send(&answer.replacen("\r\nContact:", supported, 1));
        let _ = pbx.receive_until("ACK");
        engine.signal("TERM");
        if knows {
            let refer = hand.wire.receive_until("REFER");
            hand.wire.send(&respond(&refer, "405 Method Not Allowed"));
        }
        eventually("it is heard", || engine.log().contains("no new calls").then_some(()));
        assert!(hand.wire.is_silent(), "knows: {knows}: nothing more is asked of the carrier");
        let options = hand.within("OPTIONS", 3);
        assert!(hand.wire.ask(&options).starts_with("SIP/2.0 200"), "the dialog stands");
        assert!(engine.runs() && pbx.is_silent(), "knows: {knows}");
        hand.hangs_up();
        pbx.send(&respond(&pbx.receive_until("BYE"), "200 OK"));
        assert!(engine.ended().success(), "{}", engine.log());
    }
}

#[test]
fn at_the_second_sigterm_calls_in_a_flow_go_to_people_without_us() {
    let place = Place::new();
    let flow = ANSWERED.replace("do   = \"say\"", "do   = \"menu\"\npress = { 0 = \"agents\" }");
    let flow = flow.replace("then = \"agents\"", "no_input = \"agents\"");
    let mut engine = Engine::start_with(BIN, &place, &leaving(), &flow);
    let pbx = Wire::at(&place, place.pbx());
    let hand = Hand::answered(&place);
    engine.signal("TERM");
    eventually("the first is heard", || engine.log().contains("no new calls").then_some(()));
    engine.signal("TERM");
    let refer = hand.wire.receive_until("REFER");
    assert_eq!(header(&refer, "Refer-To"), format!("<sip:agents@{}:5060>", place.pbx()));
    hand.takes_refer(&refer);
    assert!(engine.ended().success(), "{}", engine.log());
    assert!(pbx.is_silent());
}

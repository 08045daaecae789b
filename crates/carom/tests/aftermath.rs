//! Nothing is left of calls, however they ended and whoever ended them.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, FORWARD, KEYS, Place, Scenario, Wire, get, respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// 32 s pass until the last transaction is forgotten; everything else before happens meanwhile.
#[test]
fn every_gauge_is_zero_after_calls_that_ended_in_every_way() {
    let place = Place::new();
    let keys = KEYS.replace("default        = true", "extensions = [\"200\"]");
    place.write("flows/keys.toml", &carom_blackbox::fill(&place, &keys.replace("agents", "desk")));
    let config = CONFIG.replace("{pbx}", &place.nobody().to_string());
    let engine = Engine::start_with(BIN, &place, &config, FORWARD);

    // A caller who never acknowledges is hung up on after 32 s.
    let mute = Wire::at(&place, place.ip(5));
    let to_flow = format!("sip:200@{}", place.engine());
    let unacked = Ask::new(&place, "INVITE").uri(&to_flow).offer(place.ip(5));
    mute.send(&unacked.text(place.ip(5)));
    let _ = mute.receive_until("SIP/2.0 200");

    for (carrier, pbx, pause_ms) in [
        ("carrier-hangs-up", "pbx-answers", 50),
        ("carrier-waits", "pbx-hangs-up", 50),
        ("carrier-gives-up", "pbx-rings", 50),
        ("carrier-gives-up", "pbx-answers-late", 0),
        ("carrier-hangs-up", "pbx-announces", 50),
        ("carrier-refuses-reinvite", "pbx-holds-for-good", 50),
        ("carrier-is-refused", "pbx-rejects", 0),
        ("carrier-is-refused", "pbx-announces-then-rejects", 50),
        ("carrier-is-refused", "pbx-rings-then-rejects", 50),
        ("carrier-is-refused", "pbx-rings", 50),
        ("carrier-holds", "pbx-is-held", 50),
    ] {
        let pbx =
            Scenario::new(pbx, place.pbx()).key("status", "486 Busy Here").key("hold", "recvonly");
        let pbx = pbx.pause_ms(pause_ms).listen_once(&place);
        let carrier = Scenario::new(carrier, place.carrier()).pause_ms(pause_ms).call(&place);
        carrier.succeeds();
        pbx.succeeds();
    }
    for (carrier, key) in [("carrier-hangs-up", None), ("carrier-waits", Some(1))] {
        let phone = Ear::at(place.carrier());
        let run = Scenario::new(carrier, place.carrier()).ear(&phone).key("called", "200");
        let run = run.pause_ms(300).call(&place);
        let engine_rtp = phone.meets();
        if let Some(key) = key {
            phone.presses(engine_rtp, key);
        }
        run.succeeds();
    }
    let bye = mute.receive_until("BYE");
    mute.send(&respond(&bye, "200 OK"));
    engine.empty();
    let page = get(&place, "/metrics");
    for gauge in ["calls", "sip_legs", "sip_transactions", "media_sessions", "store_rows_waiting"] {
        assert!(page.contains(&format!("\ncarom_{gauge} 0\n")), "{gauge}: {page}");
    }
    assert_eq!(engine.calls().len(), 14);
}

//! Webhooks of the business: told what happened, over a restart too.

use carom_blackbox::{
    CONFIG, Engine, FLOW, Place, call, eventually,
    web::{Crm, Says},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_call_that_ended_is_told_and_a_webhook_that_was_down_hears_of_it_later() {
    let place = Place::new();
    let crm = Crm::start(Says::Status(503));
    std::fs::write(place.folder().join("hook"), "hook secret").unwrap();
    let webhook = format!(
        "\nwebhooks = [{{ url = \"{}/carom\", secret = \"file:hook\", events = [\"call.ended\"] }}]\n",
        crm.url()
    );
    let mut engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{webhook}"), FLOW);
    let uri = format!("sip:+442079460018@{}", place.engine());
    let answer = call(BIN, &place, &uri, &["--press", "1@1500ms"]);
    assert!(answer.status.success(), "{answer:?}");
    eventually("the webhook is asked", || (!crm.asked().is_empty()).then_some(()));
    engine.restart();
    crm.says(Says::Status(204));
    let asked = eventually("the webhook is asked again", || {
        let asked = crm.asked();
        (asked.len() > 1).then_some(asked)
    });
    let (first, last) = (&asked[0], asked.last().unwrap());
    assert_eq!(first.body, last.body);
    assert_eq!(first.header("webhook-id"), last.header("webhook-id"));
    assert!(last.header("webhook-signature").starts_with("v1,"), "{last:?}");
    let told: Value = serde_json::from_str(&last.body).unwrap();
    assert_eq!(told["type"], "call.ended");
    assert_eq!(told["call_id"], engine.calls()[0]["call"]);
    assert!(told["end_reason"].is_string() && told["handled"].is_string(), "{told}");
    assert!(!last.body.contains("+447"), "no number: {}", last.body);
}

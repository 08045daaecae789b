//! Webhooks of the business: told what happened, over a restart too.

use std::process::Command;

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

/// What waits is one queue: which secret signs it would be chance.
#[test]
fn one_address_of_webhooks_with_two_secrets_is_refused() {
    let place = Place::new();
    let plain = std::fs::read_to_string("tests/fixtures/plain.toml").unwrap();
    for secret in ["one", "two"] {
        place.write(secret, secret);
    }
    place.write("flows/main.toml", include_str!("../../../config/flows/main.toml"));
    for (second, of, refused) in
        [("crm", "two", true), ("crm", "one", false), ("crm?of=two", "two", false)]
    {
        let hook = |path: &str, secret: &str| {
            let url = format!("https://crm.example.com/{path}");
            format!("{{ url = \"{url}\", secret = \"file:{secret}\", events = [\"*\"] }}")
        };
        let hooks = [hook("crm", "one"), hook(second, of)].join(", ");
        let config = place.write("c.toml", &format!("{plain}\n[http]\nwebhooks = [{hooks}]\n"));
        let done = Command::new(BIN).arg("check").arg("-c").arg(config).output().unwrap();
        let told = String::from_utf8(done.stdout).unwrap();
        let said = "webhooks of one address have two secrets: https://crm.example.com/crm";
        assert_eq!(told.contains(said), refused, "{told}");
    }
}

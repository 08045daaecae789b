//! A channel that took a message and fails later, after the caller has left.

use std::time::Duration;

use carom_blackbox::{
    Database, Ear, Engine, Place, Scenario, call, eventually, go_on_for,
    web::{self, SAFARI},
};
use provider_emulator::{Does, Emulator, Magic, Personality, Says, Tell};

use super::{senders::emulated, waits};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn ic_10_who_takes_whatsapp_in_the_queue_and_is_not_there_gets_the_click_to_chat_link_by_sms() {
    let place = Place::new();
    let queue = Ear::at(place.pbx());
    let emulator = Emulator::start(place.ip(20)).unwrap();
    let [whatsapp, sms] =
        [Personality::WhatsApp, Personality::Telnyx].map(|is| emulator.account(is));
    // WhatsApp takes the template, and says later that nobody is there by that number.
    let (to, words) = (format!("+447400111{}", Magic::LandlineLater.end()), "Example: chat here");
    sms.does(&to, Does::Accept);
    emulator.tells(&[Tell::plainly(Duration::from_millis(50), Says::Delivered)]);
    place.beep();
    let flow = waits::FLOW
        .replace(
            "url      = \"https://help.example.com/chat\"",
            "kind = \"whatsapp\"\nnumber = \"+442079460018\"",
        )
        .replace("staffing = \"self-service\"\n", "")
        .replace(
            "message  = \"Example:",
            &format!("via = [\"whatsapp\", \"telnyx\"]\nmessage  = \"{words}"),
        );
    let engine = Engine::start_with(BIN, &place, &emulated(&place, &emulator), &flow);
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&queue).listen_once(&place);
    let uri = format!("sip:+442079460018@{}", place.engine());
    let told = call(BIN, &place, &uri, &["--from", &to, "--press", "1@7s"]);
    assert!(told.out.contains("\"status\":200"), "{told:?}");
    engine.idle();
    // They were told that it is sent, and left the line.
    let line = engine.time_line();
    assert!(line.contains("queue_offer at in-queue: pending"), "{line}");
    assert!(line.contains("left by next, accepted:whatsapp"), "{line}");
    assert_eq!(engine.calls()[0]["end"], "deflected");
    assert_eq!(pbx.succeeds().matches("\nBYE sip:").count(), 1, "their place is free");

    let database = Database::of(&place);
    let row = "SELECT state || ' ' || channel || ' ' || sender FROM message";
    eventually("the SMS is delivered", || {
        (database.texts(row) == ["delivered sms telnyx"]).then_some(())
    });
    let template = &whatsapp.taken()[0].posted;
    assert_eq!(template["type"], "template", "the business begins: {template}");
    let text = sms.taken()[0].text.clone();
    assert!(text.starts_with(words), "{text}");
    // Its link leads to a chat on WhatsApp, from where they may write without a template.
    let path = text.split_once(":8080").unwrap().1.trim();
    let opened = web::ask(&place, "POST", path, &format!("{SAFARI}{}", web::FORM), "to=0");
    assert!(opened.starts_with("HTTP/1.1 303"), "{opened}");
    let chat = format!("ocation: https://wa.me/442079460018?text={}", &path[3..]);
    assert!(opened.contains(&chat), "{opened}");
    // By itself and once, whatever is told again.
    go_on_for(1_500);
    assert_eq!((whatsapp.taken().len(), sms.taken().len()), (1, 1));
    let fallen = "carom_texts_fallen_over_total{sender=\"whatsapp\"}";
    assert!((engine.metric(&place, fallen) - 1.0).abs() < 0.1);
}

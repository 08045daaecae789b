//! Parts of a text from a phone, by a message centre, and a process that is killed between them.

use carom_blackbox::{Database, Engine, FLOW, Place, eventually, go_on_for};
use deflect_actions::provider::smpp::Short;
use provider_emulator::{Emulator, smpp::Centre};

use super::senders::emulated;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn x_05_a_part_that_a_killed_process_had_is_told_again_and_the_stop_is_heard() {
    let place = Place::new();
    let emulator = Emulator::start(place.ip(20)).unwrap();
    let centre = emulator.centre();
    let mut engine = Engine::start_with(BIN, &place, &emulated(&place, &emulator), FLOW);
    let bound = |n| {
        eventually("it is bound", || (centre.binds().len() == n).then_some(()));
        // Who came in is noted just before the answer.
        go_on_for(300);
    };
    let part = |n: u8, words: &str| {
        let short_message = [&[5, 0, 3, 77, 2, n], words.as_bytes()].concat();
        Short { esm_class: 0x40, short_message, ..Centre::text("+447400110456", "") }
    };
    let tries = |n, words| centre.tries(part(n, words)).unwrap();
    bound(1);
    let first = tries(1, "St");
    go_on_for(300);
    assert!(!centre.is_kept(first), "a process that has it in memory alone takes it for nobody");
    engine.kill();
    engine.restart();
    bound(2);
    // A centre tells again what it has no answer to, and goes on.
    let told = [tries(1, "St"), tries(2, "op")];
    let kept = || told.iter().all(|sequence| centre.is_kept(*sequence)).then_some(());
    eventually("both are kept", kept);
    let database = Database::of(&place);
    assert_eq!(database.texts("SELECT via FROM opt_out WHERE revoked_ms IS NULL"), ["text"]);
    engine.kill();
    engine.restart();
    let told = engine.cli(&["text", "+447400110456", "Example: hello", "--yes"]);
    assert!(told.err.contains("the number wants no texts"), "{told:?}");
}

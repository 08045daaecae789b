//! A flow in each language whose prompts are part of the program: nobody has recorded anything.

use carom::config::Prompts;
use carom_blackbox::{
    CONFIG, Engine, FLOW, Place, call, fill,
    sound::{self, likeness},
};
use rtp_media::Law;

use crate::documented::{FULL, FULL_CONFIG, loads_without_a_word};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const LANGUAGES: [&str; 5] = ["en-GB", "en-US", "es-ES", "fr-FR", "de-DE"];

#[test]
fn a_flow_in_each_language_of_the_program_loads_without_a_word_and_speaks_it() {
    let place = Place::new();
    let numbered = |n: usize, language: &str| {
        let line = format!("extensions = [\"10{n}\"]\nlanguages = [\"{language}\"]");
        let flow = FLOW.replace("default        = true", &line);
        flow.replace("Test line", language)
    };
    for (n, language) in LANGUAGES.iter().enumerate().skip(1) {
        place.write(&format!("flows/{language}.toml"), &fill(&place, &numbered(n, language)));
    }
    let limits = "\n[limits]\ntexts_per_prefix = { per_hour = 100, prefix_digits = 7 }\n";
    let engine =
        Engine::start_with(BIN, &place, &(CONFIG.to_owned() + limits), &numbered(0, LANGUAGES[0]));
    let told = engine.cli(&["check"]);
    assert!(told.out.contains("0 errors, 0 warnings; 5 flows"), "{told:?}");
    std::thread::scope(|scope| {
        for (n, language) in LANGUAGES.into_iter().enumerate() {
            let place = &place;
            scope.spawn(move || hears(place, n, language));
        }
    });
    engine.idle();
}

#[test]
fn the_full_service_line_needs_no_recording_in_any_language_of_the_program() {
    for language in ["en-US", "fr-FR", "de-DE"] {
        let place = Place::new();
        let in_language = |text: &str| text.replace("es-ES", language);
        loads_without_a_word(&place, &in_language(FULL_CONFIG), &in_language(FULL));
    }
}

/// A caller presses 1, hears it all in the language, and is not welcomed in another.
fn hears(place: &Place, n: usize, language: &str) {
    let file = place.folder().join(format!("{language}.wav"));
    let (uri, from) = (format!("sip:10{n}@{}", place.engine()), format!("+44770090020{n}"));
    let file_name = file.to_str().unwrap();
    let args = ["--from", &from, "--press", "1@2500ms", "--record", file_name];
    let told = call(BIN, place, &uri, &args);
    assert!(told.status.success(), "{told:?}");
    let heard = sound::read(&file).unwrap();
    let is_heard = |of, name| likeness(&heard, &prompt(of, name)) > 0.95;
    for name in ["welcome", "one-moment", "sent"] {
        assert!(is_heard(language, name), "{name} in {language}");
    }
    for other in LANGUAGES.into_iter().filter(|other| *other != language) {
        assert!(!is_heard(other, "welcome"), "{other} in {language}");
    }
}

/// A fifth of a second of a prompt as callers should hear it.
fn prompt(language: &str, name: &str) -> Vec<i16> {
    let prompt = Prompts::built_in().set.find(language, name).unwrap();
    prompt.pcma[4_000..5_600].iter().map(|&byte| Law::Pcma.decode(byte)).collect()
}

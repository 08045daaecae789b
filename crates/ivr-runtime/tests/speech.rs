//! What the fragments say, read one after the other: against num2words for numbers, against
//! tables of sentences for the rest.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ivr_runtime::{
    call::Facts,
    flow::{AnyPrompt, Shared, load},
    sim::{Heard, Obedient, Player},
    speech::{Language, PAUSE, Way, fragments, needed, say},
};
use proptest::prelude::*;

/// Made by speech/make-numbers.py: language, kind, number, words.
const NUMBERS: &str = include_str!("speech/numbers.txt");
/// Blocks of a way and a value, then a sentence for each language.
const SENTENCES: &str = include_str!("speech/sentences.txt");

#[test]
fn numbers_are_spoken_as_num2words_writes_them() {
    let mut seen = BTreeMap::new();
    for line in NUMBERS.lines() {
        let [language, kind, n, words] = *line.splitn(4, ' ').collect::<Vec<_>>() else {
            panic!("{line}");
        };
        let languages = match language {
            "en" => &[Language::EnGb, Language::EnUs][..],
            "es" => &[Language::EsEs],
            "fr" => &[Language::FrFr],
            _ => &[Language::DeDe],
        };
        for &language in languages {
            let heard = match kind {
                "c" => heard(language, Way::Number, n),
                "o" => heard(language, Way::Ordinal, n),
                _ => year(language, n),
            };
            let words = match language {
                Language::EnUs => words.replace(" and ", " "),
                _ => words.to_owned(),
            };
            assert_eq!(plain(language, &heard), plain(language, &words), "{language:?} {n}");
            *seen.entry((language, kind)).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), Language::ALL.len() * 3);
    assert!(seen[&(Language::EnUs, "c")] > 1_200 && seen[&(Language::DeDe, "o")] == 99, "{seen:?}");
}

/// A year as it is spoken in a date.
fn year(language: Language, year: &str) -> String {
    let date = heard(language, Way::Date, &format!("{year}-07-04"));
    let before = match language {
        Language::EnGb => "the fourth of July ",
        Language::EnUs => "July fourth ",
        Language::EsEs => "el cuatro de julio de ",
        Language::FrFr => "le quatre juillet ",
        Language::DeDe => "der vierte Juli ",
    };
    date.strip_prefix(before).unwrap().to_owned()
}

/// Without what is written and not heard. German writes numbers in one word.
fn plain(language: Language, words: &str) -> String {
    let words = words.to_lowercase().replace(['-', ','], " ");
    match language {
        Language::DeDe => words.replace(' ', ""),
        Language::FrFr => {
            let word = |word: &str| match word {
                "cents" | "vingts" => word.trim_end_matches('s').to_owned(),
                _ => word.to_owned(),
            };
            words.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
        }
        _ => words.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn each_language_speaks_by_its_own_rules() {
    let mut seen = 0;
    for block in SENTENCES.split("\n\n").filter(|block| !block.starts_with('#')) {
        let mut lines = block.lines();
        let (way, value) = lines.next().unwrap().split_once(' ').unwrap();
        let said = lines.collect::<Vec<_>>();
        assert_eq!(said.len(), Language::ALL.len(), "{block}");
        for (language, said) in Language::ALL.into_iter().zip(said) {
            let way = Way::parse(way).unwrap_or(Way::Plain);
            let expected = format!("{} {}", language.tag(), heard(language, way, value));
            assert_eq!(said.trim(), expected, "{way:?} {value}");
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn kh_02_a_flow_says_the_wait_that_is_known_and_its_offer_alone_when_it_is_not() {
    let loaded = load(
        WAIT,
        "wait.toml",
        &Shared { sources: vec!["queue".into()], ..Shared::default() },
        &AnyPrompt,
    );
    let flow = Arc::new(loaded.flow.unwrap());
    let names = |wait: Option<&str>| -> Vec<String> {
        let known = wait.map(|wait| ("wait_minutes".to_owned(), wait.to_owned()));
        let facts = Facts { fields: known.into_iter().collect(), ..Facts::default() };
        let mut player = Player::new(flow.clone(), facts, Obedient::default());
        let heard = player.listen().into_iter().filter_map(|heard| match heard {
            Heard::Prompts { prompts, .. } => Some(prompts),
            _ => None,
        });
        heard.flatten().collect()
    };
    let spoken = ["wait-time", "f-1", "f-hour-one", "f-and", "f-5", "f-minute-many", "offer-text"];
    assert_eq!(names(Some("65")), spoken);
    assert_eq!(names(Some("7")), ["wait-time", "f-7", "f-minute-many", "offer-text"]);
    for unknown in [None, Some(""), Some("about 7"), Some("-1")] {
        assert_eq!(names(unknown), ["offer-text"], "{unknown:?}");
    }
}

const WAIT: &str = r#"
version = 1
[flow]
name = "Wait"
default = true
start = "offer"
human = "agents"
[target.agents]
sip = "sip:agents@127.0.0.1:5080"
answered_means = "human"
[step.offer]
do = "menu"
play = [
  { play = ["wait-time.wav", "say:minutes:{wait_minutes}"], needs = ["wait_minutes"] },
  "offer-text.wav",
]
press = { 0 = "agents" }
tries = 1
no_input = "agents"
"#;

#[test]
fn what_cannot_be_spoken_is_not() {
    for (way, value) in [
        (Way::Plain, ""),
        (Way::Plain, "shipped"),
        (Way::Plain, "12.50 XXX"),
        (Way::Plain, "GBP"),
        (Way::Plain, "2026-02-30"),
        (Way::Plain, "1 2"),
        (Way::Number, "1000000000"),
        (Way::Number, "1."),
        (Way::Number, ".5"),
        (Way::Number, "1e3"),
        (Way::Number, "--1"),
        (Way::Number, "0.1234567"),
        (Way::Number, "٣"),
        (Way::Digits, "12a"),
        (Way::Digits, "+"),
        (Way::Digits, "00000000000000000000000000000000000000000"),
        (Way::Ordinal, "0"),
        (Way::Ordinal, "100"),
        (Way::Money, "12.50"),
        (Way::Money, "12.505 GBP"),
        (Way::Money, "GBP EUR"),
        (Way::Date, "26-11-25"),
        (Way::Date, "1899-12-31"),
        (Way::Date, "2026-11-25T10:00"),
        (Way::Time, "24:00"),
        (Way::Time, "9:5"),
        (Way::Time, "009:05"),
        (Way::Phone, "+44"),
        (Way::Phone, "anonymous"),
        (Way::Minutes, "-1"),
        (Way::Minutes, "1440"),
        (Way::Minutes, "7.5"),
    ] {
        for language in Language::ALL {
            assert_eq!(say(language, way, value), None, "{language:?} {way:?} {value:?}");
        }
    }
}

#[test]
fn a_language_has_each_fragment_once_and_each_is_needed() {
    for language in Language::ALL {
        let listed = fragments(language);
        let names: BTreeSet<String> = listed.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names.len(), listed.len(), "{language:?}: a name twice");
        assert!(listed.iter().all(|(name, text)| name.starts_with("f-") && !text.is_empty()));
        let ways = Way::NAMED.map(|(_, way)| way);
        let used: BTreeSet<String> =
            ways.into_iter().flat_map(|way| needed(language, way).iter().cloned()).collect();
        let spare: Vec<_> = names.difference(&used).collect();
        let missing: Vec<_> = used.difference(&names).collect();
        assert!(spare.is_empty() && missing.is_empty(), "{language:?}: {spare:?} {missing:?}");
        assert!(needed(language, Way::Plain).is_subset(&names));
        assert!(needed(language, Way::Minutes).len() < 100);
    }
}

#[test]
fn languages_and_ways_are_found_by_their_names() {
    for language in Language::ALL {
        assert_eq!(Language::parse(language.tag()), Some(language));
    }
    for (name, way) in Way::NAMED {
        assert_eq!((Way::parse(name), way.name()), (Some(way), name));
    }
    assert_eq!((Language::parse("en"), Language::parse("cy"), Way::parse("")), (None, None, None));
}

proptest! {
    #[test]
    fn every_name_that_is_said_is_among_those_that_the_way_needs(value in value()) {
        for language in Language::ALL {
            for way in Way::NAMED.map(|(_, way)| way).into_iter().chain([Way::Plain]) {
                let Some(names) = say(language, way, &value) else { continue };
                prop_assert!(!names.is_empty() && names.len() < 100);
                let needed = needed(language, way);
                for name in names {
                    prop_assert!(needed.contains(&name), "{:?} {:?} {}: {}", language, way, value, name);
                }
            }
        }
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,9}(\\.[0-9]{1,3})?",
        "[0-9]{1,9}(\\.[0-9]{1,2})? (GBP|EUR|USD)",
        "(19|20|21)[0-9][0-9]-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])",
        "[0-2]?[0-9]:[0-5][0-9]",
        "\\+(44|1|34|33|49|353)[0-9]{7,11}",
        "[0-9]{1,20}",
        ".{0,12}",
    ]
}

/// The texts of the fragments, one after the other.
fn heard(language: Language, way: Way, value: &str) -> String {
    let texts: BTreeMap<String, String> = fragments(language).into_iter().collect();
    let names = say(language, way, value).unwrap_or_else(|| panic!("{language:?} {way:?} {value}"));
    let said: Vec<&str> = names.iter().map(|name| texts[name].as_str()).collect();
    assert_eq!(texts[PAUSE], ",");
    said.join(" ").replace(" ,", ",")
}

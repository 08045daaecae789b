use super::*;
use crate::{
    flow::model::{Clip, Does, PromptItem, PromptList, Spoken},
    speech::Way,
};

#[test]
fn kh_02_the_wait_is_spoken_with_its_number_and_skipped_whole_when_it_is_unknown() {
    let wait = [sound("wait-time"), say(Way::Plain, "wait"), sound("minutes")].concat();
    let draft = || playing([group(&wait, &["wait"]), sound("offer-text")].concat(), &["en-GB"]);
    let phone = Phone::call_with(draft(), known(&[("wait", "7")]), Obedient::default());
    assert_eq!(phone.heard(), ["wait-time", "f-7", "f-minute-many", "offer-text"]);
    assert_eq!(Phone::call(draft()).heard(), ["offer-text"]);
}

/// As the documented flow has it: a number, then the sound `minutes`.
#[test]
fn kh_02_the_minutes_of_a_wait_agree_with_their_number_in_each_language() {
    let wait = [sound("wait-time"), say(Way::Plain, "wait"), sound("minutes")].concat();
    for (language, minutes, spoken) in [
        ("en-GB", "1", "f-1 f-minute-one"),
        ("en-GB", "7", "f-7 f-minute-many"),
        ("en-US", "1", "f-1 f-minute-one"),
        ("es-ES", "1", "f-1m f-minute-one"),
        ("es-ES", "21", "f-21m f-minute-many"),
        ("fr-FR", "1", "f-1f f-minute-one"),
        ("fr-FR", "21", "f-21f f-minute-many"),
        ("de-DE", "1", "f-1f f-minute-one"),
        ("de-DE", "21", "f-21 f-minute-many"),
        ("en-GB", "61", "f-1 f-hour-one f-and f-1 f-minute-one"),
        // What is no whole number of minutes is spoken as it stands.
        ("en-GB", "1.5", "f-1 f-point f-5 minutes"),
    ] {
        let draft = || playing(group(&wait, &["wait"]), &[language]);
        let facts = Facts { language: language.into(), ..known(&[("wait", minutes)]) };
        let phone = Phone::call_with(draft(), facts, Obedient::default());
        assert_eq!(phone.heard().join(" "), format!("wait-time {spoken}"), "{language} {minutes}");
    }
}

#[test]
fn a_value_that_has_no_words_skips_its_group_whole_and_alone_itself() {
    let wait = [sound("wait-time"), say(Way::Minutes, "wait"), sound("thanks")].concat();
    for (wait, heard) in [
        (group(&wait, &[]), &["offer-text"][..]),
        (wait.clone(), &["wait-time", "thanks", "offer-text"]),
    ] {
        let draft = || playing([wait.clone(), sound("offer-text")].concat(), &["en-GB"]);
        for value in ["soon", "-3", "", "99999"] {
            let known = known(&[("wait", value)]);
            let phone = Phone::call_with(draft(), known, Obedient::default());
            assert_eq!(phone.heard(), heard, "{value:?}");
        }
        assert_eq!(Phone::call(draft()).heard(), heard);
    }
}

#[test]
fn what_is_spoken_follows_the_language_of_the_call() {
    for (language, heard) in [
        ("en-GB", &["f-21", "f-minute-many"][..]),
        ("es-ES", &["f-21m", "f-minute-many"]),
        ("fr-FR", &["f-21f", "f-minute-many"]),
        ("cy", &[]),
    ] {
        let mut known = known(&[("wait", "21")]);
        known.language = language.into();
        let draft = playing(say(Way::Minutes, "wait"), &["en-GB", "es-ES", "fr-FR", "cy"]);
        assert_eq!(Phone::call_with(draft, known, Obedient::default()).heard(), heard);
    }
}

#[test]
fn a_clip_is_the_sound_of_the_value_where_there_is_one() {
    let clip = |there: &[&str]| {
        let there = there.iter().map(|value| (*value).to_owned()).collect();
        let there = [("en-GB".to_owned(), there)].into();
        group(&[PromptItem::Clip(Clip { field: "colour".into(), there })], &[])
    };
    for (value, heard) in [
        ("Red", &["colour/red"][..]),
        ("dark_red-2", &["colour/dark_red-2"]),
        ("blue", &[]),
        ("../../etc/passwd", &[]),
        ("red ", &["colour/red"]),
        ("röd", &[]),
        ("", &[]),
    ] {
        let draft = playing(clip(&["red", "dark_red-2"]), &["en-GB"]);
        let phone = Phone::call_with(draft, known(&[("colour", value)]), Obedient::default());
        assert_eq!(phone.heard(), heard, "{value:?}");
    }
}

#[test]
fn the_record_names_the_field_and_not_the_number_that_was_read_out() {
    let draft = Draft::new(&["ask", "text_me"], &["agents"])
        .step("ask", |draft| {
            let mut menu = draft.menu("ask", &[('1', "text_me"), ('0', "agents")], "agents");
            menu.play = [sound("we-text"), say(Way::Phone, "mobile")].concat();
            Does::Menu(menu)
        })
        .step("text_me", |draft| Does::Text(draft.text("agents")));
    let known = known(&[("mobile", "+447700900123")]);
    let mut phone = Phone::call_with(draft, known, Obedient::default());
    phone.press('1').wait(5);
    assert_eq!(phone.texts()[0].prompt, "we-text+say:phone:{mobile}");
    assert!(phone.heard().contains(&"f-oh"));
}

fn playing(play: PromptList, languages: &[&str]) -> Draft {
    let mut draft = Draft::new(&["hello"], &["agents"])
        .step("hello", |draft| Does::Say { play: play.clone(), then: draft.go("agents") });
    draft.flow.languages = languages.iter().map(|language| (*language).to_owned()).collect();
    draft
}

fn group(play: &[PromptItem], needs: &[&str]) -> PromptList {
    let needs = needs.iter().map(|field| (*field).to_owned()).collect();
    vec![PromptItem::Group { play: play.to_vec(), needs }]
}

fn say(way: Way, field: &str) -> PromptList {
    vec![PromptItem::Say { way, value: Spoken::Field(field.into()) }]
}

fn known(fields: &[(&str, &str)]) -> Facts {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Facts { fields: fields.collect(), ..facts() }
}

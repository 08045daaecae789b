//! E07: each prompt is there in each language, and fit to be played.

use std::collections::BTreeSet;

use toml::{Spanned, de::DeValue};

use super::{Lint, graph, languages, spoken};
use crate::{
    call::comfort,
    diagnose::{Code, Span},
    flow::{
        PromptFacts,
        model::{Does, Offer, PromptItem, PromptList, Spoken, Step},
        play::{counts, items, items_with_languages},
    },
    speech::Way,
    step::{callback, voicemail},
};

/// Played by the machine itself, whatever the flow says.
const BUILT_IN: [&str; 1] = ["apology"];
/// Played where keys are pressed that are an emergency number.
const OF_EMERGENCIES: [&str; 2] = ["emergency-typed", "emergency-stay"];
const LEAST_MS: u32 = 200;

pub(super) fn check(lint: &Lint<'_>) {
    let mut told = BTreeSet::new();
    let languages = &with_prompts(lint);
    for (_, step) in graph::steps(lint.flow) {
        let own = own(step);
        let named = lists(step).into_iter().chain([("do", own.as_slice())]);
        for (key, play) in named {
            by_language(lint, play, &|| lint.step_place(step, key));
            let items = items_with_languages(play, languages);
            for pair in items.windows(2) {
                if let [(number @ PromptItem::Say { value, .. }, languages), (noun, _)] = pair
                    && counts(number, noun)
                {
                    let place = || place(lint, step, key, &number.written());
                    spoken::say(lint, languages, Way::Minutes, value, &mut told, place);
                }
            }
            for (item, languages) in items {
                let place = || place(lint, step, key, &item.written());
                let told = &mut told;
                match item {
                    PromptItem::Sound(name) => one(lint, languages, name, told, place),
                    PromptItem::Say { way, value } => {
                        spoken::say(lint, languages, *way, value, told, place);
                    }
                    PromptItem::Clip(clip) => spoken::clip(lint, languages, clip, told, place),
                    PromptItem::Tts(text) => spoken::tts(lint, languages, text, told, place),
                    PromptItem::ByLanguage(_) | PromptItem::Group { .. } => {}
                }
            }
        }
    }
    if lint.flow.emergency_notice {
        let place = || lint.flow_place("emergency_notice");
        one(lint, languages, "emergency-notice", &mut told, place);
        let number = Spoken::Text("112".into());
        spoken::say(lint, languages, Way::Digits, &number, &mut told, place);
    }
    let takes_keys =
        |step: &Step| step.does.menu().is_some() || matches!(step.does, Does::Collect(_));
    let of_emergencies =
        if lint.flow.steps.iter().any(takes_keys) { &OF_EMERGENCIES[..] } else { &[] };
    for name in BUILT_IN.iter().chain(of_emergencies) {
        one(lint, languages, name, &mut told, || lint.flow_place("languages"));
    }
}

/// The flow's languages but those without any of its prompts, which are told of once.
fn with_prompts(lint: &Lint<'_>) -> Vec<String> {
    let mut names: BTreeSet<&str> = BUILT_IN.into();
    let played: Vec<PromptList> = graph::steps(lint.flow)
        .flat_map(|(_, step)| {
            lists(step).into_iter().map(|(_, play)| play.to_vec()).chain([own(step)])
        })
        .collect();
    for play in &played {
        names.extend(items(play).into_iter().filter_map(|item| match item {
            PromptItem::Sound(name) => Some(name.as_str()),
            _ => None,
        }));
    }
    let is_bare = |language: &str| {
        names.len() > 1 && names.iter().all(|name| lint.prompts.has(language, name).is_none())
    };
    let (bare, rest): (Vec<&String>, Vec<&String>) =
        lint.flow.languages.iter().partition(|language| is_bare(language));
    for language in bare {
        let message = format!(
            "there are no prompts in {language}: none of the {} that are played",
            names.len()
        );
        let help = format!(
            "leave the language out, or record them: carom prompts import NAME.wav --language {language}"
        );
        let list = lint.flow_place("languages");
        let value =
            lint.tree.get("flow").and_then(|flow| flow.get_ref().as_table()?.get("languages"));
        let place = value.and_then(|value| find(value, language)).unwrap_or(list);
        lint.note(Code::E07, place, message, help);
    }
    rest.into_iter().cloned().collect()
}

pub(super) fn lists(step: &Step) -> Vec<(&'static str, &[PromptItem])> {
    let list = match &step.does {
        Does::Say { play, .. } | Does::OptOut { play, .. } => vec![("play", Some(play))],
        Does::Menu(menu) | Does::Answer { menu, .. } | Does::Offer(Offer { menu, .. }) => {
            let again = menu.play_again.iter().map(|play| ("play_again", Some(play)));
            [("play", Some(&menu.play))].into_iter().chain(again).collect()
        }
        Does::Text(text) => vec![
            ("wait_prompt", text.wait_prompt.as_ref()),
            ("sent_prompt", text.sent_prompt.as_ref()),
            ("failed_prompt", text.failed_prompt.as_ref()),
            ("unsure_prompt", Some(&text.unsure_prompt)),
            ("confirm_number", text.ask.as_ref().map(|ask| &ask.own)),
            ("confirm_number", text.ask.as_ref().map(|ask| &ask.other)),
            ("confirm_number", text.ask.as_ref().map(|ask| &ask.refused)),
            ("confirm_number", text.ask.as_ref().map(|ask| &ask.read_back)),
            ("confirm_number", text.ask.as_ref().map(|ask| &ask.elsewhere)),
        ],
        Does::Wait(wait) => vec![("music", Some(&wait.music))],
        Does::Voicemail(voicemail) => vec![("play", Some(&voicemail.play))],
        Does::Callback(callback) => vec![("play", Some(&callback.play))],
        Does::Collect(collect) => {
            let again = collect.play_again.iter().map(|play| ("play_again", Some(play)));
            let asked = [("play", Some(&collect.play))].into_iter().chain(again);
            asked.chain([("confirm", collect.confirm.as_ref())]).collect()
        }
        Does::Lookup(lookup) => vec![("wait_prompt", lookup.wait_prompt.as_ref())],
        Does::Action(action) => {
            vec![("confirm", action.confirm.as_ref()), ("wait_prompt", action.wait_prompt.as_ref())]
        }
        Does::Decide { .. } | Does::Set { .. } | Does::Agent(_) => Vec::new(),
    };
    list.into_iter().filter_map(|(key, play)| Some((key, play?.as_slice()))).collect()
}

/// What a kind of step plays beside what the flow names.
fn own(step: &Step) -> PromptList {
    match &step.does {
        Does::Voicemail(_) => {
            vec![PromptItem::Sound(voicemail::TONE.to_owned()), comfort::music()]
        }
        Does::Callback(_) => [callback::own_prompts(), vec![comfort::music()]].concat(),
        Does::Lookup(_)
        | Does::Action(_)
        | Does::Text(_)
        | Does::Offer(_)
        | Does::OptOut { .. } => {
            vec![comfort::music()]
        }
        _ => Vec::new(),
    }
}

/// What is played by language is there for each of the flow's, and for no other.
fn by_language(lint: &Lint<'_>, play: &[PromptItem], place: &dyn Fn() -> Span) {
    for item in play {
        match item {
            PromptItem::ByLanguage(lists) => {
                let missing = lint.flow.languages.iter().filter(|tag| !lists.contains_key(*tag));
                for language in missing {
                    let message =
                        format!("there is no prompt in {language}: neither text nor sound");
                    let help = format!("add `{language} = \"tts:…\"`, or the name of a sound");
                    lint.note(Code::E07, place(), message, help);
                }
                for language in lists.keys() {
                    languages::one(lint, language, place());
                }
            }
            PromptItem::Group { play, .. } => by_language(lint, play, place),
            _ => {}
        }
    }
}

/// A prompt that several steps play is told at the first of them.
fn one(
    lint: &Lint<'_>,
    languages: &[String],
    name: &str,
    told: &mut BTreeSet<String>,
    place: impl Fn() -> Span,
) {
    for language in languages {
        if !told.insert(format!("{name} in {language}")) {
            continue;
        }
        match lint.prompts.has(language, name) {
            None => {
                let message = format!("there is no prompt `{name}` in {language}");
                let help = match lint.prompts.nearest(language, name) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("add it: carom prompts import {name}.wav --language {language}")
                    }
                };
                lint.note(Code::E07, place(), message, help);
            }
            Some(facts) => {
                if let Some(why) = unfit(facts, LEAST_MS) {
                    let message = format!("the prompt `{name}` in {language} {why}");
                    let help = "import it again from a better recording";
                    lint.note(Code::E07, place(), message, help);
                }
            }
        }
    }
}

pub(super) fn unfit(facts: PromptFacts, least_ms: u32) -> Option<String> {
    if facts.channels != 1 {
        return Some(format!("has {} channels; it takes one", facts.channels));
    }
    if !matches!(facts.rate, 8_000 | 16_000 | 48_000) {
        return Some(format!("has {} samples a second; it takes 8, 16 or 48 kHz", facts.rate));
    }
    if !(least_ms..=60_000).contains(&facts.len_ms) {
        let least = f64::from(least_ms) / 1_000.0;
        return Some(format!("lasts {} ms; it takes {least} to 60 seconds", facts.len_ms));
    }
    None
}

/// The sound itself in a list, else the whole value.
pub(super) fn place(lint: &Lint<'_>, step: &Step, key: &str, name: &str) -> Span {
    let value = lint.value("step", &step.name, key);
    let found = value.and_then(|value| find(value, name));
    found.unwrap_or_else(|| lint.step_place(step, key))
}

fn find(value: &Spanned<DeValue<'_>>, name: &str) -> Option<Span> {
    match value.get_ref() {
        DeValue::String(text) => {
            (text.strip_suffix(".wav").unwrap_or(text) == name).then(|| value.span())
        }
        DeValue::Array(list) => list.iter().find_map(|item| find(item, name)),
        DeValue::Table(table) => match table.get("play") {
            Some(play) => find(play, name),
            None => table.values().find_map(|value| find(value, name)),
        },
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            None
        }
    }
}

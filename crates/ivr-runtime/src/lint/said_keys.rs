//! W05: a prompt names a key that its menu does not have.

use std::collections::BTreeSet;

use super::{Lint, graph, prompts};
use crate::{
    diagnose::Code,
    flow::{
        model::{Menu, PromptItem, Step},
        play::items_with_languages,
    },
    key::Key,
};

/// After these words a key is named: English, Spanish, German, French.
const VERBS: [&str; 15] = [
    "press", "push", "dial", "hit", "pulse", "marque", "presione", "oprima", "drücken", "drücke",
    "wählen", "appuyez", "tapez", "composez", "faites",
];
/// … with these between.
const FILLERS: [&str; 15] = [
    "the", "key", "number", "el", "la", "tecla", "número", "sie", "bitte", "die", "taste", "sur",
    "le", "touche", "button",
];
/// Between keys of which each will do.
const OR: [&str; 4] = ["or", "o", "oder", "ou"];
/// After a number these say that it counts something.
const COUNTED: [&str; 4] = ["of", "keys", "times", "digits"];
const NAMES: [(char, &[&str]); 12] = [
    ('0', &["zero", "cero", "null", "zéro"]),
    ('1', &["one", "uno", "eins", "un"]),
    ('2', &["two", "dos", "zwei", "deux"]),
    ('3', &["three", "tres", "drei", "trois"]),
    ('4', &["four", "cuatro", "vier", "quatre"]),
    ('5', &["five", "cinco", "fünf", "cinq"]),
    ('6', &["six", "seis", "sechs"]),
    ('7', &["seven", "siete", "sieben", "sept"]),
    ('8', &["eight", "ocho", "acht", "huit"]),
    ('9', &["nine", "nueve", "neun", "neuf"]),
    ('*', &["star", "asterisk", "asterisco", "stern", "sterntaste", "étoile"]),
    ('#', &["hash", "pound", "almohadilla", "raute", "rautetaste", "dièse"]),
];

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        if let Some(menu) = step.does.menu() {
            of_menu(lint, step, menu);
        }
    }
}

fn of_menu(lint: &Lint<'_>, step: &Step, menu: &Menu) {
    let knows = |key: &Key| {
        menu.press.contains_key(key)
            || lint.flow.operator_keys.contains(key)
            || menu.repeat_key == Some(*key)
    };
    let lists = prompts::lists(step).into_iter();
    let played = lists.flat_map(|(of, play)| {
        let items = items_with_languages(play, &lint.flow.languages).into_iter();
        items.filter_map(move |(item, languages)| match item {
            PromptItem::Sound(name) => Some((of, name.as_str(), languages)),
            _ => None,
        })
    });
    let mut told = BTreeSet::new();
    for (of, name, languages) in played {
        for language in languages {
            if !told.insert((name, language)) {
                continue;
            }
            let Some(said) = lint.prompts.transcript(language, name) else { continue };
            for key in named_keys(&said).into_iter().filter(|key| !knows(key)) {
                let message = format!(
                    "the prompt `{name}` in {language} names the key `{key}`, which does nothing here"
                );
                let help = format!("add `{key}` to `press`, or take another prompt");
                lint.note(Code::W05, prompts::place(lint, step, of, name), message, help);
            }
        }
    }
}

/// The keys that callers are told to press, each once.
fn named_keys(said: &str) -> Vec<Key> {
    let said = said.to_lowercase();
    let words: Vec<&str> = said
        .split(|c: char| !c.is_alphanumeric() && c != '*' && c != '#')
        .filter(|word| !word.is_empty())
        .collect();
    let mut keys = Vec::new();
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if !VERBS.contains(word) {
            continue;
        }
        while rest.first().is_some_and(|word| FILLERS.contains(word)) {
            rest = &rest[1..];
        }
        while let Some((word, after)) = rest.split_first() {
            let counts = after.first().is_some_and(|next| COUNTED.contains(next));
            match key(word).filter(|_| !counts) {
                Some(key) if !keys.contains(&key) => keys.push(key),
                Some(_) => {}
                None if OR.contains(word) && !keys.is_empty() => {}
                None => break,
            }
            rest = after;
        }
    }
    keys
}

fn key(word: &str) -> Option<Key> {
    let named = NAMES.iter().find(|(_, names)| names.contains(&word)).map(|(label, _)| *label);
    match named {
        Some(label) => Key::try_from(label).ok(),
        // A longer number is a number to call.
        None => word.parse().ok().filter(|_| !word.chars().all(char::is_alphabetic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_heard_in_each_language() {
        for (said, keys) in [
            ("For a text press 1; to speak to us press 0, or hold.", "10"),
            ("Press one or two. To repeat press the star key.", "12*"),
            ("Press 1, 2 or 3 now.", "123"),
            ("Para un mensaje pulse 3. Para hablar marque el cero o espere.", "30"),
            ("Drücken Sie die 3 oder 4. Drücken Sie bitte die Raute.", "34#"),
            ("Appuyez sur la touche 3, appuyez sur deux.", "32"),
            ("Press any key. Press one of the keys. Dial 112.", ""),
            ("We are open from 8 to 20. Press A.", ""),
        ] {
            let found: String = named_keys(said).into_iter().map(Key::label).collect();
            assert_eq!(found, keys, "{said}");
        }
    }
}

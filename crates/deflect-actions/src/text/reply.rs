//! STOP, START and HELP: understood in any language, answered in that of the last text.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

use super::TextConfig;
use crate::store::LastText;

/// Words that mean STOP, as [`compared`] writes them.
const STOP: [&str; 21] = [
    "stop",
    "stopall",
    "stop all",
    "quit",
    "end",
    "revoke",
    "opt out",
    "optout",
    "cancel",
    "unsubscribe",
    "baja",
    "alto",
    "parar",
    "cancelar",
    "arret",
    "arreter",
    "desabonner",
    "stopp",
    "abmelden",
    "abbestellen",
    "ende",
];
const START: [&str; 5] = ["start", "unstop", "yes", "alta", "si"];
const HELP: [&str; 6] = ["help", "info", "ayuda", "informacion", "aide", "hilfe"];

/// Whole texts, and parts of short ones, by which people plainly ask for no more texts.
const PLEAS: [&str; 5] = ["please stop", "stop please", "stop it", "stop this", "bitte aufhoren"];
const PARTS: [&str; 30] = [
    "stop texting",
    "stop messaging",
    "stop sending",
    "stop contacting",
    "no more texts",
    "no more messages",
    "no more sms",
    "do not text",
    "dont text",
    "do not message",
    "dont message",
    "do not contact",
    "dont contact",
    "take me off",
    "remove me",
    "unsubscribe me",
    "opt me out",
    "leave me alone",
    "no mas mensajes",
    "no me envien",
    "denme de baja",
    "deme de baja",
    "plus de messages",
    "ne menvoyez plus",
    "arretez de",
    "desabonnezmoi",
    "keine nachrichten mehr",
    "keine sms mehr",
    "nicht mehr schreiben",
    "horen sie auf",
];
/// A longer text says more than that: it is for a person to read.
const LONGEST_PLEA: usize = 12;

/// What a person wants of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Stop,
    Start,
    Help,
}

/// Words of an operator's own that mean STOP and HELP, besides those that mean it to everybody; as
/// [`compared`] writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnWords {
    /// No more texts.
    pub stop: Vec<String>,
    /// Who is this?
    pub help: Vec<String>,
}

impl OwnWords {
    fn mean_stop(&self, compared: &str) -> bool {
        STOP.contains(&compared) || self.stop.iter().any(|word| word == compared)
    }

    fn mean_help(&self, compared: &str) -> bool {
        HELP.contains(&compared) || self.help.iter().any(|word| word == compared)
    }
}

/// A text as words are compared: [`plain`], without accents.
#[must_use]
pub fn compared(text: &str) -> String {
    // Marks that other scripts write their vowels with stay (Unicode, "Combining Diacritical Marks").
    plain(text).nfd().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).collect()
}

/// A text in lower case, without punctuation.
#[must_use]
pub fn plain(text: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || c.is_whitespace();
    let text: String = text.chars().filter(kept).collect();
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The rating, 1 to 5, that a text begins with, as `4` or `5, thank you`; a plea to stop is none.
pub(super) fn rating(text: &str, own: &OwnWords) -> Option<i16> {
    let text = compared(text);
    let (rating, words) = rated(&text)?;
    (!own.mean_stop(words) && !asks_to_stop(words, own)).then_some(rating)
}

/// The rating that a plain text begins with, and the words after it.
fn rated(text: &str) -> Option<(i16, &str)> {
    let (rating, words) = text.split_once(' ').unwrap_or((text, ""));
    let rating = rating.parse().ok().filter(|rating| (1..=5).contains(rating))?;
    Some((rating, words))
}

/// Whether a text means STOP, whatever else one would like it to mean.
#[must_use]
pub fn means_stop(text: &str, own: &OwnWords) -> bool {
    Word::of(text, own) == Some(Word::Stop)
}

/// Whether a text means STOP, START or HELP to everybody.
#[must_use]
pub fn is_keyword(text: &str) -> bool {
    Word::of(text, &OwnWords::default()).is_some()
}

/// Whether a text that is no STOP word plainly asks for no more texts all the same.
pub(super) fn asks_to_stop(text: &str, own: &OwnWords) -> bool {
    let text = compared(text);
    let holds = |part: &&str| format!(" {text} ").contains(&format!(" {part} "));
    // A digit before it answers a question of ours, and changes nothing.
    let (words, rates) = rated(&text).map_or((text.as_str(), false), |(_, words)| (words, true));
    words.split(' ').count() <= LONGEST_PLEA
        && (PLEAS.contains(&words) || PARTS.iter().any(holds) || rates && own.mean_stop(words))
}

impl Word {
    pub fn of(text: &str, own: &OwnWords) -> Option<Self> {
        let text = compared(text);
        if own.mean_stop(&text) {
            Some(Self::Stop)
        } else if START.contains(&text.as_str()) {
            Some(Self::Start)
        } else if own.mean_help(&text) {
            Some(Self::Help)
        } else {
            None
        }
    }
}

/// Our answer to somebody whose last text from us was `last`, in the name of `brand`.
///
/// `business` is that of the sender, else of the last text; `None`: nobody knows.
pub(super) fn to(
    word: Word,
    last: Option<&LastText>,
    (business, brand): (Option<&str>, Option<&str>),
    config: &TextConfig,
) -> String {
    let language = last.map_or("", |last| last.language.as_str());
    let help = || match business {
        Some(business) => config.help.get(business),
        None => config.help.values().next(),
    };
    match word {
        Word::Help => help()
            .and_then(|texts| in_language(texts, language))
            .map_or_else(|| named(usual(Word::Help, language), brand), str::to_owned),
        Word::Stop | Word::Start => named(usual(word, language), brand),
    }
}

/// Who says so stands before it.
fn named(text: &str, brand: Option<&str>) -> String {
    brand.map_or_else(|| text.to_owned(), |brand| format!("{brand}: {text}"))
}

/// The text in `language`, else the one for all languages, else the first.
pub(super) fn in_language<'a>(
    texts: &'a BTreeMap<String, String>,
    language: &str,
) -> Option<&'a str> {
    let text = texts.get(language).or_else(|| texts.get("")).or_else(|| texts.values().next());
    text.map(String::as_str)
}

/// GSM-7 all of them, and one SMS long.
fn usual(word: Word, language: &str) -> &'static str {
    match (language.split('-').next(), word) {
        (Some("es"), Word::Stop) => {
            "No le enviaremos mas mensajes. Responda ALTA para volver a recibirlos."
        }
        (Some("es"), Word::Start) => {
            "Puede volver a recibir mensajes nuestros. Responda BAJA para no recibirlos."
        }
        (Some("es"), Word::Help) => {
            "Pidio este mensaje al llamarnos. Responda BAJA para no recibir otros."
        }
        (Some("fr"), Word::Stop) => {
            "Vous ne recevrez plus de messages de notre part. Envoyez START pour en recevoir."
        }
        (Some("fr"), Word::Start) => {
            "Vous pouvez de nouveau recevoir nos messages. Envoyez STOP pour y mettre fin."
        }
        (Some("fr"), Word::Help) => {
            "Vous avez demandé ce message en nous appelant. Envoyez STOP pour ne plus en recevoir."
        }
        (Some("de"), Word::Stop) => {
            "Sie erhalten keine Nachrichten mehr von uns. Mit START erhalten Sie sie wieder."
        }
        (Some("de"), Word::Start) => {
            "Sie können wieder Nachrichten von uns erhalten. Mit STOP beenden Sie das."
        }
        (Some("de"), Word::Help) => {
            "Sie haben diese Nachricht bei einem Anruf erbeten. Mit STOP erhalten Sie keine mehr."
        }
        (_, Word::Stop) => "You will get no more messages from us. Text START to get them again.",
        (_, Word::Start) => "You may get messages from us again. Text STOP to end them.",
        (_, Word::Help) => "You asked for this text in a call to us. Text STOP to get no more.",
    }
}

#[cfg(test)]
mod tests {
    use message_text::{Encoding, segments};

    use super::*;

    #[test]
    fn stop_is_understood_however_it_is_written() {
        for text in [
            "STOP",
            "stop",
            " Stop. ",
            "STOP!",
            "Stop all",
            "opt-out",
            "OPT OUT",
            "Baja",
            "Arrêt",
            "Stopp!",
            "ARRÊTER",
            "arre\u{302}ter",
            "Désabonner",
            "¡Bája!",
        ] {
            assert_eq!(of(text), Some(Word::Stop), "{text}");
        }
        assert_eq!(of("Start"), Some(Word::Start));
        assert_eq!(of("Sí"), Some(Word::Start));
        for text in ["HELP?", "Información", "informacio\u{301}n", "Ayuda"] {
            assert_eq!(of(text), Some(Word::Help), "{text}");
        }
        assert_eq!(of("please do not stop"), None);
        assert_eq!(of(""), None);
    }

    /// Requirements §4.4, and the words of each language.
    #[test]
    fn x_05_each_word_means_stop_in_any_case_and_with_any_punctuation_and_no_word_around_it_does() {
        let words = [
            "stop",
            "stopall",
            "stop all",
            "quit",
            "end",
            "revoke",
            "opt out",
            "cancel",
            "unsubscribe", // English
            "baja",
            "alto",
            "parar",
            "cancelar", // Spanish
            "arrêt",
            "arrêter",
            "désabonner", // French
            "stopp",
            "abmelden",
            "abbestellen",
            "ende", // German
        ];
        for word in words {
            let mut letters = word.chars();
            let titled: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            for cased in [word.to_owned(), word.to_uppercase(), titled + letters.as_str()] {
                for (before, after) in [
                    ("", ""),
                    ("", "."),
                    ("", "!"),
                    ("", " ?!"),
                    ("  ", "…\n"),
                    ("\"", "\""),
                    ("(", ")."),
                ] {
                    let text = format!("{before}{cased}{after}");
                    assert_eq!(of(&text), Some(Word::Stop), "{text:?}");
                }
            }
            // Not the word, but one that begins or ends with it.
            for longer in [format!("{word}xs"), format!("non{word}"), format!("{word} 7")] {
                assert_eq!(of(&longer), None, "{longer:?}");
            }
        }
        for text in [
            "nonstop",
            "stopped",
            "stopover",
            "weekend",
            "friend",
            "the end",
            "quite",
            "cancelled",
            "cancellation",
            "unsubscribed?",
            "in the end",
            "cancel my order",
            "opt outside",
            "trabaja",
            "baja california",
            "altos",
            "comparar",
            "arrêtons",
            "stoppen",
            "legende",
            "am wochenende",
        ] {
            assert_eq!(of(text), None, "{text}");
            assert!(!means_stop(text, &usual_words()), "{text}");
            assert!(!asks_to_stop(text, &usual_words()), "{text}");
        }
    }

    #[test]
    fn an_operator_s_own_words_mean_stop_and_help_besides_the_usual_ones() {
        let own = OwnWords { stop: vec!["klaar".to_owned()], help: vec!["hjalp".to_owned()] };
        for text in ["KLAAR", "Kláár!", "Stop"] {
            assert_eq!(Word::of(text, &own), Some(Word::Stop), "{text}");
        }
        for text in ["Hjälp", "help"] {
            assert_eq!(Word::of(text, &own), Some(Word::Help), "{text}");
        }
        assert_eq!((of("klaar"), of("hjälp")), (None, None));
        // A digit before it answers a question of ours.
        assert_eq!(rating("4 klaar", &own), None);
        assert!(asks_to_stop("4 klaar", &own) && !asks_to_stop("4 klaar", &usual_words()));
    }

    fn usual_words() -> OwnWords {
        OwnWords::default()
    }

    fn of(text: &str) -> Option<Word> {
        Word::of(text, &usual_words())
    }

    #[test]
    fn ex_15_a_rating_is_a_digit_from_1_to_5_at_the_beginning() {
        for (text, expected) in [
            ("4", Some(4)),
            (" 5! ", Some(5)),
            ("1, it was bad", Some(1)),
            ("1 stop texting me", None),
            ("4. Unsubscribe me", None),
            ("5 stop", None),
            ("2, please stop", None),
            ("3, the bus stop is closed", Some(3)),
            ("0", None),
            ("6", None),
            ("10", None),
            ("five", None),
            ("call me at 5", None),
            ("", None),
        ] {
            assert_eq!(rating(text, &usual_words()), expected, "{text}");
        }
    }

    #[test]
    fn x_05_who_plainly_asks_for_no_more_texts_is_understood_and_others_are_not() {
        for text in [
            "Please stop!",
            "stop texting me",
            "Please don't text me any more.",
            "take me off your list",
            "No me envíen más",
            "Ne m'envoyez plus rien",
            "Keine SMS mehr bitte",
            "1 stop texting me",
            "4, unsubscribe",
            "5: please stop",
        ] {
            assert!(asks_to_stop(text, &usual_words()) && of(text).is_none(), "{text}");
        }
        for text in [
            "",
            "please do not stop",
            "can I stop by at three?",
            "the bus stop is closed",
            "I could not text you",
            "my order came, no more is needed, but please remove me from the waiting list for it",
        ] {
            assert!(!asks_to_stop(text, &usual_words()), "{text}");
        }
        // The digit that answers a question is no word of the plea.
        let own = usual_words();
        let plea = "I have asked you so often, please stop texting me now, ok?";
        assert_eq!(plain(plea).split(' ').count(), LONGEST_PLEA);
        let rated = format!("4 {plea}");
        assert_eq!((asks_to_stop(&rated, &own), rating(&rated, &own)), (true, None));
        let longer = format!("4 well, {plea}");
        assert_eq!((asks_to_stop(&longer, &own), rating(&longer, &own)), (false, Some(4)));
    }

    #[test]
    fn every_usual_answer_is_one_sms_and_names_a_word_that_is_understood() {
        for language in ["en-GB", "es-ES", "fr-FR", "de-DE", ""] {
            for word in [Word::Stop, Word::Start, Word::Help] {
                let text = usual(word, language);
                let counted = segments(text);
                assert_eq!((counted.encoding, counted.count), (Encoding::Gsm7, 1), "{text}");
                let named = text.split(' ').filter(|w| w.len() > 3 && w.to_uppercase() == **w);
                let named: Vec<_> = named.filter_map(of).collect();
                let other = if word == Word::Stop { Word::Start } else { Word::Stop };
                assert_eq!(named, [other], "{text}");
            }
        }
    }

    #[test]
    fn help_is_that_of_the_business_that_texted_last_in_its_language() {
        let of = |texts: &[(&str, &str)]| {
            texts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let config = TextConfig {
            help: BTreeMap::from([
                ("bank".to_owned(), of(&[("", "Bank")])),
                ("shop".to_owned(), of(&[("en-GB", "Shop"), ("es-ES", "Tienda")])),
            ]),
            ..TextConfig::default()
        };
        let last = |business: &str, language: &str| LastText {
            message_id: String::new(),
            call_id: String::new(),
            created_ms: 0,
            business: business.to_owned(),
            language: language.to_owned(),
        };
        for (last, told) in [
            (Some(last("shop", "es-ES")), "Tienda"),
            (Some(last("shop", "fr-FR")), "Shop"),
            (Some(last("bank", "es-ES")), "Bank"),
            (None, "Bank"),
        ] {
            let of = last.as_ref().map(|last| last.business.as_str());
            assert_eq!(to(Word::Help, last.as_ref(), (of, None), &config), told, "{last:?}");
        }
        let nobody = TextConfig::default();
        assert!(
            to(Word::Help, Some(&last("shop", "es-ES")), (Some("shop"), Some("Shop")), &nobody)
                .starts_with("Shop: Pidio")
        );
        // The sender's own, whoever texted last.
        let own = to(Word::Help, Some(&last("shop", "en-GB")), (Some("bank"), None), &config);
        assert_eq!(own, "Bank");
    }
}

//! The prompts of a node: its own folder over the set that is part of the program.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, OnceLock},
};

use ivr_runtime::flow::tts_name;
use rtp_media::prompt::{PromptProblem, PromptSet, read_wav};
use sha2::{Digest, Sha256};

/// Language, name, WAV file, transcript.
type Sound = (&'static str, &'static str, &'static [u8], &'static str);

/// The set of `prompts/` of the repository, as it was when the program was built.
static BUILT_IN: LazyLock<Vec<Sound>> =
    LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/sounds.rs")));

/// Sounds with what is said in them.
#[derive(Debug, Clone, Default)]
pub struct Prompts {
    /// The sounds in the forms that calls need.
    pub set: PromptSet,
    said: BTreeMap<(String, String), Said>,
}

#[derive(Debug, Clone)]
struct Said {
    transcript: String,
    file: Option<PathBuf>,
    sound: Content,
}

/// What a prompt sounds like, byte for byte.
#[derive(Debug, Clone)]
enum Content {
    /// A WAV file that is part of the program, and its SHA-256 once it was asked for.
    BuiltIn(&'static [u8], Arc<OnceLock<[u8; 32]>>),
    /// SHA-256 of one that was read.
    Read([u8; 32]),
}

impl Content {
    fn of(wav: &[u8]) -> Self {
        Self::Read(Sha256::digest(wav).into())
    }

    /// In hex.
    fn hash(&self) -> String {
        hex::encode(match self {
            Self::BuiltIn(wav, hash) => *hash.get_or_init(|| Sha256::digest(wav).into()),
            Self::Read(hash) => *hash,
        })
    }
}

impl Prompts {
    /// The set that is part of the program; each sound is made once, when it is first needed, and
    /// shared after that.
    pub fn built_in() -> Self {
        static SET: OnceLock<Prompts> = OnceLock::new();
        SET.get_or_init(Self::read_built_in).clone()
    }

    fn read_built_in() -> Self {
        let mut prompts = Self::default();
        for (language, name, wav, transcript) in BUILT_IN.iter() {
            // A test loads them all; a sound that would not load is missing, never a panic.
            if prompts.set.insert_unmade(language, name, wav).is_ok() {
                prompts.say(
                    language,
                    name,
                    transcript.to_string(),
                    None,
                    Content::BuiltIn(wav, Arc::default()),
                );
            }
        }
        prompts
    }

    /// That set, with the sounds of `dir` over it; files that can't be served are told.
    pub fn load(dir: Option<&Path>) -> (Self, Vec<PromptProblem>) {
        let mut prompts = Self::built_in();
        let Some(dir) = dir else { return (prompts, Vec::new()) };
        let (own, problems) = PromptSet::load_and_show(dir, |read| {
            let transcript = transcript_beside(read.path).unwrap_or_default();
            // Of what is played, not of what stands in the file by now.
            let sound = Content::of(read.wav);
            prompts.say(read.language, read.name, transcript, Some(read.path.to_owned()), sound);
        });
        let languages: Vec<String> = own.languages().map(str::to_owned).collect();
        for language in &languages {
            for prompt in own.prompts(language) {
                let rate_hz = own.rate_hz(language, &prompt.name).unwrap_or_default();
                prompts.set.insert(language, prompt.clone(), rate_hz);
            }
        }
        (prompts, problems)
    }

    /// Makes the forms in G.722 of the prompts that calls may need and that came from files; what is
    /// played before its turn, and texts that were spoken, are heard in G.711's band. Takes seconds.
    pub fn widen(&self) {
        let built_in = BUILT_IN.iter().map(|(language, name, wav, _)| ((*language, *name), *wav));
        let built_in: BTreeMap<_, _> = built_in.collect();
        for ((language, name), said) in &self.said {
            let prompt = self.set.made(language, name).filter(|prompt| !prompt.is_wide());
            let Some(prompt) = prompt else { continue };
            // A file that is gone by now was loaded before.
            let wav = match &said.file {
                Some(file) => fs::read(file).ok(),
                None => built_in.get(&(language.as_str(), name.as_str())).map(|wav| wav.to_vec()),
            };
            if let Some(sound) = wav.and_then(|wav| read_wav(&wav).ok()) {
                prompt.widen(&sound);
            }
        }
    }

    /// Adds a text of a flow as it was spoken; a sound that would not load is missing.
    pub(super) fn add_spoken(&mut self, language: &str, text: &str, wav: &[u8]) {
        let name = tts_name(text);
        if self.set.insert_wav(language, &name, wav).is_ok() {
            self.say(language, &name, text.to_owned(), None, Content::of(wav));
        }
    }

    fn say(
        &mut self,
        language: &str,
        name: &str,
        transcript: String,
        file: Option<PathBuf>,
        sound: Content,
    ) {
        let said = Said { transcript, file, sound };
        self.said.insert((language.to_owned(), name.to_owned()), said);
    }

    /// Hash, in hex, of what was played: SHA-256 of the prompt's WAV file; of several (`a+b`), SHA-256
    /// of theirs, one a line, with a spoken value by its label. Empty where nothing was played.
    pub fn hash(&self, language: &str, played: &str) -> String {
        let one = |name: &str| self.find(language, name).map(|said| said.sound.hash());
        match played.split_once('+') {
            None => one(played).unwrap_or_default(),
            Some(_) => {
                let line = |name: &str| one(name).unwrap_or_else(|| name.to_owned());
                let lines: Vec<String> = played.split('+').map(line).collect();
                hex::encode(Sha256::digest(lines.join("\n")))
            }
        }
    }

    /// What is said in a prompt; empty where it was not written down.
    pub fn transcript(&self, language: &str, name: &str) -> Option<&str> {
        self.find(language, name).map(|said| said.transcript.as_str())
    }

    /// The file a prompt was loaded from; `None` for one of the built-in set.
    pub fn file(&self, language: &str, name: &str) -> Option<&Path> {
        self.find(language, name)?.file.as_deref()
    }

    fn find(&self, language: &str, name: &str) -> Option<&Said> {
        self.said.get(&(language.to_owned(), name.to_owned()))
    }

    /// Languages and names of all prompts, in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.said.keys().map(|(language, name)| (language.as_str(), name.as_str()))
    }
}

/// Reads `NAME.txt` beside `NAME.wav`.
pub fn transcript_beside(wav: &Path) -> io::Result<String> {
    fs::read_to_string(wav.with_extension("txt")).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use ivr_runtime::speech::{self, Language};

    use super::*;

    #[test]
    fn every_built_in_prompt_loads_with_its_transcript_and_each_language_has_all_of_english() {
        let prompts = Prompts::built_in();
        assert_eq!(prompts.set.len(), BUILT_IN.len());
        let of = |language: &str| -> Vec<String> {
            let names = prompts.set.prompts(language).map(|p| p.name.to_string());
            names.filter(|name| !name.starts_with("f-")).collect()
        };
        let english = of("en-GB");
        for language in Language::ALL {
            assert_eq!(of(language.tag()), english, "{language:?}");
        }
        for name in
            ["one-moment", "sent", "not-sent", "may-still-arrive", "apology", "hold", "goodbye"]
        {
            assert!(prompts.set.find("en-GB", name).is_some(), "{name}");
        }
        for (language, name) in prompts.names() {
            assert!(!prompts.transcript(language, name).unwrap_or("").is_empty(), "{name}");
        }
    }

    #[test]
    fn a_prompt_is_hashed_by_its_sound_whatever_is_said_to_be_in_it() {
        let (language, name, wav, transcript) = BUILT_IN[0];
        let of_file = hex::encode(Sha256::digest(wav));
        let mut prompts = Prompts::built_in();
        assert_eq!(prompts.hash(language, name), of_file, "as `sha256sum` has it");
        let both = format!("{name}+say:{{wait}}+beep");
        let lines = format!("{of_file}\nsay:{{wait}}\n{}", prompts.hash(language, "beep"));
        assert_eq!(prompts.hash(language, &both), hex::encode(Sha256::digest(lines)));
        // Another recording of the same words.
        let (.., other, _) = BUILT_IN[1];
        prompts.say(language, name, transcript.to_owned(), None, Content::of(other));
        assert_ne!(prompts.hash(language, name), of_file);
        assert_eq!(prompts.hash(language, "agent_initiated"), "");
    }

    #[test]
    fn a_prompt_names_the_same_keys_in_each_language_and_says_it_in_its_own_words() {
        let prompts = Prompts::built_in();
        let said = |language: &str, name: &str| prompts.transcript(language, name).unwrap_or("");
        let keys = |said: &str| said.chars().filter(char::is_ascii_digit).collect::<String>();
        for name in prompts.set.prompts("en-GB").map(|p| &p.name).filter(|n| !n.starts_with("f-")) {
            let english = said("en-GB", name);
            for language in Language::ALL.map(Language::tag) {
                let own = said(language, name);
                assert_eq!(keys(own), keys(english), "{language}/{name}: {own}");
                let is_english = ["en-GB", "en-US"].contains(&language);
                let is_word = !english.contains(' ');
                assert!(is_english || is_word || own != english, "{language}/{name}");
            }
        }
    }

    #[test]
    fn every_fragment_of_every_language_is_built_in_and_says_what_it_should() {
        let prompts = Prompts::built_in();
        for language in Language::ALL {
            for (name, text) in speech::fragments(language) {
                let said = prompts.transcript(language.tag(), &name);
                assert_eq!(said, Some(text.as_str()), "{language:?} {name}");
            }
        }
    }

    #[test]
    fn every_prompt_named_by_the_documented_flows_is_built_in() {
        let prompts = Prompts::built_in();
        for name in "welcome language main more order-state anything-else opening-hours outage \
            billing wait-time minutes offer-text offer-order-link closed-offer nobody-free-offer \
            which-channel sent-stay-or-hang-up you-opted-out confirm-opt-out hold queue-offer \
            callback leave-a-message goodbye confirm-number order_state/shipped number/7"
            .split_whitespace()
        {
            for language in Language::ALL.map(Language::tag) {
                assert!(prompts.set.find(language, name).is_some(), "{language}/{name}");
            }
        }
    }
}

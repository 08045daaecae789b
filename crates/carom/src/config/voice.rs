//! Texts of flows that are spoken by a program when the flow is loaded: `play = "tts:…"`.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rtp_media::prompt::{import, read_wav};
use sha2::{Digest, Sha256};

/// Says a text if nothing else is configured.
const ESPEAK: [&str; 9] =
    ["espeak-ng", "-v", "{voice}", "-s", "186", "-w", "{file}", "--", "{text}"];
/// espeak-ng's voices; it knows no es-es.
const VOICES: [(&str, &str); 5] = [
    ("en-GB", "en-gb-x-rp"),
    ("en-US", "en-us"),
    ("es-ES", "es"),
    ("fr-FR", "fr-fr"),
    ("de-DE", "de"),
];
/// A command that has not ended by then is ended.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How texts are spoken, from the top level of `carom.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tts {
    /// `tts_command`: program and arguments, with `{voice}`, `{language}`, `{file}` and `{text}`.
    pub command: Vec<String>,
    /// `tts_cache`: what was spoken once.
    pub cache: PathBuf,
}

/// Speaks the texts of flows while they are loaded, and remembers them.
pub(super) struct Voice<'a> {
    tts: &'a Tts,
    /// By language and text.
    spoken: RefCell<BTreeMap<(String, String), Spoken>>,
}

/// A WAV file, or why there is none.
type Spoken = Result<Vec<u8>, String>;

impl Tts {
    /// The voice that `{voice}` stands for.
    pub fn voice(language: &str) -> String {
        let known = VOICES.iter().find(|(tag, _)| *tag == language);
        known.map_or_else(|| language.to_lowercase(), |(_, voice)| (*voice).to_owned())
    }

    /// The command that runs without configuration.
    pub fn default_command() -> Vec<String> {
        ESPEAK.map(str::to_owned).to_vec()
    }

    /// Where the sound of a text is kept: another command or language makes another.
    fn kept(&self, language: &str, text: &str) -> PathBuf {
        let mut hash = Sha256::new();
        for part in self.command.iter().map(String::as_str).chain([language, text]) {
            hash.update(part);
            hash.update([0]);
        }
        self.cache.join(format!("{}.wav", hex::encode(hash.finalize())))
    }

    /// The sound of a text as a prompt's master; from the cache where it is there.
    fn speak(&self, language: &str, text: &str) -> Spoken {
        let kept = self.kept(language, text);
        if let Ok(wav) = fs::read(&kept)
            && read_wav(&wav).is_ok()
        {
            return Ok(wav);
        }
        let unwritable = |why: std::io::Error| format!("{}: {why}", kept.display());
        fs::create_dir_all(&self.cache).map_err(unwritable)?;
        let raw = kept.with_extension(format!("{}.raw.wav", std::process::id()));
        let made = self.run(language, text, &raw.to_string_lossy());
        let master = made.and_then(|()| {
            import::import(&raw).map_err(|why| format!("what `{}` said {why}", self.program()))
        });
        let _ = fs::remove_file(&raw);
        master?.write_wav(&kept).map_err(|why| format!("{}: {why}", kept.display()))?;
        fs::read(&kept).map_err(unwritable)
    }

    fn run(&self, language: &str, text: &str, file: &str) -> Result<(), String> {
        let voice = Self::voice(language);
        // The text last: what a flow says is not looked through for the others.
        let fill = |argument: &String| {
            let argument = argument.replace("{voice}", &voice).replace("{language}", language);
            argument.replace("{file}", file).replace("{text}", text)
        };
        let arguments = self.command.iter().skip(1).map(fill);
        let child = Command::new(self.program())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.map_err(|why| format!("`{}` can't be run: {why}", self.program()))?;
        self.wait(child)
    }

    #[expect(clippy::disallowed_methods, reason = "a child's end can't be waited for with a bound")]
    fn wait(&self, mut child: Child) -> Result<(), String> {
        let program = self.program();
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("`{program}` failed: {status}")),
                Ok(None) => thread::sleep(LOOK_EVERY),
                Err(why) => return Err(format!("`{program}`: {why}")),
            }
            waited += LOOK_EVERY;
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(format!("`{program}` took more than {} seconds", PATIENCE.as_secs()))
    }

    fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

impl<'a> Voice<'a> {
    pub fn new(tts: &'a Tts) -> Self {
        Self { tts, spoken: RefCell::default() }
    }

    /// Speaks a text, once.
    pub fn speak(&self, language: &str, text: &str) -> Result<(), String> {
        let key = (language.to_owned(), text.to_owned());
        let mut spoken = self.spoken.borrow_mut();
        let sound = spoken.entry(key).or_insert_with(|| self.tts.speak(language, text));
        sound.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Language, text and sound of all that could be spoken.
    pub fn into_spoken(self) -> Vec<(String, String, Vec<u8>)> {
        let spoken = self.spoken.into_inner().into_iter();
        spoken.filter_map(|((language, text), sound)| Some((language, text, sound.ok()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_spoken_once_for_each_language_and_command() {
        let folder = tempfile::tempdir().unwrap();
        let tts = tts(folder.path(), "sox -D -n -r 16000 -b 16 \"$1\" synth 1 sine 440 gain -12");
        let one = tts.speak("en-GB", "We are closed.").unwrap();
        let count = || fs::read_dir(&tts.cache).unwrap().count();
        assert!(read_wav(&one).is_ok());
        assert!(tts.speak("en-GB", "We are closed.").unwrap() == one);
        assert_eq!(count(), 1);
        tts.speak("es-ES", "We are closed.").unwrap();
        tts.speak("en-GB", "We are {file} closed; rm -rf $HOME").unwrap();
        assert_eq!(count(), 3);
        fs::write(tts.kept("en-GB", "We are closed."), "damaged").unwrap();
        assert!(tts.speak("en-GB", "We are closed.").unwrap() == one);
    }

    #[test]
    fn what_is_not_spoken_is_told_and_nothing_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (script, told) in [
            ("exit 3", "`sh` failed: exit status: 3"),
            ("true", "what `sh` said cannot be read: No such file"),
            ("echo no sound >\"$1\"", "what `sh` said is no WAV, FLAC, MP3"),
        ] {
            let tts = tts(folder.path(), script);
            let why = tts.speak("en-GB", "Hello.").unwrap_err();
            assert!(why.starts_with(told), "{why}");
            assert_eq!(fs::read_dir(&tts.cache).unwrap().count(), 0);
        }
        let none = Tts { command: vec!["/no/such/program".into()], ..tts(folder.path(), "") };
        let why = none.speak("en-GB", "Hello.").unwrap_err();
        assert!(why.starts_with("`/no/such/program` can't be run: No such file"), "{why}");
    }

    fn tts(cache: &std::path::Path, script: &str) -> Tts {
        let command = ["sh", "-c", script, "sh", "{file}", "{text}", "{voice}"];
        Tts { command: command.map(str::to_owned).to_vec(), cache: cache.join("tts") }
    }
}

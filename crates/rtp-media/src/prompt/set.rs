//! Prompts by language and name, read from a folder per language.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::wav::{Sound, WavError, length, read_wav};
use super::{Prompt, resample};

/// The longest prompt that is loaded, in milliseconds.
const LONGEST_MS: u64 = 60_000;

/// All prompts of a node.
#[derive(Debug, Default, Clone)]
pub struct PromptSet {
    languages: BTreeMap<Box<str>, BTreeMap<Box<str>, Arc<Stored>>>,
}

/// A prompt, or the file that it is made of when it is first asked for.
#[derive(Debug)]
struct Stored {
    prompt: OnceLock<Arc<Prompt>>,
    wav: &'static [u8],
    rate_hz: u32,
    len_ms: u32,
}

impl Stored {
    fn prompt(&self, name: &str) -> &Arc<Prompt> {
        self.prompt.get_or_init(|| {
            // Its headers were read; what is behind them would be silence at the worst.
            let decoded = decode(self.wav, name).map(|(prompt, _)| prompt);
            Arc::new(decoded.unwrap_or_else(|_| Prompt::from_samples(name, &[])))
        })
    }
}

/// A file that cannot be served, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct PromptProblem {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub cause: PromptError,
}

/// What is wrong with a prompt file.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file or folder cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Not a sound file that we read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// Longer than a prompt may be, in milliseconds.
    #[error("{0} ms long; at most 60 s are allowed")]
    TooLong(u64),
}

/// A file that became a prompt.
#[derive(Debug, Clone, Copy)]
pub struct LoadedFile<'a> {
    /// Of which language it is.
    pub language: &'a str,
    /// The prompt's name: the path below its language's folder, without the ending.
    pub name: &'a str,
    /// Where it is.
    pub path: &'a Path,
    /// What was read.
    pub wav: &'a [u8],
}

impl PromptSet {
    /// Loads every `*.wav` of every language folder of `dir`.
    ///
    /// # Errors
    /// All files that cannot be served; [`load_what_works`](Self::load_what_works) goes on
    /// without them.
    pub fn load(dir: &Path) -> Result<Self, Vec<PromptProblem>> {
        let (set, problems) = Self::load_what_works(dir);
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    /// Loads what can be served, and tells what cannot.
    pub fn load_what_works(dir: &Path) -> (Self, Vec<PromptProblem>) {
        Self::load_and_show(dir, |_| {})
    }

    /// The same, and shows each file that it loads: the octets that the prompt was made of.
    pub fn load_and_show(
        dir: &Path,
        mut show: impl FnMut(&LoadedFile<'_>),
    ) -> (Self, Vec<PromptProblem>) {
        let (mut set, mut problems) = (Self::default(), Vec::new());
        for folder in entries(dir, &mut problems).into_iter().filter(|path| path.is_dir()) {
            let language = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            set.load_folder(&language, &folder, "", &mut problems, &mut show);
        }
        (set, problems)
    }

    /// Adds a prompt, replacing one of the same language and name.
    pub fn insert(&mut self, language: &str, prompt: Arc<Prompt>, rate_hz: u32) {
        let (name, len_ms) = (prompt.name.clone(), prompt.len_ms);
        let stored = Stored { prompt: OnceLock::from(prompt), wav: &[], rate_hz, len_ms };
        self.languages.entry(language.into()).or_default().insert(name, stored.into());
    }

    /// Adds a prompt that is made of a WAV file when it is first asked for, or by
    /// [`make`](Self::make): in all sets that this one is cloned to at once.
    ///
    /// # Errors
    /// Why the file cannot be served, as far as its headers tell.
    pub fn insert_unmade(
        &mut self,
        language: &str,
        name: &str,
        wav: &'static [u8],
    ) -> Result<(), PromptError> {
        let (rate_hz, samples) = length(wav)?;
        let len_ms = checked_ms(samples, rate_hz)?;
        let stored = Stored { prompt: OnceLock::new(), wav, rate_hz, len_ms };
        self.languages.entry(language.into()).or_default().insert(name.into(), stored.into());
        Ok(())
    }

    /// Makes all prompts of a language, so that none is made while somebody waits for it.
    pub fn make(&self, language: &str) {
        let _ = self.prompts(language).count();
    }

    /// Adds a prompt from a WAV file in memory, replacing one of the same language and name.
    ///
    /// # Errors
    /// Why the file cannot be served.
    pub fn insert_wav(
        &mut self,
        language: &str,
        name: &str,
        wav: &[u8],
    ) -> Result<(), PromptError> {
        let (prompt, rate_hz) = decode(wav, name)?;
        self.insert(language, Arc::new(prompt), rate_hz);
        Ok(())
    }

    /// The prompt of that language and name.
    pub fn find(&self, language: &str, name: &str) -> Option<Arc<Prompt>> {
        Some(self.languages.get(language)?.get(name)?.prompt(name).clone())
    }

    /// That prompt if it was made by now.
    pub fn made(&self, language: &str, name: &str) -> Option<&Arc<Prompt>> {
        self.languages.get(language)?.get(name)?.prompt.get()
    }

    /// Its length in milliseconds, rounded down.
    pub fn len_ms(&self, language: &str, name: &str) -> Option<u32> {
        Some(self.languages.get(language)?.get(name)?.len_ms)
    }

    /// The names of a language's prompts, in order.
    pub fn names(&self, language: &str) -> impl Iterator<Item = &str> {
        self.languages.get(language).into_iter().flatten().map(|(name, _)| &**name)
    }

    /// The sample rate of its file, in hertz.
    pub fn rate_hz(&self, language: &str, name: &str) -> Option<u32> {
        Some(self.languages.get(language)?.get(name)?.rate_hz)
    }

    /// The languages that have a folder with a prompt, in order.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(|language| &**language)
    }

    /// The prompts of a language, by name.
    pub fn prompts(&self, language: &str) -> impl Iterator<Item = &Arc<Prompt>> {
        self.languages.get(language).into_iter().flatten().map(|(name, stored)| stored.prompt(name))
    }

    /// How many prompts there are in all languages.
    pub fn len(&self) -> usize {
        self.languages.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn load_folder(
        &mut self,
        language: &str,
        folder: &Path,
        prefix: &str,
        problems: &mut Vec<PromptProblem>,
        show: &mut dyn FnMut(&LoadedFile<'_>),
    ) {
        for path in entries(folder, problems) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}{stem}");
            if path.is_dir() {
                self.load_folder(language, &path, &format!("{name}/"), problems, show);
            } else if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("wav")) {
                let read = fs::read(&path).map_err(PromptError::from);
                match read.and_then(|wav| decode(&wav, &name).map(|made| (wav, made))) {
                    Ok((wav, (prompt, rate_hz))) => {
                        show(&LoadedFile { language, name: &name, path: &path, wav: &wav });
                        self.insert(language, Arc::new(prompt), rate_hz);
                    }
                    Err(cause) => problems.push(PromptProblem { path, cause }),
                }
            }
        }
    }
}

fn entries(dir: &Path, problems: &mut Vec<PromptProblem>) -> Vec<PathBuf> {
    let read = fs::read_dir(dir)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    match read {
        Ok(mut paths) => {
            paths.sort();
            paths
        }
        Err(error) => {
            problems.push(PromptProblem { path: dir.into(), cause: error.into() });
            Vec::new()
        }
    }
}

fn decode(wav: &[u8], name: &str) -> Result<(Prompt, u32), PromptError> {
    let Sound { rate_hz, samples } = read_wav(wav)?;
    checked_ms(samples.len(), rate_hz)?;
    let samples = resample::to_8_khz(rate_hz, &samples);
    Ok((Prompt::from_samples(name, &samples), rate_hz))
}

/// The length of so many samples in milliseconds, if a prompt may be that long.
fn checked_ms(samples: usize, rate_hz: u32) -> Result<u32, PromptError> {
    match samples as u64 * 1_000 / u64::from(rate_hz) {
        len_ms @ ..=LONGEST_MS => Ok(len_ms as u32),
        len_ms => Err(PromptError::TooLong(len_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_loaded_by_language_and_nested_name() {
        let dir = tempfile::tempdir().unwrap();
        write_tone(&dir.path().join("en-GB/welcome.wav"), 16_000);
        write_tone(&dir.path().join("en-GB/digits/7.wav"), 8_000);
        write_tone(&dir.path().join("es-ES/welcome.wav"), 48_000);
        let set = PromptSet::load(dir.path()).unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!(set.find("en-GB", "digits/7").unwrap().len_ms, 500);
        assert_eq!(set.find("es-ES", "welcome").unwrap().len_ms, 500);
        assert_eq!(set.rate_hz("es-ES", "welcome"), Some(48_000));
        assert!(set.find("es-ES", "digits/7").is_none());
        assert!(set.find("de-DE", "welcome").is_none());
    }

    #[test]
    fn bad_files_are_all_named_and_the_rest_is_served() {
        let dir = tempfile::tempdir().unwrap();
        write_tone(&dir.path().join("en-GB/good.wav"), 8_000);
        write_tone(&dir.path().join("en-GB/rate.wav"), 44_100);
        fs::write(dir.path().join("en-GB/empty.wav"), b"").unwrap();
        fs::write(dir.path().join("en-GB/cut.wav"), b"RIFF\x24\0\0\0WAVEfmt ").unwrap();
        let (set, problems) = PromptSet::load_what_works(dir.path());
        assert!(set.find("en-GB", "good").is_some());
        assert_eq!(problems.len(), 3);
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|t| t.contains("rate.wav") && t.contains("44100")), "{texts:?}");
        assert!(PromptSet::load(&dir.path().join("nowhere")).is_err());
    }

    fn write_tone(path: &Path, rate_hz: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for n in 0..rate_hz / 2 {
            let t = f64::from(n) / f64::from(rate_hz);
            writer.write_sample((8_000.0 * (3_000.0 * t).sin()) as i16).unwrap();
        }
        writer.finalize().unwrap();
    }
}

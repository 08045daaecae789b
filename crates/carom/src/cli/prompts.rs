//! `carom prompts`: loads, lists, checks, speaks prompts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use rtp_media::{
    Law,
    prompt::import::{self, Master, Report, TARGET_LUFS},
};

use super::{ConfigArg, espeak, fragments};
use crate::config::{Config, Prompts, transcript_beside};

/// Masters further from the target than this are named by `check`, in LU.
pub(super) const LEVEL_TOLERANCE: f64 = 3.0;

/// Arguments of `carom prompts`.
#[derive(Debug, clap::Args)]
pub struct PromptsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make prompts from recordings: wav, flac, mp3 or ogg at any rate, mono or stereo.
    Import {
        /// Recordings.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Language of what is said, such as en-GB.
        #[arg(long)]
        language: String,
        /// Name of the prompt; left out, the file's name. For one file only.
        #[arg(long)]
        name: Option<String>,
        /// What is said, kept beside the sound. For one file only; left out, FILE.txt is taken.
        #[arg(long)]
        text: Option<String>,
        #[command(flatten)]
        folder: Folder,
    },
    /// Show all prompts: the folder's own and the built-in ones.
    List {
        /// Only of this language.
        #[arg(long)]
        language: Option<String>,
        #[command(flatten)]
        folder: Folder,
    },
    /// Look for files that can't be played, odd levels and missing transcripts or languages.
    Check {
        #[command(flatten)]
        folder: Folder,
    },
    /// Write a prompt as a caller hears it to a WAV file.
    Play {
        /// Name of the prompt.
        name: String,
        /// Its language.
        #[arg(long, default_value = "en-GB")]
        language: String,
        /// Where to write; left out, NAME.wav here.
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        folder: Folder,
    },
    /// Make a prompt from text with espeak-ng, if it is installed.
    Say {
        /// What to say.
        text: String,
        /// Name of the prompt.
        #[arg(long)]
        name: String,
        /// Language of the text.
        #[arg(long, default_value = "en-GB")]
        language: String,
        #[command(flatten)]
        folder: Folder,
    },
    /// Make all fragments that `say:` speaks numbers, dates and money with, by espeak-ng.
    Fragments {
        /// Their language: en-GB, en-US, es-ES, fr-FR or de-DE.
        #[arg(long)]
        language: String,
        /// Make those again that are there already, recordings of your own too.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        folder: Folder,
    },
}

/// Where the prompts are.
#[derive(Debug, clap::Args)]
struct Folder {
    /// Folder of the prompts, one sub-folder per language; left out, the configuration's, or
    /// `prompts` here.
    #[arg(long = "into", visible_alias = "dir", value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

impl Folder {
    fn path(self) -> anyhow::Result<PathBuf> {
        match (self.dir, self.config.config) {
            (Some(dir), _) => Ok(dir),
            (None, Some(config)) => Config::prompts_folder(&config)
                .with_context(|| format!("{} can't be read", config.display())),
            (None, None) => Ok(PathBuf::from("prompts")),
        }
    }
}

impl PromptsArgs {
    /// Runs the subcommand.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Import { files, language, name, text, folder } => {
                import_all(&files, &language, name, text, &folder.path()?)
            }
            What::List { language, folder } => list(language.as_deref(), &folder.path()?),
            What::Check { folder } => check(&folder.path()?),
            What::Play { name, language, out, folder } => {
                play(&name, &language, out, &folder.path()?)
            }
            What::Say { text, name, language, folder } => {
                say(&text, &name, &language, &folder.path()?)
            }
            What::Fragments { language, force, folder } => {
                fragments::make(&language, &folder.path()?, force)
            }
        }
    }
}

fn import_all(
    files: &[PathBuf],
    language: &str,
    name: Option<String>,
    text: Option<String>,
    dir: &Path,
) -> anyhow::Result<ExitCode> {
    if files.len() > 1 && (name.is_some() || text.is_some()) {
        bail!("--name and --text are for one file");
    }
    let of_language = fragments::names(language);
    let name_of = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        name.clone().unwrap_or_else(|| stem.into_owned())
    };
    let (fragments, alone): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| of_language.contains(&name_of(file)));
    let alone = alone.into_iter().map(|file| (file, import::import(file)));
    let masters = alone.chain(fragments::import(fragments));
    let mut refused = 0;
    for (file, master) in masters {
        let text = text.clone().or_else(|| transcript_beside(file).ok());
        match master {
            Ok(master) => keep(&master, language, &name_of(file), text.as_deref(), dir)?,
            Err(why) => {
                eprintln!("{}: {why}", file.display());
                refused += 1;
            }
        }
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes a master and its transcript into the folder of its language.
fn keep(
    master: &Master,
    language: &str,
    name: &str,
    text: Option<&str>,
    dir: &Path,
) -> anyhow::Result<()> {
    // As flows name languages.
    let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !language.starts_with(|c: char| c.is_ascii_alphabetic()) || !language.chars().all(tag) {
        bail!("`{language}` is no language: write it as `en-GB` or `es`");
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    if !name.chars().all(plain) || name.split('/').any(str::is_empty) {
        bail!("`{name}` is no name: letters, digits, `-`, `_` and `/` make one");
    }
    let wav = dir.join(language).join(format!("{name}.wav"));
    let folder = wav.parent().unwrap_or(dir);
    fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    master.write_wav(&wav).with_context(|| format!("{} can't be written", wav.display()))?;
    if let Some(text) = text {
        fs::write(wav.with_extension("txt"), format!("{}\n", text.trim()))?;
    }
    let Report { source_rate_hz, source_channels, cut_start_ms, cut_end_ms, source_lufs, .. } =
        master.report;
    println!(
        "{}: {:.1} s at {} Hz, {:.1} LUFS (was {source_rate_hz} Hz, {source_channels} ch, \
         {source_lufs:.1} LUFS; cut {cut_start_ms} ms before, {cut_end_ms} ms after)",
        wav.display(),
        f64::from(master.report.len_ms) / 1000.0,
        master.rate_hz,
        master.report.lufs,
    );
    if text.is_none() && !wav.with_extension("txt").exists() {
        println!("  no transcript: add one with --text, so that the check can read it");
    }
    Ok(())
}

fn list(language: Option<&str>, dir: &Path) -> anyhow::Result<ExitCode> {
    let (prompts, _) = Prompts::load(dir.is_dir().then_some(dir));
    let wanted = |of: &&str| language.is_none_or(|wanted| wanted == *of);
    let fragments: BTreeMap<&str, BTreeSet<String>> =
        prompts.set.languages().filter(wanted).map(|of| (of, fragments::names(of))).collect();
    for (of, name) in prompts.names() {
        if fragments.get(of).is_none_or(|fragments| fragments.contains(name)) {
            continue;
        }
        let len_ms = prompts.set.len_ms(of, name).unwrap_or(0);
        let place = if prompts.file(of, name).is_some() { "own" } else { "built-in" };
        let text = prompts.transcript(of, name).unwrap_or("").replace('\n', " ");
        println!("{of}  {name:<24} {:>5.1} s  {place:<8}  {text}", f64::from(len_ms) / 1000.0);
    }
    for (of, names) in fragments {
        let there = names.iter().filter(|name| prompts.set.len_ms(of, name).is_some()).count();
        if there > 0 {
            println!("{of}  {:<24} {there} of {} fragments of spoken values", "f-…", names.len());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A language in which the folder has more than the fragments of values.
fn speaks(prompts: &Prompts, fragments: &BTreeMap<&str, BTreeSet<String>>, language: &str) -> bool {
    let of_values = |name: &str| fragments.get(language).is_some_and(|own| own.contains(name));
    let mut names = prompts.set.names(language);
    names.any(|name| prompts.file(language, name).is_some() && !of_values(name))
}

fn check(dir: &Path) -> anyhow::Result<ExitCode> {
    if !dir.is_dir() {
        bail!("{} is no folder", dir.display());
    }
    let (prompts, problems) = Prompts::load(Some(dir));
    let mut found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let languages: Vec<&str> = prompts.set.languages().collect();
    let fragments: BTreeMap<&str, BTreeSet<String>> =
        languages.iter().map(|language| (*language, fragments::names(language))).collect();
    let mut checked = 0;
    for (language, name) in prompts.names() {
        let Some(file) = prompts.file(language, name) else { continue };
        checked += 1;
        if fragments.get(language).is_some_and(|fragments| fragments.contains(name)) {
            continue;
        }
        found.extend(fault_of(file).map(|fault| format!("{}: {fault}", file.display())));
        if prompts.transcript(language, name).is_none_or(str::is_empty) {
            found.push(format!("{}: has no transcript beside it", file.display()));
        }
        for other in languages.iter().filter(|other| speaks(&prompts, &fragments, other)) {
            if prompts.set.len_ms(other, name).is_none() {
                found.push(format!("{}: is missing in {other}", file.display()));
            }
        }
    }
    found.extend(languages.iter().flat_map(|language| fragments::faults(language, &prompts, dir)));
    for problem in &found {
        println!("{problem}");
    }
    println!("{checked} prompts checked, {} problems", found.len());
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a caller would hear as a fault in a master.
fn fault_of(file: &Path) -> Option<String> {
    match import::import(file) {
        Err(why) => Some(why.to_string()),
        Ok(master) => {
            let off = master.report.source_lufs - TARGET_LUFS;
            // Peaky sounds can't reach the target; the importer has done what is possible.
            let reachable = (master.report.lufs - TARGET_LUFS).abs() < 0.5 || off > 0.0;
            (off.abs() > LEVEL_TOLERANCE && reachable).then(|| {
                format!(
                    "is {:.0} LU {} than the other prompts: import it again",
                    off.abs(),
                    if off > 0.0 { "louder" } else { "quieter" }
                )
            })
        }
    }
}

fn play(name: &str, language: &str, out: Option<PathBuf>, dir: &Path) -> anyhow::Result<ExitCode> {
    let (prompts, _) = Prompts::load(dir.is_dir().then_some(dir));
    let name = name.strip_suffix(".wav").unwrap_or(name);
    let Some(prompt) = prompts.set.find(language, name) else {
        bail!("there is no prompt `{name}` in {language}; `carom prompts list` shows all");
    };
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wav", name.replace('/', "-"))));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&out, spec)
        .with_context(|| format!("{} can't be written", out.display()))?;
    for &byte in &prompt.pcma {
        wav.write_sample(Law::Pcma.decode(byte))?;
    }
    wav.finalize()?;
    println!("{}: {:.1} s", out.display(), f64::from(prompt.len_ms) / 1000.0);
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str, name: &str, language: &str, dir: &Path) -> anyhow::Result<ExitCode> {
    let speak = |voice: &str| espeak::speak(&["-v", voice, "-s", "168"], text);
    // espeak-ng has es, but no es-es.
    let short = language.split('-').next().unwrap_or(language);
    let spoken = speak(&language.to_lowercase()).or_else(|_| speak(short))?;
    let master = import::import_bytes(spoken, "wav")
        .map_err(|why| anyhow::anyhow!("what espeak-ng said {why}"))?;
    keep(&master, language, name, Some(text), dir)?;
    Ok(ExitCode::SUCCESS)
}

//! `carom prompts fragments`: the pieces that `say:` puts sentences together from.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};
use ivr_runtime::speech::{self, Language, PAUSE};
use rtp_media::{
    Law,
    prompt::import::{self, ImportError, Master, TARGET_LUFS},
};

use super::{espeak, prompts::LEVEL_TOLERANCE};
use crate::config::Prompts;

/// Between the groups of a phone number.
const PAUSE_MS: u32 = 250;

/// What espeak-ng would say wrongly by itself: the final s of a spoken plus sign, an English word.
const RESPELT: [(Language, &str, &str); 2] =
    [(Language::FrFr, "f-plus", "plusse"), (Language::FrFr, "f-gbp-cent-many", "penn'se")];

/// Writes all fragments of a language; those that are there are kept unless `force` is set.
pub(super) fn make(tag: &str, dir: &Path, force: bool) -> anyhow::Result<ExitCode> {
    let Some(language) = Language::parse(tag) else {
        let known = Language::ALL.map(Language::tag).join(", ");
        bail!("the grammar of `{tag}` is not known; there are: {known}");
    };
    let folder = dir.join(tag);
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let there = |name: &str| !force && folder.join(name).with_extension("wav").exists();
    let all = speech::fragments(language);
    let (kept, wanted): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| there(name));
    let words = || wanted.iter().filter(|(name, _)| name != PAUSE);
    let spoken = words().map(|(name, text)| spoken(language, name, text));
    let masters = import::import_fragments(spoken.collect::<anyhow::Result<_>>()?);
    let mut samples = 0;
    for ((name, text), master) in words().zip(masters) {
        let master = master.map_err(|why| anyhow!("what espeak-ng said for {name} {why}"))?;
        samples += master.samples.len();
        keep(&folder, name, text, &master)?;
    }
    for (name, text) in wanted.iter().filter(|(name, _)| name == PAUSE) {
        keep(&folder, name, text, &Master::silence(PAUSE_MS))?;
    }
    let (place, kb) = (folder.display(), samples * 2 / 1_000);
    let (made, kept) = (wanted.len(), kept.len());
    println!("{place}: {made} fragments made ({kb} kB), {kept} kept as they were");
    Ok(ExitCode::SUCCESS)
}

fn keep(folder: &Path, name: &str, text: &str, master: &Master) -> anyhow::Result<()> {
    let wav = folder.join(name).with_extension("wav");
    master.write_wav(&wav).with_context(|| format!("{} can't be written", wav.display()))?;
    fs::write(wav.with_extension("txt"), format!("{text}\n"))?;
    Ok(())
}

/// In a nearly level tone: the fall at the end of a sentence would be heard inside of one.
fn spoken(language: Language, name: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    let voice = match language {
        Language::EnGb => "en-gb-x-rp",
        Language::EnUs => "en-us",
        Language::EsEs => "es",
        Language::FrFr => "fr-fr",
        Language::DeDe => "de",
    };
    let respelt = RESPELT.iter().find(|(of, which, _)| (*of, *which) == (language, name));
    let text = respelt.map_or(text, |(_, _, respelt)| *respelt);
    let ssml = format!("<prosody range=\"30%\">{text}</prosody>");
    espeak::speak(&["-v", voice, "-s", "186", "-m"], &ssml)
}

/// Masters of an operator's recordings of fragments, brought to one level.
pub(super) fn import(files: Vec<&PathBuf>) -> Vec<(&PathBuf, Result<Master, ImportError>)> {
    let (mut read, mut recordings, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        match fs::read(file) {
            Ok(bytes) => {
                read.push(file);
                recordings.push(bytes);
            }
            Err(why) => done.push((file, Err(why.into()))),
        }
    }
    done.extend(read.into_iter().zip(import::import_fragments(recordings)));
    done
}

/// The names of a language's fragments.
pub(super) fn names(tag: &str) -> BTreeSet<String> {
    let list = Language::parse(tag).map(speech::fragments).unwrap_or_default();
    list.into_iter().map(|(name, _)| name).collect()
}

/// What is wrong with the fragments that `dir` has of a language, taken together.
pub(super) fn faults(tag: &str, prompts: &Prompts, dir: &Path) -> Vec<String> {
    let all = names(tag);
    let own: Vec<_> = all.iter().filter(|name| prompts.file(tag, name).is_some()).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let place = dir.join(tag).join("f-….wav");
    let mut found = Vec::new();
    let other = all.len() - own.len();
    if other > 0 {
        let make = format!("carom prompts fragments --language {tag}");
        let told = format!("{other} fragments are those of the built-in voice: {make}");
        found.push(format!("{}: {told}", place.display()));
    }
    let samples: Vec<i16> = own
        .iter()
        .filter_map(|name| prompts.set.find(tag, name))
        .flat_map(|prompt| {
            prompt.pcma.iter().map(|&byte| Law::Pcma.decode(byte)).collect::<Vec<_>>()
        })
        .collect();
    let off = import::measure(&samples, 8_000) - TARGET_LUFS;
    if off.abs() > LEVEL_TOLERANCE && own.iter().any(|name| *name != PAUSE) {
        let than = if off > 0.0 { "louder" } else { "quieter" };
        let told = format!("are {:.0} LU {than} than the other prompts", off.abs());
        found.push(format!("{}: {told}", place.display()));
    }
    found
}

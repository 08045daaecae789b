//! `carom prompts fragments`: the pieces that `say:` puts sentences together from.

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use ivr_runtime::speech::{self, Language, PAUSE};
use rtp_media::{
    Law,
    prompt::import::{self, Master, TARGET_LUFS},
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
    let (mut recordings, mut texts, mut kept) = (Vec::new(), Vec::new(), 0);
    for (name, text) in speech::fragments(language) {
        if !force && folder.join(&name).with_extension("wav").exists() {
            kept += 1;
            continue;
        }
        if name != PAUSE {
            recordings.push((name.clone(), spoken(language, &name, &text)?));
        }
        texts.push((name, text));
    }
    let mut made = import::import_fragments(recordings).context("what espeak-ng said")?;
    if texts.iter().any(|(name, _)| name == PAUSE) {
        made.push((PAUSE.to_owned(), Master::silence(PAUSE_MS)));
    }
    for (name, master) in &made {
        let wav = folder.join(name).with_extension("wav");
        master.write_wav(&wav).with_context(|| format!("{} can't be written", wav.display()))?;
    }
    for (name, text) in &texts {
        fs::write(folder.join(name).with_extension("txt"), format!("{text}\n"))?;
    }
    let bytes: usize = made.iter().map(|(_, master)| master.samples.len() * 2).sum();
    println!(
        "{}: {} fragments made ({} kB), {kept} kept as they were",
        folder.display(),
        made.len(),
        bytes / 1_000
    );
    Ok(ExitCode::SUCCESS)
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
    let missing = all.iter().filter(|name| prompts.set.find(tag, name).is_none()).count();
    if missing > 0 {
        let make = format!("carom prompts fragments --language {tag}");
        found.push(format!("{}: {missing} fragments are missing: {make}", place.display()));
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

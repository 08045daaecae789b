//! Puts the prompt set of the repository into the program, so that it runs without any file.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let prompts = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default())
        .join("../../prompts")
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", prompts.display());
    let mut sounds = String::from("&[\n");
    for folder in sorted(&prompts)?.into_iter().filter(|path| path.is_dir()) {
        let language = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        add(&mut sounds, &language, &folder, "")?;
    }
    sounds.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("sounds.rs"), sounds)
}

/// Adds the sounds of a folder and of the folders in it: language, name, sound, transcript.
fn add(sounds: &mut String, language: &str, folder: &Path, prefix: &str) -> io::Result<()> {
    for path in sorted(folder)? {
        let name = format!("{prefix}{}", path.file_stem().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            add(sounds, language, &path, &format!("{name}/"))?;
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            let transcript = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            let transcript = transcript.trim();
            let written = writeln!(
                sounds,
                "    ({language:?}, {name:?}, include_bytes!({path:?}), {transcript:?}),"
            );
            written.map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

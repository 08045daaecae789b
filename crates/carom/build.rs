//! Puts the prompt set of the repository into the program, so that it runs without any file; builds
//! for development read it from the repository instead, for they are linked often.

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
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let sound = if is_release { "include_bytes!" } else { "" };
    let mut list = String::new();
    for folder in sorted(&prompts)?.into_iter().filter(|path| path.is_dir()) {
        let language = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shown = if is_release { &folder } else { Path::new(&language) };
        add(&mut list, &language, (&folder, shown), "", sound)?;
    }
    let sounds = if is_release {
        format!("{{\n    const ALL: &[Sound] = &[\n{list}    ];\n    ALL.to_vec()\n}}\n")
    } else {
        format!(
            "{{\n    const ALL: &[(&str, &str, &str, &str)] = &[\n{list}    ];\n    \
             let root = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../../prompts/\");\n    \
             let read = |path| &*std::fs::read(format!(\"{{root}}{{path}}\")).unwrap_or_default().leak();\n    \
             ALL.iter().map(|&(language, name, path, said)| (language, name, read(path), said)).collect()\n}}\n"
        )
    };
    fs::write(PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("sounds.rs"), sounds)
}

/// Adds the sounds of a folder and of the folders in it: language, name, sound, transcript. `shown`
/// is the folder as the program has it: builds for development may be used by another checkout.
fn add(
    list: &mut String,
    language: &str,
    (folder, shown): (&Path, &Path),
    prefix: &str,
    sound: &str,
) -> io::Result<()> {
    for path in sorted(folder)? {
        let name = format!("{prefix}{}", path.file_stem().unwrap_or_default().to_string_lossy());
        let shown = shown.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            add(list, language, (&path, &shown), &format!("{name}/"), sound)?;
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            let transcript = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            let transcript = transcript.trim();
            let written = writeln!(
                list,
                "        ({language:?}, {name:?}, {sound}({shown:?}), {transcript:?}),"
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

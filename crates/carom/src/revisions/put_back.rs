//! Writing a revision back into the files.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use deflect_actions::store::FlowServed;
use jiff::{Timestamp, tz::TimeZone};

/// A revision could not be written back; what was written before it failed was put right again.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", file.display())]
pub struct NotPutBack {
    file: PathBuf,
    cause: io::Error,
}

/// What was replaced, and where copies of it are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// File and copy; no copy where there was no file.
    pub files: Vec<(PathBuf, Option<PathBuf>)>,
}

impl Copies {
    /// Puts the copies in place again, as if nothing had been replaced.
    ///
    /// # Errors
    /// The first file that can't be put in place.
    pub fn restore(self) -> Result<(), NotPutBack> {
        for (file, copy) in self.files.into_iter().rev() {
            let restored = match copy {
                Some(copy) => fs::rename(copy, &file),
                None => fs::remove_file(&file),
            };
            restored.map_err(|cause| NotPutBack { file, cause })?;
        }
        Ok(())
    }
}

/// Writes the revision over `file` and the sub-flow files beside it. Each file that differs is
/// replaced whole, keeps its mode, and leaves a copy named by `at_ms`.
///
/// # Errors
/// A file can't be written.
pub fn put_back(served: &FlowServed, file: &Path, at_ms: i64) -> Result<Copies, NotPutBack> {
    let folder = file.parent().unwrap_or(Path::new(""));
    // The flow comes last: until then nothing names a sub-flow file that is not there yet.
    let subs = served.subs.iter().map(|(name, text)| (folder.join(name), text));
    let texts = subs.chain([(file.to_owned(), &served.source)]);
    let mut copies = Copies::default();
    for (file, text) in texts {
        match replace(&file, text, at_ms) {
            Ok(Replaced::Same) => {}
            Ok(Replaced::Over(file, copy)) => copies.files.push((file, copy)),
            Err(cause) => {
                copies.restore()?;
                return Err(NotPutBack { file, cause });
            }
        }
    }
    Ok(copies)
}

enum Replaced {
    Same,
    /// The file itself, where a link led to it, and its copy.
    Over(PathBuf, Option<PathBuf>),
}

fn replace(file: &Path, text: &str, at_ms: i64) -> io::Result<Replaced> {
    // A link stays one; what it leads to is replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let before = match fs::read(&file) {
        Ok(before) if before == text.as_bytes() => return Ok(Replaced::Same),
        Ok(_) => Some(fs::metadata(&file)?.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let fresh = beside(&file, "new", at_ms);
    let mut written = fs::File::create(&fresh)?;
    written.write_all(text.as_bytes())?;
    let mut copy = None;
    if let Some(permissions) = before {
        written.set_permissions(permissions)?;
        let kept = beside(&file, "before", at_ms);
        // The copy keeps mode and times, and the name never leads to half a file.
        fs::hard_link(&file, &kept)?;
        copy = Some(kept);
    }
    written.sync_all()?;
    fs::rename(&fresh, &file)?;
    Ok(Replaced::Over(file, copy))
}

/// `main.toml.before-20261129T170512.123`: no flow is read from such a name.
fn beside(file: &Path, word: &str, at_ms: i64) -> PathBuf {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = at.to_zoned(TimeZone::system()).strftime("%Y%m%dT%H%M%S.%3f").to_string();
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{word}-{at}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn served() -> FlowServed {
        FlowServed {
            rev: String::new(),
            flow: "Main".into(),
            file: String::new(),
            source: "old main".into(),
            subs: [("pin.toml".to_owned(), "old pin".to_owned())].into(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_whole_keep_their_mode_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("main.toml");
        fs::write(&main, "new main").unwrap();
        fs::set_permissions(&main, fs::Permissions::from_mode(0o640)).unwrap();
        let copies = put_back(&served(), &main, 1_700_000_000_123).unwrap();
        assert_eq!(fs::read_to_string(&main).unwrap(), "old main");
        assert_eq!(fs::metadata(&main).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_to_string(folder.path().join("pin.toml")).unwrap(), "old pin");
        let found = names(folder.path());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].starts_with("main.toml.before-2023111"), "{found:?}");
        let copy = fs::read_to_string(folder.path().join(&found[1])).unwrap();
        assert_eq!(copy, "new main");

        let again = put_back(&served(), &main, 1_700_000_000_124).unwrap();
        assert_eq!(again, Copies::default(), "nothing differs");
        copies.restore().unwrap();
        assert_eq!(names(folder.path()), ["main.toml"]);
        assert_eq!(fs::read_to_string(&main).unwrap(), "new main");
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_comes_back() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (main, real) = (folder.path().join("main.toml"), elsewhere.path().join("real.toml"));
        fs::write(&real, "new main").unwrap();
        std::os::unix::fs::symlink(&real, &main).unwrap();
        let copies = put_back(&served(), &main, 1_700_000_000_123).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "old main");
        copies.restore().unwrap();
        assert!(fs::symlink_metadata(&main).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new main");
        assert_eq!(names(elsewhere.path()), ["real.toml"]);
    }

    #[test]
    fn where_one_file_fails_none_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        // A folder of that name can't be read as a file.
        let main = folder.path().join("main.toml");
        fs::create_dir(&main).unwrap();
        fs::write(folder.path().join("pin.toml"), "new pin").unwrap();
        let failed = put_back(&served(), &main, 0).unwrap_err().to_string();
        assert!(failed.contains("main.toml: "), "{failed}");
        assert_eq!(names(folder.path()), ["main.toml", "pin.toml"]);
        assert_eq!(fs::read_to_string(folder.path().join("pin.toml")).unwrap(), "new pin");
    }
}

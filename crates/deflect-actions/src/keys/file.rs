//! Secrets in files: made on first run, readable by their owner only.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Returns the secret of a file; a file that is missing is made, mode 0600, with 32 random
/// octets in hex. A newline at its end does not count.
///
/// # Errors
/// When the file can be neither read nor made, or holds nothing.
pub fn secret_file(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(mut secret) => {
            let end = secret.trim_ascii_end().len();
            secret.truncate(end);
            if secret.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
            }
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = hex::encode(random::<32>()?).into_bytes();
            create(path, &[&secret[..], b"\n"].concat())?;
            // Another process may have made it first: what the file holds counts.
            secret_file(path)
        }
        Err(error) => Err(error),
    }
}

/// Makes a file of mode 0600 that appears whole or not at all; one that exists is kept.
pub(super) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = write_aside(path, content)?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Replaces a file by one of mode 0600, whole or not at all.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::rename(write_aside(path, content)?, path)
}

pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

fn write_aside(path: &Path, content: &[u8]) -> io::Result<std::path::PathBuf> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", hex::encode(random::<8>()?)));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/keys/store.key");
        let secret = secret_file(&path).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(secret_file(&path).unwrap(), secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "\n").unwrap();
        assert_eq!(secret_file(&path).unwrap_err().to_string(), "the file is empty");
    }
}

//! Programs of others that judge ours; tests/judges/install installs them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Their folder, in the build's temporary one; they are installed where they are not yet.
pub fn judges() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges");
    let installed = Command::new(script("install")).arg(&folder).status().unwrap();
    assert!(installed.success(), "the judges cannot be installed");
    folder
}

/// A script beside them.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/judges").join(name)
}

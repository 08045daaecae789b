//! Programs of others that judge ours; tests/judges/install installs them.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// The judges, installed.
#[derive(Debug)]
pub struct Judges {
    folder: PathBuf,
    scripts: PathBuf,
}

impl Judges {
    /// Installs them below `tmp`, the build's temporary folder (`CARGO_TARGET_TMPDIR`), where they
    /// are not yet.
    ///
    /// # Panics
    /// They cannot be installed.
    #[must_use]
    pub fn below(tmp: &str) -> Self {
        let folder = Path::new(tmp).join("judges");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../judges");
        let installed = Command::new(scripts.join("install")).arg(&folder).status().unwrap();
        assert!(installed.success(), "the judges cannot be installed");
        Self { folder, scripts }
    }

    /// A script in JavaScript, ready to run.
    #[must_use]
    pub fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(self.scripts.join(script)).env("NODE_PATH", self.folder.join("node_modules"));
        command
    }

    /// A script in Python, ready to run.
    #[must_use]
    pub fn python(&self, script: &str) -> Command {
        let mut command = Command::new(self.folder.join("python/bin/python"));
        command.arg(self.scripts.join(script));
        command
    }
}

/// What a judge says to what it is asked; both JSON.
///
/// # Panics
/// It fails.
#[must_use]
pub fn asked(mut judge: Command, question: &Value) -> Value {
    let mut child = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{judge:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a judge prints.
///
/// # Panics
/// It fails.
#[must_use]
pub fn printed(mut judge: Command) -> String {
    let output = judge.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

//! Programs of others that judge ours; tests/judges/install installs them.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

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

/// What a judge in Python says to what it is asked.
pub fn python(name: &str, asked: &Value) -> Value {
    let python = judges().join("python/bin/python");
    judge(python.to_str().unwrap(), name, asked)
}

/// Asks a judge by its standard input; returns what it says.
pub fn judge(program: &str, name: &str, asked: &Value) -> Value {
    let mut child = Command::new(program)
        .arg(script(name))
        .env("NODE_PATH", judges().join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{program}: {why}"));
    let (mut input, asked) = (child.stdin.take().unwrap(), asked.to_string());
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{name}");
    serde_json::from_slice(&output.stdout).unwrap()
}

//! What somebody meets who has just cloned, built and begun to change things.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use carom::config::{Config, SecretRef};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_flow_begun_beside_the_sample_asks_for_its_number_and_the_sample_s_tests_go_on() {
    let (_folder, config) = sample();
    let refused = carom(&config, &["new", "flow", "orders"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("--number +44"), "{told}");
    assert!(!config.with_file_name("flows").join("orders.toml").exists());
    let made = carom(&config, &["new", "flow", "orders", "--number", "+442079460018"]);
    assert!(made.status.success(), "{made:?}");
    for command in ["check", "test"] {
        let done = carom(&config, &[command]);
        assert!(done.status.success(), "{command}: {done:?}");
    }
}

#[test]
fn a_number_that_no_call_comes_to_is_refused_before_a_flow_is_written() {
    let (folder, config) = sample();
    let file = folder.path().join("mine.toml");
    for number in ["12", "+4420", "07700900123", "+44 20 7946 0018", "desk"] {
        let args = ["new", "flow", "orders", "--number", number, "--file", file.to_str().unwrap()];
        let refused = carom(&config, &args);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(64), "{number}: {told}");
        assert!(told.contains(number) && told.contains("write it as +442079460018"), "{told}");
        assert!(!file.exists(), "{number}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told_by_its_name_and_by_what_it_was_wanted_for() {
    let (folder, config) = sample();
    let file = folder.path().join("no-such.toml");
    let name = file.to_str().unwrap();
    for args in
        [&["graph", name][..], &["simulate", name], &["check", name], &["replay", "0", name]]
    {
        let told = carom(&config, args);
        let text = String::from_utf8([told.stdout, told.stderr].concat()).unwrap();
        assert_eq!(told.status.code(), Some(1), "{args:?}: {text}");
        let why = format!("the flow {name} can't be read: No such file or directory");
        assert!(text.contains(&why), "{args:?}: {text}");
    }
    let told = Command::new(BIN).args(["simulate", "-c", name]).output().unwrap();
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains(&format!("the configuration {name} can't be read: No such")), "{text}");
    for (args, why) in [
        (&["test", "no.flowtest.toml"][..], "the tests no.flowtest.toml can't be read: No such"),
        (&["test", name], "no-such.toml has no tests: there is no "),
    ] {
        let told = carom(&config, args);
        let text = String::from_utf8(told.stderr).unwrap();
        assert!(told.status.code() == Some(1) && text.contains(why), "{args:?}: {text}");
    }
}

#[test]
fn keys_are_the_same_with_the_sample_as_without_a_configuration() {
    let keys = |config: &Config| {
        let business = &config.businesses[0];
        let file = |key: &SecretRef| match key {
            SecretRef::File(path) => path.file_name().unwrap().to_owned(),
            SecretRef::Env(name) => panic!("{name}"),
        };
        [file(&business.number_key), file(&business.opt_out_key), file(&config.store.aead_key)]
    };
    let (_folder, config) = sample();
    let sample = Config::alone(Some(&config)).unwrap();
    assert_eq!(keys(&Config::alone(None).unwrap()), keys(&sample), "who opted out stays so");
}

#[test]
fn a_country_that_is_none_and_a_target_that_is_the_node_itself_are_told() {
    for (from, to, told) in [
        ("country      = \"GB\"", "country      = \"UK\"", "did you mean `GB`?"),
        ("country      = \"GB\"", "country      = \"gb\"", "did you mean `GB`?"),
        ("country      = \"GB\"", "country      = \"XX\"", "`XX` is no country code"),
        ("sip:pbx@127.0.0.1:5080", "sip:pbx@127.0.0.1:5060", "leads back to this node"),
    ] {
        let (_folder, config) = sample();
        let text = fs::read_to_string(&config).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&config, text.replacen(from, to, 1)).unwrap();
        let checked = carom(&config, &["check"]);
        let out = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(!checked.status.success() && out.contains(told), "{to}: {out}");
    }
}

#[test]
fn a_key_that_the_environment_lacks_is_told_by_the_check_and_not_by_the_start_alone() {
    let (_folder, config) = sample();
    let text = fs::read_to_string(&config).unwrap();
    let key = "\"file:../var/keys/example-number.key\"";
    assert!(text.contains(key));
    fs::write(&config, text.replace(key, "\"env:CAROM_NOT_SET\"")).unwrap();
    let checked = carom(&config, &["check"]);
    let out = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(out.contains("error[E13]") && out.contains("CAROM_NOT_SET"), "{out}");
    assert!(out.contains("set it where `carom` is started"), "{out}");
}

#[test]
fn who_reads_no_further_ends_a_command_without_a_word() {
    let mut schema = Command::new(BIN)
        .args(["schema", "flow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 16];
    schema.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let ended = schema.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[test]
fn a_file_that_is_no_database_keeps_the_node_from_starting_and_is_named() {
    let (folder, config) = sample();
    let file = folder.path().join("var/carom.db");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "this was a database once, or never\n").unwrap();
    let started = carom(&config, &["run"]);
    let told = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(!started.status.success(), "{told}");
    assert!(told.contains("carom.db is no SQLite database"), "{told}");
}

/// The sample configuration in a folder of its own.
fn sample() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let copy = Command::new("cp").arg("-r").arg(from).arg(folder.path()).status().unwrap();
    assert!(copy.success());
    let config = folder.path().join("config/carom.toml");
    (folder, config)
}

fn carom(config: &Path, args: &[&str]) -> Output {
    Command::new(BIN).args(args).arg("-c").arg(config).output().unwrap()
}

//! LP-06: the flows that `carom new flow` writes load, are proved and pass their own tests.

use std::{fs, path::Path, process::Command};

use carom::templates::TEMPLATES;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn lp_06_each_template_loads_without_a_warning_is_proved_and_passes_its_tests() {
    let uses = ["password-reset", "activation", "balance", "bill-question", "orders", "sign-up"];
    assert_eq!(TEMPLATES.map(|template| template.name), uses);
    let folder = tempfile::tempdir().unwrap();
    let config = shipped(folder.path());
    fs::remove_file(folder.path().join("config/flows/main.toml")).unwrap();
    fs::remove_file(folder.path().join("config/flows/main.flowtest.toml")).unwrap();
    for (number, name) in uses.into_iter().enumerate() {
        let number = format!("+44207946001{number}");
        let site = "https://shop.example.net/";
        let args = ["new", "flow", name, "--number", &number, "--site", site];
        let told = carom(&config, &args);
        assert!(told.0, "{}", told.1);
        // Each alone, so that none is helped by another.
        let file = folder.path().join(format!("config/flows/{name}.toml"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("\"{number}\"")) && !text.contains("{{"), "{text}");
        assert!(text.contains("\"https://shop.example.net/"), "{text}");
        let intent = format!("intent = \"{name}\"");
        assert!(text.contains(&intent), "{text}");
        let (good, told) = carom(&config, &["check", "--proof", file.to_str().unwrap()]);
        assert!(good && told.starts_with("0 errors, 0 warnings; 1 flow ("), "{told}");
        assert!(told.contains("begin"), "the proof: {told}");
        assert!(told.contains("no caller is trapped"), "{name}: {told}");
        for fault in ["all=0", "all=1"] {
            let random = ["simulate", "--random", "500", "--fail", fault, file.to_str().unwrap()];
            let (good, told) = carom(&config, &random);
            assert!(good && !told.contains("LOST"), "{name} {fault}: {told}");
        }
    }
    // All together, with their tests; each step is gone through by some.
    let (good, told) = carom(&config, &["check"]);
    assert!(good && told.starts_with("0 errors, 0 warnings; 6 flows"), "{told}");
    let (good, told) = carom(&config, &["test"]);
    assert!(good && told.contains(", 0 failed"), "{told}");
}

#[test]
fn lp_06_a_template_takes_every_call_unless_told_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = shipped(folder.path());
    let file = folder.path().join("orders.toml");
    let path = file.to_str().unwrap();
    let (good, told) =
        carom(&config, &["new", "flow", "orders", "--file", path, "--name", "My \"shop\""]);
    assert!(good && told.contains("it is served from"), "{told}");
    let (good, told) = carom(&config, &["check", path]);
    assert!(good && told.starts_with("0 errors, 0 warnings; 1 flow (My \"shop\")"), "{told}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("default         = true"), "{text}");
    for (args, why) in [
        (&["new", "flow", "orders", "--file", path][..], "is there already"),
        (&["new", "flow", "orders", "--human", "nobody"], "there is no `[target.nobody]`"),
        (&["new", "flow", "orders", "--file", "x.txt"], "it ends in `.toml`"),
        (&["new", "flow", "oders"], "a similar value exists: 'orders'"),
    ] {
        let (good, told) = carom(&config, args);
        assert!(!good && told.contains(why), "{args:?}: {told}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn lp_06_the_tests_of_templates_pass_on_a_german_line_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = shipped(folder.path());
    fs::remove_file(folder.path().join("config/flows/main.toml")).unwrap();
    fs::remove_file(folder.path().join("config/flows/main.flowtest.toml")).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("country      = \"GB\"", "country      = \"DE\"");
    let text = text.replace("regions  = [\"GB\"]", "regions  = [\"DE\"]");
    fs::write(&config, text.replace("countries  ", "# countries")).unwrap();
    for (n, name) in TEMPLATES.iter().map(|template| template.name).enumerate() {
        let (good, told) =
            carom(&config, &["new", "flow", name, "--number", &format!("+49301234560{n}")]);
        assert!(good, "{told}");
    }
    let (good, told) = carom(&config, &["test"]);
    assert!(good && told.contains(", 0 failed"), "{told}");
}

#[test]
fn a_number_that_another_flow_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = shipped(folder.path());
    let new = |name| carom(&config, &["new", "flow", name, "--number", "+442079460015"]);
    assert!(new("orders").0);
    let (good, told) = new("balance");
    assert!(!good && told.contains("+442079460015 is the number of the flow `Orders`"), "{told}");
    assert!(!folder.path().join("config/flows/balance.toml").exists());
}

#[test]
fn of_several_businesses_a_template_is_made_for_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = shipped(folder.path());
    let text = fs::read_to_string(&config).unwrap();
    let other = "\n[business.other]\nname = \"Other\"\nbrand = \"Otherwise\"\n";
    fs::write(&config, format!("{text}{other}")).unwrap();
    let file = folder.path().join("orders.toml");
    let made = |more: &[&str]| {
        carom(
            &config,
            &[&["new", "flow", "orders", "--file", file.to_str().unwrap()], more].concat(),
        )
    };
    let (good, told) = made(&[]);
    assert!(!good && told.contains("`--business`") && told.contains("other"), "{told}");
    let (good, told) = made(&["--business", "nobody"]);
    assert!(!good && told.contains("there is no `[business.nobody]`"), "{told}");
    assert!(!file.exists());
    let (good, told) = made(&["--business", "other"]);
    assert!(good, "{told}");
    let flow = fs::read_to_string(&file).unwrap();
    assert!(flow.contains("\"Otherwise: "), "{flow}");
    let (good, told) = carom(&config, &["check", file.to_str().unwrap()]);
    assert!(good, "{told}");
}

/// A copy of the shipped configuration.
fn shipped(folder: &Path) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    fs::create_dir_all(folder.join("config/flows")).unwrap();
    for name in ["carom.toml", "flows/main.toml", "flows/main.flowtest.toml"] {
        fs::copy(root.join(name), folder.join("config").join(name)).unwrap();
    }
    folder.join("config/carom.toml")
}

/// Whether it went well, and all that was told.
fn carom(config: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(BIN);
    command.args(&args[..args.len().min(1)]);
    if args[0] == "new" {
        command.arg(args[1]).arg("-c").arg(config).args(&args[2..]);
    } else {
        command.arg("-c").arg(config).args(&args[1..]);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), told)
}

//! What `carom check` says of bad files, word for word, and of the smallest example.
//!
//! Each file in `tests/bad` has the mistakes that one table can have.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use carom::config::{CheckReport, check};
use carom_blackbox::{
    Authority, CONFIG, Engine, Place, TlsServer, call,
    web::{Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");
#[test]
fn every_bad_configuration_is_told_what_is_wrong_where_and_how_to_mend_it() {
    let mut seen = 0;
    for file in files("tests/bad") {
        let (snapshot, report) = check(Some(&file), &[]);
        assert!(snapshot.is_none() && report.has_errors(), "{}: {report}", file.display());
        underlined(&report);
        let name = file.file_stem().unwrap().to_str().unwrap();
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, report.to_string());
        });
        seen += 1;
    }
    assert!(seen >= 24, "{seen} files only");
}

#[test]
fn every_bad_flow_is_told_by_its_code_at_its_line() {
    let mut codes = Vec::new();
    let plain = Path::new("tests/fixtures/plain.toml");
    let place = Place::new();
    let confirms = fs::read_to_string(plain).unwrap();
    let confirms =
        confirms.replace("country = \"GB\"", "country = \"GB\"\ncaller_id = \"confirm\"");
    let confirms = place.write("confirms.toml", &confirms);
    let sandbox = fs::read_to_string(plain).unwrap() + "\n[provider.sandbox]\nkind = \"sandbox\"\n";
    let sandbox = place.write("sandbox.toml", &sandbox);
    for file in files("../ivr-runtime/tests/bad") {
        if file.to_string_lossy().contains("_without_fallback") {
            continue; // here is one
        }
        let name = file.file_stem().unwrap().to_str().unwrap();
        let config = match name {
            _ if name.starts_with("W16") => &confirms,
            "W10_senders_and_sources" => &sandbox,
            _ => plain,
        };
        let (snapshot, report) = check(Some(config), std::slice::from_ref(&file));
        let code = name.split('_').next().unwrap().to_owned();
        assert!(report.findings.iter().any(|f| f.code.to_string() == code), "{name}: {report}");
        assert_eq!(snapshot.is_some(), !code.starts_with('E'), "{name}: {report}");
        underlined(&report);
        codes.push(code);
    }
    for code in ["E00", "E01", "E02", "E03", "E04", "E05", "E06", "E07", "E08", "E13", "E15"] {
        assert!(codes.iter().any(|seen| seen == code), "{code}");
    }
}

/// Each finding is shown with its place, its line, the place in it underlined, and help if any.
fn underlined(report: &CheckReport) {
    let text = report.to_string();
    for finding in &report.findings {
        let place = format!("--> {}:{}:{}\n", finding.file, finding.line, finding.column);
        assert!(text.contains(&place), "{place}\n{text}");
        let help = format!("= help: {}", finding.help);
        assert!(finding.help.is_empty() || text.contains(&help), "{text}");
    }
    let marks = |line: &&str| line.trim_start_matches([' ', '|']).starts_with('^');
    assert_eq!(text.lines().filter(marks).count(), report.findings.len(), "{text}");
}

#[test]
fn the_command_prints_the_findings_and_ends_with_status_1() {
    let (_, report) = check(Some(Path::new("tests/bad/trunk.toml")), &[]);
    let told = carom(&["check", "-c", "tests/bad/trunk.toml"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let found = report.errors();
    assert_eq!(text, format!("{report}{found} errors, 0 warnings\n"));

    let told = carom(&["check", "-c", "tests/bad/trunk.toml", "--format", "json"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let lines = String::from_utf8(told.stdout).unwrap();
    for (line, finding) in lines.lines().zip(&report.findings) {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["code"], finding.code.to_string());
        assert_eq!(json["file"], "tests/bad/trunk.toml");
        assert_eq!(json["line"], finding.line);
        assert_eq!(json["column"], finding.column);
        assert_eq!(json["message"], finding.message);
        assert_eq!(json["help"], finding.help);
        assert_eq!(json["severity"], "error");
    }
    assert_eq!(lines.lines().count(), found);
}

#[test]
fn ic_08_a_link_for_another_intent_is_an_error_where_one_wants_it_strict() {
    let flow = "../ivr-runtime/tests/bad/W08_intent.toml";
    let config = ["check", "-c", "tests/fixtures/plain.toml", flow];
    for (strict, status, severity) in [(&[][..], 0, "warning"), (&["--strict"], 1, "error")] {
        let told = carom(&[&config, strict].concat());
        let text = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(status), "{text}");
        assert!(text.contains(&format!("{severity}[W08]: the link `chat` does not")), "{text}");
    }
}

#[test]
fn what_can_be_mended_in_one_way_only_is_mended_and_the_rest_of_the_file_stays() {
    let place = Place::new();
    let bad = MINIMAL
        .replace(
            "numbers = [\"+442079460019\"]",
            "numbers = [\"+442079460019\", \"+442079460019\"]",
        )
        .replace("no_input = \"agents\"", "no_imput = \"agents\"  # in silence")
        .replace("if_fails = \"agents\"", "if_fails = \"agent\"")
        .replace("answered_means = \"human\"", "answered_means = \"humans\"");
    let flow = place.write("flow.toml", &bad);
    let file = flow.to_str().unwrap();
    let told = carom(&["check", file]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert_eq!(fs::read_to_string(&flow).unwrap(), bad, "without --fix nothing is written");

    let told = carom(&["check", "--fix", file]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}");
    for done in [
        "flow.toml:5: took out the second `+442079460019`",
        "mended `humans` to `human`",
        "mended `no_imput` to `no_input`",
        "mended `agent` to `agents`",
        "0 errors, 1 warning",
    ] {
        assert!(text.contains(done), "{done}: {text}");
    }
    let good = MINIMAL.replace("no_input = \"agents\"", "no_input = \"agents\"  # in silence");
    assert_eq!(fs::read_to_string(&flow).unwrap(), good);
}

#[test]
fn what_may_have_been_meant_otherwise_and_what_is_no_toml_is_left_alone() {
    let place = Place::new();
    for bad in [
        // Not TOML, with a misspelt key beside.
        format!("{}no_imput = ", MINIMAL.replace("no_input", "no_imput")),
        // Two targets are as near.
        MINIMAL.replace("\"agents\"", "\"agentz\"").replace(
            "[target.agents]",
            "[target.agents]\nsip = \"sip:a@192.0.2.1\"\n[target.agentx]",
        ),
    ] {
        let flow = place.write("flow.toml", &bad);
        let told = carom(&["check", "--fix", flow.to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert_eq!(fs::read_to_string(&flow).unwrap(), bad);
    }
}

#[test]
fn findings_are_told_to_editors_as_sarif() {
    let files = ["tests/bad/trunk.toml", "tests/bad/target.toml"];
    for file in files {
        let told = carom(&["check", "-c", file, "--format", "sarif"]);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        let log: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        let (_, report) = check(Some(Path::new(file)), &[]);
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), report.findings.len());
        for (result, finding) in results.iter().zip(&report.findings) {
            let code = finding.code.to_string();
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], code);
            assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], code);
            let severity = if code.starts_with('W') { "warning" } else { "error" };
            assert_eq!(result["level"], severity);
            assert!(result["message"]["text"].as_str().unwrap().starts_with(&finding.message));
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], file);
            assert_eq!(place["region"]["startLine"], finding.line);
            assert_eq!(place["region"]["startColumn"], finding.column);
            assert_eq!(result.get("fixes").is_some(), finding.fix.is_some());
        }
    }
}

#[test]
fn the_proof_tells_of_each_step_how_long_it_takes_to_reach_a_person() {
    let told = carom(&["check", "--proof"]);
    assert!(told.status.success(), "{told:?}");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("proof", String::from_utf8(told.stdout).unwrap());
    });
    let told = carom(&["check", "--proof", "--format", "json"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
}

#[test]
fn no_secret_of_a_file_is_shown_whatever_is_wrong_beside_it() {
    let flow = ["tests/bad/secrets/flow.toml"];
    let config = ["-c", "tests/bad/secrets.toml"];
    for files in [&config[..], &flow] {
        for format in ["text", "json", "sarif"] {
            let told = carom(&[&["check", "--format", format], files].concat());
            let text = String::from_utf8(told.stdout).unwrap();
            assert_eq!(told.status.code(), Some(1), "{text}");
            assert!(text.matches("E0").count() + text.matches("E13").count() >= 3, "{text}");
            assert!(!text.contains("hunter"), "{text}");
        }
    }
    let told = carom(&[&["run"], &config[..]].concat());
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains("secret = \"…\"") && !text.contains("hunter"), "{text}");
    // Nor where the file is not even TOML.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    fs::write(&file, "version = 1\n[step.a]\ntoken = \"hunter2\ndo = \"say\"").unwrap();
    let told = carom(&["check", file.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("not TOML") && !text.contains("hunter"), "{text}");
}

#[test]
fn what_is_wrong_is_told_by_run_too_and_nothing_is_served() {
    let told = carom(&["run", "-c", "tests/bad/limits.toml"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains("`calls` is 0; it takes 1 to 1000000"), "{text}");
    assert!(text.contains("--> tests/bad/limits.toml:"), "{text}");
}

#[test]
fn files_that_cannot_be_read_are_told_by_name() {
    let place = Place::new();
    let config = place.write("carom.toml", &carom_blackbox::fill(&place, CONFIG));
    place.write("flows/a-folder.toml/x", "");
    let latin1 = place.folder().join("flows/latin1.toml");
    fs::write(&latin1, b"# caf\xe9\n").unwrap();
    let told = carom(&["check", "-c", config.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("flows/a-folder.toml\n"), "{text}");
    assert!(text.contains("flows/latin1.toml\n") && text.contains("UTF-8"), "{text}");
    let flows = place.folder().join("flows");
    let none = flows.join("carom.toml");
    for (named, missing) in [
        ("no/such/carom.toml", "no/such/carom.toml"),
        (flows.to_str().unwrap(), none.to_str().unwrap()),
    ] {
        let told = carom(&["check", "-c", named]);
        let text = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("--> {missing}\n")), "{text}");
    }
}

#[test]
fn who_gives_a_configuration_for_a_flow_or_a_flow_for_a_configuration_is_told_just_that() {
    let place = Place::new();
    let config = place.write("carom.toml", &carom_blackbox::fill(&place, CONFIG));
    let flow = place.write("flows/one.toml", MINIMAL);
    let (config, flow) = (config.to_str().unwrap(), flow.to_str().unwrap());
    for (args, said) in [
        (&["check", config][..], "this is a configuration, not a flow"),
        (&["check", "-c", flow], "this is a flow, not a configuration"),
        (&["check", "-c", flow, config], "this is a flow, not a configuration"),
    ] {
        let told = carom(args);
        let text = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(1), "{text}");
        assert!(text.contains(said) && text.contains("carom check -c"), "{text}");
        assert!(text.contains("\n1 error, 0 warnings\n"), "{text}");
    }
}

#[test]
fn two_flows_for_one_number_and_missing_prompts_are_told() {
    let place = Place::new();
    let config = place.write("carom.toml", &carom_blackbox::fill(&place, CONFIG));
    place.write("flows/one.toml", MINIMAL);
    place.write("flows/two.toml", &MINIMAL.replace("welcome.wav", "welcom.wav"));
    let three = MINIMAL.replace("[target.agents]", "[target.pbx]");
    place.write("flows/three.toml", &three.replace("agents", "pbx"));
    let told = carom(&["check", "-c", config.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    for what in [
        "there is no prompt `welcom` in en-GB",
        "`[target.pbx]` stands in carom.toml already",
        "did you mean `welcome`?",
    ] {
        assert!(text.contains(what), "{what}: {text}");
    }
    place.write("flows/two.toml", MINIMAL);
    fs::remove_file(place.folder().join("flows/three.toml")).unwrap();
    let told = carom(&["check", "-c", config.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    let what = "the number `+442079460019` and the name `Main line` belong to the flow in";
    assert!(text.contains(what), "{what}: {text}");
}

#[test]
fn lp_04_the_minimal_example_runs_as_printed_with_exactly_one_warning() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, MINIMAL);
    let told = engine.cli(&["check"]);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.contains("warning[W03]"), "{told:?}");
    assert!(told.out.contains("0 errors, 1 warning; 1 flow (Main line), "), "{told:?}");
    let uri = format!("sip:+442079460019@{}", place.engine());
    let heard = call(BIN, &place, &uri, &["--press", "1@1500ms"]);
    assert!(heard.status.success(), "{heard:?}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("deflected"), "{calls:?}");
    let messages = engine.cli(&["messages"]);
    let text = "Example: here is the chat link you asked for: https://help.example.com/chat";
    assert!(messages.out.contains(text), "{messages:?}");
}

#[test]
fn destinations_are_asked_only_where_one_wants_it_and_told_by_w01_and_w12() {
    let place = Place::new();
    let folder = place.folder();
    Authority::called(&place, "ca").issues("leaf", &format!("IP:{}", place.ip(20)), 5);
    let site = SocketAddr::from((place.ip(20), 443));
    let _site = TlsServer::page(&place, site, "leaf", &["-www"]);
    let down = Crm::start(Says::Status(503));
    let bad = fs::read_to_string("tests/bad/online/destinations.toml").unwrap();
    let bad = bad.replace("https://127.0.0.1:1/", &format!("https://{site}/"));
    let bad = bad.replace("http://127.0.0.1:2", &down.url());
    let flow = place.write("destinations.toml", &bad);
    let plain = fs::read_to_string("tests/fixtures/plain.toml").unwrap();
    let config = format!("{plain}\n[http]\npublic_url = \"https://c.example.com\"\n");
    let config = place.write("plain.toml", &config);
    fs::create_dir(folder.join("flows")).unwrap();
    let told = |args: &[&str]| {
        let mut command = Command::new(BIN);
        command.args(["check", "-c"]).arg(&config).args(args).arg(&flow);
        let output = command.env("SSL_CERT_FILE", folder.join("ca.pem")).output().unwrap();
        assert!(output.status.success(), "warnings only: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told(&[]).starts_with("0 errors, 0 warnings"), "nothing is asked: {}", told(&[]));
    assert!(down.asked().is_empty());
    let online = told(&["--online"]);
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(5 * 24)).strftime("%F");
    let online = online
        .replace(&flow.display().to_string(), "flows/destinations.toml")
        .replace(&down.url(), "http://127.0.0.1:2")
        .replace(&format!("https://{site}/"), "https://127.0.0.1:1/")
        .replace(&day.to_string(), "DAY");
    // How long an address is shows in what underlines it.
    let marks = |line: &str| {
        if line.trim_start().starts_with("| ") && line.contains('^') { "" } else { line }.to_owned()
    };
    assert!(online.contains("\n0 errors, 4 warnings; "), "{online}");
    let told = online.lines().take_while(|line| !line.starts_with("0 errors"));
    let online: Vec<String> = told.map(marks).filter(|line| !line.is_empty()).collect();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("W01_W12_online", online.join("\n"));
    });
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn carom(args: &[&str]) -> Output {
    Command::new(BIN).args(args).output().unwrap()
}

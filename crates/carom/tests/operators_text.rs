//! What an operator asks of providers by hand: whether they know us, and a text to a phone of their own.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    process::{Command, Output, Stdio},
    thread,
};

use carom_blackbox::{Database, Engine, FLOW, Place};
use provider_emulator::Emulator;

use crate::senders::emulated;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_provider_that_our_secret_is_wrong_for_says_so_and_nobody_is_texted() {
    let place = Place::new();
    let emulator = Emulator::start(place.ip(20)).unwrap();
    let engine = Engine::start_with(BIN, &place, &emulated(&place, &emulator), FLOW);
    let by_http = ["twilio", "telnyx", "whatsapp-cloud", "bandwidth", "vonage", "plivo"];
    let all = || by_http.map(|name| (name, "EMULATOR_TOKEN")).into_iter();
    for (name, secret) in all().chain([("smpp", "EMULATOR_PASSWORD")]) {
        let right = std::fs::read_to_string(place.folder().join(secret)).unwrap();
        place.write(secret, "wr0ng");
        let told = engine.cli(&["providers", "check", name]);
        assert!(told.out.contains(&format!("{name}: it does not know us: auth")), "{told:?}");
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert!(!(told.out + &told.err).contains("wr0ng"), "a secret is shown");
        place.write(secret, &right);
        let told = engine.cli(&["providers", "check", name]);
        assert!(told.out.contains(&format!("{name}: the credentials are right")), "{told:?}");
        assert_eq!(told.status.code(), Some(0), "{told:?}");
    }
    // Another's account with our secret is as wrong.
    let accounts = [("account = \"key\"", "vonage"), ("username     = \"api\"", "bandwidth")];
    for (line, name) in accounts {
        let other = line.replace("\"key\"", "\"yek\"").replace("\"api\"", "\"ipa\"");
        let before = engine.rewrite(&place, "carom.toml", |text| spaced(text, line, &other));
        let told = engine.cli(&["providers", "check", name]);
        assert!(told.out.contains(&format!("{name}: it does not know us: auth")), "{told:?}");
        place.write("carom.toml", &before);
    }
    // Nobody at home is something else.
    let gone = format!("url     = \"http://{}\"", emulator.at());
    let nobody = format!("url     = \"http://{}:9\"", place.ip(21));
    engine.rewrite(&place, "carom.toml", |text| text.replacen(&gone, &nobody, 1));
    let told = engine.cli(&["providers", "check", "twilio"]);
    assert!(told.out.contains("twilio: it is not reached: "), "{told:?}");
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let database = Database::of(&place);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 0);
}

/// Whoever stands at the public address: a node, somebody else or nobody.
#[test]
fn a_webhook_that_no_node_of_ours_answers_at_is_told_and_the_check_fails() {
    let place = Place::new();
    let emulator = Emulator::start(place.ip(20)).unwrap();
    let config = emulated(&place, &emulator);
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let url = format!("public_url = \"http://{}:8080\"", place.engine());
    let (page, forbidden) = ("HTTP/1.1 200 OK", "HTTP/1.1 403 Forbidden");
    for (address, answer, code) in [
        (
            format!("{}:8080", place.engine()),
            "a node answers there and refuses what is not signed",
            0,
        ),
        (emulator.at().to_string(), "something answers there, but knows no such webhook (404)", 1),
        (answers(place.ip(22), page), "something else answers there (200)", 1),
        // A refusal, but none of ours.
        (answers(place.ip(23), forbidden), "something else answers there (403)", 1),
        (format!("{}:9", place.ip(21)), "nobody answers there, seen from this machine", 1),
    ] {
        let here = format!("public_url = \"http://{address}\"");
        let file = place.folder().join("carom.toml");
        let before = std::fs::read_to_string(&file).unwrap();
        assert!(before.contains(&url), "{before}");
        place.write("carom.toml", &before.replace(&url, &here));
        let told = engine.cli(&["providers", "check", "twilio"]);
        place.write("carom.toml", &before);
        assert!(told.out.contains("twilio: the credentials are right"), "{told:?}");
        let webhook = format!("http://{address}/webhooks/twilio/twilio/status: {answer}\n");
        assert!(told.out.contains(&webhook), "{webhook}: {told:?}");
        assert_eq!(told.status.code(), Some(code), "{answer}: {told:?}");
    }
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM message"), 0);
}

/// Where somebody answers each request by this line and a page.
fn answers(ip: Ipv4Addr, line: &'static str) -> String {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let at = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut read = [0; 4_096];
            let _ = stream.read(&mut read);
            let page = "<html>Sign in</html>";
            let length = page.len();
            let _ = write!(
                stream,
                "{line}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
            );
        }
    });
    at
}

/// A line whose `=` may stand elsewhere.
fn spaced(text: &str, line: &str, other: &str) -> String {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let put =
        |one: &str| if squeezed(one) == squeezed(line) { other.to_owned() } else { one.to_owned() };
    text.lines().map(put).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_text_by_hand_is_sent_to_who_says_yes_at_a_terminal_and_to_nobody_else() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let database = Database::of(&place);
    let sent = || database.number("SELECT COUNT(*) FROM message WHERE state <> 'canceled'");
    let args = "text +447400110001 'Example: only a test' --via sandbox";
    for (answer, code, texts) in
        [("n", 1, 0), ("", 1, 0), ("yess", 1, 0), ("y", 0, 1), ("YES", 1, 1)]
    {
        let told = at_terminal(&engine, args, answer);
        let shown = String::from_utf8_lossy(&told.stdout).into_owned();
        let question = "Send this text to +447400110001 by sandbox? It costs money. [y/N]";
        assert!(shown.contains(question), "{answer}: {told:?}");
        assert_eq!(told.status.code(), Some(code), "{answer}: {told:?}");
        assert_eq!(shown.contains("nothing was sent"), code == 1, "{answer}: {told:?}");
        assert_eq!(sent(), texts, "{answer}");
    }
    // Nobody is there to say it, and a pipe that says yes is nobody.
    let text = ["text", "+447400110001", "Example: only a test", "--via", "sandbox"];
    for said in ["", "y\n"] {
        let told = piped(Command::new(BIN).args(text).arg("-c").arg(engine.config()), said);
        let why = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(why.contains("nobody can be asked here: write --yes"), "{told:?}");
        assert_eq!(told.status.code(), Some(1), "{told:?}");
    }
    assert_eq!(sent(), 1);
}

/// Runs a command at a terminal of its own, where somebody types this line.
fn at_terminal(engine: &Engine, args: &str, answer: &str) -> Output {
    let line = format!("'{BIN}' {args} -c '{}'", engine.config().display());
    piped(Command::new("script").args(["-qec", &line, "/dev/null"]), &format!("{answer}\n"))
}

fn piped(command: &mut Command, said: &str) -> Output {
    let all = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = all.spawn().unwrap();
    // Who reads nothing may be gone.
    let _ = child.stdin.take().unwrap().write_all(said.as_bytes());
    child.wait_with_output().unwrap()
}

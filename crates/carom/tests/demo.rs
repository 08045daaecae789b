//! `carom demo`: three calls with nothing configured, whatever else runs on the machine.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn three_calls_come_out_as_they_should_and_the_demo_ends() {
    let shown = Command::new(BIN).args(["demo", "--once", "--json"]).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    let calls: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls.len(), 3, "{text}");
    let sms = "Example: here is the chat link you asked for: https://help.example.com/chat";
    for (call, (outcome, digits, message)) in calls.iter().zip([
        ("deflected", "1", Some(sms)),
        ("forwarded", "0", None),
        ("apology", "0", None),
    ]) {
        assert_eq!(call["outcome"], outcome, "{text}");
        assert_eq!(call["digits"], digits, "{text}");
        assert_eq!(call["message"].as_str(), message, "{text}");
        assert_eq!(call["call"].as_str().unwrap().len(), 36, "{text}");
        assert_eq!(call.as_object().unwrap().len(), 5, "{text}");
    }
    let ms: u64 = calls.iter().map(|call| call["ms"].as_u64().unwrap()).sum();
    assert!((5_000..60_000).contains(&ms), "{text}");
}

/// Other programs hold the ports that it would like; afterwards it stays to be rung.
#[test]
fn the_demo_finds_other_ports_and_stays_until_it_is_stopped() {
    // Where one cannot be had, another program holds it: just as well.
    let _taken = (
        UdpSocket::bind("127.0.0.1:5060"),
        UdpSocket::bind("127.0.0.1:5080"),
        TcpListener::bind("127.0.0.1:8080"),
    );
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo(
        Command::new(BIN)
            .arg("demo")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut shown = String::new();
    for line in BufReader::new(demo.0.stdout.take().unwrap()).lines() {
        shown += &line.unwrap();
        shown.push('\n');
        if shown.contains("Stop it with Ctrl-C") {
            break;
        }
    }
    assert_eq!(shown.matches(": as it should\n").count(), 3, "{shown}");
    assert!(shown.contains("text received: Example: here is the chat link"), "{shown}");
    let after = |mark: &str| shown.split_once(mark).unwrap().1.split_whitespace().next().unwrap();
    let engine = after("ring sip:100@");
    assert_ne!(engine, "127.0.0.1:5060");

    // The PBX, dead in the third call, is alive again.
    let uri = format!("sip:100@{engine}");
    let call = Command::new(BIN).args(["call", &uri, "--press", "0@200ms"]).output().unwrap();
    let told = String::from_utf8_lossy(&call.stdout);
    assert!(call.status.success() && told.contains("ended by the far end"), "{call:?}");

    let id = demo.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    assert!(demo.0.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

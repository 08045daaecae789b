//! SIPp as carrier and as PBX.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Ear, Place, eventually, eventually_within};

/// SIPp is told to end by itself within a minute.
const SIPP_ENDS: Duration = Duration::from_secs(65);

/// A scenario to run: which file, from where, and how.
#[derive(Debug, Clone)]
pub struct Scenario {
    name: String,
    at: Ipv4Addr,
    args: Vec<String>,
    keys: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
}

/// What the scenarios leave open, unless a test says otherwise.
const KEYS: [(&str, &str); 9] = [
    ("called", "100"),
    ("caller", "+447700900123"),
    ("extra", ""), // further header lines, each after a line end
    ("reason", ""),
    ("codecs", "8"),
    ("direction", "sendrecv"),
    ("hold", "sendonly"),
    ("info_type", "application/dtmf-relay"),
    ("info_body", "Signal=1"),
];

/// A running SIPp. Dropping it kills it.
#[derive(Debug)]
pub struct Run {
    name: String,
    folder: PathBuf,
    child: Child,
}

impl Scenario {
    /// The scenario file `name` of `tests/blackbox/scenarios`, run from port 5060 of `at`.
    #[must_use]
    pub fn new(name: &str, at: Ipv4Addr) -> Self {
        let keys = KEYS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let (args, keys, files) = (Vec::new(), keys.collect(), BTreeMap::new());
        Self { name: name.to_owned(), at, args, keys, files }
            .key("ear_ip", &at.to_string())
            .key("ear_port", "6000")
            .key("hold_ip", &at.to_string())
    }

    /// What stands for `[name]` in the scenario.
    #[must_use]
    pub fn key(mut self, name: &str, value: &str) -> Self {
        self.keys.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file beside the scenario.
    #[must_use]
    pub fn file(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.files.insert(name.to_owned(), bytes);
        self
    }

    /// With one more header line in its INVITE.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        let extra = self.keys.entry("extra".to_owned()).or_default();
        extra.push('\n');
        extra.push_str(line);
        self
    }

    /// Its media are at `ear`.
    #[must_use]
    pub fn ear(self, ear: &Ear) -> Self {
        let (ip, port) = (ear.addr().ip().to_string(), ear.addr().port().to_string());
        self.key("ear_ip", &ip).key("ear_port", &port).key("hold_ip", &ip)
    }

    /// How long its pauses are.
    #[must_use]
    pub fn pause_ms(self, ms: u32) -> Self {
        self.args(&["-d", &ms.to_string()])
    }

    /// Over TCP: one connection.
    #[must_use]
    pub fn tcp(self) -> Self {
        self.args(&["-t", "t1"])
    }

    /// Further arguments of SIPp.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Starts it as a caller towards the engine: one call unless the arguments say otherwise.
    #[must_use]
    pub fn call(self, place: &Place) -> Run {
        let to = format!("{}:5060", place.engine());
        self.args(&["-m", "1", &to]).start(place)
    }

    /// Starts it as so many callers side by side, so many of them a second.
    #[must_use]
    pub fn call_many(self, place: &Place, calls: u32, per_second: u32) -> Run {
        let (to, calls) = (format!("{}:5060", place.engine()), calls.to_string());
        self.args(&["-m", &calls, "-l", &calls, "-r", &per_second.to_string(), &to]).start(place)
    }

    /// Starts it as a callee and waits until it listens.
    #[must_use]
    pub fn listen(self, place: &Place) -> Run {
        let (at, is_tcp) = (self.at, self.args.iter().any(|arg| arg == "t1"));
        let run = self.start(place);
        let table = if is_tcp { "/proc/net/tcp" } else { "/proc/net/udp" };
        // As the kernel writes it: the address in hexadecimal, last octet first.
        let bound = format!("{:08X}:{:04X}", u32::from_le_bytes(at.octets()), 5060);
        eventually("SIPp listens", || {
            std::fs::read_to_string(table).unwrap().contains(&bound).then_some(())
        });
        run
    }

    /// The same for one call.
    #[must_use]
    pub fn listen_once(self, place: &Place) -> Run {
        self.args(&["-m", "1"]).listen(place)
    }

    fn start(self, place: &Place) -> Run {
        let folder = place.folder().join(format!("sipp-{}-{}", self.name, self.at));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("scenario.xml");
        std::fs::write(&file, self.text()).unwrap();
        for (name, bytes) in &self.files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(file)
            .args(["-i", &self.at.to_string(), "-p", "5060", "-nostdin", "-nr"])
            .args(["-mi", &self.at.to_string()])
            .args(["-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", "errors"])
            .args(["-trace_msg", "-message_file", "messages", "-trace_screen"])
            .args(["-screen_file", "screen"])
            .args(&self.args)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Run { name: self.name, folder, child }
    }
}

impl Scenario {
    /// The scenario with its keys filled in. SIPp's own `-key` cannot fill in a status.
    fn text(&self) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut text = std::fs::read_to_string(folder.join(format!("{}.xml", self.name))).unwrap();
        for (key, value) in &self.keys {
            text = text.replace(&format!("[{key}]"), value);
        }
        text
    }
}

impl Run {
    /// Waits for its end; every call must have gone by the scenario.
    pub fn succeeds(mut self) -> String {
        let status = eventually_within(SIPP_ENDS, "SIPp's end", || self.child.try_wait().unwrap());
        let errors = std::fs::read_to_string(self.folder.join("errors")).unwrap_or_default();
        let messages = self.messages();
        assert!(status.success(), "{}: {status}\n{errors}\n{messages}", self.name);
        messages
    }

    /// Every message that it sent and received so far, as text.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.folder.join("messages")).unwrap_or_default()
    }

    /// Waits until its messages contain `text`.
    pub fn saw(&self, text: &str) {
        eventually_within(SIPP_ENDS, text, || self.messages().contains(text).then_some(()));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("messages of {}:\n{}", self.name, self.messages());
        }
    }
}

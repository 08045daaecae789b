//! The binary, run as a user would.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{Place, eventually, eventually_within, web};

/// `config/carom.toml` of most tests; `{engine}`, `{pbx}`, `{carrier}` are filled in.
pub const CONFIG: &str = include_str!("carom.toml");
/// The flow of most tests.
pub const FLOW: &str = include_str!("flow.toml");
/// A flow whose key 1 hangs up.
pub const KEYS: &str = include_str!("keys.toml");
/// A flow that plays nothing: the call is unanswered until its target answers.
pub const FORWARD: &str = include_str!("forward.toml");

/// What is logged where nothing is kept back: the libraries that are quiet are named.
const ALL: &str = "trace,sqlx=trace,hyper=trace,h2=trace,reqwest=trace,rustls=trace,tower=trace";

/// A running node. Dropping it kills it.
#[derive(Debug)]
pub struct Engine {
    bin: PathBuf,
    config: PathBuf,
    log: PathBuf,
    format: &'static str,
    /// What is logged; `None`: what is logged unless told otherwise.
    level: Option<&'static str>,
    child: Child,
}

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The only authority that the engine's machine trusts, if it stands in the place's folder.
pub const TRUSTED: &str = "trusted.pem";

impl Engine {
    /// Starts the binary `bin` with the usual configuration and flow.
    pub fn start(bin: &str, place: &Place) -> Self {
        Self::start_with(bin, place, CONFIG, FLOW)
    }

    /// Starts it with the flow that only forwards, to the PBX and then to nobody.
    pub fn forwarding(bin: &str, place: &Place) -> Self {
        let nobody = place.nobody().to_string();
        Self::start_with(bin, place, &CONFIG.replace("{pbx}", &nobody), FORWARD)
    }

    /// Starts it with a configuration and a flow, places filled in.
    pub fn start_with(bin: &str, place: &Place, config: &str, flow: &str) -> Self {
        Self::logging(bin, place, config, flow, "json")
    }

    /// The same with a `--log-format`.
    pub fn logging(
        bin: &str,
        place: &Place,
        config: &str,
        flow: &str,
        format: &'static str,
    ) -> Self {
        place.write("flows/main.toml", &fill(place, flow));
        let config = place.write("carom.toml", &fill(place, config));
        Self::run(bin.into(), config, place.folder().join("log"), (format, None))
    }

    /// Starts it with all its parts logging all they can.
    pub fn tracing(bin: &str, place: &Place, config: &str, flow: &str) -> Self {
        place.write("flows/main.toml", &fill(place, flow));
        let config = place.write("carom.toml", &fill(place, config));
        Self::run(bin.into(), config, place.folder().join("log"), ("json", Some(ALL)))
    }

    fn run(
        bin: PathBuf,
        config: PathBuf,
        log: PathBuf,
        (format, level): (&'static str, Option<&'static str>),
    ) -> Self {
        let out = File::options().create(true).append(true).open(&log).unwrap();
        let read = out.metadata().unwrap().len();
        let trusted = config.with_file_name(TRUSTED);
        // A write beyond the limit on files then fails, as on a full disk, and does not kill.
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(&bin)
            .args(["run", "--log-format", format, "-c"])
            .arg(&config)
            .current_dir(config.parent().unwrap())
            .envs(level.map(|level| ("CAROM_LOG", level)))
            .envs(trusted.exists().then_some(("SSL_CERT_FILE", &trusted)))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut engine = Self { bin, config, log, format, level, child };
        eventually("the engine listens", || {
            if let Some(status) = engine.child.try_wait().unwrap() {
                panic!("the engine ended, {status}:\n{}", engine.log());
            }
            let skip = usize::try_from(read).unwrap();
            engine.log().get(skip..).is_some_and(|new| new.contains("metrics on")).then_some(())
        });
        engine
    }

    /// Starts it again by the same files, after [`kill`](Self::kill) or its end.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let (bin, config, log) = (self.bin.clone(), self.config.clone(), self.log.clone());
        *self = Self::run(bin, config, log, (self.format, self.level));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// From now on nothing can be written to files: the disk is full.
    pub fn fill_disk(&self) {
        let pid = format!("--pid={}", self.child.id());
        let done = Command::new("prlimit").args([&pid, "--fsize=1"]).status().unwrap();
        assert!(done.success());
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How often its memory holds these bytes, where it can be written to.
    #[must_use]
    pub fn remembers(&self, bytes: &[u8]) -> usize {
        let process = PathBuf::from(format!("/proc/{}", self.id()));
        let maps = std::fs::read_to_string(process.join("maps")).unwrap();
        let memory = File::open(process.join("mem")).unwrap();
        let written = maps.lines().filter(|map| map.contains(" rw"));
        let hits = written.map(|map| {
            let (from, to) = map.split(' ').next().unwrap().split_once('-').unwrap();
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut all = vec![0; usize::try_from(to - from).unwrap()];
            // One that is gone by now, or no memory, holds nothing.
            match memory.read_exact_at(&mut all, from) {
                Ok(()) => all.windows(bytes.len()).filter(|piece| *piece == bytes).count(),
                Err(_) => 0,
            }
        });
        hits.sum()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the engine's end", || self.child.try_wait().unwrap())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Runs a subcommand that takes `-c`, e.g. `["calls", "--json"]`.
    #[must_use]
    pub fn cli(&self, args: &[&str]) -> Answer {
        let mut command = Command::new(&self.bin);
        command.args(args).arg("-c").arg(&self.config);
        answer(&command.output().unwrap())
    }

    /// Changes one of its files, for a reload; returns what stood there.
    pub fn rewrite(
        &self,
        place: &Place,
        name: &str,
        change: impl FnOnce(&str) -> String,
    ) -> String {
        let before = std::fs::read_to_string(place.folder().join(name)).unwrap();
        let after = change(&before);
        assert_ne!(after, before, "the change hits nothing");
        place.write(name, &after);
        before
    }

    /// Gauges and figures of the running node.
    #[must_use]
    pub fn status(&self) -> Value {
        let told = self.cli(&["status"]);
        serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"))
    }

    /// Running and ended calls, the newest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        let told = self.cli(&["calls", "--json"]);
        serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"))
    }

    /// The time line of the newest call.
    #[must_use]
    pub fn time_line(&self) -> String {
        let id = self.calls()[0]["call"].as_str().unwrap().to_owned();
        self.cli(&["calls", &id]).out
    }

    /// Waits until no call, leg or media session is left.
    pub fn idle(&self) {
        self.count_down("no call is left", &["calls", "sessions"], 20);
    }

    /// Waits until nothing is left, the legs and transactions that outlive their call by 32 s included.
    pub fn empty(&self) {
        self.count_down("nothing is left", &["calls", "legs", "sessions", "transactions"], 40);
    }

    fn count_down(&self, what: &str, gauges: &[&str], seconds: u64) {
        eventually_within(Duration::from_secs(seconds), what, || {
            let status = self.status();
            gauges.iter().all(|gauge| status["gauges"][gauge] == 0).then_some(())
        });
    }

    /// One metric of `/metrics`, `name` with its labels; 0 when it is not there.
    #[must_use]
    pub fn metric(&self, place: &Place, name: &str) -> f64 {
        let page = get(place, "/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// The binary's path.
    #[must_use]
    pub fn bin(&self) -> &std::path::Path {
        &self.bin
    }

    /// The configuration's path.
    #[must_use]
    pub fn config(&self) -> &std::path::Path {
        &self.config
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", self.log());
        }
    }
}

/// Fills addresses into a configuration or flow.
#[must_use]
pub fn fill(place: &Place, text: &str) -> String {
    text.replace("{engine}", &place.engine().to_string())
        .replace("{pbx}", &place.pbx().to_string())
        .replace("{carrier}", &place.carrier().to_string())
        .replace("{folder}", &place.folder().to_string_lossy())
}

/// Runs `carom call` from the carrier's address, and waits for its end.
#[must_use]
pub fn call(bin: &str, place: &Place, uri: &str, args: &[&str]) -> Answer {
    let mut command = Command::new(bin);
    command.args(["call", uri, "--bind", &place.carrier().to_string(), "--json"]).args(args);
    answer(&command.output().unwrap())
}

/// The body of a page of the engine.
#[must_use]
pub fn get(place: &Place, path: &str) -> String {
    web::ask(place, "GET", path, "", "")
}

fn answer(output: &Output) -> Answer {
    Answer {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

//! The engine under test: the released program with a configuration of its own, on a core of its
//! own.

mod account;
mod prompt;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

pub use account::Account;

/// The number whose flow plays a menu; any other does too.
pub const MENU: &str = "+442079460001";
/// The number whose flow goes straight to the PBX.
pub const STRAIGHT: &str = "+442079460002";
/// The number whose flow offers a text.
pub const TEXT: &str = "+442079460003";
/// Where nobody listens.
pub const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
/// Whoever knows it may ask for texts and read all.
pub const API_TOKEN: &str = "token-of-the-bench";

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// What an engine is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program.
    pub carom: PathBuf,
    /// The cores that its threads are bound to.
    pub cores: Vec<usize>,
    /// The cores to go back to after it was started.
    pub own_cores: Vec<usize>,
    /// `[limits] calls`.
    pub calls: u32,
    /// `[limits] new_calls_per_second`.
    pub per_second: u32,
    /// Leave its folder when it has stopped.
    pub keep: bool,
    /// Where the provider of texts is; `None`: nothing listens there.
    pub provider: Option<SocketAddr>,
    /// A database of several engines; `None`: a file of its own.
    pub database: Option<Database>,
}

/// The file with the key of a database, in an engine's folder.
const KEY: &str = "store.key";

/// What engines share.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its address.
    pub url: String,
    /// A copy of their key, once the first engine has made it. Each has a folder of its own for it,
    /// and with it a name of its own.
    pub key: PathBuf,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    folder: Option<TempDir>,
    config: PathBuf,
    carom: PathBuf,
    sip: SocketAddr,
    http: SocketAddr,
    keep: bool,
}

impl Engine {
    /// Starts an engine that forwards to the PBX at `pbx`, and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or does not become ready.
    pub fn start(setup: &Setup, pbx: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("carom-bench-").tempdir()?;
        let sip = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = write_files(folder.path(), setup, pbx, sip, http)?;
        let log = File::create(folder.path().join("log"))?;
        super::cores::move_to(&setup.cores).context("the engine's cores")?;
        let child = Command::new(&setup.carom)
            .arg("run")
            .arg("-c")
            .arg(&config)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        super::cores::move_to(&setup.own_cores).context("the generator's cores")?;
        let child = child.with_context(|| {
            format!("{}: build it with `cargo build --release -p carom`", setup.carom.display())
        })?;
        let (carom, keep) = (setup.carom.clone(), setup.keep);
        let made = folder.path().join(KEY);
        let mut engine = Self { child, folder: Some(folder), config, carom, sip, http, keep };
        engine.wait_until_ready()?;
        if let Some(Database { key, .. }) = setup.database.as_ref().filter(|it| !it.key.exists()) {
            fs::copy(made, key)?;
        }
        Ok(engine)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let give_up = Instant::now() + START;
        while Instant::now() < give_up {
            if self.get("/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the engine ended at once, {status}:\n{}", self.log());
            }
            std::thread::sleep(POLL);
        }
        bail!("the engine is not ready after {} s:\n{}", START.as_secs(), self.log())
    }

    /// Where it takes calls.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Where its HTTP side listens.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn account(&self) -> anyhow::Result<Account> {
        Account::of(self.child.id()).context("the engine is gone")
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its metrics, by name and labels as printed.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let page = self.get("/metrics")?;
        let lines = page.lines().filter(|line| line.starts_with("carom_"));
        let pairs = lines.filter_map(|line| line.rsplit_once(' '));
        Ok(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// What `carom status` prints.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&self) -> anyhow::Result<serde_json::Value> {
        let output =
            Command::new(&self.carom).arg("status").arg("-c").arg(&self.config).output()?;
        if !output.status.success() {
            bail!("carom status: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Writes so many more flows and prompts of two seconds, which a reload then reads; each flow
    /// plays its share of the prompts.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn add_files(&self, flows: usize, prompts: usize) -> anyhow::Result<()> {
        let folder = self.config.parent().context("no folder")?;
        for n in 0..prompts {
            write_tone(folder, n, 0)?;
        }
        for n in 0..flows {
            write_flow(folder, n, (flows, prompts), 0)?;
        }
        Ok(())
    }

    /// Changes every one of those flows, and one in ten of those prompts; `round` begins with 1.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn change_files(&self, flows: usize, prompts: usize, round: u32) -> anyhow::Result<()> {
        let folder = self.config.parent().context("no folder")?;
        for n in (round as usize % 10..prompts).step_by(10) {
            write_tone(folder, n, round)?;
        }
        for n in 0..flows {
            write_flow(folder, n, (flows, prompts), round)?;
        }
        Ok(())
    }

    /// Starts `carom reload`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn reload(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.carom);
        command.arg("reload").arg("-c").arg(&self.config).stdout(Stdio::null());
        Ok(command.spawn()?)
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn log(&self) -> String {
        let folder = self.folder.as_ref().map(TempDir::path);
        folder.and_then(|path| fs::read_to_string(path.join("log")).ok()).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let give_up = Instant::now() + STOP;
        while Instant::now() < give_up && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = self.folder.take().filter(|_| self.keep) {
            eprintln!("the engine's folder: {}", folder.keep().display());
        }
    }
}

fn write_tone(folder: &Path, n: usize, round: u32) -> anyhow::Result<()> {
    let tone = prompt::tone(300.0 + n as f32 + round as f32 / 7.0, 2);
    Ok(fs::write(folder.join(format!("prompts/en-GB/more-{n}.wav")), tone)?)
}

fn write_flow(
    folder: &Path,
    n: usize,
    (flows, prompts): (usize, usize),
    round: u32,
) -> anyhow::Result<()> {
    let mut own: Vec<_> =
        (n..prompts).step_by(flows).map(|n| format!("\"more-{n}.wav\"")).collect();
    let first = round as usize % own.len().max(1);
    own.rotate_left(first);
    let flow = include_str!("menu.toml")
        .replace("default        = true", &format!("numbers = [\"+442079470{n:03}\"]"))
        .replace("\"Menu\"", &format!("\"More {n}\""))
        .replace("\"first.wav\"", &format!("[{}]", own.join(", ")));
    // As editors do: a reload never reads half a file.
    let (file, part) = (format!("flows/more-{n}.toml"), format!("flows/more-{n}.part"));
    fs::write(folder.join(&part), format!("# Round {round}.\n{flow}"))?;
    Ok(fs::rename(folder.join(part), folder.join(file))?)
}

fn write_files(
    folder: &Path,
    setup: &Setup,
    pbx: SocketAddr,
    sip: SocketAddr,
    http: SocketAddr,
) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder.join("flows"))?;
    fs::write(folder.join("flows/menu.toml"), include_str!("menu.toml"))?;
    fs::write(folder.join("flows/straight.toml"), include_str!("straight.toml"))?;
    fs::write(folder.join("flows/text.toml"), include_str!("text.toml"))?;
    fs::write(folder.join("provider.token"), crate::provider::TOKEN)?;
    fs::write(folder.join("api.token"), API_TOKEN)?;
    // Nodes of one database know its numbers and its opt-outs by the same keys.
    for (key, digit) in [("number.key", "1"), ("opt-out.key", "2")] {
        fs::write(folder.join(key), digit.repeat(64))?;
    }
    let prompts = folder.join("prompts/en-GB");
    fs::create_dir_all(&prompts)?;
    fs::write(prompts.join("first.wav"), prompt::tone(440.0, prompt::LONG_SECONDS))?;
    fs::write(prompts.join("second.wav"), prompt::tone(660.0, prompt::LONG_SECONDS))?;
    let config = folder.join("carom.toml");
    let mut store = String::new();
    if let Some(Database { url, key }) = &setup.database {
        store = format!("\n[store]\nurl = \"{url}\"\naead_key = \"file:{KEY}\"\n");
        if key.exists() {
            fs::copy(key, folder.join(KEY))?;
        }
    }
    let text = include_str!("carom.toml")
        .replace("{account}", crate::provider::ACCOUNT)
        .replace("{provider}", &setup.provider.unwrap_or(NOBODY).to_string())
        .replace("{sip}", &sip.to_string())
        .replace("{pbx}", &pbx.to_string())
        .replace("{http}", &http.to_string())
        .replace("{calls}", &setup.calls.to_string())
        .replace("{per_second}", &setup.per_second.to_string());
    fs::write(&config, text + &store)?;
    Ok(config)
}

//! The engine under test: its own process, pinned to a core, watched through `/proc`.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Where the engine listens.
pub const ENGINE: Ipv4Addr = Ipv4Addr::new(127, 10, 0, 1);
/// Where its PBX listens.
pub const PBX: Ipv4Addr = Ipv4Addr::new(127, 10, 0, 2);
/// Where its carrier is.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 10, 0, 4);

/// A running engine. Dropping it ends it.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    folder: tempfile::TempDir,
}

impl Engine {
    /// Starts `binary` with the bench's configuration, on core `core`, and waits until it serves.
    ///
    /// # Errors
    /// It does not start; its log is part of the error.
    pub fn start(binary: &Path, core: usize) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("carom-bench-").tempdir()?;
        let at = folder.path();
        fs::create_dir_all(at.join("flows"))?;
        fs::create_dir_all(at.join("prompts/en-GB"))?;
        let fill = |text: &str| {
            text.replace("{engine}", &ENGINE.to_string())
                .replace("{pbx}", &PBX.to_string())
                .replace("{carrier}", &CARRIER.to_string())
        };
        fs::write(at.join("carom.toml"), fill(include_str!("carom.toml")))?;
        fs::write(at.join("flows/bench.toml"), fill(include_str!("flow.toml")))?;
        fs::write(at.join("prompts/en-GB/tone.wav"), tone(20))?;
        fs::write(at.join("prompts/en-GB/tone.txt"), "(a tone)\n")?;
        let log = fs::File::create(at.join("log"))?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(binary)
            .args(["run", "-c", "carom.toml"])
            .env("CAROM_LOG", "warn")
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut engine = Self { child, folder };
        for _ in 0..200 {
            if TcpStream::connect((ENGINE, 8080)).is_ok() {
                return Ok(engine);
            }
            if engine.child.try_wait()?.is_some() {
                break;
            }
            pause(Duration::from_millis(50));
        }
        let log = fs::read_to_string(engine.folder.path().join("log"))?;
        Err(io::Error::other(format!("the engine does not start:\n{log}")))
    }

    /// CPU time of all its threads so far, in seconds.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_seconds(&self) -> io::Result<f64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(nanos as f64 / 1e9)
    }

    /// CPU seconds by thread name.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_by_thread(&self) -> io::Result<Vec<(String, f64)>> {
        let mut threads = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = task?.path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            let stat = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            let nanos = stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            threads.push((name.trim().to_owned(), nanos as f64 / 1e9));
        }
        Ok(threads)
    }

    /// Its proportional set size, in KiB.
    ///
    /// # Errors
    /// It is gone.
    pub fn pss_kib(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        kib.ok_or_else(|| io::Error::other("no Pss in smaps_rollup"))
    }

    /// One of its metrics, all label sets added up.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metric(&self, name: &str) -> io::Result<f64> {
        let mut stream = TcpStream::connect((ENGINE, 8080))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let of = page.lines().filter_map(|line| line.strip_prefix(name));
        let values = of.filter(|rest| rest.starts_with([' ', '{']));
        Ok(values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// What it complained of.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets the engine work.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures by the clock")]
pub fn pause(time: Duration) {
    sleep(time);
}

/// A WAV file of `seconds` of 500 Hz: loud from its first sample, so that its start is seen.
fn tone(seconds: u32) -> Vec<u8> {
    let samples = (0..seconds * 8_000).map(|n| {
        let phase = f64::from(n) * 500.0 / 8_000.0 * std::f64::consts::TAU;
        (phase.cos() * 8_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = data.len() as u32;
    let mut wav = Vec::with_capacity(44 + data.len());
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + size).to_le_bytes());
    wav.extend_from_slice(
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data",
    );
    wav.extend_from_slice(&size.to_le_bytes());
    wav.extend_from_slice(&data);
    wav
}

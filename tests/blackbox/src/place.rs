//! Where a test takes place.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

/// A folder and a network of 62 addresses that are the test's own.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    net: u32,
}

impl Place {
    /// Of each process at most four.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        static MADE: AtomicU8 = AtomicU8::new(0);
        let made = u32::from(MADE.fetch_add(1, Ordering::Relaxed));
        assert!(made < 4, "a test has at most four places");
        // nextest runs each test in a process, whose id no other has meanwhile.
        let slot = (std::process::id() & 0xffff) << 2 | made;
        let net = u32::from(Ipv4Addr::new(127, 0, 0, 0)) | (slot << 6);
        // The lowest ones are those of everybody else.
        let net = if slot < 0x400 { net | (1 << 23) } else { net };
        let folder = tempfile::Builder::new().prefix("carom-test-").tempdir().unwrap();
        Self { folder, net }
    }

    /// Address `host` of 1 to 62.
    #[must_use]
    pub fn ip(&self, host: u8) -> Ipv4Addr {
        assert!((1..=62).contains(&host));
        Ipv4Addr::from(self.net | u32::from(host))
    }

    /// The engine's.
    #[must_use]
    pub fn engine(&self) -> Ipv4Addr {
        self.ip(1)
    }

    /// The PBX's.
    #[must_use]
    pub fn pbx(&self) -> Ipv4Addr {
        self.ip(2)
    }

    /// The carrier's; its trunk's network is this address and the next.
    #[must_use]
    pub fn carrier(&self) -> Ipv4Addr {
        self.ip(4)
    }

    /// Where nobody listens.
    #[must_use]
    pub fn nobody(&self) -> Ipv4Addr {
        self.ip(3)
    }

    /// Somebody whom no trunk knows.
    #[must_use]
    pub fn stranger(&self) -> Ipv4Addr {
        self.ip(9)
    }

    /// The folder; gone with the place.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a prompt `beep.wav` of a quarter of a second beside the configuration, for tests in
    /// which nobody listens.
    pub fn beep(&self) {
        let folder = self.folder().join("prompts/en-GB");
        std::fs::create_dir_all(&folder).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(folder.join("beep.wav"), spec).unwrap();
        for n in 0..2_000 {
            let wave = (f64::from(n) * std::f64::consts::TAU / 20.0).sin();
            wav.write_sample((wave * 6_000.0) as i16).unwrap();
        }
        wav.finalize().unwrap();
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Waits until `look` finds something, 20 s at most.
///
/// # Panics
/// It never did.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(Duration::from_secs(20), what, look)
}

/// Waits until `look` finds something.
///
/// # Panics
/// It did not within `most`.
#[expect(clippy::disallowed_methods, reason = "waiting for another process is polling")]
pub fn eventually_within<T>(most: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < most, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets a call go on for a while: media takes the time it takes.
#[expect(clippy::disallowed_methods, reason = "the other processes run by the real clock")]
pub fn go_on_for(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

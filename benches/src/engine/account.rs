//! What a process has used, by the kernel's account.

use std::{collections::BTreeMap, fs, io, time::Duration};

/// CPU time and memory of a process at one moment.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// User and system time of all its threads, ended ones too (`/proc/PID/stat`).
    pub cpu: Duration,
    /// The same of each kind of running thread (`/proc/PID/task/*/schedstat`), numbers at the end
    /// of names left out.
    pub threads: BTreeMap<String, Duration>,
    /// Times a thread gave up the core to wait.
    pub waits: u64,
    /// Proportional set size, KiB (`/proc/PID/smaps_rollup`).
    pub pss_kib: u64,
}

impl Account {
    /// Reads the account of `pid`.
    ///
    /// # Errors
    /// There is no such process, or it is not ours.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut account = Self { cpu: cpu(pid)?, pss_kib: pss_kib(pid)?, ..Self::default() };
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path();
            // A thread may have ended since.
            let Ok(name) = fs::read_to_string(path.join("comm")) else { continue };
            let Ok(times) = fs::read_to_string(path.join("schedstat")) else { continue };
            let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
            let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            let nanos = times.split(' ').next().and_then(|text| text.parse().ok());
            *account.threads.entry(name.to_owned()).or_default() +=
                Duration::from_nanos(nanos.unwrap_or(0));
            account.waits += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(account)
    }

    /// What was used since `earlier`; memory as it is now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let threads = self.threads.iter().map(|(name, time)| {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            (name.clone(), time.saturating_sub(before))
        });
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            threads: threads.filter(|(_, time)| !time.is_zero()).collect(),
            waits: self.waits.saturating_sub(earlier.waits),
            pss_kib: self.pss_kib,
        }
    }
}

fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; times are the 12th and 13th behind it.
    let times = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        times.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn pss_kib(pid: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    field(&rollup, "Pss:").ok_or_else(|| io::Error::other("no Pss in smaps_rollup"))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

//! A PostgreSQL server of one test, which it may stop, start and freeze.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use crate::{Place, eventually};

/// A server; dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    host: String,
}

impl Cluster {
    /// Makes one in the place's folder, and starts it.
    ///
    /// # Panics
    /// PostgreSQL is not installed.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
        let mut bins: Vec<_> = versions.map(|v| v.unwrap().path().join("bin")).collect();
        bins.sort();
        let folder = place.folder().join("cluster");
        fs::create_dir(&folder).unwrap();
        let cluster = Self { bin: bins.pop().unwrap(), folder, host: place.ip(22).to_string() };
        if root() {
            // The server refuses to run as root, and its user must reach its folder.
            let folders = [place.folder(), &cluster.folder];
            assert!(run(Command::new("chmod").arg("a+x").args(folders)).status.success());
            assert!(
                run(Command::new("chown").arg("postgres").arg(&cluster.folder)).status.success()
            );
        }
        cluster.does("initdb", &["-U", "carom", "-A", "trust", "--no-sync"]);
        cluster.up();
        cluster
    }

    /// As `[store]` names its database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://carom@{}/postgres", self.host)
    }

    /// Starts it, again.
    pub fn up(&self) {
        let log = self.folder.join("log").display().to_string();
        let options = format!("-h {} -k '' -c fsync=off", self.host);
        self.does("pg_ctl", &["-w", "-l", &log, "-o", &options, "start"]);
    }

    /// Stops it at once; connections break.
    pub fn down(&self) {
        self.does("pg_ctl", &["-m", "immediate", "stop"]);
    }

    /// Its files: tables, what is written ahead of them, and its log.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut open, mut files) = (vec![self.folder.clone()], Vec::new());
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// From now on it says nothing; its kernel still takes what is sent.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let children = run(Command::new("pgrep").args(["-P", pid]));
        let children = String::from_utf8(children.stdout).unwrap();
        let signal = |pid| run(Command::new("kill").args(["-s", name, pid])).status.success();
        // A child may have ended since it was listed.
        children.lines().for_each(|child| {
            signal(child);
        });
        assert!(signal(pid), "no server {pid}");
    }

    fn does(&self, program: &str, args: &[&str]) {
        let mut command = match root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(self.bin.join(program));
                command
            }
            false => Command::new(self.bin.join(program)),
        };
        command.arg("-D").arg(self.folder.join("data")).args(args);
        // Its output is the server's, too, which stays.
        let told = fs::File::create(self.folder.join(format!("{program}.out"))).unwrap();
        command.current_dir("/").stdout(told.try_clone().unwrap()).stderr(told);
        let status = command.status().unwrap();
        assert!(status.success(), "{command:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid_file = self.folder.join("data/postmaster.pid");
        if pid_file.exists() {
            self.thaw();
            self.down();
            eventually("the server's end", || (!pid_file.exists()).then_some(()));
        }
    }
}

fn root() -> bool {
    String::from_utf8(run(Command::new("id").arg("-u")).stdout).unwrap().trim() == "0"
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

//! OpenSSL as the peers of SIP over TLS: an authority, a client, a server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    iter,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{Place, eventually};

/// An answer comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// Days for which nobody is told that a certificate ends.
const LASTING: i32 = 90;
/// A listener of TLS beside those of [`CONFIG`](crate::CONFIG), by files of an [`Authority`].
pub const TLS_LISTENER: &str = "[[listener]]\n\
    transport = \"tls\"\nbind = \"{engine}:5061\"\n\
    cert = \"file:carom.pem\"\nkey = \"file:carom.key\"\nca = \"ca.pem\"\n";

/// An authority, with its files in a place's folder; `ca.pem` is its certificate.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    name: &'static str,
}

impl Authority {
    /// The one that [`TLS_LISTENER`] trusts, with `carom.pem` and `carom.key` of the engine.
    #[must_use]
    pub fn new(place: &Place) -> Self {
        let authority = Self::called(place, "ca");
        authority.issues("carom", &format!("IP:{}", place.engine()), LASTING);
        authority
    }

    /// Another one.
    #[must_use]
    pub fn called(place: &Place, name: &'static str) -> Self {
        let folder = place.folder().to_owned();
        let authority = Self { folder, name };
        let subject = name.replace('/', "-");
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days {LASTING} \
             -subj /CN={subject} -keyout {name}.key -out {name}.pem"
        ));
        authority
    }

    /// Makes `name.pem` and `name.key`, a certificate for such names (`DNS:…`, `IP:…`) that ends
    /// after so many days; and `name.all.pem`, both in one file.
    pub fn issues(&self, name: &str, names: &str, days: i32) {
        std::fs::write(self.folder.join("leaf.cnf"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ));
        let by = self.name;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days {days} \
             -extfile leaf.cnf -out {name}.pem"
        ));
        let parts = [".pem", ".key"]
            .map(|end| std::fs::read_to_string(self.folder.join(name.to_owned() + end)).unwrap());
        std::fs::write(self.folder.join(format!("{name}.all.pem")), parts.concat()).unwrap();
    }

    fn openssl(&self, command: &str) {
        let args = command.split_whitespace();
        let done = Command::new("openssl").args(args).current_dir(&self.folder).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

/// Makes `tls/fullchain.pem` and `tls/key.pem` in a place's folder, for a listener that nobody looks at
/// closely.
pub fn certify(place: &Place) {
    std::fs::create_dir_all(place.folder().join("tls")).unwrap();
    let _ = Authority::called(place, "tls/fullchain");
    let at = |name: &str| place.folder().join("tls").join(name);
    std::fs::rename(at("fullchain.key"), at("key.pem")).unwrap();
}

/// `openssl s_client` at the engine's TLS port, which it knows by [`Authority::new`].
#[derive(Debug)]
pub struct TlsClient {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    at: Ipv4Addr,
}

impl TlsClient {
    /// From `ip`.
    ///
    /// # Panics
    /// The engine has not proved to be itself.
    #[must_use]
    pub fn at(place: &Place, ip: Ipv4Addr) -> Self {
        let engine = place.engine();
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-CAfile", "ca.pem"])
            .args(["-connect", &format!("{engine}:5061"), "-verify_ip", &engine.to_string()])
            .args(["-bind", &format!("{ip}:0")])
            .current_dir(place.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: lines_of(stdout), at: ip }
    }

    /// Sends text as it is.
    pub fn send(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).unwrap();
        self.stdin.flush().unwrap();
    }

    /// The first line of the next message.
    ///
    /// # Panics
    /// None came.
    #[must_use]
    pub fn receive(&self) -> String {
        let message = self.lines.recv_timeout(PATIENCE).expect("a message of the engine");
        while self.lines.recv_timeout(PATIENCE).is_ok_and(|line| !line.is_empty()) {}
        message
    }

    /// The head of the next message that begins so; those before it are gone.
    ///
    /// # Panics
    /// None came.
    #[must_use]
    pub fn find(&self, start: &str) -> String {
        head(&self.lines, start)
    }

    /// Asks by OPTIONS whether the engine is there.
    ///
    /// # Panics
    /// It does not say so.
    pub fn is_served(&mut self, place: &Place) {
        let ask = crate::Ask::new(place, "OPTIONS").text(self.at);
        self.send(&ask.replace("SIP/2.0/UDP", "SIP/2.0/TLS"));
        assert_eq!(self.receive(), "SIP/2.0 200 OK");
    }

    /// Whether the engine has hung up, or never shaken hands.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for TlsClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The subject of the certificate that the engine shows.
#[must_use]
pub fn certificate_of(place: &Place) -> String {
    let engine = format!("{}:5061", place.engine());
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &engine])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    client.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    client.wait().unwrap();
    let subject = told.lines().find_map(|line| line.strip_prefix("subject="));
    subject.unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// `openssl s_server` at port 5061, which shows `name.pem` of the place's folder and never says
/// anything; or a page.
#[derive(Debug)]
pub struct TlsServer {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl TlsServer {
    /// Starts it.
    #[must_use]
    pub fn at(place: &Place, ip: Ipv4Addr, name: &str) -> Self {
        Self::on(place, (ip, 5061).into(), name)
    }

    /// Starts it at another port.
    #[must_use]
    pub fn on(place: &Place, at: SocketAddr, name: &str) -> Self {
        Self::page(place, at, name, &[])
    }

    /// Starts it as a website at another port, with options of its own: `-www` is one page, `-WWW`
    /// the files of the place's folder.
    #[must_use]
    pub fn page(place: &Place, at: SocketAddr, name: &str, how: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &at.to_string()])
            .args(how)
            .args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")])
            .current_dir(place.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        eventually("openssl listens", || std::net::TcpStream::connect(at).ok());
        Self { child, lines }
    }

    /// The head of the next message that begins so; those before it are gone.
    ///
    /// # Panics
    /// None came.
    #[must_use]
    pub fn find(&self, start: &str) -> String {
        head(&self.lines, start)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

fn head(lines: &mpsc::Receiver<String>, start: &str) -> String {
    let next = || lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {start}"));
    let first = iter::repeat_with(next).find(|line| line.starts_with(start));
    let rest = iter::repeat_with(next).take_while(|line| !line.is_empty());
    first.into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

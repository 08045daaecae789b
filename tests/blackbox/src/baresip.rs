//! baresip as a softphone and as a PBX: a program that listens, speaks, and presses keys.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use crate::{Place, eventually, go_on_for, sound};

const CONTROL: u16 = 4444;
const KEYBOARD: u16 = 5555;
/// baresip's KEYCODE_REL.
const LET_GO: u8 = 4;

/// What a baresip is like before it starts.
#[derive(Debug, Clone)]
pub struct Softphone {
    at: Ipv4Addr,
    hertz: f64,
    codec: &'static str,
    user: &'static str,
    answers: bool,
    tls: Option<&'static str>,
    encryption: Option<&'static str>,
}

/// A running baresip. Dropping it kills it.
#[derive(Debug)]
pub struct Baresip {
    at: Ipv4Addr,
    folder: PathBuf,
    child: Child,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Softphone {
    /// At port 5060 of `at`, UDP and TCP, speaking a tone of `hertz` all the time.
    #[must_use]
    pub fn new(at: Ipv4Addr, hertz: f64) -> Self {
        Self { at, hertz, codec: "PCMU", user: "phone", answers: true, tls: None, encryption: None }
    }

    /// Speaks this codec only: `PCMU` (without being told), `PCMA` or `G722`.
    #[must_use]
    pub fn codec(self, codec: &'static str) -> Self {
        Self { codec, ..self }
    }

    /// Is called by this name, and by no other.
    #[must_use]
    pub fn user(self, user: &'static str) -> Self {
        Self { user, ..self }
    }

    /// Speaks TLS too, at port 5061, with `name.all.pem` of the place's folder as its certificate,
    /// and trusts `ca.pem`.
    #[must_use]
    pub fn tls(self, name: &'static str) -> Self {
        Self { tls: Some(name), ..self }
    }

    /// Protects its media as baresip names it: `srtp` offers keys and may go without, `srtp-mand`
    /// may not.
    #[must_use]
    pub fn encryption(self, encryption: &'static str) -> Self {
        Self { encryption: Some(encryption), ..self }
    }

    /// Rings and does not answer.
    #[must_use]
    pub fn rings_only(self) -> Self {
        Self { answers: false, ..self }
    }

    /// Starts it and waits until it can be told what to do.
    #[must_use]
    pub fn start(self, place: &Place) -> Baresip {
        let Self { at, hertz, codec, user, answers, tls, encryption } = self;
        let name = format!("baresip-{at}");
        let folder = place.folder().join(&name);
        let answer = if answers { "auto" } else { "manual" };
        let wide = codec == "G722";
        let rate = if wide { 16_000 } else { 8_000 };
        let encrypted = encryption.map_or(String::new(), |kind| format!(";mediaenc={kind}"));
        let account = format!(
            "<sip:{user}@{at}>;regint=0;answermode={answer};audio_codecs={codec}/{rate}/1{encrypted}\n"
        );
        place.write(&format!("{name}/accounts"), &account);
        place.write(&format!("{name}/contacts"), "");
        place.write(&format!("{name}/config"), &(config(at, &folder) + &secure(place, tls)));
        let (file, tone) = (folder.join("tone.wav"), sound::tone(hertz, 60));
        if wide {
            sound::write_wide(&file, &tone)
        } else {
            sound::write(&file, &tone)
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new("baresip")
            .arg("-f")
            .arg(&folder)
            .args(["-s", "-t", "90"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let control = eventually("baresip listens", || {
            assert!(child.try_wait().unwrap().is_none(), "baresip ended");
            TcpStream::connect((at, CONTROL)).ok()
        });
        let events = Arc::default();
        let (stream, kept) = (control.try_clone().unwrap(), Arc::clone(&events));
        thread::spawn(move || listen(stream, &kept));
        Baresip { at, folder, child, control, events }
    }
}

impl Baresip {
    /// Calls.
    pub fn dial(&mut self, uri: &str) {
        self.tell("dial", uri);
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.tell("hangup", "");
    }

    /// Puts the call on hold.
    pub fn hold(&mut self) {
        self.tell("hold", "");
    }

    /// Takes the call from hold.
    pub fn resume(&mut self) {
        self.tell("resume", "");
    }

    /// Presses a key for a fifth of a second: RFC 4733.
    pub fn press(&self, key: char) {
        let socket = UdpSocket::bind((self.at, 0)).unwrap();
        socket.send_to(key.to_string().as_bytes(), (self.at, KEYBOARD)).unwrap();
        go_on_for(200);
        socket.send_to(&[LET_GO], (self.at, KEYBOARD)).unwrap();
    }

    /// Waits for an event, e.g. `CALL_ESTABLISHED`; returns its parameter.
    pub fn saw(&self, event: &str) -> String {
        self.saw_times(event, 1)
    }

    /// Waits for so many of an event; returns the parameter of the last of them.
    pub fn saw_times(&self, event: &str, times: usize) -> String {
        eventually(event, || {
            let events = self.events.lock().unwrap();
            let found = events.iter().filter(|told| told["type"] == event).nth(times - 1)?;
            Some(found["param"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// The keys whose begin it heard so far.
    #[must_use]
    pub fn keys(&self) -> String {
        let events = self.events.lock().unwrap();
        let keys = events.iter().filter(|told| told["type"] == "CALL_DTMF_START");
        keys.filter_map(|told| told["param"].as_str()).collect()
    }

    /// What it heard in its last call, which has ended.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        self.saw("CALL_CLOSED");
        eventually("baresip's recording", || {
            let files = std::fs::read_dir(&self.folder).unwrap();
            let names = files.map(|file| file.unwrap().path());
            let last = names.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max()?;
            sound::read(&last)
        })
    }

    /// Its log with all messages so far, without its count of seconds.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.split_inclusive(['\r', '\n']).filter(|line| !line.contains("(bit/s)")).collect()
    }

    fn tell(&mut self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params }).to_string();
        write!(self.control, "{}:{text},", text.len()).unwrap();
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("baresip at {}: {:#?}\n{}", self.at, self.events, self.log());
        }
    }
}

fn config(at: Ipv4Addr, folder: &std::path::Path) -> String {
    let folder = folder.display();
    format!(
        "poll_method epoll\n\
         net_interface {at}\n\
         sip_listen {at}:5060\n\
         audio_player aubridge,nil\n\
         audio_alert aubridge,alert\n\
         audio_source aufile,{folder}/tone.wav\n\
         rtp_ports 30000-39999\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\n\
         module g722.so\n\
         module srtp.so\n\
         module aubridge.so\n\
         module aufile.so\n\
         module sndfile.so\n\
         module cons.so\n\
         module_tmp account.so\n\
         module_app ctrl_tcp.so\n\
         module_app menu.so\n\
         snd_path {folder}\n\
         ctrl_tcp_listen {at}:{CONTROL}\n\
         cons_listen {at}:{KEYBOARD}\n"
    )
}

fn secure(place: &Place, tls: Option<&str>) -> String {
    let Some(name) = tls else { return String::new() };
    let folder = place.folder().display();
    format!("sip_certificate {folder}/{name}.all.pem\nsip_cafile {folder}/ca.pem\n")
}

/// Reads netstrings of JSON until the program ends.
fn listen(mut stream: TcpStream, events: &Mutex<Vec<Value>>) {
    let (mut text, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        text.extend_from_slice(&buffer[..len]);
        while let Some((told, used)) = netstring(&text) {
            events.lock().unwrap().push(told);
            text.drain(..used);
        }
    }
}

fn netstring(text: &[u8]) -> Option<(Value, usize)> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let len: usize = std::str::from_utf8(&text[..colon]).unwrap().parse().unwrap();
    let end = colon + 1 + len;
    (text.len() > end).then(|| (serde_json::from_slice(&text[colon + 1..end]).unwrap(), end + 1))
}

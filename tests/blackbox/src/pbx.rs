//! Asterisk as a PBX and as a carrier: the program itself, unpacked by tests/judges/asterisk.

use std::{
    fmt::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Place, eventually, sound};

const MODULES: &[&str] = &[
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_pjsip_sdp_rtp",
    "res_pjsip_caller_id",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_header_funcs",
    "res_pjsip_refer",
    "res_pjsip_rfc3326",
    "res_pjsip_dtmf_info",
    "res_pjsip_diversion",
    "chan_pjsip",
    "func_pjsip_endpoint",
    "res_rtp_asterisk",
    "res_srtp",
    "res_timing_timerfd",
    "res_musiconhold",
    "bridge_simple",
    "bridge_softmix",
    "bridge_holding",
    "bridge_native_rtp",
    "bridge_builtin_features",
    "pbx_config",
    "app_dial",
    "app_queue",
    "app_playback",
    "app_playtones",
    "app_read",
    "app_transfer",
    "app_senddtmf",
    "app_verbose",
    "app_stack",
    "res_clioriginate",
    "func_callerid",
    "func_channel",
    "func_logic",
    "func_strings",
    "codec_ulaw",
    "codec_alaw",
    "codec_g722",
    "codec_gsm",
    "codec_resample",
    "format_gsm",
    "format_pcm",
    "format_wav",
];

/// Its music is this tone.
pub const MUSIC_HZ: f64 = 440.0;

/// What an Asterisk is like before it starts.
#[derive(Debug, Clone)]
pub struct PbxSetup {
    at: Ipv4Addr,
    peer: String,
    endpoint: String,
    variants: Vec<(String, String)>,
    extensions: String,
    queue: String,
    phones: Vec<(&'static str, Ipv4Addr)>,
    transport: &'static str,
}

/// A running Asterisk. Dropping it kills it.
#[derive(Debug)]
pub struct Pbx {
    folder: PathBuf,
    root: PathBuf,
    child: Child,
}

impl PbxSetup {
    /// At ports 5060 (SIP) and 5038 (manager `carom`, password `p4ss:word`) of `at`. What comes
    /// from the engine enters the dial plan's context `in`, which `extensions` continues.
    #[must_use]
    pub fn new(place: &Place, at: Ipv4Addr, extensions: &str) -> Self {
        Self {
            at,
            peer: place.engine().to_string(),
            endpoint: String::new(),
            variants: Vec::new(),
            extensions: extensions.to_owned(),
            queue: String::new(),
            phones: Vec::new(),
            transport: "udp",
        }
    }

    /// Further lines of the engine's endpoint in `pjsip.conf`, e.g. `timers=always`.
    #[must_use]
    pub fn endpoint(mut self, lines: &str) -> Self {
        self.endpoint.push_str(lines);
        self.endpoint.push('\n');
        self
    }

    /// What comes from this number, and calls by [`Pbx::calls`] in its name, go by an endpoint of
    /// their own with further lines.
    #[must_use]
    pub fn variant(mut self, number: &str, lines: &str) -> Self {
        self.variants.push((number.to_owned(), lines.to_owned()));
        self
    }

    /// Reaches the engine by `tcp` or `tls`; for the latter it has `pbx.pem` and `pbx.key` of the
    /// place's folder, and trusts `ca.pem`.
    #[must_use]
    pub fn by(self, transport: &'static str) -> Self {
        Self { transport, ..self }
    }

    /// Lines of the queue `service` in `queues.conf`.
    #[must_use]
    pub fn queue(self, lines: &str) -> Self {
        Self { queue: lines.to_owned(), ..self }
    }

    /// A phone of the house: `PJSIP/name`, at port 5060 of `at`.
    #[must_use]
    pub fn phone(mut self, name: &'static str, at: Ipv4Addr) -> Self {
        self.phones.push((name, at));
        self
    }

    /// Starts it and waits until it has booted. `tmp` is `CARGO_TARGET_TMPDIR`.
    ///
    /// # Panics
    /// It cannot be installed, or does not start.
    #[must_use]
    pub fn start(self, place: &Place, tmp: &str) -> Pbx {
        let root = installed(tmp);
        let folder = place.folder().join(format!("asterisk-{}", self.at));
        let _ = std::fs::remove_dir_all(&folder);
        for below in ["etc", "lib", "log", "music", "run", "spool"] {
            std::fs::create_dir_all(folder.join(below)).unwrap();
        }
        for (name, text) in self.files(place, &folder, &root) {
            std::fs::write(folder.join("etc").join(name), text).unwrap();
        }
        sound::write(&folder.join("music/tone.wav"), &sound::tone(MUSIC_HZ, 30));
        let log = std::fs::File::create(folder.join("log/console")).unwrap();
        let child = asterisk(&root, &folder)
            .args(["-f", "-n", "-vvv"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut pbx = Pbx { folder, root, child };
        eventually("Asterisk has booted", || {
            assert!(pbx.child.try_wait().unwrap().is_none(), "Asterisk ended:\n{}", pbx.log());
            pbx.cli("core waitfullybooted").contains("fully booted").then_some(())
        });
        pbx
    }

    fn files(&self, place: &Place, folder: &Path, root: &Path) -> Vec<(&'static str, String)> {
        let (at, here, root) = (self.at, folder.display(), root.display());
        let modules: String = MODULES.iter().map(|name| format!("load={name}.so\n")).collect();
        let mut files = vec![
            (
                "asterisk.conf",
                format!(
                    "[directories]\nastetcdir => {here}/etc\n\
                     astmoddir => {root}/usr/lib/asterisk/modules\nastvarlibdir => {here}/lib\n\
                     astdbdir => {here}/lib\nastkeydir => {here}/lib\n\
                     astdatadir => {root}/usr/share/asterisk\nastagidir => {here}/lib\n\
                     astspooldir => {here}/spool\nastrundir => {here}/run\nastlogdir => {here}/log\n"
                ),
            ),
            ("modules.conf", format!("[modules]\nautoload=no\n{modules}")),
            (
                "logger.conf",
                "[logfiles]\nfull => notice,warning,error,verbose(3),dtmf\n".to_owned(),
            ),
            ("rtp.conf", "[general]\nrtpstart=30000\nrtpend=31000\n".to_owned()),
            ("pjsip.conf", self.pjsip(place)),
            (
                "extensions.conf",
                format!("[general]\nautofallthrough=yes\n[in]\n{}", self.extensions),
            ),
            ("queues.conf", format!("[general]\n[service]\nstrategy=ringall\n{}", self.queue)),
            ("musiconhold.conf", format!("[default]\nmode=files\ndirectory={here}/music\n")),
            (
                "manager.conf",
                format!(
                    "[general]\nenabled=yes\nport=5038\nbindaddr={at}\nchannelvars=CAROM_CALL\n\
                     [carom]\nsecret=p4ss:word\nread=call,agent\nwrite=call\n"
                ),
            ),
        ];
        for name in [
            "features.conf",
            "cdr.conf",
            "cel.conf",
            "acl.conf",
            "ccss.conf",
            "udptl.conf",
            "stasis.conf",
        ] {
            files.push((name, "[general]\n".to_owned()));
        }
        files
    }

    fn pjsip(&self, place: &Place) -> String {
        let (at, peer, transport) = (self.at, &self.peer, self.transport);
        let mut text = format!(
            "[global]\ntype=global\nuser_agent=PBX\nendpoint_identifier_order=username,ip\n\
             [udp]\ntype=transport\nprotocol=udp\nbind={at}:5060\n\
             [tcp]\ntype=transport\nprotocol=tcp\nbind={at}:5060\n"
        );
        let port = if transport == "tls" {
            let here = place.folder().display();
            let _ = write!(
                text,
                "[tls]\ntype=transport\nprotocol=tls\nbind={at}:5061\nmethod=tlsv1_2\n\
                 cert_file={here}/pbx.pem\npriv_key_file={here}/pbx.key\nca_list_file={here}/ca.pem\n\
                 verify_server=yes\n"
            );
            5061
        } else {
            5060
        };
        let _ = write!(
            text,
            "[carom]\ntype=aor\ncontact=sip:{peer}:{port}\\;transport={transport}\n\
             [carom]\ntype=identify\nendpoint=carom\nmatch={peer}\n"
        );
        let usual = [("carom".to_owned(), self.endpoint.clone())];
        for (name, lines) in usual.iter().chain(&self.variants) {
            let _ = write!(
                text,
                "[{name}]\ntype=endpoint\ntransport={transport}\ncontext=in\nfrom_user={name}\n\
                 disallow=all\nallow=alaw,ulaw\naors=carom\nmedia_address={at}\n\
                 bind_rtp_to_media_address=yes\ntrust_id_inbound=yes\n{lines}\n"
            );
        }
        for (name, phone) in &self.phones {
            let _ = write!(
                text,
                "[{name}]\ntype=endpoint\ntransport=udp\ncontext=in\ndisallow=all\nallow=ulaw\n\
                 aors={name}\nmedia_address={at}\nbind_rtp_to_media_address=yes\n{}\n\
                 [{name}]\ntype=aor\ncontact=sip:{name}@{phone}:5060\n\
                 [{name}]\ntype=identify\nendpoint={name}\nmatch={phone}\n",
                self.endpoint
            );
        }
        text
    }
}

impl Pbx {
    /// What its console answers to a command.
    #[must_use]
    pub fn cli(&self, command: &str) -> String {
        let output = asterisk(&self.root, &self.folder).args(["-rx", command]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Calls the engine's number `called` in the name of a [variant](PbxSetup::variant); who answers
    /// enters the dial plan at `extension`.
    pub fn calls(&self, number: &str, called: &str, extension: &str) {
        let command = format!("channel originate PJSIP/{called}@{number} extension {extension}@in");
        let told = self.cli(&command);
        assert!(!told.contains("No such command"), "{told}");
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        let full = std::fs::read(self.folder.join("log/full")).unwrap_or_default();
        String::from_utf8_lossy(&full).into_owned()
    }

    /// Waits until the dial plan says this.
    pub fn says(&self, words: &str) {
        eventually(words, || self.log().contains(words).then_some(()));
    }

    /// Waits until no channel is left.
    pub fn idle(&self) {
        eventually("Asterisk has no channel left", || {
            self.cli("core show channels count").contains("0 active channels").then_some(())
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let skip = log.find("Asterisk Ready").unwrap_or_default();
            eprintln!("Asterisk's log:\n{}", &log[skip..]);
        }
    }
}

fn asterisk(root: &Path, folder: &Path) -> Command {
    let mut command = Command::new(root.join("usr/sbin/asterisk"));
    let libraries = [root.join("usr/lib/x86_64-linux-gnu"), root.join("usr/lib")];
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
    command.arg("-C").arg(folder.join("etc/asterisk.conf"));
    command
}

fn installed(tmp: &str) -> PathBuf {
    let folder = Path::new(tmp).join("asterisk");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../judges/asterisk");
    let done = Command::new(script).arg(&folder).status().unwrap();
    assert!(done.success(), "Asterisk cannot be unpacked");
    folder.join("root")
}

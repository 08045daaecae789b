//! A message centre of others by SMPP over TLS.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, eventually, judges::Judges};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// A centre by node-smpp that speaks TLS and nothing else, its certificate by `ca.pem` of the place.
/// Dropping it ends it.
struct Centre {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Centre {
    fn start(place: &Place) -> Self {
        let folder = place.folder();
        place.write("leaf.cnf", "subjectAltName=DNS:localhost\n");
        for command in [
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=judge -keyout ca.key -out ca.pem",
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout leaf.key -out leaf.csr",
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile leaf.cnf -out leaf.pem",
        ] {
            let args = command.split_whitespace();
            let done = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
        let mut child = Judges::below(env!("CARGO_TARGET_TMPDIR"))
            .node("centre.js")
            .envs([("TLS_KEY", folder.join("leaf.key")), ("TLS_CERT", folder.join("leaf.pem"))])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap();
        place.write("password", "s3cret");
        Self { child, told, port }
    }

    /// Its table of the configuration.
    fn provider(&self) -> String {
        format!(
            "[provider.centre]\nkind = \"smpp\"\nurl = \"smpps://localhost:{}\"\n\
             account = \"carom\"\nsecret = \"file:password\"\nreceipt_ids = \"decimal\"\n",
            self.port
        )
    }

    /// What it tells next.
    fn tells(&mut self) -> Value {
        serde_json::from_str(&self.told.next().unwrap().unwrap()).unwrap()
    }
}

#[test]
fn smpp_binds_by_tls_to_a_centre_of_others_and_to_none_that_the_system_does_not_trust() {
    let place = Place::new();
    let centre = Centre::start(&place);
    let config = format!("{}\n{}", include_str!("../src/config/builtin.toml"), centre.provider());
    let file = place.write("centre.toml", &config);
    place.write("flows/main.toml", include_str!("../../../config/flows/main.toml"));
    let check = |trusted: &str| {
        let mut command = Command::new(BIN);
        command.args(["providers", "check", "centre", "-c"]).arg(&file);
        let told = command.env("SSL_CERT_FILE", place.folder().join(trusted)).output().unwrap();
        (
            told.status.success(),
            String::from_utf8(told.stdout).unwrap() + &String::from_utf8_lossy(&told.stderr),
        )
    };
    let (well, told) = check("ca.pem");
    assert!(well && told.contains("the credentials are right"), "{told}");
    let (well, told) = check("leaf.cnf");
    assert!(!well && told.contains("is not reached"), "{told}");
    place.write("password", "wrong");
    let (well, told) = check("ca.pem");
    assert!(!well && told.contains("auth"), "{told}");
}

#[test]
fn kh_19_texts_and_their_receipts_go_by_smpp_over_tls() {
    let place = Place::new();
    let mut centre = Centre::start(&place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let sender =
        "[sender.centre]\nprovider = \"centre\"\nfrom = \"+447700900999\"\nregions = [\"GB\"]\n";
    let config = format!("{before}{}{sender}\n[http]{http}", centre.provider());
    let ca = fs::read_to_string(place.folder().join("ca.pem")).unwrap();
    place.write("trusted.pem", &ca);
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let database = Database::of(&place);
    // Its first receipt is a text, its second parameters.
    for n in 1..=2 {
        let to = format!("+44740011000{n}");
        let told = engine.cli(&["text", &to, "Example: hello", "--yes"]);
        assert!(told.out.contains("accepted, by centre"), "{told:?}");
        let took = centre.tells();
        assert_eq!((&took["to"], &took["text"]), (&to[1..].into(), &"Example: hello".into()));
        let delivered = "SELECT COUNT(*) FROM message WHERE state = 'delivered'";
        eventually("it is delivered", || (database.number(delivered) == n).then_some(()));
        assert_eq!(centre.tells()["answered"], 0, "and the centre knows that we know");
    }
}

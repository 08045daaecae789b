//! Pages over TLS, as OpenSSL fetches them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use carom_blackbox::{Authority, CONFIG, Engine, FLOW, Place, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const TLS: &str = "cert = \"carom.pem\"\nkey = \"file:carom.key\"\n";

#[test]
fn lp_07_pages_are_shown_over_tls_1_2_and_1_3_and_nothing_older() {
    let place = Place::new();
    let authority = Authority::new(&place);
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{TLS}"), FLOW);
    for (version, spoken) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let told = fetches(&place, version);
        assert!(told.contains(&format!("New, {spoken}")), "{version}: {told}");
        assert!(told.contains("Verify return code: 0 (ok)"), "{version}: {told}");
        assert!(told.contains("HTTP/1.1 200") && told.contains("alive\n"), "{version}: {told}");
    }
    for version in ["-tls1", "-tls1_1"] {
        let told = fetches(&place, version);
        // The answer of the server, not a scruple of the client: the version, or what comes with it.
        let refused = ["alert protocol version", "alert handshake failure"];
        assert!(refused.iter().any(|alert| told.contains(alert)), "{version}: {told}");
        assert!(!told.contains("HTTP/1.1"), "{version}: {told}");
    }
    // Who speaks plainly is told nothing.
    let mut plain = TcpStream::connect((place.engine(), 8080)).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told);
    assert!(!String::from_utf8_lossy(&told).contains("alive"), "{told:?}");
    // A renewed certificate is shown after a reload.
    authority.issues("renewed", &format!("IP:{}", place.engine()), 2);
    for end in ["pem", "key"] {
        let from = place.folder().join(format!("renewed.{end}"));
        std::fs::copy(from, place.folder().join(format!("carom.{end}"))).unwrap();
    }
    let told = engine.cli(&["reload"]);
    assert!(told.status.success() && !told.out.contains("restart"), "{told:?}");
    assert!(told.out.contains("the certificate of"), "it ends soon: {told:?}");
    eventually("it is shown", || {
        fetches(&place, "-tls1_3").contains("subject=CN = renewed").then_some(())
    });
    assert_eq!(engine.status()["certificates"][0]["days_left"], 1);
}

#[test]
fn a_certificate_of_the_pages_without_its_key_is_told() {
    let place = Place::new();
    let _authority = Authority::new(&place);
    for (tables, told) in [
        ("cert = \"carom.pem\"\n", "has no `key`"),
        ("key = \"file:carom.key\"\n", "has no `cert`"),
        ("cert = \"gone.pem\"\nkey = \"file:carom.key\"\n", "gone.pem cannot be read"),
        ("cert = \"carom.pem\"\nkey = \"file:ca.pem\"\n", "there is no private key in it"),
    ] {
        let engine = carom_blackbox::fill(&place, &format!("{CONFIG}{tables}"));
        let config = place.write("carom.toml", &engine);
        place.write("flows/main.toml", &carom_blackbox::fill(&place, FLOW));
        let checked = Command::new(BIN).arg("check").arg("-c").arg(config).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(!checked.status.success() && said.contains(told), "{told}: {said}");
    }
}

/// All that `openssl s_client` says when it asks for a page by this version only.
fn fetches(place: &Place, version: &str) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &format!("{}:8080", place.engine()), version])
        // Its own rules forbid it to offer the old ones.
        .args(["-cipher", "DEFAULT@SECLEVEL=0", "-CAfile", "ca.pem", "-ign_eof"])
        .current_dir(place.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ask = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // It may be gone already.
    let _ = client.stdin.take().unwrap().write_all(ask);
    let told = client.wait_with_output().unwrap();
    String::from_utf8_lossy(&[told.stderr, told.stdout].concat()).into_owned()
}

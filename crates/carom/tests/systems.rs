//! Systems of the business that want to know who asks: by a client certificate, by a token, by a
//! signature. Real TLS, a real token endpoint, and OpenSSL as the judge of signatures.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use carom::config::check;
use carom_blackbox::{
    Authority, CONFIG, Place, TlsServer, go_on_for,
    web::{Crm, Says},
};

use crate::asks::Site;

/// Who calls is looked up unanswered.
const FLOW: &str = r#"
version = 1

[flow]
name    = "Systems"
default = true
start   = "who"
human   = "agents"

[rule.premium]
customer_type = ["premium"]

[step.who]
do         = "lookup"
system     = "crm"
url        = "URL"
timeout_ms = 2000
save       = ["customer_type"]
then       = "sort"
if_fails   = "agents"

[step.sort]
do        = "decide"
case      = [{ if = "premium", go = "premium" }]
otherwise = "agents"
"#;
const PREMIUM: &str = "{\"customer_type\":\"premium\"}";

fn site<'a>(place: &'a Place, crm: &Crm, system: &str, url: &str) -> Site<'a> {
    let config = format!("{CONFIG}\n[system.crm]\n{system}\n");
    Site::with(place, crm, &config, &FLOW.replace("URL", url), &["agents", "premium"])
}

fn nobody() -> Crm {
    Crm::start(Says::Status(500))
}

#[test]
fn a_system_that_asks_for_a_client_certificate_gets_ours_and_only_from_those_who_have_it() {
    let place = Place::new();
    let authority = Authority::called(&place, "ca");
    authority.issues("server", &format!("IP:{}", place.ip(20)), 5);
    authority.issues("client", "DNS:carom", 5);
    place.write("who.json", PREMIUM);
    // Serves the files of its folder to whoever has a certificate of this authority.
    let at = SocketAddr::from((place.ip(20), 443));
    let trusts = ["-WWW", "-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"];
    let _server = TlsServer::page(&place, at, "server", &trusts);
    let url = format!("https://{at}");
    let system = format!(
        "url = \"{url}\"\nca = \"ca.pem\"\nclient_cert = \"client.pem\"\n\
         client_key = \"file:client.key\""
    );
    let site = site(&place, &nobody(), &system, &format!("{url}/who.json"));
    assert_eq!(site.rings("+447700900621", &[]), "premium");
    // Without it the system shakes no hands, and the caller goes on.
    site.engine.rewrite(&place, "carom.toml", |config| {
        config.replace("client_cert = \"client.pem\"\nclient_key = \"file:client.key\"", "")
    });
    assert!(site.engine.cli(&["reload"]).status.success());
    assert_eq!(site.rings("+447700900621", &[]), "agents");
    let line = site.engine.time_line();
    assert!(line.contains("unreachable"), "{line}");
    // Who does not come from its authority is not asked.
    site.engine.rewrite(&place, "carom.toml", |config| {
        let other =
            "ca = \"other.pem\"\nclient_cert = \"client.pem\"\nclient_key = \"file:client.key\"";
        config.replace("ca = \"ca.pem\"", other)
    });
    let _ = Authority::called(&place, "other");
    assert!(site.engine.cli(&["reload"]).status.success());
    assert_eq!(site.rings("+447700900621", &[]), "agents");
}

/// An authorization server with one protected page: tokens are good until they are taken back.
#[derive(Clone)]
struct Guarded(Arc<Mutex<State>>, u16);

#[derive(Default)]
struct State {
    granted: Vec<String>,
    good: Option<String>,
    expires_in: u32,
    pages: Vec<String>,
}

impl Guarded {
    fn start(expires_in: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let guarded = Self(Arc::new(Mutex::new(State { expires_in, ..State::default() })), port);
        let serving = guarded.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let guarded = serving.clone();
                thread::spawn(move || guarded.serve(stream));
            }
        });
        guarded
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let named = lines.iter().find_map(|line| {
                line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name))
            });
            named.map_or(String::new(), |(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let mut state = self.0.lock().unwrap();
        let (status, answer) = if lines[0].starts_with("POST /token ") {
            // carom:s3 cret, coded as in a form (RFC 6749 §2.3.1).
            assert_eq!(header("authorization"), "Basic Y2Fyb206czMrY3JldA==");
            let asked = String::from_utf8(body).unwrap();
            assert_eq!(asked, "grant_type=client_credentials&scope=callers");
            let token = format!("token-{}", state.granted.len() + 1);
            state.granted.push(token.clone());
            state.good = Some(token.clone());
            // Some servers write it as a text.
            let mut life = state.expires_in.to_string();
            if state.granted.len().is_multiple_of(2) {
                life = format!("\"{life}\"");
            }
            (
                200,
                format!(
                    "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{life}}}"
                ),
            )
        } else {
            let token = header("authorization");
            let good = state.good.as_ref().is_some_and(|good| token == format!("Bearer {good}"));
            state.pages.push(token);
            if good { (200, PREMIUM.to_owned()) } else { (401, String::new()) }
        };
        drop(state);
        let len = answer.len();
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{answer}"
        )
        .ok()
    }

    fn granted(&self) -> usize {
        self.0.lock().unwrap().granted.len()
    }
}

#[test]
fn a_token_is_kept_until_shortly_before_its_end_and_fetched_anew_once_when_it_is_refused() {
    let place = Place::new();
    place.write("secret", "s3 cret");
    let guarded = Guarded::start(3_600);
    let url = format!("http://127.0.0.1:{}", guarded.1);
    let system = format!(
        "url = \"{url}\"\ntoken_url = \"{url}/token\"\nclient_id = \"carom\"\n\
         client_secret = \"file:secret\"\nscope = \"callers\""
    );
    let site = site(&place, &nobody(), &system, &format!("{url}/who"));
    for _ in 0..2 {
        assert_eq!(site.rings("+447700900631", &[]), "premium");
    }
    assert_eq!(guarded.granted(), 1, "one token for both");
    // Taken back by its server: the caller notices nothing.
    guarded.0.lock().unwrap().good = None;
    assert_eq!(site.rings("+447700900631", &[]), "premium");
    assert_eq!(guarded.granted(), 2);
    let pages = guarded.0.lock().unwrap().pages.clone();
    assert_eq!(pages[2..], ["Bearer token-1", "Bearer token-2"]);
    // A page that refuses every token is asked with one new one, and no more.
    guarded.0.lock().unwrap().expires_in = 1;
    let refusing = Crm::start(Says::Status(401));
    site.engine.rewrite(&place, "flows/main.toml", |flow| {
        flow.replace(&format!("{url}/who"), &format!("{}/who", refusing.url()))
    });
    site.engine.rewrite(&place, "carom.toml", |config| {
        config.replace(&format!("url = \"{url}\"\n"), &format!("url = \"{}\"\n", refusing.url()))
    });
    let told = site.engine.cli(&["reload"]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(site.rings("+447700900631", &[]), "agents");
    assert_eq!(
        (refusing.asked().len(), guarded.granted()),
        (2, 4),
        "after the reload it began anew"
    );
    // One that lives for a second is not used to its very end.
    go_on_for(1_000);
    assert_eq!(site.rings("+447700900631", &[]), "agents");
    assert_eq!(guarded.granted(), 6);
    assert!(!site.engine.log().contains("token-") && !site.engine.log().contains("s3 cret"));
}

#[test]
fn a_signature_is_that_of_the_request_as_it_was_sent() {
    let place = Place::new();
    place.write("hmac", "k3y of ours");
    let crm = Crm::start(Says::Json(PREMIUM.to_owned()));
    let system = format!("url = \"{}/api\"\nhmac_secret = \"file:hmac\"", crm.url());
    let url = format!("{}/api/who?caller={{caller_number}}", crm.url());
    let site = site(&place, &crm, &system, &url);
    assert_eq!(site.rings("+447700900641", &[]), "premium");
    // The same as a POST.
    site.engine.rewrite(&place, "flows/main.toml", |flow| {
        flow.replace("?caller={caller_number}\"", "\"\nbody = { caller = \"{caller_number}\" }")
    });
    assert!(site.engine.cli(&["reload"]).status.success());
    assert_eq!(site.rings("+447700900641", &[]), "premium");
    let asked = crm.asked();
    let wanted = [
        "GET./api/who?caller=%2B447700900641.".to_owned(),
        "POST./api/who.{\"caller\":\"+447700900641\"}".to_owned(),
    ];
    for (request, wanted) in asked.iter().zip(wanted) {
        let at = request.header("x-carom-timestamp");
        let at_s: i64 = at.parse().unwrap();
        let now_s = jiff::Timestamp::now().as_second();
        assert!((now_s - 30..=now_s).contains(&at_s), "{at}");
        place.write("signed", &format!("{at}.{wanted}"));
        let judge = Command::new("openssl")
            .args(["dgst", "-sha256", "-hmac", "k3y of ours", "-r", "signed"])
            .current_dir(place.folder())
            .output()
            .unwrap();
        let hex = String::from_utf8(judge.stdout).unwrap();
        let hex = hex.split(' ').next().unwrap();
        assert_eq!(request.header("x-carom-signature"), format!("v1={hex}"), "{request:?}");
    }
    assert_eq!(asked.len(), 2);
}

#[test]
fn what_can_t_be_used_of_a_system_is_told_with_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let plain = fs::read_to_string("tests/fixtures/plain.toml").unwrap();
    fs::create_dir(folder.path().join("flows")).unwrap();
    fs::write(folder.path().join("junk.pem"), "junk").unwrap();
    let flow =
        FLOW.replace("URL", "https://crm.example.net/api/who").replace("\"agents\"", "\"pbx\"");
    let flow = flow.replace("go = \"premium\"", "go = \"pbx\"");
    fs::write(folder.path().join("flows/main.toml"), &flow).unwrap();
    let config = folder.path().join("carom.toml");
    let url = "url = \"https://crm.example.net/api\"";
    for (system, code, key, why) in [
        (url.to_owned(), "E00", "system.crm", "nothing tells the system who asks"),
        (
            format!("{url}\nclient_cert = \"junk.pem\""),
            "E00",
            "client_cert",
            "`client_cert` without `client_key`",
        ),
        (
            format!("{url}\nclient_cert = \"junk.pem\"\nclient_key = \"file:junk.pem\""),
            "E00",
            "client_cert",
            "no certificate with its key",
        ),
        (format!("{url}\nca = \"junk.pem\""), "E00", "ca", "no certificate in it"),
        (format!("{url}\nca = \"gone.pem\""), "E01", "ca", "gone.pem cannot be read"),
        (
            format!("{url}\nhmac_secret = \"hunter2\""),
            "E13",
            "hmac_secret",
            "a secret stands here in the open",
        ),
        (
            format!("{url}\nhmac_secret = \"env:CAROM_NO_SUCH_NAME\""),
            "E13",
            "hmac_secret",
            "is not set",
        ),
        (
            format!(
                "{url}\ntoken_url = \"http://login.example.net/token\"\nclient_id = \"a\"\nclient_secret = \"file:junk.pem\""
            ),
            "E13",
            "token_url",
            "no https address",
        ),
        (
            format!("{url}\ntoken_url = \"https://login.example.net/token\""),
            "E00",
            "token_url",
            "`token_url` without `client_id`",
        ),
        (
            format!("{url}\nhmac_secret = \"file:junk.pem\"\nscope = \"x\""),
            "E00",
            "scope",
            "`scope` without `token_url`",
        ),
        (
            "url = \"https://other.example.net\"\nhmac_secret = \"file:junk.pem\"".to_owned(),
            "E13",
            "url",
            "does not lead to `[system.crm]`",
        ),
        (
            "url = \"https://crm.example.net/ap\"\nhmac_secret = \"file:junk.pem\"".to_owned(),
            "E13",
            "url",
            "does not lead to `[system.crm]`",
        ),
    ] {
        fs::write(&config, format!("{plain}\n[system.crm]\n{system}\n")).unwrap();
        let report = check(Some(&config), &[]).1;
        let found = report.findings.iter().find(|finding| finding.message.contains(why));
        let found = found.unwrap_or_else(|| panic!("{why}: {report}"));
        assert_eq!(found.code.to_string(), code, "{report}");
        let text = fs::read_to_string(&found.file).unwrap();
        let line = text.lines().nth(found.line - 1).unwrap();
        assert!(line.contains(key), "{key}: {line}");
    }
    // A name that leads nowhere, and two tokens at once.
    fs::write(&config, &plain).unwrap();
    let report = check(Some(&config), &[]).1.to_string();
    assert!(report.contains("E01") && report.contains("there is no system `crm`"), "{report}");
    fs::write(
        folder.path().join("flows/main.toml"),
        flow.replace("system     =", "token = \"file:junk.pem\"\nsystem     ="),
    )
    .unwrap();
    let system = format!(
        "{url}\ntoken_url = \"https://login.example.net/token\"\nclient_id = \"a\"\nclient_secret = \"file:junk.pem\""
    );
    fs::write(&config, format!("{plain}\n[system.crm]\n{system}\n")).unwrap();
    let report = check(Some(&config), &[]).1.to_string();
    assert!(report.contains("has tokens of its own"), "{report}");
}

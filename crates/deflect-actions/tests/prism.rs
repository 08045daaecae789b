//! What we ask of Twilio and Bandwidth, and what our emulator answers for them, judged by Prism with
//! the providers' own descriptions of their interfaces, which tests/judges/install installs.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{judges::judges, message};
use deflect_actions::provider::{
    Class, Found, Provider, SendError, Template,
    bandwidth::{Account, Bandwidth},
    twilio::Twilio,
};
use message_text::E164;
use provider_emulator::{ACCOUNT, BANDWIDTH_ACCOUNT, Emulator, Magic, OURS, TOKEN};
use serde_json::Value;
use tempfile::NamedTempFile;

const LIMIT: Duration = Duration::from_secs(20);

/// Prism over one description, between us and the emulator: what either says is judged. Dropping it
/// ends it.
struct Prism {
    child: Child,
    port: u16,
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prism {
    /// What does not follow the description is refused: a question by 422, an answer by 500.
    fn over(interface: &Path, emulator: &Emulator) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut child = Command::new("node")
            .arg(judges().join("node_modules/.bin/prism"))
            .args(["proxy", "--errors", "-h", "127.0.0.1", "-p", &port.to_string()])
            .arg(interface)
            .arg(emulator.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (ready, is_ready) = mpsc::channel();
        // It writes a few lines for each request, too.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok).filter(|line| line.contains("is listening")) {
                let _ = ready.send(line);
            }
        });
        is_ready.recv_timeout(Duration::from_secs(120)).expect("Prism starts");
        Self { child, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to a bare request.
    fn asks(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Twilio's description, but for what we never ask for, which takes long to read. Its pages name each
/// other by paths, where it says addresses.
fn twilio_s_interface() -> NamedTempFile {
    let whole = std::fs::read(judges().join("twilio_api_v2010.json")).unwrap();
    let mut whole: Value = serde_json::from_slice(&whole).unwrap();
    let is_asked = |path: &str| {
        let rest = path.trim_start_matches("/2010-04-01/Accounts/");
        ["{Sid}.json", "{AccountSid}/Messages.json", "{AccountSid}/Messages/{Sid}.json"]
            .contains(&rest)
    };
    let paths = whole["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| is_asked(path));
    assert_eq!(paths.len(), 3);
    let list = paths["/2010-04-01/Accounts/{AccountSid}/Messages.json"].clone();
    let schema = &list["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let mut schema = schema.clone();
    for (_, field) in schema["properties"].as_object_mut().unwrap() {
        field.as_object_mut().unwrap().remove("format");
    }
    let get = &mut paths["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["get"];
    get["responses"]["200"]["content"]["application/json"]["schema"] = schema;
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    file.write_all(whole.to_string().as_bytes()).unwrap();
    file
}

fn magic(start: &str, magic: Magic) -> E164 {
    format!("{start}{}", magic.end()).parse().unwrap()
}

#[tokio::test]
async fn what_we_ask_of_twilio_and_our_emulator_answers_is_what_its_own_description_says() {
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let interface = twilio_s_interface();
    let prism = Prism::over(interface.path(), &emulator);
    let callback = "https://carom.example/webhooks/twilio/t/status";
    let twilio = |account| {
        let of = Twilio::new(account, TOKEN, Some(&prism.url()), Some(callback.to_owned()));
        Provider::Twilio(of)
    };
    let to = E164::parse("+447400123461", "GB").unwrap();
    let sent = twilio(ACCOUNT).send(message(OURS, &to, None), LIMIT).await.unwrap();
    assert!(sent.provider_id.starts_with("SM") && sent.segments == Some(1), "{sent:?}");
    let template = Template {
        name: "HX00000000000000000000000000000001".to_owned(),
        languages: BTreeMap::new(),
        variables: vec!["{brand}".to_owned(), "{link_token}".to_owned()],
    };
    let sent = twilio(ACCOUNT).send(message(OURS, &to, Some(&template)), LIMIT).await.unwrap();
    assert!(sent.provider_id.starts_with("SM"), "{sent:?}");
    twilio(ACCOUNT).check(None, LIMIT).await.unwrap();
    // Its list, where a text that was never answered is looked for, and one message.
    let written_ms = jiff::Timestamp::now().as_millisecond();
    let found = twilio(ACCOUNT).find(message(OURS, &to, None), written_ms, LIMIT).await;
    assert!(matches!(&found, Found::Has(all) if all.len() == 1), "{found:?}");
    let basic = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    let one = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json", sent.provider_id);
    let seen = prism.asks("GET", &one, &format!("Authorization: Basic {basic}\r\n"), "");
    assert!(seen.starts_with("HTTP/1.1 200") && seen.contains(&sent.provider_id), "{seen}");
    // The judge can say no.
    let error = twilio("AC1").send(message(OURS, &to, None), LIMIT).await.unwrap_err();
    assert!(matches!(error, SendError::Definite(_)), "{error:?}");
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let refused = prism.asks("POST", &path, form, "To=%2B447400123461&Body=x");
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
}

#[tokio::test]
async fn what_we_ask_of_bandwidth_and_each_error_of_our_emulator_is_what_its_own_description_says()
{
    let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
    let prism = Prism::over(&judges().join("bandwidth.yml"), &emulator);
    let bandwidth = |password: &str| {
        let account = Account {
            id: BANDWIDTH_ACCOUNT.to_owned(),
            username: "api".to_owned(),
            password: password.to_owned(),
            application: "93de2206-9669-4e07-948d-329f4b722ee2".to_owned(),
            webhooks: "name:password".to_owned(),
        };
        Provider::Bandwidth(Bandwidth::new(account, Some(&prism.url())))
    };
    let to = E164::parse("+12025550123", "US").unwrap();
    let sent = bandwidth(TOKEN).send(message(OURS, &to, None), LIMIT).await.unwrap();
    assert!(!sent.provider_id.is_empty() && sent.segments == Some(1), "{sent:?}");
    let error = async |to: &E164, password: &str| {
        let error = bandwidth(password).send(message(OURS, to, None), LIMIT).await.unwrap_err();
        let SendError::Definite(failure) = error else { panic!("{error:?}") };
        (failure.class, failure.code.unwrap_or_default())
    };
    // An error that is not as described would be called 500 by the judge.
    for (why, class, kind) in [
        (Magic::Invalid, Class::Invalid, "request-validation"),
        (Magic::Config, Class::Config, "request-validation"),
        (Magic::Funds, Class::Funds, "forbidden"),
        (Magic::RateLimited, Class::RateLimited, "max-message-queue-size-exceeded"),
        (Magic::Down, Class::ProviderDown, "internal-server-error"),
    ] {
        let told = error(&magic("+12025550", why), TOKEN).await;
        assert_eq!(told, (class, kind.to_owned()), "{why:?}");
    }
    assert_eq!(error(&to, "wrong").await, (Class::Auth, "unauthorized".to_owned()));
    // The judge can say no.
    let basic = STANDARD.encode(format!("api:{TOKEN}"));
    let headers = format!("Content-Type: application/json\r\nAuthorization: Basic {basic}\r\n");
    let path = format!("/api/v2/users/{BANDWIDTH_ACCOUNT}/messages");
    let refused = prism.asks("POST", &path, &headers, "{\"text\":\"to nobody\"}");
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
}

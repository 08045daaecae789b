//! What we ask of Twilio and Bandwidth, judged by Prism with the providers' own descriptions of
//! their interfaces, which tests/judges/install installs.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use common::judges::judges;
use deflect_actions::provider::{
    Channel, Fill, OutboundMessage, Provider, Reference, SendError, Template,
    bandwidth::{Account, Bandwidth},
    twilio::Twilio,
};
use message_text::E164;

const LIMIT: Duration = Duration::from_secs(20);
const ACCOUNT: &str = "AC00000000000000000000000000000001";
const LINK: &str = "https://example.net/l/AAAAAAAAAAAAAAAAAAAAAA";

/// Prism over one description; dropping it ends it.
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
    /// What does not follow the description is refused.
    fn over(interface: &str) -> Self {
        let folder = judges();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut child = Command::new("node")
            .arg(folder.join("node_modules/.bin/prism"))
            .args(["mock", "--errors", "-h", "127.0.0.1", "-p", &port.to_string()])
            .arg(folder.join(interface))
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

    /// The status of a bare request.
    fn status(&self, path: &str, headers: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn message<'a>(to: &'a E164, template: Option<&'a Template>) -> OutboundMessage<'a> {
    OutboundMessage {
        reference: Reference { message_id: "0190d6f2-7a6a-7000-8000-000000000001", attempt: 1 },
        channel: if template.is_some() { Channel::WhatsApp } else { Channel::Sms },
        from: "+447700900999",
        to,
        text: "Example: café & 5 € https://example.net/l/AAAAAAAAAAAAAAAAAAAAAA",
        language: "en-GB",
        template,
        fill: Fill { link: Some(LINK), link_token: None, brand: "Example" },
        valid_for: Duration::from_secs(900),
    }
}

#[tokio::test]
async fn what_we_ask_of_twilio_is_what_its_own_description_says() {
    let prism = Prism::over("twilio_api_v2010.json");
    let callback = "https://carom.example/webhooks/twilio/t/status";
    let twilio = |account| {
        let of = Twilio::new(account, "token", Some(&prism.url()), Some(callback.to_owned()));
        Provider::Twilio(of)
    };
    let to = E164::parse("+447400123461", "GB").unwrap();
    let sent = twilio(ACCOUNT).send(message(&to, None), LIMIT).await.unwrap();
    assert!(sent.provider_id.starts_with("SM") && sent.segments == Some(1), "{sent:?}");
    let template = Template {
        name: "HX00000000000000000000000000000001".to_owned(),
        languages: BTreeMap::new(),
        variables: vec!["{brand}".to_owned(), "{link_token}".to_owned()],
    };
    let sent = twilio(ACCOUNT).send(message(&to, Some(&template)), LIMIT).await.unwrap();
    assert!(sent.provider_id.starts_with("SM"), "{sent:?}");
    twilio(ACCOUNT).check(None, LIMIT).await.unwrap();
    // The judge can say no.
    let error = twilio("AC1").send(message(&to, None), LIMIT).await.unwrap_err();
    assert!(matches!(error, SendError::Definite(_)), "{error:?}");
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(prism.status(&path, form, "To=%2B447400123461&Body=x"), 401);
}

#[tokio::test]
async fn what_we_ask_of_bandwidth_is_what_its_own_description_says() {
    let prism = Prism::over("bandwidth.yml");
    let account = Account {
        id: "9900000".to_owned(),
        username: "user".to_owned(),
        password: "password".to_owned(),
        application: "93de2206-9669-4e07-948d-329f4b722ee2".to_owned(),
        webhooks: "name:password".to_owned(),
    };
    let bandwidth = Provider::Bandwidth(Bandwidth::new(account, Some(&prism.url())));
    let to = E164::parse("+12025550123", "US").unwrap();
    let sent = bandwidth.send(message(&to, None), LIMIT).await.unwrap();
    assert!(!sent.provider_id.is_empty() && sent.segments == Some(1), "{sent:?}");
    // The judge can say no.
    let headers = "Content-Type: application/json\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
    let status =
        prism.status("/api/v2/users/9900000/messages", headers, "{\"text\":\"to nobody\"}");
    assert_eq!(status, 400);
}

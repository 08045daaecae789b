//! A provider on loopback that speaks Twilio's REST form, and misbehaves as told.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    CONFIG, Place, go_on_for,
    web::{Form, Request},
};

/// The account it serves, and the token that requests and webhooks are known by.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The token.
pub const TOKEN: &str = "s3cret-t0ken-of-the-provider";

/// What it does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Takes it and says so.
    Accept,
    /// Takes it and answers after this time.
    Slow(Duration),
    /// Takes it and closes the connection without an answer.
    TakeAndReset,
    /// Closes the connection without taking it.
    Reset,
    /// Refuses it with this status and Twilio's code.
    Refuse(u16, u32),
    /// Refuses the first with 429 and this `Retry-After`, in seconds, and takes the next.
    Busy(u32),
    /// Says 200 with something that is no JSON, as a hotel's network does.
    Garbage,
}

/// The provider; clones are the same. It serves until the test ends.
#[derive(Debug, Clone)]
pub struct Twilio {
    at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By number; the others are accepted.
    does: BTreeMap<String, Does>,
    always: Option<Does>,
    posted: Vec<Form>,
    taken: Vec<Value>,
    hides: bool,
    /// Told with 429.
    retry_after: Option<u32>,
}

impl Twilio {
    /// Listens at an address of the place.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        Self::at(place.ip(20))
    }

    /// Listens at any port of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let twilio = Self { at: listener.local_addr().unwrap(), inner: Arc::default() };
        let server = twilio.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                // A node that is killed meanwhile leaves a broken connection.
                thread::spawn(move || server.serve(&stream));
            }
        });
        twilio
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// `[provider.twilio]` and `[sender.uk]` of a configuration, with the token in a file.
    #[must_use]
    pub fn config(&self, place: &Place) -> String {
        place.write("token", TOKEN);
        format!(
            "[provider.twilio]\nkind = \"twilio\"\naccount = \"{ACCOUNT}\"\n\
             secret = \"file:token\"\nurl = \"http://{}\"\n\n[sender.uk]\n\
             provider = \"twilio\"\nfrom = \"+447700900999\"\nregions = [\"GB\"]\n",
            self.at
        )
    }

    /// The usual configuration with this provider in place of the sandbox.
    #[must_use]
    pub fn engine_config(&self, place: &Place) -> String {
        let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
        let http = http.split_once("[http]").unwrap().1;
        let url = "public_url = \"http://{engine}:8080\"";
        format!("{before}{}\n[http]\n{url}{http}", self.config(place))
    }

    /// What it does with messages to `number` from now on.
    pub fn does(&self, number: &str, does: Does) {
        self.lock().does.insert(number.to_owned(), does);
    }

    /// What it does with messages to any other number from now on.
    pub fn always(&self, does: Does) {
        self.lock().always = Some(does);
    }

    /// Its list of messages fails from now on, or no more.
    pub fn hides_its_list(&self, hides: bool) {
        self.lock().hides = hides;
    }

    /// All it was asked to send to `number`, whatever it did with it.
    #[must_use]
    pub fn posted_to(&self, number: &str) -> Vec<Form> {
        self.posted().into_iter().filter(|form| form["To"] == number).collect()
    }

    /// All it was asked to send.
    #[must_use]
    pub fn posted(&self) -> Vec<Form> {
        self.lock().posted.clone()
    }

    /// The forms it took: what phones would get.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        self.lock().taken.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let request = Request::read(&mut reader)?;
            let (status, body) = self.answer(&request)?;
            let mut stream = stream;
            let busy = self.lock().retry_after.filter(|_| status == 429);
            let busy = busy.map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
            write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{busy}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .ok()?;
        }
    }

    /// `None` where the connection is to be closed instead.
    fn answer(&self, request: &Request) -> Option<(u16, String)> {
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        let about = format!("/2010-04-01/Accounts/{ACCOUNT}.json");
        if request.path != path && request.path != about {
            return Some((404, json!({ "code": 20404 }).to_string()));
        }
        // AC00000000000000000000000000000001:s3cret-t0ken-of-the-provider
        let basic = "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTpzM2NyZXQtdDBrZW4tb2YtdGhlLXByb3ZpZGVy";
        if request.header("authorization") != basic {
            return Some((401, json!({ "code": 20003 }).to_string()));
        }
        if request.path == about {
            return Some((200, json!({ "sid": ACCOUNT, "status": "active" }).to_string()));
        }
        if request.method == "GET" {
            return Some(self.list(&request.form));
        }
        let does = {
            let mut inner = self.lock();
            inner.posted.push(request.form.clone());
            let does = inner.does.get(&request.form["To"]).copied();
            does.or(inner.always).unwrap_or(Does::Accept)
        };
        match does {
            Does::Accept => Some((201, self.take(&request.form).to_string())),
            Does::Slow(time) => {
                let message = self.take(&request.form);
                go_on_for(u64::try_from(time.as_millis()).unwrap());
                Some((201, message.to_string()))
            }
            Does::TakeAndReset => {
                self.take(&request.form);
                None
            }
            Does::Reset => None,
            Does::Busy(seconds) => {
                let mut inner = self.lock();
                inner.retry_after = Some(seconds);
                inner.does.insert(request.form["To"].clone(), Does::Accept);
                Some((429, json!({ "code": 20429, "status": 429 }).to_string()))
            }
            Does::Refuse(status, code) => Some((
                status,
                json!({ "code": code, "message": "no", "status": status }).to_string(),
            )),
            Does::Garbage => Some((200, "<html>Sign in to the hotel's network".to_owned())),
        }
    }

    fn take(&self, form: &Form) -> Value {
        let mut inner = self.lock();
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let message = json!({
            "sid": format!("SM{:032x}", inner.taken.len() + 1),
            "status": "queued",
            "num_segments": "1",
            "to": form["To"], "from": form["From"], "body": form["Body"],
            "status_callback": form.get("StatusCallback"),
            "date_created": jiff::fmt::rfc2822::to_string(&now).unwrap(),
            "error_code": null,
        });
        inner.taken.push(message.clone());
        message
    }

    fn list(&self, query: &Form) -> (u16, String) {
        let inner = self.lock();
        if inner.hides {
            return (503, json!({ "code": 20503 }).to_string());
        }
        let to = query["To"].as_str();
        let found: Vec<_> = inner.taken.iter().filter(|message| message["to"] == to).collect();
        (200, json!({ "messages": found }).to_string())
    }
}

/// Posts a form to the engine as the provider would; returns status line, headers and body.
#[must_use]
pub fn post(place: &Place, path: &str, form: &[(&str, &str)], signature: &str) -> String {
    try_post(place, path, form, signature).unwrap()
}

/// The same to an engine that may be dead, or die meanwhile.
///
/// # Errors
/// The connection is refused or breaks.
pub fn try_post(
    place: &Place,
    path: &str,
    form: &[(&str, &str)],
    signature: &str,
) -> std::io::Result<String> {
    let pairs: Vec<_> =
        form.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    let body = pairs.join("&");
    let mut stream = TcpStream::connect((place.engine(), 8080))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Twilio-Signature: {signature}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

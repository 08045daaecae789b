//! Systems of the business on loopback: they answer as told, and remember what they were asked.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::{Place, go_on_for};

/// The header by which a person's browser is known.
pub const SAFARI: &str = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) \
                          AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/604.1\r\n";

/// The header of a body in JSON.
pub const JSON: &str = "Content-Type: application/json\r\n";
/// The header of a form.
pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Asks the engine, over a connection of its own, and reads all of the answer: status line, headers
/// and body. Each of `headers` ends in CRLF.
#[must_use]
pub fn ask(place: &Place, method: &str, path: &str, headers: &str, body: &str) -> String {
    try_ask(place, method, path, headers, body).unwrap()
}

/// The same of an engine that may be dead, or die meanwhile.
///
/// # Errors
/// The connection is refused or breaks.
pub fn try_ask(
    place: &Place,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<String> {
    let mut answer = String::new();
    begin(place, method, path, headers, body)?.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks, and leaves the answer to be read.
///
/// # Errors
/// The connection is refused or breaks.
pub fn begin(
    place: &Place,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((place.engine(), 8080))?;
    let len = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\
         Content-Length: {len}\r\n\r\n{body}"
    )?;
    Ok(stream)
}

/// The status of an answer.
#[must_use]
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A form's fields.
pub type Form = HashMap<String, String>;

/// What a system says to a question.
#[derive(Debug, Clone)]
pub enum Says {
    /// 200 with this body.
    Json(String),
    /// The same, after so many ms.
    Late(u64, String),
    /// This status, without a body.
    Status(u16),
    /// 302 to this address.
    Leads(String),
    /// Closes the connection.
    Reset,
}

/// A system of the business; clones are the same. It serves until the test ends.
#[derive(Debug, Clone)]
pub struct Crm {
    at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    says: Says,
    /// By a part of the path and one of the query or the body; the newest counts.
    to: Vec<(String, String, Says)>,
    asked: Vec<Request>,
}

impl Crm {
    /// A system that says `says` to everything.
    #[must_use]
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let crm = Self {
            at: listener.local_addr().unwrap(),
            inner: Arc::new(Mutex::new(Inner { says, to: Vec::new(), asked: Vec::new() })),
        };
        let serving = crm.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let crm = serving.clone();
                thread::spawn(move || crm.serve(&stream));
            }
        });
        crm
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// From now on it says `says`.
    pub fn says(&self, says: Says) {
        self.inner.lock().unwrap().says = says;
    }

    /// From now on it says `says` to what is asked at a path with `path` in it about `about`: a part
    /// of a field or of the body.
    pub fn says_to(&self, path: &str, about: &str, says: Says) {
        self.inner.lock().unwrap().to.push((path.to_owned(), about.to_owned(), says));
    }

    /// What it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.inner.lock().unwrap().asked.clone()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let request = Request::read(&mut reader)?;
            let says = {
                let mut inner = self.inner.lock().unwrap();
                let is_meant = |(path, about, _): &&(String, String, Says)| {
                    let mut values = request.form.values();
                    request.path.contains(path)
                        && (request.body.contains(about) || values.any(|v| v.contains(about)))
                };
                let says = inner.to.iter().rev().find(is_meant).map(|(_, _, says)| says.clone());
                let says = says.unwrap_or_else(|| inner.says.clone());
                inner.asked.push(request);
                says
            };
            let mut location = String::new();
            let (status, body) = match says {
                Says::Json(body) => (200, body),
                Says::Late(ms, body) => {
                    go_on_for(ms);
                    (200, body)
                }
                Says::Status(status) => (status, String::new()),
                Says::Leads(to) => {
                    location = format!("Location: {to}\r\n");
                    (302, String::new())
                }
                Says::Reset => return None,
            };
            let mut stream = stream;
            let head = format!("HTTP/1.1 {status} x\r\n{location}Content-Length: {}", body.len());
            write!(stream, "{head}\r\n\r\n{body}").ok()?;
        }
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET, POST.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Fields of the query and of a form in the body.
    pub form: Form,
    /// The body.
    pub body: String,
    headers: HashMap<String, String>,
}

impl Request {
    /// A header by its name in lower case; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let first = line(reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HashMap::new();
        loop {
            let header = line(reader)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':')?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let len = headers.get("content-length").map_or(Ok(0), |len| len.parse()).ok()?;
        let mut body = vec![0; len];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let pairs = query.split('&').chain(body.split('&'));
        let form = pairs.filter_map(|pair| pair.split_once('='));
        let form = form.map(|(name, value)| (decoded(name), decoded(value))).collect();
        Some(Self { method, path: path.to_owned(), form, body, headers })
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap();
                u8::try_from(digit() * 16 + digit()).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

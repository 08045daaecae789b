//! HTTP/1.1, as little of it as providers on loopback need.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use deflect_actions::provider::form;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its first byte was there to be read, nanoseconds since 1970.
    pub at_ns: u64,
    /// GET, POST.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its body: JSON, or a form as an object; null where it is neither.
    pub body: Value,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads one; `None` where there is no more, or no HTTP.
    pub(crate) fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        if reader.fill_buf().ok()?.is_empty() {
            return None;
        }
        let at_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let first = line(reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = headers(reader)?;
        let mut request =
            Self { at_ns: u64::try_from(at_ns).ok()?, method, target, body: Value::Null, headers };
        let body = body(reader, &request.headers)?;
        request.body = request.value(&body);
        Some(request)
    }

    /// A header, whatever the case of its name; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The fields of the query.
    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form(query.as_bytes()).unwrap_or_default()
    }

    /// A field of the query.
    #[must_use]
    pub fn asks(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(one, _)| one == name).map(|(_, value)| value)
    }

    fn value(&self, body: &[u8]) -> Value {
        if self.header("content-type").starts_with("application/x-www-form-urlencoded") {
            let fields = form(body).unwrap_or_default().into_iter();
            return Value::Object(fields.map(|(name, value)| (name, value.into())).collect());
        }
        serde_json::from_slice(body).unwrap_or(Value::Null)
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    /// In seconds.
    pub retry_after: Option<u64>,
    pub body: String,
}

impl Answer {
    pub fn json((status, body): (u16, Value)) -> Self {
        Self { status, retry_after: None, body: body.to_string() }
    }

    pub fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        let Self { status, retry_after, body } = self;
        let busy = retry_after.map_or(String::new(), |n| format!("Retry-After: {n}\r\n"));
        let answer = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\n{busy}\
             Content-Length: {}\r\n\r\n{body}",
            phrase(*status),
            body.len()
        );
        stream.write_all(answer.as_bytes())
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        _ => "No",
    }
}

/// A connection that webhooks are posted by.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects to the host of an `http` address.
    pub fn connect(at: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&at, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status of the answer; the connection can be used again.
    pub fn post(&mut self, path: &str, headers: &HeaderMap, body: &[u8]) -> io::Result<u16> {
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: carom\r\n");
        for (name, value) in headers {
            let value = value.to_str().map_err(io::Error::other)?;
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let broken = || io::Error::other("no answer");
        let first = line(&mut self.0).ok_or_else(broken)?;
        let told = self::headers(&mut self.0).ok_or_else(broken)?;
        self::body(&mut self.0, &told).ok_or_else(broken)?;
        first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)
    }
}

/// Host and path of an `http` address.
pub(crate) fn place(url: &str) -> Option<(SocketAddr, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let at = host.parse().ok().or_else(|| {
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        host.to_socket_addrs().ok()?.find(SocketAddr::is_ipv4)
    })?;
    Some((at, path))
}

fn headers(reader: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let header = line(reader)?;
        if header.is_empty() {
            return Some(headers);
        }
        let (name, value) = header.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn body(reader: &mut BufReader<TcpStream>, headers: &[(String, String)]) -> Option<Vec<u8>> {
    let of = |name: &str| {
        let found = headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let mut body = Vec::new();
    if of("transfer-encoding") == Some("chunked") {
        loop {
            let length = usize::from_str_radix(&line(reader)?, 16).ok()?;
            let from = body.len();
            body.resize(from + length, 0);
            reader.read_exact(&mut body[from..]).ok()?;
            line(reader)?;
            if length == 0 {
                return Some(body);
            }
        }
    }
    body.resize(of("content-length").map_or(Ok(0), str::parse).ok()?, 0);
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

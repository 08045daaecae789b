//! The provider of texts: Twilio's form on loopback, which takes every text and has each
//! delivered.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::{
    generator::wall_ns,
    http::{Client, head, text_of},
};

/// The account it serves, and the token that requests and webhooks are known by.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The token.
pub const TOKEN: &str = "token-of-the-provider";
/// Threads that post receipts.
const POSTERS: usize = 8;

/// A text it took.
#[derive(Debug, Clone)]
pub struct Taken {
    /// When the request's first byte was there to be read, nanoseconds since 1970.
    pub at_ns: u64,
    /// To whom.
    pub to: String,
    /// What.
    pub body: String,
}

/// What became of its receipts, by status; 0: the connection broke.
pub type Receipts = BTreeMap<u16, u64>;

/// The provider. It serves until the bench ends.
#[derive(Debug, Clone)]
pub struct Provider {
    at: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    receipts: Arc<Mutex<Receipts>>,
}

/// A text whose delivery is to be told.
#[derive(Debug)]
struct Receipt {
    url: String,
    sid: String,
}

impl Provider {
    /// Listens on loopback.
    ///
    /// # Errors
    /// There is no port left.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let at = listener.local_addr()?;
        let provider = Self { at, taken: Arc::default(), receipts: Arc::default() };
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..POSTERS {
            let (provider, receiver) = (provider.clone(), Arc::clone(&receiver));
            thread::spawn(move || provider.post_all(&receiver));
        }
        let server = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (server, sender) = (server.clone(), sender.clone());
                // Ends with the connection.
                thread::spawn(move || server.serve(stream, &sender));
            }
        });
        Ok(provider)
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// All it took so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How its receipts were answered so far.
    pub fn receipts(&self) -> Receipts {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: TcpStream, receipts: &Sender<Receipt>) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        loop {
            if reader.fill_buf()?.is_empty() {
                return Ok(());
            }
            let at_ns = wall_ns();
            let (_, length) = head(&mut reader, |_, _| {})?;
            let form = form(&text_of(&mut reader, length)?);
            let field = |name| form.get(name).cloned().context("a field is missing");
            let taken = Taken { at_ns, to: field("To")?, body: field("Body")? };
            let url = field("StatusCallback")?;
            let number = {
                let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(taken);
                all.len()
            };
            let sid = format!("SM{number:032x}");
            let answer =
                format!("{{\"sid\":\"{sid}\",\"status\":\"queued\",\"num_segments\":\"1\"}}");
            write!(
                reader.get_mut(),
                "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{answer}",
                answer.len()
            )?;
            receipts.send(Receipt { url, sid })?;
        }
    }

    /// Posts receipts until there can be no more.
    fn post_all(&self, receipts: &Mutex<Receiver<Receipt>>) {
        let mut clients = BTreeMap::new();
        loop {
            let next = receipts.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(receipt) = next else { return };
            let status = post(&mut clients, &receipt).unwrap_or(0);
            let mut all = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(status).or_default() += 1;
        }
    }
}

/// Posts one over the connection to its host.
fn post(clients: &mut BTreeMap<SocketAddr, Client>, receipt: &Receipt) -> anyhow::Result<u16> {
    let Receipt { url, sid } = receipt;
    let rest = url.strip_prefix("http://").context("no http")?;
    let (host, path) = rest.split_at(rest.find('/').context("no path")?);
    let at: SocketAddr = host.parse()?;
    let mut client = match clients.remove(&at) {
        Some(client) => client,
        None => Client::connect(at)?,
    };
    // Names in order, each followed by its value, after the address.
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes())?;
    mac.update(format!("{url}MessageSid{sid}MessageStatusdelivered").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: {signature}\r\n"
    );
    let body = format!("MessageSid={sid}&MessageStatus=delivered");
    let answer = client.ask("POST", path, &headers, &body)?;
    clients.insert(at, client);
    Ok(answer.status)
}

fn form(body: &str) -> BTreeMap<String, String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| hex::decode(two).ok()).filter(|_| byte == b'%');
        rest = if hex.is_some() { &tail[2..] } else { tail };
        match hex {
            Some(decoded) => bytes.extend(decoded),
            None => bytes.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_meant() {
        let form = form("To=%2B447400000001&Body=a+b%3A%20%C3%A9%25&Empty=");
        let values: Vec<&str> = form.values().map(String::as_str).collect();
        assert_eq!(values, ["a b: é%", "", "+447400000001"]);
    }
}

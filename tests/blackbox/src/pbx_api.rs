//! What speaks the interfaces by which a PBX tells of its queues: connections that are served line
//! by line, cut into odd pieces on the way out, and may go dead.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::go_on_for;

/// Bytes of a piece.
const PIECE: usize = 37;

/// What the queue says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub available: u32,
    pub callers: u32,
    pub hold_seconds: u32,
}

/// Who connects, and what is to be said to them.
#[derive(Debug)]
pub(crate) struct Server {
    /// The connections that are logged in and want events.
    listening: Mutex<Vec<TcpStream>>,
    /// All connections.
    all: Mutex<Vec<TcpStream>>,
    /// Nothing is answered any more.
    pub dead: AtomicBool,
    /// Connections so far.
    pub connections: AtomicUsize,
    /// What was asked, in order.
    pub asked: Mutex<Vec<String>>,
    pub counts: Mutex<Counts>,
    /// Call-IDs by channel.
    pub call_ids: Mutex<Vec<(String, String)>>,
}

impl Server {
    /// Serves each connection by `serve`.
    pub fn start(
        ip: Ipv4Addr,
        port: u16,
        serve: impl Fn(&Self, &mut BufReader<TcpStream>, &TcpStream) -> Option<()>
        + Send
        + Sync
        + 'static,
    ) -> Arc<Self> {
        let listener = TcpListener::bind((ip, port)).unwrap();
        let server = Arc::new(Self {
            listening: Mutex::default(),
            all: Mutex::default(),
            dead: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            asked: Mutex::default(),
            counts: Mutex::default(),
            call_ids: Mutex::default(),
        });
        let (serving, serve) = (Arc::clone(&server), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_nodelay(true).unwrap();
                serving.connections.fetch_add(1, Ordering::Relaxed);
                serving.all.lock().unwrap().push(stream.try_clone().unwrap());
                let (server, serve) = (Arc::clone(&serving), Arc::clone(&serve));
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    serve(&server, &mut reader, &stream);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        server
    }

    /// From now on this connection is told events.
    pub fn listens(&self, stream: &TcpStream) {
        self.listening.lock().unwrap().push(stream.try_clone().unwrap());
    }

    /// Says it to all who want to hear it.
    pub fn tell(&self, text: &str) {
        for stream in self.listening.lock().unwrap().iter() {
            say(stream, text);
        }
    }

    /// Hangs up on everybody.
    pub fn hang_up(&self) {
        self.listening.lock().unwrap().clear();
        for stream in self.all.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn call_id(&self, channel: &str) -> Option<String> {
        let ids = self.call_ids.lock().unwrap();
        ids.iter().find(|(own, _)| own == channel).map(|(_, id)| id.clone())
    }
}

/// In pieces that end anywhere; a flood goes out at once. One message is out before the next begins.
pub(crate) fn say(stream: &TcpStream, text: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap();
    let mut stream = stream;
    if text.len() > 4_096 {
        let _ = stream.write_all(text.as_bytes());
        return;
    }
    for piece in text.as_bytes().chunks(PIECE) {
        let _ = stream.write_all(piece);
        go_on_for(1);
    }
}

/// Lines up to an empty one; `None`: it hung up.
pub(crate) fn block(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return Some(lines);
        }
        lines.push(line.to_owned());
    }
}

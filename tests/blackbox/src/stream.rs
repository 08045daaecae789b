//! SIP over TCP by hand, for peers that SIPp would never be.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use tokio::{net::TcpSocket, runtime::Builder};

use crate::Place;

/// An answer comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the engine.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl Stream {
    /// From `ip`.
    #[must_use]
    pub fn at(place: &Place, ip: Ipv4Addr) -> Self {
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from((ip, 0))).unwrap();
            socket.connect(SocketAddr::from((place.engine(), 5060))).await.unwrap()
        });
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends bytes; `false`: the engine has hung up, which the first bytes after it may not tell.
    ///
    /// # Panics
    /// The engine reads no more.
    pub fn sends(&mut self, bytes: &[u8]) -> bool {
        let sent = self.0.write_all(bytes);
        let stuck = |e: &io::Error| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!sent.as_ref().is_err_and(stuck), "the engine reads no more");
        sent.is_ok()
    }

    /// What comes until there is a whole head, without a body.
    #[must_use]
    pub fn receive(&mut self) -> String {
        let (mut text, mut byte) = (String::new(), [0]);
        while !text.ends_with("\r\n\r\n") {
            self.0.read_exact(&mut byte).expect("a message of the engine");
            text.push(char::from(byte[0]));
        }
        text
    }

    /// Whether the engine has closed it by now, what it still says left out.
    #[must_use]
    pub fn is_closed(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let closed = loop {
            match self.0.read(&mut [0; 65_536]) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        };
        self.0.set_nonblocking(false).unwrap();
        closed
    }
}

//! The CLI's side of the control socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Reply, Request};

/// A node that says nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// A long list is written meanwhile.
const PATIENCE_FOR_LISTS: Duration = Duration::from_secs(300);
/// All that is encrypted is written anew meanwhile.
const PATIENCE_FOR_KEYS: Duration = Duration::from_secs(3_600);

/// No node answers at the socket.
#[derive(Debug, thiserror::Error)]
#[error("no running node at {}: {cause} (start one with `carom run`)", socket.display())]
pub struct NotRunning {
    socket: PathBuf,
    cause: io::Error,
}

/// A connection to the running node.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the node whose control socket is `socket`.
    ///
    /// # Errors
    /// [`NotRunning`] when nobody answers there.
    pub fn connect(socket: &Path) -> Result<Self, NotRunning> {
        UnixStream::connect(socket)
            .map(|stream| Self { stream: BufReader::new(stream) })
            .map_err(|cause| NotRunning { socket: socket.to_owned(), cause })
    }

    /// Asks one thing and waits for the reply.
    ///
    /// # Errors
    /// When the node goes away, or does not reply in time.
    pub fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        let patience = match request {
            Request::RotateKey { .. } => PATIENCE_FOR_KEYS,
            Request::AddOptOuts { .. } => PATIENCE_FOR_LISTS,
            _ => PATIENCE,
        };
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let mut reply = String::new();
        if self.stream.read_line(&mut reply)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the node went away"));
        }
        Ok(serde_json::from_str(&reply)?)
    }
}

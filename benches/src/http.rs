//! As much HTTP/1.1 as a bench needs: requests over one connection that stays open.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    at: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    /// # Errors
    /// Nobody listens at `at`.
    pub fn connect(at: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { at, stream: BufReader::new(stream) })
    }

    /// Asks; `headers` are whole lines, each with its end.
    ///
    /// # Errors
    /// The server is gone, or answers something else than HTTP.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let (at, length) = (self.at, body.len());
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(text.as_bytes())?;
        let (first, length) = head(&mut self.stream, |_, _| {})?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {first}")))?;
        let body = text_of(&mut self.stream, length)?;
        Ok(Answer { status, body })
    }
}

/// Reads a head: its first line, and the length of the body. `header` is told name, in lower case,
/// and value of each header.
///
/// # Errors
/// The other side is gone.
pub fn head(
    from: &mut BufReader<TcpStream>,
    mut header: impl FnMut(&str, &str),
) -> io::Result<(String, usize)> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let first = line.trim_end().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        if name == "content-length" {
            length = value.parse().map_err(io::Error::other)?;
        }
        header(&name, value);
    }
    Ok((first, length))
}

/// A body of so many bytes.
///
/// # Errors
/// The other side is gone, or it is no text.
pub fn text_of(from: &mut BufReader<TcpStream>, length: usize) -> io::Result<String> {
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    String::from_utf8(body).map_err(io::Error::other)
}

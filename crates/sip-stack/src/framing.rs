//! Messages from a stream (RFC 3261 §18.3).

use bytes::{Bytes, BytesMut};

use crate::message::{HeaderName, MAX_MESSAGE_BYTES, head_end, scan};

/// Why a stream can no longer be cut into messages; it has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message without a Content-Length, or with one that is no number.
    #[error("no usable Content-Length on a stream")]
    NoLength,
    /// A message longer than [`MAX_MESSAGE_BYTES`].
    #[error("message too large")]
    TooLarge,
    /// Bytes that cannot start a SIP message, such as an HTTP probe or a TLS hello.
    #[error("not SIP")]
    NotSip,
}

/// Cuts a byte stream into messages; line ends between them are keep-alives and skipped.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// Bytes already searched for the end of the head.
    searched: usize,
    /// Length of the message at the front, once its head is known.
    expected: Option<usize>,
    failed: Option<FrameError>,
    /// The line ends that came last, up to three: a fourth may make a ping of them.
    blank: Vec<u8>,
    pings: u32,
}

impl StreamFramer {
    /// Starts on an empty stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the next whole message; `None` until more bytes come. After an error the stream is
    /// lost and the same error comes again.
    #[expect(clippy::should_implement_trait, reason = "not an iterator: more may come after None")]
    pub fn next(&mut self) -> Option<Result<Bytes, FrameError>> {
        if let Some(error) = self.failed {
            return Some(Err(error));
        }
        match self.frame() {
            Ok(frame) => frame.map(Ok),
            Err(error) => {
                self.failed = Some(error);
                self.buffer.clear();
                Some(Err(error))
            }
        }
    }

    /// Returns how many double line ends came since the last call: pings that want a single line
    /// end back (RFC 5626 §4.4.1).
    pub fn take_pings(&mut self) -> u32 {
        std::mem::take(&mut self.pings)
    }

    fn frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let length = match self.expected {
            Some(length) => length,
            None => match self.measure()? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        self.expected = Some(length);
        if self.buffer.len() < length {
            return Ok(None);
        }
        (self.expected, self.searched) = (None, 0);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Returns the length of the message at the front, once its head is complete.
    fn measure(&mut self) -> Result<Option<usize>, FrameError> {
        if self.searched == 0 {
            self.skip_keep_alives();
        }
        if self.buffer.first().is_some_and(|&first| !scan::is_token_byte(first)) {
            return Err(FrameError::NotSip);
        }
        // The end of the head may straddle what was searched before.
        let from = self.searched.saturating_sub(3);
        let Some(offset) = head_end(&self.buffer[from..]) else {
            self.searched = self.buffer.len();
            let over = self.buffer.len() > MAX_MESSAGE_BYTES;
            return if over { Err(FrameError::TooLarge) } else { Ok(None) };
        };
        let head = from + offset;
        let body = content_length(&self.buffer[..head])?;
        match head.checked_add(body) {
            Some(length) if length <= MAX_MESSAGE_BYTES => Ok(Some(length)),
            Some(_) | None => Err(FrameError::TooLarge),
        }
    }

    fn skip_keep_alives(&mut self) {
        let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        for byte in self.buffer.split_to(blank) {
            self.blank.push(byte);
            if self.blank.ends_with(b"\r\n\r\n") {
                self.pings = self.pings.saturating_add(1);
                self.blank.clear();
            } else if self.blank.len() > 3 {
                self.blank.remove(0);
            }
        }
        if !self.buffer.is_empty() {
            self.blank.clear();
        }
    }
}

fn content_length(head: &[u8]) -> Result<usize, FrameError> {
    let mut lengths = head.split(|&b| b == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&b| b == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        let length = HeaderName::ContentLength == HeaderName::known(name.trim_end())?;
        length.then_some(&line[colon + 1..])
    });
    let length = lengths.next().ok_or(FrameError::NoLength)?;
    if lengths.next().is_some() {
        return Err(FrameError::NoLength);
    }
    let text = std::str::from_utf8(length).map_err(|_| FrameError::NoLength)?;
    scan::number(scan::trim(text)).map_err(|_| FrameError::NoLength)
}

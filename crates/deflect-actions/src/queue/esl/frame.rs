//! What FreeSWITCH's event socket sends: headers, an empty line, and as many bytes of body as
//! `Content-Length` says.

use bytes::BytesMut;

/// A body may be no longer: some 250 bytes for each member that a queue lists.
pub(in crate::queue) const LONGEST: usize = 4 * 1024 * 1024;
/// Nor may the headers.
const HEADERS: usize = 16 * 1024;

/// A reply, an answer or an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    headers: Vec<(String, String)>,
    /// Its body, as text.
    pub body: String,
}

/// Why bytes are no frame of an event socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is longer than any that is known.
    #[error("a frame of more than {LONGEST} bytes")]
    TooLong,
    /// `Content-Length` is no number.
    #[error("a Content-Length that is no number")]
    Length,
}

/// Reads frames out of a stream that may be cut anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frames;

impl Frames {
    /// The next frame; `None`: it is not all there yet.
    ///
    /// # Errors
    /// It is too long, or does not say how long it is.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") else {
            return if buffer.len() > HEADERS { Err(FrameError::TooLong) } else { Ok(None) };
        };
        let headers = headers(&String::from_utf8_lossy(&buffer[..end]), false);
        let frame = Frame { headers, body: String::new() };
        let length = match frame.get("Content-Length") {
            "" => 0,
            length => length.parse().map_err(|_| FrameError::Length)?,
        };
        if length > LONGEST {
            return Err(FrameError::TooLong);
        }
        let all = end + 2 + length;
        if buffer.len() < all {
            return Ok(None);
        }
        let bytes = buffer.split_to(all);
        Ok(Some(Frame { body: String::from_utf8_lossy(&bytes[end + 2..]).into_owned(), ..frame }))
    }
}

impl Frame {
    /// The first value of this name, in any case; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let named = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map_or("", |(_, value)| value.as_str())
    }

    /// The event in the body of a `text/event-plain`.
    #[must_use]
    pub fn event(&self) -> Self {
        let head = self.body.split("\n\n").next().unwrap_or("");
        Self { headers: headers(head, true), body: String::new() }
    }
}

fn headers(text: &str, encoded: bool) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        let value = if encoded { decoded(value) } else { value.to_owned() };
        Some((name.trim().to_owned(), value))
    };
    text.lines().filter_map(pair).collect()
}

/// `%XX` as events have it.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"Content-Type: auth/request\n\nContent-Type: api/response\n\
        Content-Length: 13\n\na|b\n1|2\n\n\n+OKContent-Length: 58\nContent-Type: text/event-plain\n\n\
        Event-Name: CUSTOM\nCC-Agent: 1000%40default\nCC-Queue: 5%\n\n";

    #[test]
    fn frames_are_the_same_wherever_the_stream_is_cut() {
        for cut in 1..STREAM.len() {
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for part in [&STREAM[..cut], &STREAM[cut..]] {
                buffer.extend_from_slice(part);
                while let Some(frame) = Frames::take(&mut buffer).unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found.len(), 3, "{cut}");
            assert_eq!(found[1].body, "a|b\n1|2\n\n\n+OK", "bytes are counted, not lines");
            let event = found[2].event();
            assert_eq!((event.get("cc-agent"), event.get("CC-Queue")), ("1000@default", "5%"));
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        let take = |text: &str| Frames::take(&mut BytesMut::from(text.as_bytes()));
        assert_eq!(take("Content-Length: x\n\n"), Err(FrameError::Length));
        assert_eq!(take("Content-Length: 999999999\n\n"), Err(FrameError::TooLong));
        assert_eq!(take(&"a".repeat(HEADERS + 1)), Err(FrameError::TooLong));
    }
}

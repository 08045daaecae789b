//! What Asterisk's manager sends: a greeting, then blocks of `Name: value` lines, each block ended by
//! an empty line.

use bytes::{Buf, BytesMut};

/// A block may be no longer.
const LONGEST: usize = 64 * 1024;

/// A response or an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    lines: Vec<(String, String)>,
}

/// Why bytes are no block of a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is longer than any that is known.
    #[error("a block of more than {LONGEST} bytes")]
    TooLong,
    /// The greeting is another program's.
    #[error("no greeting of an Asterisk manager")]
    Greeting,
}

/// Reads blocks out of a stream that may be cut anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocks {
    /// Bytes of the block in the buffer that hold no end.
    seen: usize,
}

impl Blocks {
    /// The greeting; `None`: it is not all there yet.
    ///
    /// # Errors
    /// It is none of Asterisk's.
    pub fn greeting(buffer: &mut BytesMut) -> Result<Option<String>, BlockError> {
        const BEGINS: &[u8] = b"Asterisk Call Manager/";
        let compared = buffer.len().min(BEGINS.len());
        if buffer[..compared] != BEGINS[..compared] || buffer.len() > 256 {
            return Err(BlockError::Greeting);
        }
        let Some(end) = buffer.iter().position(|b| *b == b'\n') else { return Ok(None) };
        let line = buffer.split_to(end + 1);
        Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
    }

    /// The next block; `None`: it is not all there yet.
    ///
    /// # Errors
    /// It is too long.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, BlockError> {
        while buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            self.seen = 0;
        }
        let from = self.seen.saturating_sub(3);
        let end = buffer[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|at| from + at) else {
            self.seen = buffer.len();
            return if self.seen > LONGEST { Err(BlockError::TooLong) } else { Ok(None) };
        };
        self.seen = 0;
        if end > LONGEST {
            return Err(BlockError::TooLong);
        }
        let bytes = buffer.split_to(end + 4);
        let text = String::from_utf8_lossy(&bytes[..end]);
        let lines = text.split("\r\n").filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        });
        Ok(Some(Block { lines: lines.collect() }))
    }
}

impl Block {
    /// The first value of this name, in any case; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let named = self.lines.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map_or("", |(_, value)| value.as_str())
    }

    /// All values of this name.
    pub fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        let named = self.lines.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// A count; `None` where there is none.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.get(name).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\n\
        Challenge: 203943\r\n\r\nEvent: QueueSummary\r\nQueue: service\r\nChanVariable: A=1\r\n\
        ChanVariable: B=x: y\r\nHoldTime: 41\r\nCallerIDName:\r\n\r\n";

    #[test]
    fn blocks_are_the_same_wherever_the_stream_is_cut() {
        for cut in 1..STREAM.len() {
            let (mut buffer, mut blocks, mut greeting) = (BytesMut::new(), Blocks::default(), None);
            let mut found = Vec::new();
            for part in [&STREAM[..cut], &STREAM[cut..]] {
                buffer.extend_from_slice(part);
                if greeting.is_none() {
                    greeting = Blocks::greeting(&mut buffer).unwrap();
                }
                while greeting.is_some()
                    && let Some(block) = blocks.take(&mut buffer).unwrap()
                {
                    found.push(block);
                }
            }
            assert_eq!(greeting.as_deref(), Some("Asterisk Call Manager/11.0.0"), "{cut}");
            assert_eq!(found.len(), 2, "{cut}");
            assert_eq!(found[0].get("challenge"), "203943");
            assert_eq!(found[1].all("ChanVariable").collect::<Vec<_>>(), ["A=1", "B=x: y"]);
            assert_eq!((found[1].number("HoldTime"), found[1].number("Queue")), (Some(41), None));
            assert_eq!(found[1].get("CallerIDName"), "");
        }
    }

    #[test]
    fn what_is_no_manager_is_refused_at_its_first_bytes() {
        let mut buffer = BytesMut::from(&b"SSH-2.0"[..]);
        assert_eq!(Blocks::greeting(&mut buffer), Err(BlockError::Greeting));
        let mut endless = BytesMut::from(&vec![b'x'; LONGEST + 1][..]);
        assert_eq!(Blocks::default().take(&mut endless), Err(BlockError::TooLong));
    }
}

//! A connection whose reads may be given up and gone on with at any byte.

use std::time::Duration;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Settings, Trouble, esl};
use crate::tls::Wire;

/// Bytes that may wait to be read as a message: the longest that there is, and what came after it.
const LONGEST: usize = esl::frame::LONGEST + 256 * 1024;

pub(super) struct Link {
    stream: Box<dyn Wire>,
    buffer: BytesMut,
    within: Duration,
}

impl Link {
    pub async fn open(settings: &Settings) -> Result<Self, Trouble> {
        let Settings { host, port, within, tls, .. } = settings;
        let within = *within;
        let stream = timeout(within, TcpStream::connect((host.as_str(), *port)));
        let stream = stream.await.map_err(|_| Trouble::Silent)?.map_err(Trouble::Connect)?;
        stream.set_nodelay(true).map_err(Trouble::Connect)?;
        let stream: Box<dyn Wire> = match tls {
            None => Box::new(stream),
            Some(trust) => {
                let secured = timeout(within, trust.connect(host, stream));
                secured.await.map_err(|_| Trouble::Silent)?.map_err(Trouble::Connect)?
            }
        };
        Ok(Self { stream, buffer: BytesMut::with_capacity(4_096), within })
    }

    pub async fn send(&mut self, text: &str) -> Result<(), Trouble> {
        let written = timeout(self.within, self.stream.write_all(text.as_bytes()));
        written.await.map_err(|_| Trouble::Silent)?.map_err(Trouble::Lost)
    }

    /// The next message that `take` finds; may be dropped and called again.
    pub async fn next<T, E: std::fmt::Display>(
        &mut self,
        mut take: impl FnMut(&mut BytesMut) -> Result<Option<T>, E>,
    ) -> Result<T, Trouble> {
        loop {
            let found = take(&mut self.buffer);
            if let Some(found) = found.map_err(|why| Trouble::Protocol(why.to_string()))? {
                return Ok(found);
            }
            if self.buffer.len() > LONGEST {
                return Err(Trouble::Protocol("a message without an end".to_owned()));
            }
            if self.stream.read_buf(&mut self.buffer).await.map_err(Trouble::Lost)? == 0 {
                return Err(Trouble::Closed);
            }
        }
    }

    /// As [`Self::next`], within the time for an answer.
    pub async fn answer<T, E: std::fmt::Display>(
        &mut self,
        take: impl FnMut(&mut BytesMut) -> Result<Option<T>, E>,
    ) -> Result<T, Trouble> {
        timeout(self.within, self.next(take)).await.map_err(|_| Trouble::Silent)?
    }
}

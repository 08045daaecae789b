//! What goes on on a connection, from its first byte to its last.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, WriteHalf, split},
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Incoming, TurnedAway, connections::Seat, failed, message, report, turned_away};
use crate::{endpoint::TransportError, framing::StreamFramer};

/// A connection that brought no whole message in this time is no SIP peer's.
const FIRST: Duration = Duration::from_secs(10);
/// A peer that takes one message no faster than this reads no more, and is hung up on.
const STALLED: Duration = Duration::from_secs(10);
/// A goodbye may take this long.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection to serve.
pub(super) struct Service {
    pub(super) seat: Seat,
    pub(super) messages: mpsc::Receiver<Bytes>,
    pub(super) incoming: mpsc::Sender<Incoming>,
    /// After this long without a whole message its user is asked whether it is still needed.
    pub(super) idle: Duration,
}

/// Why a connection is over.
enum End {
    Error(io::Error),
    Dropped(TurnedAway),
}

/// What is known of a connection.
#[derive(Default)]
struct Known {
    /// It is a SIP peer's.
    heard: AtomicBool,
    /// Something of ours went by it, so that somebody may wait for an answer.
    used: AtomicBool,
}

impl Service {
    /// Serves a connection that a peer opened.
    pub(super) async fn accepted(self, stream: impl AsyncRead + AsyncWrite + Send) {
        self.run(stream, FIRST, Known::default()).await;
    }

    /// Serves one that we opened, to send something.
    pub(super) async fn opened(self, stream: impl AsyncRead + AsyncWrite + Send) {
        let idle = self.idle;
        self.run(stream, idle, Known { heard: true.into(), used: true.into() }).await;
    }

    async fn run(
        self,
        stream: impl AsyncRead + AsyncWrite + Send,
        patience: Duration,
        known: Known,
    ) {
        let Self { seat, messages, incoming, idle } = self;
        let (reader, writer) = split(stream);
        let (pongs, owed) = mpsc::channel(8);
        let reading = Reading { seat: &seat, known: &known, incoming: &incoming, idle, pongs };
        let end = tokio::select! {
            end = reading.run(reader, patience) => end,
            end = write(writer, messages, owed, &known) => end,
        };
        let in_place = seat.leave();
        let why = match end {
            End::Error(error) => error,
            End::Dropped(why) => {
                turned_away(&incoming, seat.path, why, why.to_string());
                io::Error::new(io::ErrorKind::ConnectionAborted, why.to_string())
            }
        };
        // Nobody waits for one by which nothing went: strangers come and go without a word.
        if known.used.load(Ordering::Relaxed) {
            let error = if in_place { TransportError::Closed } else { TransportError::Replaced };
            report(&incoming, failed(seat.path, Some(seat.id), error, &why));
        }
    }
}

async fn write(
    mut writer: WriteHalf<impl AsyncRead + AsyncWrite>,
    mut messages: mpsc::Receiver<Bytes>,
    mut owed: mpsc::Receiver<()>,
    known: &Known,
) -> End {
    loop {
        let bytes = tokio::select! {
            message = messages.recv() => match message {
                Some(bytes) => {
                    known.used.store(true, Ordering::Relaxed);
                    bytes
                }
                None => {
                    let _ = timeout(GOODBYE, writer.shutdown()).await;
                    return End::Error(closed());
                }
            },
            Some(()) = owed.recv() => Bytes::from_static(b"\r\n"),
        };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(STALLED, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Error(error),
            Err(_) => return End::Dropped(TurnedAway::Deaf),
        }
    }
}

/// The reading half.
struct Reading<'a> {
    seat: &'a Seat,
    known: &'a Known,
    incoming: &'a mpsc::Sender<Incoming>,
    idle: Duration,
    pongs: mpsc::Sender<()>,
}

impl Reading<'_> {
    async fn run(self, mut reader: impl AsyncRead + Unpin, patience: Duration) -> End {
        let mut framer = StreamFramer::new();
        let mut buffer = vec![0; 16 * 1_024];
        let mut deadline = Instant::now() + patience;
        loop {
            let was_known = self.known.heard.load(Ordering::Relaxed);
            match timeout_at(deadline, reader.read(&mut buffer)).await {
                Ok(Ok(0)) => return End::Error(closed()),
                Ok(Ok(len)) => {
                    self.seat.hear();
                    framer.push(&buffer[..len]);
                }
                Ok(Err(error)) => return End::Error(error),
                Err(_) if !was_known => return End::Dropped(TurnedAway::Silent),
                // Who has a call by it still needs it.
                Err(_) => {
                    deadline = Instant::now() + self.idle;
                    let idle = Incoming::Idle { path: self.seat.path };
                    if self.incoming.send(idle).await.is_err() {
                        return End::Error(closed());
                    }
                }
            }
            while let Some(next) = framer.next() {
                // What cannot be cut into messages is no SIP peer's: an HTTP probe, a scanner.
                let Ok(bytes) = next else { return End::Dropped(TurnedAway::NotSip) };
                self.known.heard.store(true, Ordering::Relaxed);
                deadline = Instant::now() + self.idle;
                if self.incoming.send(message(self.seat.path, bytes)).await.is_err() {
                    return End::Error(closed());
                }
            }
            // Two line ends are a ping, one is its pong (RFC 5626 §4.4.1): for those we have heard
            // of.
            let pings = framer.take_pings();
            for _ in (0..pings).filter(|_| was_known) {
                deadline = Instant::now() + self.idle;
                let _ = self.pongs.try_send(());
            }
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was closed")
}

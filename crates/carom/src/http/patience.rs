//! Connections of clients that take their time: few enough, and not for ever, so that slow or
//! malicious ones cost the calls nothing. Their TLS handshake is a part of that time.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

use crate::config::Snapshot;

/// Connections at once; further ones wait in the kernel.
const CONNECTIONS: usize = 256;
/// A request must have come whole, and its answer begun, within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Out of descriptors, trying at once helps nobody.
const BREATH: Duration = Duration::from_millis(50);

/// A listener whose connections are bounded in number and time.
pub(super) struct Patient {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// Has the certificate to show.
    served: Arc<ArcSwap<Snapshot>>,
}

impl Patient {
    pub(super) async fn bind(at: SocketAddr, served: Arc<ArcSwap<Snapshot>>) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        Ok(Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS)), served })
    }

    /// A connection as it is spoken now.
    fn begin(&self, stream: TcpStream) -> Stream {
        match &self.served.load().config.http.identity {
            None => Stream::Plain(stream),
            Some(identity) => {
                let acceptor = TlsAcceptor::from(identity.server());
                Stream::Shaking(Box::new(acceptor.accept(stream)))
            }
        }
    }
}

impl Listener for Patient {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.ok();
            if let Ok((stream, from)) = self.listener.accept().await {
                let patience = Box::pin(tokio::time::sleep(PATIENCE));
                let stream = self.begin(stream);
                return (Connection { stream, patience, answered: false, _place: place }, from);
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that breaks off when a request on it was not answered, or no further one came, for too
/// long.
pub(super) struct Connection {
    stream: Stream,
    patience: Pin<Box<Sleep>>,
    /// What comes next begins a request, which has all of the time.
    answered: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// `Err` once patience is over.
    fn goes_on(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.patience.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// What is read from and written to.
enum Stream {
    Plain(TcpStream),
    /// The handshake is under way.
    Shaking(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Either of the two.
trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

impl Stream {
    /// What is spoken, once hands are shaken.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Io>>> {
        if let Self::Shaking(accept) = self {
            let opened = ready!(Pin::new(accept.as_mut()).poll(context))?;
            *self = Self::Tls(Box::new(opened));
        }
        Poll::Ready(match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            Self::Tls(stream) => Ok(Pin::new(stream.as_mut())),
            Self::Shaking(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.goes_on(context)?;
        let before = buffer.filled().len();
        ready!(ready!(self.stream.poll_open(context))?.poll_read(context, buffer))?;
        if self.answered && buffer.filled().len() > before {
            self.answered = false;
            self.patience.as_mut().reset(Instant::now() + PATIENCE);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.goes_on(context)?;
        let written = ready!(ready!(self.stream.poll_open(context))?.poll_write(context, bytes))?;
        self.answered = true;
        self.patience.as_mut().reset(Instant::now() + PATIENCE);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            // Nothing was written yet.
            Stream::Shaking(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Stream::Shaking(_) => Poll::Ready(Ok(())),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Patient>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Patient>) -> Self {
        Self(*stream.remote_addr())
    }
}

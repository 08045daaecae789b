//! A UDP socket: datagrams in and out, and what ICMP says of those that went out.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
};

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
};

use super::{Incoming, failed, message};
use crate::endpoint::{Path, Transport, TransportError};

/// The kernel's buffer each way, in bytes: bursts of a busy second.
const BUFFER: usize = 4 << 20;
/// The longest datagram.
const DATAGRAM: usize = 65_535;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Udp {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    incoming: mpsc::Sender<Incoming>,
}

impl Udp {
    pub(super) fn bind(
        at: SocketAddr,
        incoming: mpsc::Sender<Incoming>,
        readers: &mut JoinSet<()>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Less than asked for is no reason not to start.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        icmp::report(&socket, at.is_ipv4());
        socket.bind(&at.into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let local = socket.local_addr()?;
        // What waits is stamped at once, however busy the endpoint is.
        let reading = read(Arc::clone(&socket), local, incoming.clone());
        readers.spawn(tokio::task::unconstrained(reading));
        // A descriptor of its own, so that it can be waited for by errors alone.
        let own = socket.as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` is open, and the same, as long as it lives; the `AsyncFd` owns it.
        let errors = unsafe { AsyncFd::register_with_interest(own, Interest::ERROR)? };
        readers.spawn(listen_to_icmp(errors, local, incoming.clone()));
        Ok(Self { socket, local, incoming })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn send(&self, path: &Path, bytes: &[u8]) {
        // Past tokio, which would not send before it has heard that it may.
        let socket = SockRef::from(&*self.socket);
        let remote = path.remote.into();
        let mut sent = socket.send_to(bytes, &remote);
        if sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            // The error of an earlier datagram is told at the cost of this one.
            sent = socket.send_to(bytes, &remote);
        }
        match sent {
            // A full buffer is as good as a lost datagram: it is repeated.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                let failed = failed(*path, None, TransportError::Refused, &error);
                let _ = self.incoming.try_send(failed);
            }
        }
    }
}

async fn read(socket: Arc<UdpSocket>, local: SocketAddr, incoming: mpsc::Sender<Incoming>) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error here is one that ICMP told of a datagram that went out; it is read elsewhere.
        let Ok((len, remote)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let path = Path { transport: Transport::Udp, local, remote };
        let bytes = Bytes::copy_from_slice(&buffer[..len]);
        if incoming.send(message(path, bytes)).await.is_err() {
            return;
        }
    }
}

/// Reads the socket's error queue.
async fn listen_to_icmp(
    errors: AsyncFd<OwnedFd>,
    local: SocketAddr,
    incoming: mpsc::Sender<Incoming>,
) {
    let next = |socket: &OwnedFd| {
        icmp::next(socket.as_raw_fd()).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    };
    while let Ok(remote) = errors.async_io(Interest::ERROR, next).await {
        let path = Path { transport: Transport::Udp, local, remote };
        let failed = Incoming::Failed {
            path,
            connection: None,
            error: TransportError::Refused,
            detail: "ICMP: it cannot be reached".to_owned(),
        };
        if incoming.send(failed).await.is_err() {
            return;
        }
    }
}

/// The error queue of Linux (`ip(7)`, `IP_RECVERR`): to whom a datagram could not be delivered.
mod icmp {
    use std::{mem, net::SocketAddr, os::fd::AsRawFd, os::fd::RawFd};

    use socket2::{SockAddr, Socket};

    pub(super) fn report(socket: &Socket, v4: bool) {
        let (level, name) = if v4 {
            (libc::IPPROTO_IP, libc::IP_RECVERR)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        };
        let on: libc::c_int = 1;
        // SAFETY: the pointer is to a c_int that lives through the call, and the length is its.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                (&raw const on).cast(),
                mem::size_of_val(&on) as libc::socklen_t,
            );
        }
    }

    /// Takes one error; returns where the datagram was to go.
    pub(super) fn next(socket: RawFd) -> Option<SocketAddr> {
        let mut control = [0u64; 64];
        let mut payload = [0u8; 64];
        let mut part =
            libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };
        // SAFETY: the kernel writes at most the given lengths into buffers that live through the
        // call; `try_init` sizes the address storage itself.
        let received = unsafe {
            SockAddr::try_init(|storage, len| {
                let mut message: libc::msghdr = mem::zeroed();
                message.msg_name = storage.cast();
                message.msg_namelen = *len;
                message.msg_iov = &raw mut part;
                message.msg_iovlen = 1;
                message.msg_control = control.as_mut_ptr().cast();
                message.msg_controllen = mem::size_of_val(&control);
                let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
                if libc::recvmsg(socket, &raw mut message, flags) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                *len = message.msg_namelen;
                Ok(())
            })
        };
        received.ok()?.1.as_socket()
    }
}

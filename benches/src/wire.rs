//! UDP in batches, with the kernel's time of arrival.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    ptr,
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Datagrams of one system call.
const BATCH: usize = 64;
/// Largest datagram: a SIP message.
const SIZE: usize = 2_048;
/// Room for one timestamp.
const CONTROL: usize = 64;

/// A datagram received.
#[derive(Debug)]
pub struct Received<'a> {
    /// When the kernel had it, since the epoch.
    pub at: Duration,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// What it is.
    pub bytes: &'a [u8],
}

/// A socket and the buffers of its batches.
pub struct Wire {
    socket: UdpSocket,
    buffers: Box<[[u8; SIZE]; BATCH]>,
    controls: Box<[[u64; CONTROL / 8]; BATCH]>,
    names: [libc::sockaddr_in; BATCH],
    waiting: Vec<(SocketAddrV4, usize)>,
    out: Vec<[u8; 180]>,
}

impl Wire {
    /// Binds.
    ///
    /// # Errors
    /// The address is taken.
    pub fn bind(ip: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        for (option, bytes) in [(libc::SO_RCVBUFFORCE, 64 << 20), (libc::SO_SNDBUFFORCE, 64 << 20)]
        {
            set(&socket, option, bytes);
        }
        let _ = socket.set_recv_buffer_size(4 << 20);
        set(&socket, libc::SO_TIMESTAMPNS, 1);
        socket.bind(&SocketAddrV4::new(ip, port).into())?;
        // SAFETY: zeroes are a valid `sockaddr_in`.
        let names = unsafe { mem::zeroed() };
        Ok(Self {
            socket: socket.into(),
            buffers: Box::new([[0; SIZE]; BATCH]),
            controls: Box::new([[0; CONTROL / 8]; BATCH]),
            names,
            waiting: Vec::new(),
            out: Vec::new(),
        })
    }

    /// Sends one datagram now.
    pub fn send(&self, to: SocketAddrV4, bytes: &[u8]) {
        // What the engine's buffer cannot take is a lost datagram, as on any network.
        let _ = self.socket.send_to(bytes, to);
    }

    /// Puts a datagram of at most 180 bytes into the batch.
    pub fn queue(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        let mut packet = [0; 180];
        packet[..bytes.len()].copy_from_slice(bytes);
        self.out.push(packet);
        self.waiting.push((to, bytes.len()));
    }

    /// Sends the batch.
    pub fn flush(&mut self) {
        for (packets, to) in self.out.chunks_mut(BATCH).zip(self.waiting.chunks(BATCH)) {
            // SAFETY: zeroes are valid for these plain structures.
            let (mut names, mut parts, mut messages): (
                [libc::sockaddr_in; BATCH],
                [libc::iovec; BATCH],
                [libc::mmsghdr; BATCH],
            ) = unsafe { mem::zeroed() };
            for (n, (packet, (at, len))) in packets.iter_mut().zip(to).enumerate() {
                names[n].sin_family = libc::AF_INET as libc::sa_family_t;
                names[n].sin_port = at.port().to_be();
                names[n].sin_addr.s_addr = u32::from_ne_bytes(at.ip().octets());
                parts[n] = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: *len };
                let header = &mut messages[n].msg_hdr;
                header.msg_name = ptr::from_mut(&mut names[n]).cast();
                header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as u32;
                header.msg_iov = &raw mut parts[n];
                header.msg_iovlen = 1;
            }
            // SAFETY: the headers point to the live buffers above, `to.len()` of them.
            unsafe {
                let fd = self.socket.as_raw_fd();
                libc::sendmmsg(fd, messages.as_mut_ptr(), to.len() as u32, 0);
            }
        }
        self.out.clear();
        self.waiting.clear();
    }

    /// Takes what has come, a batch at most; returns how many there were.
    pub fn receive(&mut self, mut each: impl FnMut(Received<'_>)) -> usize {
        // SAFETY: zeroes are valid for these plain structures.
        let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { mem::zeroed() };
        for n in 0..BATCH {
            parts[n] = libc::iovec { iov_base: self.buffers[n].as_mut_ptr().cast(), iov_len: SIZE };
            let header = &mut messages[n].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[n]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as u32;
            header.msg_iov = &raw mut parts[n];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[n].as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: the headers point to buffers of this `Wire`, which outlive the call.
        let got = unsafe {
            let fd = self.socket.as_raw_fd();
            libc::recvmmsg(fd, messages.as_mut_ptr(), BATCH as u32, 0, ptr::null_mut())
        };
        let got = usize::try_from(got).unwrap_or(0);
        for (n, message) in messages.iter().enumerate().take(got) {
            let name = &self.names[n];
            let ip = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
            each(Received {
                at: stamp(&message.msg_hdr),
                from: SocketAddrV4::new(ip, u16::from_be(name.sin_port)),
                bytes: &self.buffers[n][..message.msg_len as usize],
            });
        }
        got
    }

    /// The descriptor, to be waited for.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.socket.as_raw_fd()
    }
}

fn set(socket: &Socket, option: i32, value: i32) {
    // Without the right to force a size the usual limit holds.
    // SAFETY: the option takes an int, and this is one.
    unsafe {
        let size = mem::size_of::<i32>() as u32;
        let fd = SockRef::from(socket).as_raw_fd();
        libc::setsockopt(fd, libc::SOL_SOCKET, option, ptr::from_ref(&value).cast(), size);
    }
}

/// The kernel's time of arrival, which `SO_TIMESTAMPNS` asks for.
fn stamp(header: &libc::msghdr) -> Duration {
    // SAFETY: `header` was filled by recvmmsg, its control buffer is alive and aligned.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(header);
        if control.is_null() || (*control).cmsg_type != libc::SCM_TIMESTAMPNS {
            return now();
        }
        let time: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// The clock that the kernel stamps by.
#[must_use]
pub fn now() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// Waits until one of the descriptors is readable, `most` at most.
pub fn wait(fds: &[i32], most: Duration) {
    let mut polls: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let most = libc::timespec {
        tv_sec: most.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(most.subsec_nanos()),
    };
    // SAFETY: the array and the time are alive for the call.
    unsafe {
        libc::ppoll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, &most, ptr::null());
    }
}

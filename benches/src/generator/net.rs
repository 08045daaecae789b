//! UDP sockets whose packets carry the kernel's time of arrival.

use std::{
    io, mem,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd as _,
    ptr,
    time::{SystemTime, UNIX_EPOCH},
};

use socket2::SockRef;

/// Larger than any datagram that is read.
pub const DATAGRAM: usize = 4_096;
/// Of the sockets that take what many calls send, in bytes.
const BUFFER: usize = 8 << 20;

/// A socket for one RTP stream.
///
/// # Errors
/// The system has none left.
pub fn rtp_socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let on: libc::c_int = 1;
    // SAFETY: the option's value is a C int that outlives the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            ptr::from_ref(&on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if set == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// A socket that takes the messages of many calls.
///
/// # Errors
/// The system has none left.
pub fn wide_socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
    SockRef::from(&socket).set_send_buffer_size(BUFFER)?;
    Ok(socket)
}

/// Reads one datagram: its length, and when it came in nanoseconds since 1970. `None` when none
/// waits.
pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, u64)> {
    let mut control = [0u64; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros is an empty header.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: the header points to buffers of the lengths it tells, which outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).ok()?;
    // SAFETY: the kernel filled the control buffer and its length in.
    let stamp = unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        (!first.is_null() && (*first).cmsg_type == libc::SCM_TIMESTAMPNS)
            .then(|| libc::CMSG_DATA(first).cast::<libc::timespec>().read_unaligned())
    };
    let at = stamp.map_or_else(wall_ns, |at| at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64);
    Some((length, at))
}

/// Nanoseconds since 1970, by the clock that arrivals are stamped with.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

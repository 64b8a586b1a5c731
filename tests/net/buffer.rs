//! The smallest buffers a socket can have, and a short listen queue.
#![expect(
    unsafe_code,
    reason = "SO_RCVBUF, SO_SNDBUF and the backlog have no safe wrapper among the test's crates"
)]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

/// The kernel raises 1 to its minimum of about 2 KiB.
pub fn smallest(socket: &UdpSocket) {
    set(socket, libc::SO_RCVBUF, 1);
}

/// The kernel doubles it.
pub fn small_send(stream: &TcpStream, bytes: libc::c_int) {
    set(stream, libc::SO_SNDBUF, bytes);
}

/// So many bytes per second at most (include/uapi/asm-generic/socket.h).
pub fn pace(stream: &TcpStream, rate: libc::c_int) {
    set(stream, libc::SO_MAX_PACING_RATE, rate);
}

fn set(socket: &impl AsRawFd, option: libc::c_int, value: libc::c_int) {
    // SAFETY: the option's value outlives the call and has its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Listening again only changes how many may wait.
pub fn backlog(listener: &TcpListener, most: u16) {
    // SAFETY: an open socket; no memory is shared.
    let result = unsafe { libc::listen(listener.as_raw_fd(), most.into()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

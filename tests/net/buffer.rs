//! The smallest receive buffer a socket can have.
#![expect(
    unsafe_code,
    reason = "SO_RCVBUF has no safe wrapper among the test's crates"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// The kernel raises 1 to its minimum of about 2 KiB.
pub fn smallest(socket: &UdpSocket) {
    let one: libc::c_int = 1;
    // SAFETY: the option's value outlives the call and has its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const one).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

//! Waking a thread that waits on file descriptors.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// An eventfd.
#[derive(Debug)]
pub struct WakeFd(File);

impl WakeFd {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the descriptor is owned by the File from here on.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else owns.
        Ok(WakeFd(unsafe { File::from_raw_fd(fd) }))
    }

    pub fn wake(&self) {
        // A full counter (u64::MAX - 1 pending wakes) is a pending wake as well.
        let _pending = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Forgets the wakes so far.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        let _nothing_pending = (&self.0).read(&mut count);
    }
}

impl AsRawFd for WakeFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Waits until one of `fds` is readable, hung up or broken, at most `timeout_ms` (-1: for ever).
/// Returns which; an interrupted wait returns all false.
pub fn wait_readable<const N: usize>(fds: [RawFd; N], timeout_ms: i32) -> [bool; N] {
    let mut polled = fds.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: `polled` is an array of N valid pollfds.
    unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    polled.map(|p| p.revents != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_seen_once_and_cleared() {
        let wake = WakeFd::new().unwrap();
        assert_eq!(wait_readable([wake.as_raw_fd()], 0), [false]);
        wake.wake();
        wake.wake();
        assert_eq!(wait_readable([wake.as_raw_fd()], 0), [true]);
        wake.clear();
        assert_eq!(wait_readable([wake.as_raw_fd()], 0), [false]);
    }
}

//! What std's files lack.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes room on the disk for the file's first `bytes` bytes, so that they cannot run out later.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
    // SAFETY: an open descriptor, no pointers.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

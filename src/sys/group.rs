//! Reading the counts of a group of perf events.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, RawFd};

use super::perf::readings_count_loss;
use crate::decode::{Reading, decode_group};

/// Reads the counts of a CPU's whole group with one system call.
pub struct GroupReader {
    leader: File,
    buffer: Vec<u8>,
    with_lost: bool,
}

impl GroupReader {
    pub(super) fn of(leader: RawFd) -> io::Result<GroupReader> {
        // SAFETY: the caller has borrowed the event that the descriptor belongs to.
        let fd = unsafe { BorrowedFd::borrow_raw(leader) };
        Ok(GroupReader {
            leader: File::from(fd.try_clone_to_owned()?),
            buffer: vec![0; 1024],
            with_lost: readings_count_loss(),
        })
    }

    pub fn read(&mut self, out: &mut Vec<Reading>) -> io::Result<()> {
        loop {
            match self.leader.read(&mut self.buffer) {
                Ok(len) => {
                    decode_group(&self.buffer[..len], self.with_lost, out);
                    return Ok(());
                }
                // The group has grown beyond the buffer.
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOSPC)
                        && self.buffer.len() < 1 << 20 =>
                {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

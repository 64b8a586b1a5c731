//! The terminal's line: is it still there? crossterm's reader spins for ever on a dead one
//! (crossterm issue 793), so it is watched here and never read once it hung up.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, RawFd};

#[derive(Debug)]
pub struct Tty {
    /// Opened when standard input is no terminal, as crossterm does.
    controlling: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtyState {
    /// Nothing to read within the wait.
    Quiet,
    /// Keys can be read.
    Ready,
    /// Hung up or broken: read nothing, write nothing.
    Dead,
}

impl Tty {
    pub fn open() -> io::Result<Self> {
        let controlling = if io::stdin().is_terminal() {
            None
        } else {
            Some(File::open("/dev/tty")?)
        };
        Ok(Tty { controlling })
    }

    fn fd(&self) -> RawFd {
        self.controlling
            .as_ref()
            .map_or(libc::STDIN_FILENO, AsRawFd::as_raw_fd)
    }

    /// Waits for keys or for one of `others`, at most `timeout_ms`. The second value says which
    /// of `others` is readable.
    pub fn wait<const N: usize>(
        &self,
        others: [RawFd; N],
        timeout_ms: i32,
    ) -> (TtyState, [bool; N]) {
        let mut polled = Vec::with_capacity(N + 1);
        for fd in std::iter::once(self.fd()).chain(others) {
            polled.push(libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
        }
        // SAFETY: `polled` is a slice of valid pollfds.
        unsafe {
            libc::poll(
                polled.as_mut_ptr(),
                polled.len() as libc::nfds_t,
                timeout_ms,
            )
        };
        let line = polled[0].revents;
        let state = if line & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0 {
            TtyState::Dead
        } else if line & libc::POLLIN != 0 {
            TtyState::Ready
        } else {
            TtyState::Quiet
        };
        let mut ready = [false; N];
        for (flag, polled) in ready.iter_mut().zip(&polled[1..]) {
            *flag = polled.revents != 0;
        }
        (state, ready)
    }
}

/// Is standard output a terminal?
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

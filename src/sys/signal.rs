//! Signals as flags and a descriptor to wait on; no work is done in a handler.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::close_in_child::{close_in_child, exit_now};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTSTP, SIGWINCH};

/// What would end a program that does not know it (man 7 signal): each would leave the terminal raw. Not
/// crashes, real-time signals, and SIGPIPE, which is ignored.
const ENDING: [libc::c_int; 12] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
    libc::SIGXCPU,
];

const DEADLINE: Duration = Duration::from_millis(800);
/// So many of them may pass while work is under way ([`Signals::take_time`]).
const DEADLINES: u32 = 12;

#[derive(Debug)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    hangup: Arc<AtomicBool>,
    redraw: Arc<AtomicBool>,
    suspend: Arc<AtomicBool>,
    takes_time: Arc<AtomicBool>,
    pipe: UnixStream,
    /// What makes `pipe` readable.
    writer: UnixStream,
}

impl Signals {
    /// [`ENDING`] and SIGHUP ask to stop; SIGWINCH and SIGCONT ask to redraw.
    pub fn watch() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let signals = Signals {
            stop: Arc::default(),
            hangup: Arc::default(),
            redraw: Arc::default(),
            suspend: Arc::default(),
            takes_time: Arc::default(),
            pipe: read,
            writer: write,
        };
        let ending = ENDING.map(|signal| (signal, &signals.stop));
        let others = [
            (SIGHUP, &signals.hangup),
            (SIGWINCH, &signals.redraw),
            (SIGCONT, &signals.redraw),
        ];
        for (signal, flag) in ending.into_iter().chain(others) {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, signals.writer.try_clone()?)?;
        }
        // A write beyond `ulimit -f` fails, and that is said. A handler, for a command that netop starts
        // would inherit that it is ignored.
        signal_hook::flag::register(libc::SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// A `kill -TSTP` asks to be suspended, as Ctrl-Z does: for a program that has the terminal to give
    /// back before it stops.
    pub fn watch_suspend(&self) -> io::Result<()> {
        signal_hook::flag::register(SIGTSTP, Arc::clone(&self.suspend))?;
        signal_hook::low_level::pipe::register(SIGTSTP, self.writer.try_clone()?)?;
        Ok(())
    }

    /// True once after each SIGTSTP.
    pub fn take_suspend(&self) -> bool {
        self.suspend.swap(false, Ordering::Relaxed)
    }

    /// A program that still runs this long after it was asked to stop hangs in a write that nobody
    /// takes (a pipe that is not read, a terminal on hold): it then ends all the same; at once when it is
    /// asked again.
    pub fn end_by_deadline(&self, last: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (mut asked, write) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        for signal in ENDING.into_iter().chain([SIGHUP]) {
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
        }
        let takes_time = Arc::clone(&self.takes_time);
        let deadline = move || {
            if matches!(asked.read(&mut [0]), Ok(1)) {
                let _waits_at_least_once = asked.set_read_timeout(Some(DEADLINE));
                for _ in 0..DEADLINES {
                    let again = matches!(asked.read(&mut [0]), Ok(1));
                    if again || !takes_time.load(Ordering::Relaxed) {
                        break;
                    }
                }
                last();
                close_in_child();
                exit_now(0);
            }
        };
        thread::Builder::new()
            .name("deadline".to_owned())
            .spawn(deadline)
            .map(|_| ())
    }

    /// What is done now may take longer than a deadline: it waits for no reader.
    pub fn take_time(&self, takes: bool) {
        self.takes_time.store(takes, Ordering::Relaxed);
    }

    pub fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.hung_up()
    }

    /// The terminal's line went away: nothing may be written to it any more.
    pub fn hung_up(&self) -> bool {
        self.hangup.load(Ordering::Relaxed)
    }

    /// True once after each SIGWINCH or SIGCONT.
    pub fn take_redraw(&self) -> bool {
        self.redraw.swap(false, Ordering::Relaxed)
    }

    /// Empties the descriptor; call it when it was readable.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.pipe).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

/// Stops this process as Ctrl-Z does; returns when the shell continues it.
pub fn stop_self() {
    // A failure leaves us running, which is all that can be done.
    let _still_running = signal_hook::low_level::raise(signal_hook::consts::SIGSTOP);
}

/// Asks a process to end.
pub fn terminate(pid: u32) {
    // SAFETY: no pointers; a process that is gone is no harm done.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) };
}

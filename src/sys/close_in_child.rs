//! Leaving at once. Closing the last descriptor of a tracepoint waits 31–43 ms for RCU, at exit
//! too; a forked child keeps the descriptors open past our exit and pays that wait instead.

use std::os::fd::RawFd;

use super::perf::events_were_opened;

/// Forks the child that outlives this process by the time its descriptors take to close.
/// Call it right before the exit, when rings are no longer read. Failing to fork only means
/// a slower exit. Without events there is nothing to wait for and no child.
pub fn close_in_child() {
    if !events_were_opened() {
        return;
    }
    let mut pipe: [RawFd; 2] = [-1, -1];
    // SAFETY: `pipe` has room for two descriptors.
    if unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return;
    }
    // SAFETY: the child of this threaded process calls nothing but async-signal-safe system
    // calls and ends in _exit; the parent's copy of the write end closes with the process,
    // which is what the child waits for.
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            for fd in 0..3 {
                libc::close(fd);
            }
            libc::close(pipe[1]);
            let mut byte = 0u8;
            while libc::read(pipe[0], (&raw mut byte).cast(), 1) < 0
                && *libc::__errno_location() == libc::EINTR
            {}
            libc::_exit(0);
        }
        libc::close(pipe[0]);
    }
}

/// Ends the process without running destructors: the events' descriptors are the child's now.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: ends the process; standard output has been flushed by the caller.
    unsafe { libc::_exit(i32::from(code)) }
}

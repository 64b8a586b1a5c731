//! Work in another network namespace. A thread belongs to one namespace at a time (setns(2)), so
//! the work has a thread of its own, which ends with it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::thread;

/// Runs `work` in the network namespace that `namespace` (an open /proc/PID/ns/net, or a file of
/// /run/netns) stands for. Needs CAP_SYS_ADMIN: EPERM otherwise. What `work` opens (sockets) stays
/// there; /proc/net and sysfs do not follow.
pub fn in_netns<T: Send>(namespace: &File, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let there = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, || {
                // SAFETY: an open descriptor; only this thread changes its namespace.
                if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(work())
            })?;
        there
            .join()
            .map_err(|_| io::Error::other("the work in the namespace panicked"))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode() -> String {
        let link = std::fs::read_link("/proc/thread-self/ns/net").expect("a namespace");
        link.to_string_lossy().into_owned()
    }

    #[test]
    fn the_work_is_done_there_and_this_thread_stays_here() {
        let here = inode();
        // A namespace of its own, made by a thread that leaves this one.
        let made = thread::spawn(|| {
            // SAFETY: changes the namespace of this thread alone.
            let made = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
            made.then(|| {
                (
                    inode(),
                    File::open("/proc/thread-self/ns/net").expect("a file"),
                )
            })
        });
        let Some((there, file)) = made.join().expect("no panic") else {
            eprintln!("skipped: making a network namespace needs root");
            return;
        };
        assert_ne!(there, here);
        assert_eq!(in_netns(&file, inode).expect("entered"), there);
        assert_eq!(inode(), here);
    }

    #[test]
    fn a_file_that_is_no_namespace_is_refused() {
        let file = File::open("/proc/self/status").expect("a file");
        assert!(in_netns(&file, || ()).is_err());
    }
}

//! Capabilities that open what its caller may not (README, "Install and permissions"). netop sets them aside when
//! it starts, so that files a user names are opened with that user's rights, and raises them for the
//! thread that reads /proc, tracefs or other users' programs.

use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::caps::{CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE};

/// Files of others, by path.
const FILES: u64 = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH;
/// /proc/PID of others: maps, fd, root, ns.
const PROCESSES: u64 = 1 << CAP_SYS_PTRACE;

/// What this process may raise: permitted, and not in the effective set of its first thread any more.
static SET_ASIDE: AtomicU64 = AtomicU64::new(0);

/// _LINUX_CAPABILITY_VERSION_3: 64 bits in two words.
const VERSION: u32 = 0x2008_0522;

/// struct __user_cap_header_struct.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// struct __user_cap_data_struct.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The capabilities of the calling thread.
#[derive(Clone, Copy, Default)]
struct Set([Word; 2]);

impl Set {
    fn read() -> io::Result<Set> {
        let (header, mut set) = (Header::of_this_thread(), Set::default());
        // SAFETY: both point to the structures that version 3 of the call wants, two words of data.
        let result =
            unsafe { libc::syscall(libc::SYS_capget, &raw const header, set.0.as_mut_ptr()) };
        checked(result).map(|()| set)
    }

    fn write(&self) -> io::Result<()> {
        let header = Header::of_this_thread();
        // SAFETY: as in `read`; the kernel reads both.
        let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, self.0.as_ptr()) };
        checked(result)
    }

    fn effective(&self) -> u64 {
        u64::from(self.0[0].effective) | u64::from(self.0[1].effective) << 32
    }

    fn permitted(&self) -> u64 {
        u64::from(self.0[0].permitted) | u64::from(self.0[1].permitted) << 32
    }

    fn with_effective(mut self, bits: u64) -> Set {
        self.0[0].effective = bits as u32;
        self.0[1].effective = (bits >> 32) as u32;
        self
    }
}

impl Header {
    fn of_this_thread() -> Header {
        Header {
            version: VERSION,
            pid: 0,
        }
    }
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// To be called before the first thread starts. Root keeps what it has: it is its own caller.
pub fn set_aside_rights() -> io::Result<()> {
    if effective_uid() == 0 {
        return Ok(());
    }
    let set = Set::read()?;
    let aside = set.permitted() & (FILES | PROCESSES);
    if aside != 0 {
        set.with_effective(set.effective() & !aside).write()?;
        SET_ASIDE.store(aside, Ordering::Relaxed);
    }
    Ok(())
}

/// The user whose files this process writes.
pub fn effective_uid() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::geteuid() }
}

/// While it lives the calling thread has what was set aside, and so have threads that it starts, for
/// good. No file that a user named may be opened meanwhile.
pub struct Raised {
    /// To be lowered again.
    bits: u64,
    /// Capabilities belong to a thread.
    _of_this_thread: PhantomData<*const ()>,
}

impl Raised {
    /// For /proc, tracefs and the programs that run here.
    pub fn all() -> Raised {
        Raised::of(FILES | PROCESSES)
    }

    /// For what /proc says of a process; files keep their own protection.
    pub fn processes() -> Raised {
        Raised::of(PROCESSES)
    }

    /// What cannot be raised is missing where it is needed, and said there.
    fn of(bits: u64) -> Raised {
        let bits = bits & SET_ASIDE.load(Ordering::Relaxed);
        let raised = |bits: u64| {
            let set = Set::read().ok()?;
            let new = bits & !set.effective();
            set.with_effective(set.effective() | new).write().ok()?;
            Some(new)
        };
        Raised {
            bits: if bits == 0 {
                0
            } else {
                raised(bits).unwrap_or(0)
            },
            _of_this_thread: PhantomData,
        }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if self.bits == 0 {
            return;
        }
        let lowered = Set::read()
            .map(|set| set.with_effective(set.effective() & !self.bits))
            .and_then(|set| set.write());
        // The kernel lets every thread lower its own (capset(2)); going on with them is no choice.
        lowered.expect("a thread may lower its capabilities");
    }
}

/// Does something with the caller's own rights, whatever is raised here.
pub fn with_callers_rights<T>(work: impl FnOnce() -> T) -> T {
    let aside = SET_ASIDE.load(Ordering::Relaxed);
    let raised = Set::read().map_or(0, |set| set.effective() & aside);
    if raised == 0 {
        return work();
    }
    // As a guard's end does: it lowers now, and what it would have lowered later is raised again.
    drop(Raised {
        bits: raised,
        _of_this_thread: PhantomData,
    });
    let done = work();
    let again = Set::read().and_then(|set| set.with_effective(set.effective() | raised).write());
    again.expect("what is permitted may be raised");
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_first_word_are_kept() {
        let set = Set::default().with_effective(1 << 38 | 1 << CAP_SYS_PTRACE);
        assert_eq!(set.effective(), 1 << 38 | 1 << CAP_SYS_PTRACE);
        assert_eq!(set.permitted(), 0);
    }

    #[test]
    fn where_nothing_was_set_aside_nothing_is_raised_or_lowered() {
        let before = Set::read().expect("capget").effective();
        drop(Raised::all());
        assert_eq!(Set::read().expect("capget").effective(), before);
    }
}

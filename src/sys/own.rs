//! What this process itself uses: CPU time of all its threads and anonymous memory.

use std::fs;

#[derive(Debug, Default)]
pub struct Own {
    last_cpu_ns: u64,
}

impl Own {
    pub fn new() -> Self {
        Own {
            last_cpu_ns: cpu_ns(),
        }
    }

    /// CPU time used since the last call, ns.
    pub fn cpu_ns(&mut self) -> u64 {
        let now = cpu_ns();
        let used = now.saturating_sub(self.last_cpu_ns);
        self.last_cpu_ns = now;
        used
    }

    /// Resident anonymous memory, bytes (`RssAnon` of /proc/self/status).
    pub fn anon_bytes() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:"))?;
        let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kb * 1024)
    }
}

/// Gives memory that was freed back to the kernel: the allocator keeps what a large piece of work
/// has needed once.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no arguments that could be wrong; the allocator locks itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The calling thread's id.
pub fn own_tid() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}

fn cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_done_shows_as_cpu_time() {
        let mut own = Own::new();
        let mut sum = 0u64;
        while own.cpu_ns() == 0 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(Own::anon_bytes().unwrap() > 0);
    }
}

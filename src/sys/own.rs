//! What this process itself uses: CPU time of all its threads and anonymous memory.

use std::fs::File;
use std::os::unix::fs::FileExt;

use perf_event::events::Software;
use perf_event::{Builder, Counter};

/// netop's time on each CPU: a clock per CPU that counts while one of its threads runs there.
/// Threads inherit it, so it must be opened before they are started.
pub struct OwnByCpu {
    clocks: Vec<(u32, Counter, u64)>,
}

/// With more, reading them all at each tick would cost more than it tells.
const MOST_CPUS: usize = 64;

impl OwnByCpu {
    /// Of the calling thread and of those it starts from now on. Empty where perf events may not be
    /// opened, or of very many CPUs.
    pub fn open(cpus: &[u32]) -> OwnByCpu {
        let clock = |&cpu: &u32| {
            let mut builder = Builder::new(Software::TASK_CLOCK);
            builder.observe_self().one_cpu(cpu as usize);
            // The kernel's part of it, too, where that may be seen.
            let counter = builder.include_kernel().inherit(true).enabled(true).build();
            Some((cpu, counter.ok()?, 0))
        };
        let few = cpus.len() <= MOST_CPUS;
        let clocks: Vec<_> = cpus.iter().filter(|_| few).filter_map(clock).collect();
        if clocks.len() == cpus.len() {
            OwnByCpu { clocks }
        } else {
            OwnByCpu { clocks: Vec::new() }
        }
    }

    /// CPU time since the last call, ns, by CPU.
    pub fn cpu_ns(&mut self) -> Vec<(u32, u64)> {
        let read = |(cpu, counter, last): &mut (u32, Counter, u64)| {
            let now = counter.read().ok()?;
            let used = now.saturating_sub(*last);
            *last = now;
            Some((*cpu, used))
        };
        self.clocks.iter_mut().filter_map(read).collect()
    }
}

/// /proc/self/status is shorter, bytes, unless somebody is in thousands of groups: one call reads it.
const STATUS: usize = 64 << 10;

#[derive(Debug, Default)]
pub struct Own {
    last_cpu_ns: u64,
    /// /proc/self/status; `None`: it cannot be opened.
    status: Option<File>,
}

impl Own {
    pub fn new() -> Self {
        Own {
            last_cpu_ns: cpu_ns(),
            status: File::open("/proc/self/status").ok(),
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
    pub fn anon_bytes(&self) -> Option<u64> {
        let mut text = vec![0; STATUS];
        let len = self.status.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..len]).ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix("RssAnon:"))?;
        let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kb * 1024)
    }
}

/// Keeps the allocator from keeping what was freed: two arenas for all threads instead of eight for
/// each CPU, and a large piece is a mapping of its own that goes when it is freed, instead of a
/// hole that the next one may not fit in. (glibc moves its own limits up to 32 MB by itself; a limit
/// that is set stands still. Read before the second thread starts.)
pub fn bound_allocator() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_MMAP_THRESHOLD, 256 << 10),
        (libc::M_TRIM_THRESHOLD, 1 << 20),
    ] {
        // SAFETY: numbers only; what the allocator does not know it refuses.
        unsafe { libc::mallopt(what, value) };
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

/// Between two looks at the memory, ns, and growth since the last time something was given back,
/// from which on it is worth a walk through the allocator's arenas (some ms).
const LOOK_NS: u64 = 10_000_000_000;
const GROWN: u64 = 8 << 20;

/// Gives memory back when more has been touched than there is need for any more.
#[derive(Debug, Default)]
pub struct Surplus {
    looked_at: u64,
    settled_bytes: u64,
}

impl Surplus {
    /// To be called as often as one likes; `at` is CLOCK_MONOTONIC in ns.
    pub fn give_back(&mut self, at: u64) {
        if at.saturating_sub(self.looked_at) < LOOK_NS {
            return;
        }
        self.looked_at = at;
        let own = Own::new();
        if (own.anon_bytes()).is_some_and(|now| now > self.settled_bytes + GROWN) {
            give_back_memory();
            self.settled_bytes = own.anon_bytes().unwrap_or(0);
        }
    }
}

/// The calling thread's id.
pub fn own_tid() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// CPU time of all threads, ns.
fn cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread, ns.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each thread works, by its own clock: other tests run beside it.
    const EACH_NS: u64 = 30_000_000;

    #[test]
    fn time_by_cpu_adds_up_to_all_of_it_with_the_threads_started_since() {
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
        let cpus = crate::decode::cpu_list(&online).unwrap();
        let mut by_cpu = OwnByCpu::open(&cpus);
        if by_cpu.clocks.is_empty() {
            return eprintln!("skipped: perf events may not be opened here");
        }
        let spin = || {
            let (until, mut sum) = (thread_cpu_ns() + EACH_NS, 0u64);
            while thread_cpu_ns() < until {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        };
        by_cpu.cpu_ns();
        std::thread::spawn(spin).join().unwrap();
        spin();
        let all: u64 = by_cpu.cpu_ns().iter().map(|(_, ns)| ns).sum();
        assert!((2 * EACH_NS..3 * EACH_NS).contains(&all), "{all} ns");
    }

    #[test]
    fn what_was_freed_between_pieces_that_stay_is_given_back() {
        let mut surplus = Surplus::default();
        surplus.give_back(LOOK_NS);
        let mut pieces: Vec<Option<Vec<u8>>> = (0..20_000).map(|_| Some(vec![1; 4096])).collect();
        // One of a hundred stays: nothing is free at the end of the heap.
        for (at, piece) in pieces.iter_mut().enumerate() {
            if at % 100 != 0 {
                *piece = None;
            }
        }
        let before = Own::new().anon_bytes().expect("a figure");
        surplus.give_back(2 * LOOK_NS - 1);
        surplus.give_back(2 * LOOK_NS);
        let after = Own::new().anon_bytes().expect("a figure");
        assert!(after + (40 << 20) < before, "{before} {after}");
        assert_eq!(pieces.iter().flatten().count(), 200);
    }

    #[test]
    fn work_done_shows_as_cpu_time() {
        let mut own = Own::new();
        let mut sum = 0u64;
        while own.cpu_ns() == 0 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(own.anon_bytes().unwrap() > 0);
    }
}

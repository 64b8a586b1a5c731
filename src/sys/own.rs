//! What this process itself uses: CPU time of all its threads and anonymous memory.

use std::fs;

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
    fn time_by_cpu_adds_up_to_all_of_it_with_the_threads_started_since() {
        let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
        let cpus = crate::decode::cpu_list(&online).unwrap();
        let mut by_cpu = OwnByCpu::open(&cpus);
        if by_cpu.clocks.is_empty() {
            return eprintln!("skipped: perf events may not be opened here");
        }
        let spin = || {
            let began = std::time::Instant::now();
            let mut sum = 0u64;
            while began.elapsed() < std::time::Duration::from_millis(60) {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        };
        by_cpu.cpu_ns();
        let began = thread_ns();
        std::thread::spawn(spin).join().unwrap();
        spin();
        let own = thread_ns() - began;
        let all: u64 = by_cpu.cpu_ns().iter().map(|(_, ns)| ns).sum();
        // Another's thread took as long as this one's, unless it was held up.
        assert!(all > own + own / 2, "{all} of {own} and as much again");
        assert!(all < 4 * own, "{all} of {own} and as much again");
    }

    fn thread_ns() -> u64 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid timespec.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

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

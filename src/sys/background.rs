//! Work that can wait.

/// Where others want the CPU, the calling thread gets a quarter of it: nice 5 weighs 335, what runs as
/// usual 1024 (sched_prio_to_weight of kernel/sched/core.c).
const NICE: i32 = 5;

/// The calling thread, and those that it starts, leave the CPUs to others.
pub fn run_in_background() {
    // SAFETY: no pointers; 0 is the calling thread. Where it is not permitted, it runs as before.
    unsafe {
        // Started with less yet, it keeps that.
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0).max(NICE);
        libc::setpriority(libc::PRIO_PROCESS, 0, nice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_asks_runs_in_the_background() {
        // SAFETY: no pointers.
        let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = nice();
        let work = std::thread::spawn(move || {
            run_in_background();
            nice()
        });
        assert_eq!(work.join().unwrap(), before.max(NICE));
        assert_eq!(nice(), before);
    }
}

//! On which CPUs this process's threads may run.

use std::fs;
use std::io;
use std::mem;

/// CPUs that a set of the C library has room for.
const MOST: usize = libc::CPU_SETSIZE as usize;

/// The CPUs that the calling thread may run on, ascending.
pub fn allowed_cpus() -> io::Result<Vec<u32>> {
    // SAFETY: a CPU set is plain bits, for which zeros are valid.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set outlives the call, which is told its size.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the index is below the set's size.
    let in_set = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..MOST).filter(in_set).map(|cpu| cpu as u32).collect())
}

/// Every thread of this process runs on these CPUs from now on, and so do those it starts.
pub fn run_on(cpus: &[u32]) -> io::Result<()> {
    // SAFETY: a CPU set is plain bits, for which zeros are valid.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for &cpu in cpus.iter().filter(|cpu| (**cpu as usize) < MOST) {
        // SAFETY: the index is below the set's size.
        unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    }
    for thread in fs::read_dir("/proc/self/task")? {
        let name = thread?.file_name();
        let Some(tid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // SAFETY: the call reads the set. A thread that has ended since is no fault.
        unsafe { libc::sched_setaffinity(tid, size_of_val(&set), &raw const set) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_started_later_run_where_the_others_may() {
        let before = allowed_cpus().unwrap();
        let one = [before[0]];
        // In a process of its own it would be for all threads; here for this one, and back.
        run_on(&one).unwrap();
        let theirs = std::thread::spawn(|| allowed_cpus().unwrap())
            .join()
            .unwrap();
        run_on(&before).unwrap();
        assert_eq!(theirs, one);
        assert_eq!(allowed_cpus().unwrap(), before);
    }
}

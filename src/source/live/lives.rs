//! A process is its number and when it started: the kernel gives the number of one that ended again.

use rustc_hash::FxHashMap;

use crate::host::{Proc, started_at};

/// When the processes of the filter started, in ticks since boot: as whoever asked for them knew, or
/// as first seen.
#[derive(Debug, Default)]
pub struct Lives(FxHashMap<u32, u64>);

impl Lives {
    /// When each of `pids` started; 0: it is gone, or its time is another's (`known` as below).
    pub fn starts(&mut self, proc: &Proc, pids: &[u32], known: &[(u32, u64)]) -> Vec<(u32, u64)> {
        // /proc tells the time of this time namespace (time_namespaces(7)), a program sees the host's.
        let shifted = proc.text("proc/self/timens_offsets").is_ok_and(|text| {
            let mut boottime = text.lines().filter(|line| line.starts_with("boottime"));
            boottime.any(|line| line.split_ascii_whitespace().skip(1).any(|n| n != "0"))
        });
        self.replaced(proc, pids, known);
        let start = |pid: &u32| self.0.get(pid).copied().filter(|_| !shifted).unwrap_or(0);
        pids.iter().map(|pid| (*pid, start(pid))).collect()
    }

    /// Those of `pids` whose number another process has now. `known`: when some of them started.
    pub fn replaced(&mut self, proc: &Proc, pids: &[u32], known: &[(u32, u64)]) -> Vec<u32> {
        self.0.retain(|pid, _| pids.contains(pid));
        self.0.extend(known.iter().copied());
        let is_another = |pid: &u32| {
            let Some(now) = started_at(proc, *pid) else {
                return false;
            };
            *self.0.entry(*pid).or_insert(now) != now
        };
        pids.iter().copied().filter(is_another).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_number_that_another_process_has_is_no_longer_the_one_that_was_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let proc = Proc::at(dir.path());
        let process = |pid: u32, comm: &str, start: u64| {
            let folder = dir.path().join(format!("proc/{pid}"));
            fs::create_dir_all(&folder).expect("a directory");
            let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18";
            let stat = format!("{pid} ({comm}) {fields} {start} 20\n");
            fs::write(folder.join("stat"), stat).expect("a file");
        };
        let mut lives = Lives::default();
        process(8797, "bash", 500);
        process(9, "a) b", 501);
        assert_eq!(lives.replaced(&proc, &[8797, 9], &[]), [0_u32; 0]);
        // An exec is the same process.
        process(8797, "python3", 500);
        assert_eq!(lives.replaced(&proc, &[8797, 9], &[]), [0_u32; 0]);
        fs::remove_dir_all(dir.path().join("proc/8797")).expect("it ends");
        assert_eq!(lives.replaced(&proc, &[8797, 9], &[]), [0_u32; 0]);
        process(8797, "python3", 900);
        assert_eq!(lives.replaced(&proc, &[8797, 9], &[]), [8797]);
        assert_eq!(lives.replaced(&proc, &[8797, 9], &[]), [8797], "for good");
        // Picked from a row of a process that had the number before.
        let picked = [(9, 300)];
        assert_eq!(lives.replaced(&proc, &[9], &picked), [9]);
        let asked_again = lives.replaced(&proc, &[8797], &[]);
        assert_eq!(asked_again, [0_u32; 0], "the one that has it now is meant");
    }
}

//! Which process has a socket open: inode → pid, from /proc/PID/fd. Looked up piece by piece: new
//! processes first, the others again once for each socket that nobody is known to have.

use std::collections::VecDeque;
use std::fs::{self, ReadDir};
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::SocketOwner;
use crate::host::proc::{MOST_ENTRIES, Proc, printable};

/// Files looked at per call, about 1 µs each; a process with more is gone on with by the next.
const FILES_PER_CALL: usize = 4096;

/// Processes are listed after so many calls although none began or ended: a sandbox may say so.
const LIST_AGAIN: u32 = 10;

/// Sockets that nobody has are asked for again after so many calls: files are handed on.
const PATIENCE: u32 = 60;

/// More sockets than this are not remembered.
const MOST: usize = 1 << 18;

#[derive(Debug, Default)]
pub struct SocketOwners {
    by_inode: FxHashMap<u32, u32>,
    processes: FxHashMap<u32, Process>,
    /// The process whose files are not all looked at yet.
    open: Option<(u32, ReadDir)>,
    /// Known processes, the one looked at longest ago first.
    round: VecDeque<u32>,
    /// How many of the round are still to be looked at for `wanted`.
    left: usize,
    /// What processes there were when all of them had been looked at; [`Proc::task_mark`].
    met: Option<String>,
    wanted: FxHashSet<u32>,
    /// Nobody has them: the kernel's own, or of processes that hide theirs.
    nobodys: FxHashSet<u32>,
    calls: u32,
}

#[derive(Debug, Default)]
struct Process {
    comm: String,
    sockets: Vec<u32>,
}

impl Process {
    /// The process `pid` has this socket open. Of several with one socket the first that was found keeps it:
    /// most often the parent.
    fn has(&mut self, by_inode: &mut FxHashMap<u32, u32>, pid: u32, inode: u32) {
        if by_inode.len() < MOST && !by_inode.contains_key(&inode) {
            by_inode.insert(inode, pid);
            self.sockets.push(inode);
        }
    }
}

impl SocketOwners {
    pub fn of(&self, inode: u32) -> Option<SocketOwner> {
        let pid = *self.by_inode.get(&inode)?;
        let comm = self.processes.get(&pid)?.comm.clone();
        Some(SocketOwner { pid, comm })
    }

    pub fn pid(&self, inode: u32) -> Option<u32> {
        self.by_inode.get(&inode).copied()
    }

    /// What the process is called by now: exec renames it, and another one may have its pid. Of one that
    /// has ended the last name.
    pub fn comm(&mut self, proc: &Proc, pid: u32) -> Option<&str> {
        let process = self.processes.get_mut(&pid)?;
        if let Some(comm) = comm(proc, pid) {
            process.comm = comm;
        }
        Some(&process.comm)
    }

    /// `unknown`: sockets that have no known process. Of the processes `first` are looked at first.
    pub fn look(&mut self, proc: &Proc, unknown: &[u32], first: &[u32]) {
        let tasks = proc.task_mark();
        let mut left = self.go_on(FILES_PER_CALL);
        let again = self.calls.is_multiple_of(LIST_AGAIN);
        if again || tasks.is_none() || tasks != self.met {
            self.met = None;
            left = self.meet(proc, first, left);
            if left == 0 {
                return;
            }
            self.met = tasks;
        }
        self.want(unknown);
        while self.left > 0 && left > 0 {
            self.left -= 1;
            if let Some(pid) = self.round.pop_front() {
                self.round.push_back(pid);
                left = self.look_at(proc, pid, left);
            }
        }
    }

    /// Adds the sockets that these processes have opened since they were looked at. Of a process with more
    /// files than a call looks at the first ones: the rest comes with the round.
    pub fn look_again(&mut self, proc: &Proc, pids: &[u32]) {
        let mut left = FILES_PER_CALL;
        for pid in pids {
            let Some(process) = self.processes.get_mut(pid).filter(|_| left > 0) else {
                continue;
            };
            let files = fs::read_dir(proc.path(&format!("proc/{pid}/fd")));
            for entry in files.into_iter().flatten().take(left) {
                left -= 1;
                if let Some(inode) = entry.ok().and_then(|entry| socket(&entry.path())) {
                    process.has(&mut self.by_inode, *pid, inode);
                }
            }
        }
    }

    /// Looks at the processes that are new, and forgets those that ended. How many files of `left` are
    /// left; 0: new processes may be left, too.
    fn meet(&mut self, proc: &Proc, first: &[u32], mut left: usize) -> usize {
        let Ok(pids) = proc.pids() else { return 0 };
        let alive: FxHashSet<u32> = pids.iter().copied().collect();
        let ended: Vec<u32> = (self.processes.keys().copied())
            .filter(|pid| !alive.contains(pid))
            .collect();
        for pid in ended {
            self.forget(pid);
        }
        self.round.retain(|pid| alive.contains(pid));
        let first = first.iter().filter(|pid| alive.contains(pid));
        for pid in first.copied().chain(pids) {
            if left == 0 {
                break;
            }
            if !self.processes.contains_key(&pid) {
                self.round.push_back(pid);
                left = self.look_at(proc, pid, left);
            }
        }
        left
    }

    /// Begins a round through all processes where there is something new to look for.
    fn want(&mut self, unknown: &[u32]) {
        self.calls = self.calls.wrapping_add(1);
        if self.calls.is_multiple_of(PATIENCE) {
            self.nobodys.clear();
        }
        if self.left > 0 {
            return;
        }
        // What the last round has not found.
        let wanted = std::mem::take(&mut self.wanted);
        let lost = (wanted.into_iter()).filter(|inode| !self.by_inode.contains_key(inode));
        self.nobodys.extend(lost);
        let is_new = |inode: &&u32| !self.nobodys.contains(inode);
        self.wanted = unknown.iter().filter(is_new).copied().collect();
        if !self.wanted.is_empty() {
            self.left = self.round.len();
        }
    }

    fn forget(&mut self, pid: u32) {
        for inode in self.processes.remove(&pid).unwrap_or_default().sockets {
            if self.by_inode.get(&inode) == Some(&pid) {
                self.by_inode.remove(&inode);
            }
        }
    }

    /// How many files of `left` are left.
    fn look_at(&mut self, proc: &Proc, pid: u32, left: usize) -> usize {
        self.forget(pid);
        let process = Process {
            comm: comm(proc, pid).unwrap_or_default(),
            sockets: Vec::new(),
        };
        self.processes.insert(pid, process);
        let files = fs::read_dir(proc.path(&format!("proc/{pid}/fd")));
        self.open = files.ok().map(|files| (pid, files));
        self.go_on(left.saturating_sub(1))
    }

    /// The files of the process that was begun. How many of `left` are left.
    fn go_on(&mut self, mut left: usize) -> usize {
        let Some((pid, mut files)) = self.open.take() else {
            return left;
        };
        let Some(process) = self.processes.get_mut(&pid) else {
            return left;
        };
        while left > 0 {
            let Some(entry) = files.next() else {
                return left;
            };
            left -= 1;
            let Some(inode) = entry.ok().and_then(|entry| socket(&entry.path())) else {
                continue;
            };
            process.has(&mut self.by_inode, pid, inode);
        }
        self.open = Some((pid, files));
        0
    }
}

fn comm(proc: &Proc, pid: u32) -> Option<String> {
    let comm = proc.text(&format!("proc/{pid}/comm")).ok()?;
    Some(printable(comm.trim_end_matches('\n')))
}

/// Of all sockets that a process has open the inodes.
pub fn sockets_of(proc: &Proc, pid: u32) -> impl Iterator<Item = u32> + use<> {
    let files = fs::read_dir(proc.path(&format!("proc/{pid}/fd")));
    let files = files.into_iter().flatten().take(MOST_ENTRIES).flatten();
    files.filter_map(|entry| socket(&entry.path()))
}

/// `socket:[INODE]`
fn socket(file: &Path) -> Option<u32> {
    let target = fs::read_link(file).ok()?;
    let inode = target.to_str()?.strip_prefix("socket:[")?;
    inode.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;
    use std::os::unix::fs::symlink;

    fn open(proc: &Proc, pid: u32, fd: u32, target: &str) {
        let dir = proc.path(&format!("proc/{pid}/fd"));
        fs::create_dir_all(&dir).expect("directory");
        symlink(target, dir.join(fd.to_string())).expect("link");
    }

    #[test]
    fn sockets_have_the_process_that_has_them_open_until_it_ends() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "a\u{1b}b\n"), ("proc/9/comm", "child\n")]);
        open(&proc, 5, 3, "socket:[70]");
        open(&proc, 5, 4, "/dev/null");
        open(&proc, 5, 5, "socket:[x]");
        open(&proc, 9, 3, "socket:[70]");
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[], &[]);
        let owner = SocketOwner {
            pid: 5,
            comm: "a?b".to_owned(),
        };
        assert_eq!(owners.of(70), Some(owner));
        assert_eq!(owners.of(71), None);
        fs::write(proc.path("proc/5/comm"), "exec\n").expect("a file");
        assert_eq!(owners.comm(&proc, 5), Some("exec"));
        fs::remove_dir_all(proc.path("proc/5")).expect("it ends");
        assert_eq!(owners.comm(&proc, 5), Some("exec"), "its last name");
        owners.look(&proc, &[70], &[]);
        assert_eq!(owners.pid(70), Some(9), "the child still has it");
    }

    #[test]
    fn old_processes_are_looked_at_again_only_when_asked() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "a\n")]);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[], &[]);
        open(&proc, 5, 3, "socket:[70]");
        owners.look(&proc, &[], &[]);
        assert_eq!(owners.pid(70), None);
        owners.look(&proc, &[70], &[]);
        assert_eq!(owners.pid(70), Some(5));
    }

    #[test]
    fn processes_are_listed_only_when_some_began_or_ended() {
        let (_dir, proc) = root_with(&[
            ("proc/loadavg", "0.10 0.00 0.00 1/80 5\n"),
            ("proc/5/comm", "a\n"),
        ]);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[], &[]);
        open(&proc, 9, 3, "socket:[70]");
        let mut owner = |loadavg: &str| {
            fs::write(proc.path("proc/loadavg"), loadavg).expect("a file");
            owners.look(&proc, &[], &[]);
            owners.pid(70)
        };
        assert_eq!(owner("0.20 0.00 0.00 2/80 5\n"), None, "no other process");
        assert_eq!(owner("0.20 0.00 0.00 2/81 9\n"), Some(9));
        fs::remove_dir_all(proc.path("proc/9")).expect("it ends");
        assert_eq!(owner("0.20 0.00 0.00 2/80 9\n"), None);
    }

    #[test]
    fn files_of_a_long_list_are_gone_on_with_where_no_process_began() {
        let (_dir, proc) = root_with(&[("proc/loadavg", "0.10 0.00 0.00 1/80 5\n")]);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[], &[]);
        for fd in 0..FILES_PER_CALL as u32 {
            open(&proc, 5, fd, "/dev/null");
        }
        open(&proc, 5, 9999, "socket:[70]");
        fs::write(proc.path("proc/loadavg"), "0.10 0.00 0.00 1/81 5\n").expect("a file");
        for _ in 0..2 {
            owners.look(&proc, &[], &[]);
        }
        assert_eq!(owners.pid(70), Some(5));
        open(&proc, 5, 10_000, "socket:[71]");
        for _ in 0..2 {
            owners.look(&proc, &[71], &[]);
        }
        assert_eq!(owners.pid(71), Some(5), "looked for among the known");
    }

    #[test]
    fn a_process_that_is_asked_for_is_looked_at_before_all_others() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "a\n"), ("proc/9/comm", "b\n")]);
        for fd in 0..FILES_PER_CALL as u32 {
            open(&proc, 5, fd, "/dev/null");
        }
        open(&proc, 9, 3, "socket:[70]");
        for (first, owner) in [(&[][..], None), (&[9, 77][..], Some(9))] {
            let mut owners = SocketOwners::default();
            owners.look(&proc, &[], first);
            assert_eq!(owners.pid(70), owner);
        }
    }

    #[test]
    fn a_known_process_is_looked_at_again_at_once_where_it_is_asked_for() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "a\n")]);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[], &[]);
        open(&proc, 5, 3, "socket:[70]");
        owners.look_again(&proc, &[5, 9]);
        assert_eq!(owners.pid(70), Some(5));
    }

    #[test]
    fn what_nobody_has_is_looked_for_once_and_again_after_a_while() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "a\n")]);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[70], &[]);
        owners.look(&proc, &[70], &[]);
        open(&proc, 5, 3, "socket:[70]");
        owners.look(&proc, &[70], &[]);
        assert_eq!(owners.pid(70), None, "it was nobody's");
        for _ in 0..PATIENCE {
            owners.look(&proc, &[70], &[]);
        }
        assert_eq!(owners.pid(70), Some(5));
    }

    #[test]
    fn one_call_does_a_bounded_part_and_the_next_ones_the_rest() {
        let (_dir, proc) = root_with(&[]);
        for pid in 1..=3 {
            for fd in 0..3000 {
                open(&proc, pid, fd, &format!("socket:[{}]", pid * 10_000 + fd));
            }
        }
        let mut owners = SocketOwners::default();
        let mut known = Vec::new();
        for _ in 0..3 {
            owners.look(&proc, &[], &[]);
            known.push(owners.by_inode.len());
        }
        // Of each process one file's worth is spent on its name.
        assert_eq!(known, [FILES_PER_CALL - 2, 2 * FILES_PER_CALL - 3, 9000]);
    }
}

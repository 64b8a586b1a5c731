//! Which process has which socket open: /proc/PID/fd, looked through a part at a time. New processes
//! come first; the others again, in turn, only while somebody asks for a socket that was not found.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use rustc_hash::{FxHashMap, FxHashSet};

use super::proc::{MOST_ENTRIES, Proc};

/// Files looked at in one go, and one process more: about 1.5 µs each.
const FILES: usize = 20_000;

/// Sockets remembered: about 40 bytes each.
const MOST_SOCKETS: usize = 1 << 18;

#[derive(Debug, Default)]
pub struct SocketOwners {
    /// By inode. Of several processes that have a socket open, the one found first.
    owners: FxHashMap<u64, u32>,
    /// Sorted by pid: the sockets that are the process's in `owners`.
    processes: Vec<(u32, Vec<u64>)>,
    /// Where the next turn goes on.
    next: u32,
    /// Processes looked through since the start.
    turns: usize,
    /// Sockets that were asked for and not found: searched for until so many turns.
    sought: FxHashMap<u64, usize>,
    /// The last time there was no room for all.
    pub full: bool,
}

impl SocketOwners {
    /// Looks on, then says whose those of the `wanted` sockets (inodes) are that are known.
    pub fn look(&mut self, proc: &Proc, wanted: &[u64]) -> Vec<(u64, u32)> {
        let pids = proc.pids().unwrap_or_default();
        self.search(&pids, wanted, |pid| sockets_of(proc, pid));
        let known = |inode: &u64| Some((*inode, *self.owners.get(inode)?));
        wanted.iter().filter_map(known).collect()
    }

    fn search(
        &mut self,
        pids: &[u32],
        wanted: &[u64],
        sockets_of: impl Fn(u32) -> (usize, Vec<u64>),
    ) {
        self.forget(pids);
        let mut files = 0;
        for &pid in pids {
            if files >= FILES {
                break;
            }
            if self.processes.binary_search_by_key(&pid, |p| p.0).is_err() {
                files += self.take(pid, sockets_of(pid));
            }
        }
        let wanted_now: FxHashSet<u64> = wanted.iter().copied().collect();
        self.sought.retain(|inode, _| wanted_now.contains(inode));
        let until = self.turns + self.processes.len();
        for inode in wanted {
            if self.owners.contains_key(inode) {
                self.sought.remove(inode);
            } else {
                self.sought.entry(*inode).or_insert(until);
            }
        }
        while files < FILES && self.sought.values().any(|until| *until > self.turns) {
            let at = self.processes.partition_point(|p| p.0 < self.next);
            let Some(&(pid, _)) = self.processes.get(at).or(self.processes.first()) else {
                break;
            };
            files += self.take(pid, sockets_of(pid));
            self.next = pid + 1;
            let owners = &self.owners;
            self.sought.retain(|inode, _| !owners.contains_key(inode));
        }
    }

    /// Of processes that ended nothing is kept.
    fn forget(&mut self, pids: &[u32]) {
        let owners = &mut self.owners;
        self.processes.retain(|(pid, sockets)| {
            let lives = pids.binary_search(pid).is_ok();
            if !lives {
                let of_it = |inode: &&u64| owners.get(*inode) == Some(pid);
                let gone: Vec<u64> = sockets.iter().filter(of_it).copied().collect();
                for inode in gone {
                    owners.remove(&inode);
                }
            }
            lives
        });
    }

    /// Returns how many files that were.
    fn take(&mut self, pid: u32, (files, sockets): (usize, Vec<u64>)) -> usize {
        self.turns += 1;
        let at = match self.processes.binary_search_by_key(&pid, |p| p.0) {
            Ok(at) => at,
            Err(at) => {
                self.processes.insert(at, (pid, Vec::new()));
                at
            }
        };
        for inode in std::mem::take(&mut self.processes[at].1) {
            self.owners.remove(&inode);
        }
        self.full = false;
        let mut kept = Vec::new();
        for inode in sockets {
            if self.owners.len() >= MOST_SOCKETS {
                self.full = true;
                break;
            }
            if let std::collections::hash_map::Entry::Vacant(free) = self.owners.entry(inode) {
                free.insert(pid);
                kept.push(inode);
            }
        }
        self.processes[at].1 = kept;
        files + 1
    }
}

/// How many files a process has open, and the inodes of the sockets among them.
pub fn sockets_of(proc: &Proc, pid: u32) -> (usize, Vec<u64>) {
    let Ok(open) = fs::read_dir(proc.path(&format!("proc/{pid}/fd"))) else {
        return (0, Vec::new());
    };
    let (mut files, mut sockets) = (0, Vec::new());
    for entry in open.take(MOST_ENTRIES).flatten() {
        files += 1;
        // `socket:[12345]`
        let target = fs::read_link(entry.path()).ok();
        let inode = target.as_ref().and_then(|target| {
            let text = target.as_os_str().as_bytes().strip_prefix(b"socket:[")?;
            std::str::from_utf8(text.strip_suffix(b"]")?)
                .ok()?
                .parse()
                .ok()
        });
        sockets.extend::<Option<u64>>(inode);
    }
    (files, sockets)
}

#[cfg(test)]
#[path = "socket_owners_tests.rs"]
mod tests;

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
        let known = |of: &SocketOwners, pid| of.processes.binary_search_by_key(&pid, |p| p.0);
        for &pid in pids {
            if files >= FILES {
                break;
            }
            if known(self, pid).is_err() {
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
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;
    use std::os::unix::fs::symlink;

    fn opens(proc: &Proc, pid: u32, inodes: impl Iterator<Item = u64>) {
        let dir = proc.path(&format!("proc/{pid}/fd"));
        fs::create_dir_all(&dir).expect("directory");
        for (fd, inode) in inodes.enumerate() {
            symlink(format!("socket:[{inode}]"), dir.join(fd.to_string())).expect("link");
        }
        symlink("/dev/null", dir.join("null")).expect("link");
    }

    #[test]
    fn sockets_of_new_processes_are_found_at_once_and_forgotten_with_them() {
        let (_dir, proc) = root_with(&[]);
        opens(&proc, 7, 900..902);
        let mut owners = SocketOwners::default();
        assert_eq!(
            owners.look(&proc, &[901, 5, 900]),
            [(901, 7), (900, 7)],
            "5 is nobody's"
        );
        opens(&proc, 8, 910..911);
        assert_eq!(owners.look(&proc, &[910]), [(910, 8)]);
        fs::remove_dir_all(proc.path("proc/7")).expect("it ends");
        assert_eq!(owners.look(&proc, &[901]), []);
        assert_eq!(owners.owners.len(), 1);
    }

    #[test]
    fn an_old_process_is_looked_at_again_only_when_a_socket_is_not_found() {
        let (_dir, proc) = root_with(&[]);
        opens(&proc, 7, 900..901);
        opens(&proc, 8, 910..911);
        let mut owners = SocketOwners::default();
        owners.look(&proc, &[]);
        let turns = owners.turns;
        owners.look(&proc, &[900]);
        assert_eq!(owners.turns, turns, "nothing is missing");
        symlink("socket:[920]", proc.path("proc/8/fd/9")).expect("link");
        assert_eq!(owners.look(&proc, &[920]), [(920, 8)]);
        // One that nobody has is searched for once round, and not for ever.
        owners.look(&proc, &[5]);
        let turns = owners.turns;
        owners.look(&proc, &[5]);
        assert_eq!(owners.turns, turns);
    }

    #[test]
    fn a_socket_that_went_to_another_process_is_found_there() {
        let (_dir, proc) = root_with(&[]);
        opens(&proc, 7, 900..901);
        opens(&proc, 8, 900..901);
        let mut owners = SocketOwners::default();
        assert_eq!(owners.look(&proc, &[900]), [(900, 7)]);
        fs::remove_dir_all(proc.path("proc/7")).expect("it ends");
        assert_eq!(owners.look(&proc, &[900]), [(900, 8)]);
    }

    #[test]
    fn a_hundred_thousand_sockets_of_ten_thousand_processes_are_found_a_part_at_a_time() {
        let pids: Vec<u32> = (1..=10_000).collect();
        let of = |pid: u32| {
            let first = u64::from(pid) * 10;
            (11, (first..first + 10).collect())
        };
        let mut owners = SocketOwners::default();
        let all: Vec<u64> = (10..100_010).collect();
        let mut looks = 0;
        while owners.owners.len() < all.len() {
            let turns = owners.turns;
            owners.search(&pids, &all, of);
            assert!(owners.turns - turns <= FILES / 11 + 1, "a part at a time");
            looks += 1;
            assert!(looks <= 7, "{}", owners.owners.len());
        }
        assert!(looks > 3, "{looks}");
        assert_eq!(owners.owners.get(&55_555), Some(&5_555));
    }

    #[test]
    fn this_process_has_its_own_sockets() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (files, sockets) = sockets_of(&Proc::host(), std::process::id());
        assert!(files > 2 && !sockets.is_empty());
        drop(socket);
    }
}

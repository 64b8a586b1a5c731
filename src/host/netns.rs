//! Which network namespaces have processes in them, and one process to read each through
//! /proc/PID/net. A namespace that only has a name (`ip netns add`, nobody inside) is not found:
//! reading it needs setns.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;

use super::proc::{Proc, printable};

/// Scanning all processes costs about 2 µs each; new ones are looked at every time.
const RESCAN_NS: u64 = 10_000_000_000;

/// Processes remembered per namespace, since the first may end before the next scan.
const SPARE_PIDS: usize = 4;

/// Beyond this many, namespaces are counted but not read.
const MOST_NAMESPACES: usize = 256;

#[derive(Debug, Default)]
pub struct Namespaces {
    /// By inode: processes that were in it at the last scan.
    found: BTreeMap<u64, Vec<u32>>,
    scanned_at: Option<u64>,
    /// Processes seen at the last look. A young one may change its namespace yet (`ip netns exec`)
    /// and is looked at twice.
    seen: BTreeSet<u32>,
    young: BTreeSet<u32>,
    unreadable: usize,
    left_out: usize,
}

/// Names that `ip netns add` gave, by inode.
pub fn names(proc: &Proc) -> Vec<(u64, String)> {
    let names = proc.list("run/netns").unwrap_or_default();
    let with_inode = |name: String| {
        let file = fs::metadata(proc.path(&format!("run/netns/{name}"))).ok()?;
        Some((file.ino(), printable(&name)))
    };
    let names = names.into_iter().take(MOST_NAMESPACES);
    names.filter_map(with_inode).collect()
}

impl Namespaces {
    /// The other namespaces as (inode, pid of a process that is in it now). `at` in ns.
    pub fn others(
        &mut self,
        proc: &Proc,
        own: u64,
        at: u64,
        notes: &mut Vec<String>,
    ) -> Vec<(u64, u32)> {
        let due = self
            .scanned_at
            .is_none_or(|last| at.saturating_sub(last) >= RESCAN_NS);
        let pids = proc.pids().unwrap_or_else(|error| {
            notes.push(format!("cannot list the processes: {error}"));
            Vec::new()
        });
        if due {
            self.scanned_at = Some(at);
            self.found.clear();
            self.unreadable = 0;
            self.left_out = 0;
            self.look(proc, own, pids.iter().copied());
        } else {
            let young = std::mem::take(&mut self.young);
            let new = |pid: &u32| !self.seen.contains(pid);
            self.young = pids.iter().copied().filter(new).collect();
            let both: Vec<u32> = young.union(&self.young).copied().collect();
            self.look(proc, own, both.into_iter());
        }
        self.seen = pids.into_iter().collect();
        // One is no news: a sandbox may hide its pid 1 from root too.
        if self.unreadable > 1 {
            notes.push(format!(
                "the network namespaces of {} processes cannot be read: run as root, or with CAP_SYS_PTRACE",
                self.unreadable
            ));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} network namespaces more than {MOST_NAMESPACES} are not read",
                self.left_out
            ));
        }
        self.found
            .iter()
            .filter_map(|(inode, pids)| {
                let pid = pids
                    .iter()
                    .find(|pid| of(proc, **pid).is_ok_and(|now| now == *inode))?;
                Some((*inode, *pid))
            })
            .collect()
    }

    fn look(&mut self, proc: &Proc, own: u64, pids: impl Iterator<Item = u32>) {
        let mut skipped = BTreeSet::new();
        for pid in pids {
            let inode = match of(proc, pid) {
                Ok(inode) => inode,
                Err(error) => {
                    // Anything else is a process that ended meanwhile.
                    self.unreadable += usize::from(error.kind() == ErrorKind::PermissionDenied);
                    continue;
                }
            };
            if inode == own {
                continue;
            }
            if !self.found.contains_key(&inode) && self.found.len() >= MOST_NAMESPACES {
                skipped.insert(inode);
                continue;
            }
            let spare = self.found.entry(inode).or_default();
            if spare.len() < SPARE_PIDS && !spare.contains(&pid) {
                spare.push(pid);
            }
        }
        self.left_out = self.left_out.max(skipped.len());
    }
}

/// Inode of the network namespace netop runs in.
pub fn own(proc: &Proc) -> io::Result<u64> {
    link_inode(proc, "proc/self/ns/net")
}

/// Inode of a process's network namespace.
pub fn of(proc: &Proc, pid: u32) -> io::Result<u64> {
    link_inode(proc, &format!("proc/{pid}/ns/net"))
}

/// `net:[4026531840]`
fn link_inode(proc: &Proc, name: &str) -> io::Result<u64> {
    let target = proc.link_name(name)?;
    target
        .strip_prefix("net:[")
        .and_then(|rest| rest.strip_suffix(']')?.parse().ok())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, target))
}

#[cfg(test)]
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn process(proc: &Proc, pid: u32, inode: u64) {
        let dir = proc.path(&format!("proc/{pid}/ns"));
        fs::create_dir_all(&dir).expect("directory");
        let link = dir.join("net");
        let _ = fs::remove_file(&link);
        symlink(format!("net:[{inode}]"), link).expect("link");
    }

    #[test]
    fn each_foreign_namespace_has_one_process_that_is_still_in_it() {
        let (_dir, proc) = root_with(&[]);
        for (pid, inode) in [(1, 10), (2, 20), (3, 20), (4, 30)] {
            process(&proc, pid, inode);
        }
        let mut namespaces = Namespaces::default();
        let mut notes = Vec::new();
        assert_eq!(
            namespaces.others(&proc, 10, 0, &mut notes),
            [(20, 2), (30, 4)]
        );
        process(&proc, 2, 10);
        fs::remove_dir_all(proc.path("proc/4")).expect("process 4 ends");
        assert_eq!(namespaces.others(&proc, 10, 1, &mut notes), [(20, 3)]);
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn a_new_namespace_is_seen_at_once_even_when_its_process_went_there_late() {
        let (_dir, proc) = root_with(&[]);
        process(&proc, 1, 10);
        let mut namespaces = Namespaces::default();
        let mut notes = Vec::new();
        assert_eq!(namespaces.others(&proc, 10, 5, &mut notes), []);
        process(&proc, 2, 10);
        assert_eq!(namespaces.others(&proc, 10, 6, &mut notes), []);
        fs::remove_file(proc.path("proc/2/ns/net")).expect("a link");
        process(&proc, 2, 20);
        assert_eq!(namespaces.others(&proc, 10, 7, &mut notes), [(20, 2)]);
    }

    #[test]
    fn an_old_process_that_changes_its_namespace_is_seen_after_ten_seconds() {
        let (_dir, proc) = root_with(&[]);
        process(&proc, 1, 10);
        process(&proc, 2, 10);
        let mut namespaces = Namespaces::default();
        let mut notes = Vec::new();
        assert_eq!(namespaces.others(&proc, 10, 5, &mut notes), []);
        fs::remove_file(proc.path("proc/2/ns/net")).expect("a link");
        process(&proc, 2, 20);
        assert_eq!(namespaces.others(&proc, 10, RESCAN_NS + 4, &mut notes), []);
        let found = namespaces.others(&proc, 10, RESCAN_NS + 5, &mut notes);
        assert_eq!(found, [(20, 2)]);
    }

    #[test]
    fn a_process_that_ended_is_no_complaint() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "zombies have no namespace")]);
        let mut notes = Vec::new();
        assert_eq!(Namespaces::default().others(&proc, 10, 0, &mut notes), []);
        assert_eq!(notes, Vec::<String>::new());
    }
}

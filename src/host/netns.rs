//! Which network namespaces there are beside the own one, and the way into each: a process that is in
//! it, or a file that it is mounted on (`ip netns add`, OpenStack's routers, Docker's /run/docker/netns).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;

use super::proc::{Proc, printable};
use crate::sys::monotonic_ns;

/// Scanning all processes costs about 10 µs each: every 10 s, and of thousands so rarely that it takes a
/// thousandth of the time. New ones are looked at whenever a process began.
const RESCAN_NS: u64 = 10_000_000_000;
const RESCAN_SHARE: u64 = 1000;

/// Processes remembered per namespace, since the first may end before the next scan.
const SPARE_PIDS: usize = 4;

/// Beyond this many, namespaces are counted but not read.
const MOST_NAMESPACES: usize = 1024;

/// A network namespace beside the own one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netns {
    pub inode: u64,
    door: Door,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Door {
    /// A process that is in it.
    Process(u32),
    /// A file that it is mounted on, below the root.
    Mount(String),
}

impl Netns {
    pub fn of_process(inode: u64, pid: u32) -> Netns {
        Netns {
            inode,
            door: Door::Process(pid),
        }
    }

    /// To be entered with setns(2). Not another one whose process has the same number now.
    pub fn open(&self, proc: &Proc) -> io::Result<File> {
        let file = match &self.door {
            Door::Process(pid) => proc.open(&format!("proc/{pid}/ns/net")),
            Door::Mount(path) => proc.open(path),
        }?;
        if file.metadata()?.ino() == self.inode {
            Ok(file)
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    /// Where /proc shows it; `None`: nobody is in it, or its process is elsewhere now.
    pub fn in_proc(&self, proc: &Proc) -> Option<String> {
        match self.door {
            Door::Process(pid) => {
                let elsewhere = of(proc, pid).is_ok_and(|now| now != self.inode);
                (!elsewhere).then(|| format!("proc/{pid}"))
            }
            Door::Mount(_) => None,
        }
    }
}

#[derive(Debug, Default)]
pub struct Namespaces {
    /// By inode: processes that were in it at the last scan.
    found: BTreeMap<u64, Vec<u32>>,
    /// By inode: where it was mounted then.
    mounted: BTreeMap<u64, String>,
    /// When a name was given or taken away in /run/netns last, s and ns.
    named_at: Option<(i64, i64)>,
    scanned_at: Option<u64>,
    /// What that took, ns.
    scan_ns: u64,
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
    /// A name was given or taken away in /run/netns since the last look.
    pub fn has_new_name(&self, proc: &Proc) -> bool {
        named_at(proc) != self.named_at
    }

    /// Whether [`others`](Namespaces::others) is to look although no process began or ended: at young
    /// ones again, or at all.
    pub fn is_due(&self, at: u64) -> bool {
        let scanned = self.scanned_at;
        let rescan = scanned.is_none_or(|last| at.saturating_sub(last) >= self.rescan_ns());
        rescan || !self.young.is_empty()
    }

    fn rescan_ns(&self) -> u64 {
        RESCAN_NS.max(self.scan_ns.saturating_mul(RESCAN_SHARE))
    }

    /// The other namespaces, by inode. `at` in ns.
    pub fn others(
        &mut self,
        proc: &Proc,
        own: u64,
        at: u64,
        notes: &mut Vec<String>,
    ) -> Vec<Netns> {
        let due = self
            .scanned_at
            .is_none_or(|last| at.saturating_sub(last) >= self.rescan_ns());
        let pids = proc.pids().unwrap_or_else(|error| {
            notes.push(format!("cannot list the processes: {error}"));
            Vec::new()
        });
        if due {
            self.scanned_at = Some(at);
            let began = monotonic_ns();
            self.found.clear();
            self.unreadable = 0;
            self.left_out = 0;
            self.look(proc, own, pids.iter().copied());
            self.look_for_mounts(proc, own, &pids);
            self.scan_ns = monotonic_ns().saturating_sub(began);
        } else {
            let young = std::mem::take(&mut self.young);
            let new = |pid: &u32| !self.seen.contains(pid);
            self.young = pids.iter().copied().filter(new).collect();
            let both: Vec<u32> = young.union(&self.young).copied().collect();
            self.look(proc, own, both.into_iter());
            if named_at(proc) != self.named_at {
                self.look_for_mounts(proc, own, &[]);
            }
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
        let mut others: BTreeMap<u64, Netns> = (self.found.iter())
            .filter_map(|(inode, pids)| {
                let is_there = |pid: &&u32| of(proc, **pid).is_ok_and(|now| now == *inode);
                let pid = pids.iter().find(is_there)?;
                Some((*inode, Netns::of_process(*inode, *pid)))
            })
            .collect();
        for (&inode, path) in &self.mounted {
            // What is mounted there has the namespace's own inode, for as long as it is.
            let is_there = fs::metadata(proc.path(path)).is_ok_and(|meta| meta.ino() == inode);
            if is_there && others.len() < MOST_NAMESPACES {
                let door = Door::Mount(path.clone());
                others.entry(inode).or_insert(Netns { inode, door });
            }
        }
        others.into_values().collect()
    }

    /// In the mount namespaces of netop and of these processes: Docker's are in its daemon's.
    fn look_for_mounts(&mut self, proc: &Proc, own: u64, pids: &[u32]) {
        self.named_at = named_at(proc);
        if !pids.is_empty() {
            self.mounted.clear();
        }
        let mut seen = BTreeSet::new();
        let inode = |at: &str| proc.link_name(&format!("{at}/ns/mnt"));
        seen.extend(inode("proc/self").ok());
        let mut places = vec![("proc/self".to_owned(), String::new())];
        for pid in pids {
            let at = format!("proc/{pid}");
            if inode(&at).is_ok_and(|inode| seen.insert(inode)) {
                let root = format!("{at}/root/");
                places.push((at, root));
            }
        }
        for (at, root) in places {
            let text = proc.text(&format!("{at}/mountinfo")).unwrap_or_default();
            for (inode, path) in mounted(&text).filter(|(inode, _)| *inode != own) {
                if self.mounted.len() < MOST_NAMESPACES {
                    let path = format!("{root}{}", path.trim_start_matches('/'));
                    self.mounted.entry(inode).or_insert(path);
                }
            }
        }
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

fn named_at(proc: &Proc) -> Option<(i64, i64)> {
    let names = fs::metadata(proc.path("run/netns")).ok()?;
    Some((names.mtime(), names.mtime_nsec()))
}

/// Network namespaces in the text of a mountinfo (man 5 proc_pid_mountinfo), and where they are mounted:
/// `… 0:4 net:[4026532281] /run/netns/r rw shared:1 - nsfs nsfs rw`.
fn mounted(text: &str) -> impl Iterator<Item = (u64, String)> + '_ {
    text.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("nsfs ").then_some(())?;
        let mut fields = mount.split(' ').skip(3);
        let (root, path) = (fields.next()?, fields.next()?);
        let inode = root.strip_prefix("net:[")?.strip_suffix(']')?;
        Some((inode.parse().ok()?, unescaped(path)))
    })
}

/// Space, tab, newline and backslash stand there as `\\040` and so on.
fn unescaped(path: &str) -> String {
    let mut parts = path.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        if let Some(code) = code {
            plain.push(char::from(code));
            plain.push_str(&part[3..]);
        } else {
            plain.push('\\');
            plain.push_str(part);
        }
    }
    plain
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
            [Netns::of_process(20, 2), Netns::of_process(30, 4)]
        );
        process(&proc, 2, 10);
        fs::remove_dir_all(proc.path("proc/4")).expect("process 4 ends");
        assert_eq!(
            namespaces.others(&proc, 10, 1, &mut notes),
            [Netns::of_process(20, 3)]
        );
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
        assert_eq!(
            namespaces.others(&proc, 10, 7, &mut notes),
            [Netns::of_process(20, 2)]
        );
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
        assert_eq!(found, [Netns::of_process(20, 2)]);
    }

    #[test]
    fn a_namespace_that_is_only_mounted_is_there_as_long_as_it_is() {
        let (_dir, proc) = root_with(&[("run/netns/r", ""), ("proc/self/comm", "netop")]);
        process(&proc, 1, 10);
        // As nsfs has it, the file's inode is the namespace's.
        let inode = fs::metadata(proc.path("run/netns/r")).expect("there").ino();
        let mounts = format!(
            "22 1 0:21 / /proc rw - proc proc rw\n\
             90 24 0:4 net:[{inode}] /run/netns/r rw shared:1 - nsfs nsfs rw\n\
             91 24 0:4 net:[10] /run/netns/own rw - nsfs nsfs rw\n\
             92 24 0:4 uts:[77] /run/utsns/x rw - nsfs nsfs rw\n"
        );
        fs::write(proc.path("proc/self/mountinfo"), mounts).expect("a file");
        let mut namespaces = Namespaces::default();
        let mut notes = Vec::new();
        let door = Door::Mount("run/netns/r".to_owned());
        let expected = [Netns { inode, door }];
        assert_eq!(namespaces.others(&proc, 10, 0, &mut notes), expected);
        assert_eq!(expected[0].in_proc(&proc), None);
        process(&proc, 2, inode);
        let found = namespaces.others(&proc, 10, 1, &mut notes);
        assert_eq!(found, [Netns::of_process(inode, 2)]);
        fs::remove_dir_all(proc.path("proc/2")).expect("it ends");
        assert_eq!(namespaces.others(&proc, 10, 2, &mut notes), expected);
        fs::remove_file(proc.path("run/netns/r")).expect("unmounted");
        assert_eq!(namespaces.others(&proc, 10, 3, &mut notes), []);
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn a_mount_point_is_named_as_it_is() {
        let text = "1 2 0:4 net:[5] /run/a\\040b\\134c rw - nsfs nsfs rw\nx\n";
        let found: Vec<_> = mounted(text).collect();
        assert_eq!(found, [(5, "/run/a b\\c".to_owned())]);
        assert_eq!(unescaped("a\\9"), "a\\9");
    }

    #[test]
    fn a_process_that_ended_is_no_complaint() {
        let (_dir, proc) = root_with(&[("proc/5/comm", "zombies have no namespace")]);
        let mut notes = Vec::new();
        assert_eq!(Namespaces::default().others(&proc, 10, 0, &mut notes), []);
        assert_eq!(notes, Vec::<String>::new());
    }
}

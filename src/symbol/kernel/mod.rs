//! Names of kernel addresses. /proc/kallsyms takes 100–160 ms to read, so a thread does; until
//! it is there, or what an earlier run kept of it, an answer is not settled.

pub mod cache;
pub mod kallsyms;
pub mod packed;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use rustc_hash::FxHashMap;

use self::cache::KernelCache;
use self::kallsyms::Kallsyms;
use super::elf::build_id;
use crate::model::Name;
use crate::sys::run_in_background;

/// Modules and BPF programs come and go; an address nobody knew may have got a name since. Each
/// reading takes 60 ms of CPU time, where others load programs all the time.
const REREAD_AFTER: Duration = Duration::from_secs(60);

/// The first time it is soon: netop's own BPF programs are loaded while kallsyms is read. Twice as
/// long each time.
const FIRST_REREAD_AFTER: Duration = Duration::from_millis(500);

/// What is read from then on knows netop's own BPF programs: they are loaded by then.
const LOADED_AFTER: Duration = Duration::from_secs(1);

/// Behind the names of BPF programs.
const BPF: &str = " [bpf]";

/// Names kept ready; at this many all are forgotten and looked up again.
const MOST_NAMES: usize = 1 << 16;

/// kallsyms of a kernel with all modules is about 15 MB.
const LONGEST: u64 = 128 << 20;

/// The beginning of the kernel is among its first symbols, behind those of per-CPU data.
const HEAD: u64 = 64 << 10;

/// Notes of a kernel are a few hundred bytes.
const LONGEST_NOTES: u64 = 64 << 10;

/// Where the running kernel's symbols are read.
#[derive(Debug, Clone)]
pub struct KernelFiles {
    /// /proc/kallsyms.
    pub kallsyms: PathBuf,
    /// /sys/kernel/notes.
    pub notes: PathBuf,
    /// /proc/modules.
    pub modules: PathBuf,
    /// /proc/sys/kernel/osrelease.
    pub release: PathBuf,
}

impl KernelFiles {
    /// The host whose /proc is `root`/proc.
    pub fn below(root: &Path) -> KernelFiles {
        KernelFiles {
            kallsyms: root.join("proc/kallsyms"),
            notes: root.join("sys/kernel/notes"),
            modules: root.join("proc/modules"),
            release: root.join("proc/sys/kernel/osrelease"),
        }
    }
}

pub struct KernelNames {
    path: PathBuf,
    table: Kallsyms,
    /// How many times kallsyms has been read.
    readings: u32,
    read_at: Instant,
    started: Instant,
    /// Netop's own BPF programs were loaded when it was last begun to be read.
    knows_own: bool,
    /// So it will be when the reading under way is there.
    will_know_own: bool,
    reading: Option<Receiver<Reading>>,
    /// Why there are no names.
    missing: Option<String>,
    known: FxHashMap<u64, Arc<str>>,
    /// Addresses without a name, and after how many readings they were first asked for.
    unknown: FxHashMap<u64, u32>,
}

enum Reading {
    /// The kernel's own symbols, kept by an earlier run; the rest is still being read.
    Kept(Kallsyms),
    Whole(Result<Kallsyms, String>),
}

impl KernelNames {
    pub fn start(files: KernelFiles, cache: Option<KernelCache>) -> KernelNames {
        let path = files.kallsyms.clone();
        let read_first = move |found: &Sender<Reading>| match cache {
            Some(cache) => read_through(&files, &cache, found),
            None => drop(found.send(Reading::Whole(read(&files.kallsyms)))),
        };
        KernelNames {
            reading: in_thread(read_first),
            path,
            table: Kallsyms::default(),
            readings: 0,
            read_at: Instant::now(),
            started: Instant::now(),
            knows_own: false,
            will_know_own: false,
            missing: None,
            known: FxHashMap::default(),
            unknown: FxHashMap::default(),
        }
    }

    /// Why kernel functions have no names, once that is known.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    pub fn name(&mut self, address: u64) -> Name {
        self.take_reading();
        if let Some(text) = self.known.get(&address) {
            return Name {
                text: text.clone(),
                settled: true,
            };
        }
        let Some(text) = self.table.name(address) else {
            return Name {
                text: hex(address),
                settled: self.is_hopeless(address),
            };
        };
        let text: Arc<str> = text.into();
        // Without sizes the program before has the address of one that was loaded since.
        if !self.knows_own && text.ends_with(BPF) && !self.is_hopeless(address) {
            return Name {
                text,
                settled: false,
            };
        }
        if self.known.len() >= MOST_NAMES {
            self.known.clear();
        }
        self.known.insert(address, text.clone());
        Name {
            text,
            settled: true,
        }
    }

    /// A miss is final when a reading that came after the first question does not know it either.
    fn is_hopeless(&mut self, address: u64) -> bool {
        if self.missing.is_some() {
            return true;
        }
        if self.unknown.len() >= MOST_NAMES {
            self.unknown.clear();
        }
        let first = *self.unknown.entry(address).or_insert(self.readings);
        if first < self.readings {
            return true;
        }
        let doublings = self.readings.saturating_sub(1).min(7);
        let patience = REREAD_AFTER.min(FIRST_REREAD_AFTER * (1 << doublings));
        if self.reading.is_none() && self.read_at.elapsed() >= patience {
            let path = self.path.clone();
            self.will_know_own = self.started.elapsed() >= LOADED_AFTER || self.readings > 0;
            // Nobody may be waiting any more.
            self.reading = in_thread(move |found| drop(found.send(Reading::Whole(read(&path)))));
        }
        false
    }

    fn take_reading(&mut self) {
        let Some(reading) = &self.reading else {
            return;
        };
        let answer = match reading.try_recv() {
            // Modules and BPF programs are not in it: the first address without a name has all read, which
            // takes some 60 ms of a CPU.
            Ok(Reading::Kept(table)) => {
                self.table = table;
                self.reading = None;
                let long_ago = Instant::now().checked_sub(REREAD_AFTER);
                self.read_at = long_ago.unwrap_or(self.read_at);
                return;
            }
            Ok(Reading::Whole(answer)) => answer,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err("reading kallsyms failed".to_owned()),
        };
        self.reading = None;
        self.knows_own = self.will_know_own;
        self.readings += 1;
        self.read_at = Instant::now();
        match answer {
            Ok(table) => {
                self.table = table;
                self.known.clear();
                self.missing = None;
            }
            // What was read before is still good.
            Err(_) if self.table.has_names() => {}
            Err(why) => self.missing = Some(why),
        }
    }
}

/// An address without a name.
pub fn hex(address: u64) -> Arc<str> {
    format!("{address:#x}").into()
}

/// `None` when no thread could be started.
fn in_thread(read: impl FnOnce(&Sender<Reading>) + Send + 'static) -> Option<Receiver<Reading>> {
    let (found, reading) = bounded(2);
    thread::Builder::new()
        .name("kallsyms".to_owned())
        .spawn(move || {
            run_in_background();
            read(&found);
        })
        .ok()?;
    Some(reading)
}

/// What is kept, or everything, which is kept then.
fn read_through(files: &KernelFiles, cache: &KernelCache, found: &Sender<Reading>) {
    let id = running_build_id(files);
    let begin = begin(files);
    let kept = id
        .as_ref()
        .zip(begin)
        .and_then(|(id, begin)| cache.read(id, begin));
    if let Some(kept) = kept {
        // Nobody may be waiting any more.
        let _ = found.send(Reading::Kept(kept));
        return;
    }
    let whole = read(&files.kallsyms);
    if let (Some(id), Ok(table)) = (id, &whole) {
        // A folder that cannot be written is no reason to have no names.
        let _not_kept = cache.write(&id, table);
    }
    let _ = found.send(Reading::Whole(whole));
}

pub fn running_build_id(files: &KernelFiles) -> Option<Vec<u8>> {
    build_id::in_notes(&bytes(&files.notes, LONGEST_NOTES).ok()?)
}

/// Where the running kernel begins.
pub fn begin(files: &KernelFiles) -> Option<u64> {
    let head = bytes(&files.kallsyms, HEAD).ok()?;
    Kallsyms::begin_in(&String::from_utf8_lossy(&head))
}

pub fn read(path: &Path) -> Result<Kallsyms, String> {
    let bytes =
        bytes(path, LONGEST).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Kallsyms::parse(&String::from_utf8_lossy(&bytes))
}

fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Asks until the answer is settled.
    fn settled(names: &mut KernelNames, address: u64) -> Name {
        for _ in 0..10_000 {
            let name = names.name(address);
            if name.settled {
                return name;
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        panic!("no answer for {address:#x}");
    }

    fn files_in(dir: &tempfile::TempDir) -> KernelFiles {
        let files = KernelFiles::below(dir.path());
        for file in [&files.kallsyms, &files.notes] {
            let folder = file.parent().expect("a folder");
            fs::create_dir_all(folder).expect("folders");
        }
        files
    }

    fn names_of(text: &str) -> (tempfile::TempDir, KernelNames) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let files = files_in(&dir);
        fs::write(&files.kallsyms, text).expect("file");
        let names = KernelNames::start(files, None);
        (dir, names)
    }

    #[test]
    fn before_the_table_is_there_an_answer_is_hex_and_not_settled() {
        let (_dir, mut names) = names_of("ffffffff81000000 T _stext\n");
        let (_open, never) = bounded(1);
        names.reading = Some(never);
        let name = names.name(0xffff_ffff_8100_0010);
        assert_eq!((&*name.text, name.settled), ("0xffffffff81000010", false));
    }

    #[test]
    fn names_and_misses_settle_when_the_table_is_there() {
        let (_dir, mut names) = names_of("ffffffff81000000 T _stext\n");
        let name = settled(&mut names, 0xffff_ffff_8100_0010);
        assert_eq!(&*name.text, "_stext");
        let first = names.name(0x10);
        assert_eq!((&*first.text, first.settled), ("0x10", false));
        names.readings += 1;
        assert!(names.name(0x10).settled);
    }

    #[test]
    fn an_unknown_address_has_the_table_read_again_after_a_while() {
        let (dir, mut names) = names_of("ffffffff81000000 T _stext\n");
        settled(&mut names, 0xffff_ffff_8100_0000);
        let new = "ffffffff81000000 T _stext\nffffffffc0000000 t late\t[new]\n";
        fs::write(dir.path().join("proc/kallsyms"), new).expect("file");
        assert!(!names.name(0xffff_ffff_c000_0004).settled);
        assert!(names.reading.is_none(), "read again too soon");
        names.read_at -= REREAD_AFTER;
        let name = settled(&mut names, 0xffff_ffff_c000_0004);
        assert_eq!(&*name.text, "late [new]");
    }

    #[test]
    fn names_of_bpf_programs_are_looked_up_again_once_netops_own_are_loaded() {
        let old = "ffffffff81000000 T _stext\nffffffffc0001000 t bpf_prog_1_other\t[bpf]\n";
        let (dir, mut names) = names_of(old);
        settled(&mut names, 0xffff_ffff_8100_0000);
        assert!(!names.name(0xffff_ffff_c000_2004).settled);
        let new = format!("{old}ffffffffc0002000 t bpf_prog_2_netop\t[bpf]\n");
        fs::write(dir.path().join("proc/kallsyms"), new).expect("file");
        names.read_at -= REREAD_AFTER;
        let name = settled(&mut names, 0xffff_ffff_c000_2004);
        assert_eq!(&*name.text, "bpf_prog_2_netop [bpf]");
        assert!(names.name(0xffff_ffff_c000_1004).settled);
    }

    #[test]
    fn hidden_addresses_are_said_and_every_answer_is_settled_hex() {
        let (_dir, mut names) = names_of("0000000000000000 T _stext\n");
        let name = settled(&mut names, 0xffff_ffff_8100_0000);
        assert_eq!(&*name.text, "0xffffffff81000000");
        assert!(
            names
                .missing()
                .is_some_and(|why| why.contains("kptr_restrict"))
        );
    }

    #[test]
    fn what_an_earlier_run_kept_is_known_before_everything_is_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let files = files_in(&dir);
        let note = [4_u32, 2, 3].map(u32::to_ne_bytes).concat();
        fs::write(&files.notes, [&note[..], b"GNU\0\x01\x02\0\0"].concat()).expect("file");
        let text = "1000 T _text\n1100 T f\nf0009000 t g\t[m]\n";
        fs::write(&files.kallsyms, text).expect("file");
        let cache = KernelCache::at(dir.path().join("cache")).expect("a user");
        let mut names = KernelNames::start(files.clone(), Some(cache.clone()));
        assert_eq!(&*settled(&mut names, 0xf000_9000).text, "g [m]");
        // The same kernel, moved by another boot.
        let text = "5000 T _text\n5100 T other\nf000d000 t g\t[m]\n";
        fs::write(&files.kallsyms, text).expect("file");
        let (found, readings) = bounded(2);
        read_through(&files, &cache, &found);
        let kept = readings.recv().expect("a reading");
        let Reading::Kept(table) = kept else {
            panic!("nothing was kept");
        };
        assert_eq!(table.name(0x5100).as_deref(), Some("f"));
        assert_eq!(table.name(0xf000_d000), None);
        drop(found);
        assert!(readings.recv().is_err(), "all is read when it is asked for");
    }

    #[test]
    fn a_name_that_was_kept_is_settled_and_a_miss_waits_for_the_rest() {
        let (_dir, mut names) = names_of("1000 T _text\nfff9000 t g\t[m]\n");
        let (found, reading) = bounded(2);
        names.reading = Some(reading);
        let kept = Kallsyms::parse("1000 T _text\n1100 T f\n").expect("symbols");
        found.send(Reading::Kept(kept)).expect("room");
        let name = names.name(0x1100);
        assert_eq!((&*name.text, name.settled), ("f", true));
        assert!(!names.name(0xfff_9000).settled && names.readings == 0);
        assert_eq!(&*settled(&mut names, 0xfff_9000).text, "g [m]");
    }
}

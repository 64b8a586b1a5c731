//! Names of kernel addresses. /proc/kallsyms takes 100–160 ms to read, so a thread does; until
//! it is there an answer is not settled.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rustc_hash::FxHashMap;

use super::kallsyms::Kallsyms;
use crate::model::Name;

/// Modules and BPF programs come and go; an address nobody knew may have got a name since.
const REREAD_AFTER: Duration = Duration::from_secs(30);

/// The first time it is soon: netop's own BPF programs are loaded while kallsyms is read. Twice as
/// long each time.
const FIRST_REREAD_AFTER: Duration = Duration::from_millis(500);

/// Names kept ready; at this many all are forgotten and looked up again.
const MOST_NAMES: usize = 1 << 16;

/// kallsyms of a kernel with all modules is about 15 MB.
const LONGEST: u64 = 128 << 20;

pub struct KernelNames {
    path: PathBuf,
    table: Kallsyms,
    /// How many times kallsyms has been read.
    readings: u32,
    read_at: Instant,
    reading: Option<Receiver<Result<Kallsyms, String>>>,
    /// Why there are no names.
    missing: Option<String>,
    known: FxHashMap<u64, Arc<str>>,
    /// Addresses without a name, and after how many readings they were first asked for.
    unknown: FxHashMap<u64, u32>,
}

impl KernelNames {
    pub fn start(path: PathBuf) -> KernelNames {
        KernelNames {
            reading: read_in_thread(&path),
            path,
            table: Kallsyms::default(),
            readings: 0,
            read_at: Instant::now(),
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
        let doublings = self.readings.saturating_sub(1).min(6);
        let patience = REREAD_AFTER.min(FIRST_REREAD_AFTER * (1 << doublings));
        if self.reading.is_none() && self.read_at.elapsed() >= patience {
            self.reading = read_in_thread(&self.path);
        }
        false
    }

    fn take_reading(&mut self) {
        let Some(reading) = &self.reading else {
            return;
        };
        let answer = match reading.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err("reading kallsyms failed".to_owned()),
        };
        self.reading = None;
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
fn read_in_thread(path: &Path) -> Option<Receiver<Result<Kallsyms, String>>> {
    let (done, loaded) = bounded(1);
    let path = path.to_owned();
    thread::Builder::new()
        .name("kallsyms".to_owned())
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = done.send(read(&path));
        })
        .ok()?;
    Some(loaded)
}

fn read(path: &Path) -> Result<Kallsyms, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Kallsyms::parse(&String::from_utf8_lossy(&bytes))
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

    fn names_of(text: &str) -> (tempfile::TempDir, KernelNames) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("kallsyms");
        fs::write(&path, text).expect("file");
        let names = KernelNames::start(path);
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
        fs::write(dir.path().join("kallsyms"), new).expect("file");
        assert!(!names.name(0xffff_ffff_c000_0004).settled);
        assert!(names.reading.is_none(), "read again too soon");
        names.read_at -= REREAD_AFTER;
        let name = settled(&mut names, 0xffff_ffff_c000_0004);
        assert_eq!(&*name.text, "late [new]");
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
}

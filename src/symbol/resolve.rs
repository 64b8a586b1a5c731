//! A frame of a process → its name, with everything read on the way kept for the next: the
//! processes' mappings and the files' symbols, both bounded. May take 100 ms; runs in a worker.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::elf::Elf;
use super::mapped_file::MappedFile;
use super::maps::{self, Mapping};
use super::perf_map::PerfMap;
use super::readable::readable;

/// The mappings of a process are read again at most this often.
const REREAD_AFTER: Duration = Duration::from_secs(1);

const MOST_PROCESSES: usize = 256;
const MOST_FILES: usize = 16;
const MOST_PERF_MAPS: usize = 4;

/// What is longer is cut.
const LONGEST_MAPS: u64 = 16 << 20;

pub struct Resolver {
    /// /proc.
    proc: PathBuf,
    processes: FxHashMap<u32, Process>,
    /// By device and inode; `None`: no ELF file that can be read.
    files: FxHashMap<(u64, u64), Loaded>,
    /// Counts uses, so that the one used longest ago can go.
    turn: u64,
}

struct Process {
    mappings: Vec<Mapping>,
    perf_map: Option<PerfMap>,
    read_at: Instant,
    used: u64,
}

struct Loaded {
    elf: Option<Elf>,
    used: u64,
}

impl Resolver {
    pub fn new(proc: PathBuf) -> Resolver {
        Resolver {
            proc,
            processes: FxHashMap::default(),
            files: FxHashMap::default(),
            turn: 0,
        }
    }

    /// Reads the mappings of a process not met before: it may not live much longer.
    pub fn meet(&mut self, pid: u32) {
        if self.processes.contains_key(&pid) {
            return;
        }
        if self.processes.len() >= MOST_PROCESSES {
            let oldest = self
                .processes
                .iter()
                .min_by_key(|(_, process)| process.used);
            if let Some(oldest) = oldest.map(|(pid, _)| *pid) {
                self.processes.remove(&oldest);
            }
        }
        let process = Process {
            mappings: read_maps(&self.proc, pid),
            perf_map: None,
            read_at: Instant::now(),
            used: self.turn,
        };
        self.processes.insert(pid, process);
    }

    /// `None`: not now, its mappings must be read again first. `asked` is when this address was
    /// first asked for: a miss in mappings read later is final.
    pub fn name(&mut self, pid: u32, address: u64, asked: Instant) -> Option<String> {
        self.meet(pid);
        self.turn += 1;
        let process = self.processes.get_mut(&pid)?;
        process.used = self.turn;
        if maps::find(&process.mappings, address).is_none() && process.read_at < asked {
            if process.read_at.elapsed() < REREAD_AFTER {
                return None;
            }
            let mappings = read_maps(&self.proc, pid);
            // A process that has ended keeps those it had.
            if !mappings.is_empty() {
                process.mappings = mappings;
            }
            process.perf_map = None;
            process.read_at = Instant::now();
        }
        let Some(mapping) = maps::find(&process.mappings, address).cloned() else {
            // Nothing is mapped there: not a frame, and one name for all of them.
            return Some("[unknown]".to_owned());
        };
        Some(self.name_in(pid, &mapping, address))
    }

    fn name_in(&mut self, pid: u32, mapping: &Mapping, address: u64) -> String {
        if mapping.path.starts_with('[') && !mapping.path.starts_with("[anon") {
            return readable(&mapping.path);
        }
        let offset = (address - mapping.start).wrapping_add(mapping.offset);
        let file = readable(mapping.basename());
        if mapping.is_file() {
            let elf = self.file(pid, mapping);
            if let Some(symbol) = elf.and_then(|elf| elf.name(offset)) {
                return format!("{symbol} ({file})");
            }
            // JIT compilers map their code from a memfd.
            if !mapping.path.starts_with("/memfd:") {
                return format!("{offset:#x} ({file})");
            }
        }
        self.let_perf_maps_go(pid);
        let jitted = self.processes.get_mut(&pid).and_then(|process| {
            process
                .perf_map
                .get_or_insert_with(|| PerfMap::read(&self.proc, pid))
                .name(address)
        });
        match jitted {
            Some(name) => format!("{name} [jit]"),
            None if mapping.is_file() => format!("{offset:#x} ({file})"),
            None => "[anon]".to_owned(),
        }
    }

    /// Before one more is read: strangers write them, and they may be large.
    fn let_perf_maps_go(&mut self, pid: u32) {
        let wanted = self
            .processes
            .get(&pid)
            .is_some_and(|process| process.perf_map.is_none());
        let kept = self
            .processes
            .values()
            .filter(|process| process.perf_map.is_some())
            .count();
        if wanted && kept >= MOST_PERF_MAPS {
            self.processes
                .values_mut()
                .for_each(|process| process.perf_map = None);
        }
    }

    fn file(&mut self, pid: u32, mapping: &Mapping) -> Option<&Elf> {
        let key = (mapping.device, mapping.inode);
        if !self.files.contains_key(&key) {
            // Not to be had now is no verdict on the file: another process may show it.
            let file = MappedFile::open(&self.proc, pid, mapping)?;
            if self.files.len() >= MOST_FILES {
                let oldest = self.files.iter().min_by_key(|(_, loaded)| loaded.used);
                if let Some(oldest) = oldest.map(|(key, _)| *key) {
                    self.files.remove(&oldest);
                }
            }
            let elf = Elf::open(&file);
            self.files.insert(key, Loaded { elf, used: 0 });
        }
        let loaded = self.files.get_mut(&key)?;
        loaded.used = self.turn;
        loaded.elf.as_ref()
    }
}

/// Empty when the process has ended or is somebody else's.
fn read_maps(proc: &Path, pid: u32) -> Vec<Mapping> {
    let mut bytes = Vec::new();
    let read = File::open(proc.join(pid.to_string()).join("maps"))
        .and_then(|file| file.take(LONGEST_MAPS).read_to_end(&mut bytes));
    match read {
        Ok(_) => maps::parse(&String::from_utf8_lossy(&bytes)),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MAPS: &str = "\
1000-2000 r-xp 00000000 00:00 0 
3000-4000 r-xp 00000500 fd:01 77 /nowhere/lib\u{1b}.so
5000-6000 r-xp 00000000 00:00 0 [vdso]
";

    struct Host {
        dir: tempfile::TempDir,
        resolver: Resolver,
    }

    impl Host {
        fn with_maps(maps: &str) -> Host {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let resolver = Resolver::new(dir.path().to_owned());
            let host = Host { dir, resolver };
            host.write("7/maps", maps);
            host
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            fs::write(path, text).expect("file");
        }

        fn name(&mut self, address: u64) -> Option<String> {
            self.resolver.name(7, address, Instant::now())
        }

        /// As if the mappings had been read so long ago.
        fn age(&mut self, by: Duration) {
            for process in self.resolver.processes.values_mut() {
                process.read_at -= by;
            }
        }
    }

    #[test]
    fn what_has_no_symbol_is_named_by_its_mapping() {
        let mut host = Host::with_maps(MAPS);
        let names: Vec<_> = [0x1800, 0x3010, 0x5000]
            .map(|address| host.name(address).expect("an answer"))
            .into();
        assert_eq!(names, ["[anon]", "0x510 (lib?.so)", "[vdso]"]);
    }

    #[test]
    fn jitted_code_has_the_name_of_the_perf_map() {
        let mut host = Host::with_maps(MAPS);
        host.write("7/status", "NSpid:\t7\n");
        host.write("7/root/tmp/perf-7.map", "1800 10 fast_path\n");
        assert_eq!(host.name(0x1808).as_deref(), Some("fast_path [jit]"));
    }

    #[test]
    fn a_miss_waits_for_younger_mappings_and_is_then_final() {
        let mut host = Host::with_maps(MAPS);
        host.resolver.meet(7);
        assert_eq!(host.name(0x9000), None);
        host.age(REREAD_AFTER);
        assert_eq!(host.name(0x9000).as_deref(), Some("[unknown]"));
    }

    #[test]
    fn a_library_loaded_later_is_found_and_an_ended_process_keeps_its_mappings() {
        let mut host = Host::with_maps("");
        host.resolver.meet(7);
        host.write("7/maps", MAPS);
        host.age(REREAD_AFTER);
        assert_eq!(host.name(0x5010).as_deref(), Some("[vdso]"));
        fs::remove_dir_all(host.dir.path().join("7")).expect("process 7 ends");
        host.age(REREAD_AFTER);
        assert_eq!(host.name(0x9000).as_deref(), Some("[unknown]"));
        assert_eq!(host.name(0x5010).as_deref(), Some("[vdso]"));
    }

    #[test]
    fn only_so_many_processes_are_kept() {
        let mut host = Host::with_maps(MAPS);
        host.name(0x5000);
        for pid in 100..100 + 2 * MOST_PROCESSES as u32 {
            host.resolver.meet(pid);
        }
        assert_eq!(host.resolver.processes.len(), MOST_PROCESSES);
    }
}

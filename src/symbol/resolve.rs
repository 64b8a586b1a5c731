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
const MOST_FILES: usize = 32;

/// 131 072 mappings with short paths; what is longer is cut.
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
            return Some(format!("{address:#x}"));
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

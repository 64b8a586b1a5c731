//! What is known of one process: its mappings, the files behind them, the map its JIT compiler
//! writes, and which of the programs that had this pid it is.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::perf_map::PerfMap;
use crate::symbol::elf::demangle::readable;
use crate::symbol::elf::mapped_file::{Identity, MappedFile};
use crate::symbol::maps;
use crate::symbol::maps::Mapping;

/// Mappings and perf maps are read again at most this often.
pub const REREAD_AFTER: Duration = Duration::from_secs(1);

/// What is longer is cut.
const LONGEST_MAPS: u64 = 16 << 20;

/// The vDSO has two pages, with room for more.
const LARGEST_VDSO: u64 = 64 << 10;

pub struct Process {
    pid: u32,
    life: Option<Life>,
    mappings: Vec<Mapped>,
    read_at: Instant,
    perf_map: Option<(PerfMap, Instant)>,
}

/// A program's run: a pid that is used again starts later, exec changes the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Life {
    /// Ticks since boot.
    start: u64,
    code: u64,
    stack: u64,
    executable: Option<(u64, u64)>,
}

#[derive(Debug, Clone)]
pub struct Mapped {
    pub mapping: Mapping,
    /// Last part of the path, printable.
    pub object: Arc<str>,
    pub file: Behind,
}

/// The file behind a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    NotLooked,
    /// Out of reach, or another file has its path.
    Nothing,
    File(Identity),
}

/// Where an address lies.
pub enum Place {
    In(Mapped),
    Nowhere,
    /// The mappings are too old to tell and too young to be read again.
    AskLater,
}

impl Process {
    pub fn meet(proc: &Path, pid: u32) -> Process {
        let mut process = Process {
            pid,
            life: Life::read(proc, pid),
            mappings: Vec::new(),
            read_at: Instant::now(),
            perf_map: None,
        };
        process.read_maps(proc);
        process
    }

    /// Is it another program by now? One that has ended still is what it was.
    pub fn is_another(&self, proc: &Path) -> bool {
        let now = Life::read(proc, self.pid);
        now.is_some() && now != self.life
    }

    /// `asked`: when this address was first asked for; a miss in mappings read later is final.
    /// True as well: a file has left, and what was in its place may have been named after it.
    pub fn find(&mut self, proc: &Path, address: u64, asked: Instant) -> (Place, bool) {
        let mut left = false;
        if self.index(address).is_none() && self.read_at < asked {
            if self.read_at.elapsed() < REREAD_AFTER {
                return (Place::AskLater, false);
            }
            left = self.read_maps(proc);
        }
        let place = match self.index(address) {
            Some(index) => Place::In(self.mappings[index].clone()),
            None => Place::Nowhere,
        };
        (place, left)
    }

    /// Keeps what was found behind the mapping that holds `address`.
    pub fn found(&mut self, address: u64, file: Behind) {
        if let Some(index) = self.index(address) {
            self.mappings[index].file = file;
        }
    }

    fn index(&self, address: u64) -> Option<usize> {
        let starts_after = |mapped: &Mapped| mapped.mapping.start <= address;
        let after = self.mappings.partition_point(starts_after);
        let index = after.checked_sub(1)?;
        (address < self.mappings[index].mapping.end).then_some(index)
    }

    /// True: a file is mapped no more where it was.
    fn read_maps(&mut self, proc: &Path) -> bool {
        self.read_at = Instant::now();
        let mut text = Vec::new();
        if let Ok(file) = File::open(proc.join(self.pid.to_string()).join("maps")) {
            let _ = file.take(LONGEST_MAPS).read_to_end(&mut text);
        }
        let mappings = maps::parse(&String::from_utf8_lossy(&text));
        // A process that has ended keeps those it had.
        if mappings.is_empty() {
            return false;
        }
        let new: Vec<Mapped> = mappings.into_iter().map(|new| self.again(new)).collect();
        let left = self.mappings.iter().any(|old| {
            let at = new.binary_search_by_key(&old.mapping.start, |new| new.mapping.start);
            old.mapping.is_file() && at.map_or(true, |at| new[at].mapping != old.mapping)
        });
        self.mappings = new;
        left
    }

    /// What is known of a mapping that was there before.
    fn again(&self, mapping: Mapping) -> Mapped {
        let known = self.index(mapping.start).map(|index| &self.mappings[index]);
        match known.filter(|known| known.mapping == mapping) {
            Some(known) => known.clone(),
            None => Mapped {
                object: readable(mapping.basename()).into(),
                mapping,
                file: Behind::NotLooked,
            },
        }
    }

    pub fn has_perf_map(&self) -> bool {
        self.perf_map.is_some()
    }

    pub fn let_perf_map_go(&mut self) {
        self.perf_map = None;
    }

    /// `Err`: the map is older than the question, and too young to be read again.
    pub fn jitted(
        &mut self,
        proc: &Path,
        address: u64,
        asked: Instant,
    ) -> Result<Option<String>, ()> {
        if let Some((map, read_at)) = &self.perf_map {
            let name = map.name(address);
            if name.is_some() || *read_at >= asked {
                return Ok(name);
            }
            if read_at.elapsed() < REREAD_AFTER {
                return Err(());
            }
        }
        let read_at = Instant::now();
        let map = PerfMap::read(proc, self.pid);
        let name = map.name(address);
        self.perf_map = Some((map, read_at));
        Ok(name)
    }

    #[cfg(test)]
    pub fn age(&mut self, by: Duration) {
        self.read_at -= by;
        if let Some((_, read_at)) = &mut self.perf_map {
            *read_at -= by;
        }
    }
}

impl Life {
    /// man 5 proc_pid_stat: fields 22, 26 and 28; the name before them may hold anything.
    fn read(proc: &Path, pid: u32) -> Option<Life> {
        let process = proc.join(pid.to_string());
        let stat = fs::read(process.join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let fields: Vec<u64> = stat
            .rsplit_once(')')?
            .1
            .split_ascii_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let executable = MappedFile::regular(&process.join("exe"));
        let executable = executable.and_then(|file| file.identity());
        Some(Life {
            start: *fields.get(22 - 3)?,
            code: *fields.get(26 - 3)?,
            stack: *fields.get(28 - 3)?,
            executable: executable.map(|file| (file.device, file.inode)),
        })
    }
}

/// The ELF image that the kernel maps into every process.
pub fn vdso(proc: &Path, pid: u32, mapping: &Mapping) -> Option<Vec<u8>> {
    let memory = File::open(proc.join(pid.to_string()).join("mem")).ok()?;
    let mut image = vec![0; mapping.end.checked_sub(mapping.start)?.min(LARGEST_VDSO) as usize];
    memory.read_exact_at(&mut image, mapping.start).ok()?;
    Some(image)
}

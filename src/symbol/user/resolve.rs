//! A frame of a process → its name, or the thread that will find it, with everything read on the
//! way kept for the next: the processes' mappings and the files' symbols, both bounded. May take
//! milliseconds; runs in a worker.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::process;
use super::process::{Behind, Mapped, Place, Process};
use crate::model::NOWHERE;
use crate::symbol::elf::debug_file::Whereabouts;
use crate::symbol::elf::demangle::readable;
use crate::symbol::elf::files::{Files, Handed, Tag, unnamed};
use crate::symbol::elf::mapped_file::{Identity, MappedFile};
use crate::symbol::elf::reader::Source;
use crate::symbol::maps::Mapping;

const MOST_PROCESSES: usize = 256;
const MOST_PERF_MAPS: usize = 4;

/// A file that has not answered for so long is not waited for any more.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Resolver {
    /// /proc.
    proc: PathBuf,
    processes: FxHashMap<u32, Used>,
    files: Files,
    /// Of images that have no inode; strangers cannot foresee it.
    hasher: RandomState,
    turn: u64,
}

struct Used {
    process: Process,
    /// Turn of the last use.
    at: u64,
}

/// A frame to be named. `first_asked` is when this address was first asked for.
pub struct Frame {
    pub pid: u32,
    /// Which of the programs that had this pid.
    pub life: u64,
    pub address: u64,
    pub first_asked: Instant,
}

pub struct Outcome {
    pub name: Name,
    /// What was named in this process before is no longer true.
    pub forget: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Name {
    Is(String),
    /// To be asked again: something must be read anew first.
    Later,
    /// A file has the question and will answer.
    Coming,
}

impl Resolver {
    pub fn new(proc: PathBuf, files: Files) -> Resolver {
        Resolver {
            proc,
            processes: FxHashMap::default(),
            files,
            hasher: RandomState::new(),
            turn: 0,
        }
    }

    /// Reads the mappings of a process not met before: it may not live much longer.
    pub fn meet(&mut self, pid: u32) {
        if self.processes.contains_key(&pid) {
            return;
        }
        if self.processes.len() >= MOST_PROCESSES {
            let oldest = self.processes.iter().min_by_key(|(_, used)| used.at);
            if let Some(oldest) = oldest.map(|(pid, _)| *pid) {
                self.processes.remove(&oldest);
            }
        }
        let used = Used {
            process: Process::meet(&self.proc, pid),
            at: self.turn,
        };
        self.processes.insert(pid, used);
    }

    /// True: the pid has another program by now, and nothing said of it holds any more.
    pub fn check(&mut self, pid: u32) -> bool {
        let another = self
            .processes
            .get(&pid)
            .is_some_and(|used| used.process.is_another(&self.proc));
        if another {
            self.processes.remove(&pid);
            self.meet(pid);
        }
        another
    }

    pub fn name(&mut self, frame: &Frame) -> Outcome {
        self.meet(frame.pid);
        self.turn += 1;
        let mut outcome = Outcome {
            name: Name::Later,
            forget: false,
        };
        let Some(used) = self.processes.get_mut(&frame.pid) else {
            return outcome;
        };
        used.at = self.turn;
        let (place, forget) = used
            .process
            .find(&self.proc, frame.address, frame.first_asked);
        outcome.forget = forget;
        outcome.name = match place {
            Place::AskLater => Name::Later,
            // Nothing is mapped there: not a frame, and one name for all of them.
            Place::Nowhere => Name::Is(NOWHERE.to_owned()),
            Place::In(mapped) => self.name_in(frame, mapped),
        };
        outcome
    }

    fn name_in(&mut self, frame: &Frame, mapped: Mapped) -> Name {
        let path = &mapped.mapping.path;
        let anonymous = path.is_empty() || path.starts_with("[anon");
        // JIT compilers map their code from a memfd.
        if anonymous || path.starts_with("/memfd:") {
            match self.jitted(frame) {
                Err(()) => return Name::Later,
                Ok(Some(name)) => return Name::Is(format!("{name} [jit]")),
                Ok(None) => {}
            }
        }
        if anonymous {
            return Name::Is("[anon]".to_owned());
        }
        if !mapped.mapping.is_file() && path != "[vdso]" {
            return Name::Is(readable(path));
        }
        let mapping = &mapped.mapping;
        let offset = (frame.address - mapping.start).wrapping_add(mapping.offset);
        let unnamed = unnamed(&mapped.object, offset);
        if frame.first_asked.elapsed() > PATIENCE {
            return Name::Is(unnamed);
        }
        let Some(file) = self.file(frame, &mapped, offset) else {
            return Name::Is(unnamed);
        };
        let tag = Tag {
            pid: frame.pid,
            life: frame.life,
            address: frame.address,
            offset,
            object: mapped.object,
        };
        match self.files.ask(&file, tag) {
            Handed::Over => Name::Coming,
            Handed::Later => Name::Later,
            Handed::Never => Name::Is(unnamed),
        }
    }

    /// The file behind a mapping, opened unless it is.
    fn file(&mut self, frame: &Frame, mapped: &Mapped, offset: u64) -> Option<Identity> {
        match mapped.file {
            Behind::Nothing => return None,
            Behind::File(file) if self.files.has(&file, offset) => return Some(file),
            Behind::File(_) | Behind::NotLooked => {}
        }
        let found = self.look(frame.pid, &mapped.mapping);
        let behind = found
            .as_ref()
            .map_or(Behind::Nothing, |found| Behind::File(found.0));
        if let Some(used) = self.processes.get_mut(&frame.pid) {
            used.process.found(frame.address, behind);
        }
        let (file, source) = found?;
        if !self.files.has(&file, offset) {
            let places = Whereabouts::of(&self.proc, frame.pid, &mapped.mapping.path);
            self.files.open(file, source, places, mapped.object.clone());
        }
        Some(file)
    }

    fn look(&self, pid: u32, mapping: &Mapping) -> Option<(Identity, Source)> {
        if mapping.is_file() {
            let file = MappedFile::open(&self.proc, pid, mapping)?;
            return Some((file.identity()?, Source::File(file)));
        }
        let image = process::vdso(&self.proc, pid, mapping)?;
        let identity = Identity {
            inode: self.hasher.hash_one(&image),
            len: image.len() as u64,
            ..Identity::default()
        };
        Some((identity, Source::Image(image)))
    }

    fn jitted(&mut self, frame: &Frame) -> Result<Option<String>, ()> {
        self.let_perf_maps_go(frame.pid);
        let Some(used) = self.processes.get_mut(&frame.pid) else {
            return Ok(None);
        };
        used.process
            .jitted(&self.proc, frame.address, frame.first_asked)
    }

    /// Before one more is read: strangers write them, and they may be large.
    fn let_perf_maps_go(&mut self, pid: u32) {
        let has_one = |pid| {
            let used = self.processes.get(&pid);
            used.is_some_and(|used: &Used| used.process.has_perf_map())
        };
        let kept = self.processes.keys().filter(|&&pid| has_one(pid)).count();
        if !has_one(pid) && kept >= MOST_PERF_MAPS {
            for used in self.processes.values_mut() {
                used.process.let_perf_map_go();
            }
        }
    }
}

#[cfg(test)]
mod tests;

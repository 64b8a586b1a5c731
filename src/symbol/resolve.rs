//! A frame of a process → its name, or the thread that will find it, with everything read on the
//! way kept for the next: the processes' mappings and the files' symbols, both bounded. May take
//! milliseconds; runs in a worker.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::debug_file::Whereabouts;
use super::elf_thread::Source;
use super::files::{Files, Handed, Tag, unnamed};
use super::mapped_file::{Identity, MappedFile};
use super::maps::Mapping;
use super::process::{self, Behind, Mapped, Place, Process};
use super::readable::readable;

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
            Place::Nowhere => Name::Is("[unknown]".to_owned()),
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
        let Some(file) = self.file(frame, &mapped) else {
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
    fn file(&mut self, frame: &Frame, mapped: &Mapped) -> Option<Identity> {
        match mapped.file {
            Behind::Nothing => return None,
            Behind::File(file) if self.files.has(&file) => return Some(file),
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
        if !self.files.has(&file) {
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
mod tests {
    use super::super::process::REREAD_AFTER;
    use super::*;
    use std::fs;

    use crossbeam_channel::unbounded;

    const MAPS: &str = "\
1000-2000 r-xp 00000000 00:00 0 
3000-4000 r-xp 00000500 fd:01 77 /nowhere/lib\u{1b}.so
5000-6000 r-xp 00000000 00:00 0 [vsyscall]
";

    struct Host {
        dir: tempfile::TempDir,
        resolver: Resolver,
    }

    impl Host {
        fn with_maps(maps: &str) -> Host {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let (answers, _) = unbounded();
            let proc = dir.path().join("proc");
            let resolver = Resolver::new(proc, Files::new(answers));
            let host = Host { dir, resolver };
            host.write("7/maps", maps);
            host
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.dir.path().join("proc").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            fs::write(path, text).expect("file");
        }

        /// Program `start` of pid 7.
        fn write_stat(&self, start: u32) {
            let zeros = "0 ".repeat(18);
            self.write(
                "7/stat",
                &format!("7 (a ) b) R {zeros}{start} {zeros}{zeros}"),
            );
        }

        fn outcome(&mut self, address: u64) -> Outcome {
            self.resolver.name(&Frame {
                pid: 7,
                life: 0,
                address,
                first_asked: Instant::now(),
            })
        }

        fn name(&mut self, address: u64) -> Option<String> {
            match self.outcome(address).name {
                Name::Is(text) => Some(text),
                Name::Later => None,
                Name::Coming => Some("coming".to_owned()),
            }
        }

        /// As if everything had been read so long ago.
        fn age(&mut self, by: Duration) {
            for used in self.resolver.processes.values_mut() {
                used.process.age(by);
            }
        }
    }

    #[test]
    fn what_has_no_symbol_is_named_by_its_mapping() {
        let mut host = Host::with_maps(MAPS);
        let names = [0x1800, 0x3010, 0x5000].map(|address| host.name(address));
        let names = names.map(|name| name.expect("an answer"));
        assert_eq!(names, ["[anon]", "lib?.so+0x510", "[vsyscall]"]);
    }

    #[test]
    fn a_mapping_holds_addresses_from_its_start_to_just_before_its_end() {
        let mut host = Host::with_maps(&format!("{MAPS}20000-10000 r-xp 0 0:0 0 [x]\n"));
        for (address, name) in [
            (0x5000, "[vsyscall]"),
            (0x5fff, "[vsyscall]"),
            (0x6000, "[unknown]"),
            (0xfff, "[unknown]"),
            (0x18000, "[unknown]"),
            (u64::MAX, "[unknown]"),
        ] {
            host.age(REREAD_AFTER);
            assert_eq!(host.name(address).as_deref(), Some(name), "{address:#x}");
        }
    }

    #[test]
    fn jitted_code_has_the_name_of_the_perf_map() {
        let mut host = Host::with_maps(MAPS);
        host.write("7/status", "NSpid:\t7\n");
        host.write("7/root/tmp/perf-7.map", "1800 10 fast_path\n");
        assert_eq!(host.name(0x1808).as_deref(), Some("fast_path [jit]"));
    }

    #[test]
    fn a_function_that_is_compiled_later_is_found() {
        let mut host = Host::with_maps(MAPS);
        host.write("7/status", "NSpid:\t7\n");
        assert_eq!(host.name(0x1808).as_deref(), Some("[anon]"));
        host.write("7/root/tmp/perf-7.map", "1800 10 fast_path\n");
        assert_eq!(host.name(0x1808), None);
        host.age(REREAD_AFTER);
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
        assert_eq!(host.name(0x5010).as_deref(), Some("[vsyscall]"));
        fs::remove_dir_all(host.dir.path().join("proc/7")).expect("process 7 ends");
        host.age(REREAD_AFTER);
        assert_eq!(host.name(0x9000).as_deref(), Some("[unknown]"));
        assert_eq!(host.name(0x5010).as_deref(), Some("[vsyscall]"));
        assert!(!host.resolver.check(7));
    }

    #[test]
    fn names_are_forgotten_when_a_file_leaves_its_place_but_not_when_one_comes() {
        let mut host = Host::with_maps(MAPS);
        host.resolver.meet(7);
        for (maps, forget) in [
            (
                format!("{MAPS}7000-8000 r-xp 00000000 fd:01 78 /nowhere/x\n"),
                false,
            ),
            (MAPS.replace("fd:01 77", "fd:01 79"), true),
        ] {
            host.write("7/maps", &maps);
            host.age(REREAD_AFTER);
            assert_eq!(host.outcome(0x9000).forget, forget, "{maps}");
        }
    }

    #[test]
    fn another_program_under_the_same_pid_is_noticed_once() {
        let mut host = Host::with_maps(MAPS);
        host.write_stat(100);
        host.resolver.meet(7);
        assert!(!host.resolver.check(7));
        host.write_stat(200);
        host.write("7/maps", "1000-2000 r-xp 00000000 00:00 0 [vsyscall]\n");
        assert!(host.resolver.check(7));
        assert_eq!(host.name(0x1800).as_deref(), Some("[vsyscall]"));
        assert!(!host.resolver.check(7));
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

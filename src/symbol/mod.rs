//! Address → function name; and kernel name → stage. For the running host: the kernel's from
//! kallsyms, user frames from the mapped files, and nobody waits. For recordings: what they carry
//! ([`RecordedNames`]), or what this host has of the same builds ([`PerfFileNames`]).

mod answer;
mod elf;
mod kernel;
mod recorded;
mod stage;
mod user;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use self::elf::dwarf_budget::DwarfBudget;
use crate::decode::maps;
use crate::model::{KernelFunction, Name, Names, StageId};
use kernel::{KernelFiles, KernelNames};
use user::UserNames;

pub use self::elf::build_id::in_notes as build_id_in_notes;
pub use self::elf::entry::{functions_of, of_address, of_function};
pub use self::elf::library::find as find_library;
pub use self::elf::reader::NAME as ELF_THREAD;
pub use self::kernel::cache::KernelCache;
pub use self::recorded::perf_file::{PerfFile, PerfFileNames};
pub use self::recorded::recorded_names::{RecordedNames, RecordedSymbols};
pub use self::user::hit_files::HitFiles;
pub use self::user::perf_map::PerfMap;
pub use stage::StageTable;

/// Names of the host netop runs on.
pub struct HostNames {
    kernel: KernelNames,
    user: UserNames,
    stages: StageTable,
    /// Modules that drive a network device here.
    drivers: FxHashSet<String>,
}

impl HostNames {
    /// Starts reading at once, in threads that end with the value.
    /// `drivers`: the modules behind the host's network devices.
    pub fn start(drivers: FxHashSet<String>) -> HostNames {
        HostNames::at(Path::new("/"), drivers)
    }

    /// Kernel names are there at once when an earlier run kept them. User frames have the names of the
    /// files' tables of symbols first, and debug information is read after `debug_after`, within a budget;
    /// `None`: at once and without one.
    pub fn cached(
        drivers: FxHashSet<String>,
        cache: Option<KernelCache>,
        debug_after: Option<Duration>,
    ) -> HostNames {
        HostNames::with(
            Path::new("/"),
            drivers,
            cache,
            debug_after.map_or_else(DwarfBudget::unlimited, DwarfBudget::live),
        )
    }

    /// The host whose /proc is `root`/proc.
    pub fn at(root: &Path, drivers: FxHashSet<String>) -> HostNames {
        HostNames::with(root, drivers, None, DwarfBudget::unlimited())
    }

    fn with(
        root: &Path,
        drivers: FxHashSet<String>,
        cache: Option<KernelCache>,
        dwarf: DwarfBudget,
    ) -> HostNames {
        HostNames {
            kernel: KernelNames::start(KernelFiles::below(root), cache),
            user: UserNames::start(root.join("proc"), dwarf, Some(std::process::id())),
            stages: StageTable::builtin(),
            drivers,
        }
    }
}

impl Names for HostNames {
    fn be_patient(&mut self, at_most: Duration) {
        self.user.be_patient(at_most);
    }

    fn look_closely(&mut self, closely: bool) {
        self.user.look_closely(closely);
    }

    fn epoch(&self) -> u32 {
        self.user.epoch()
    }

    fn kernel(&mut self, address: u64) -> Name {
        self.kernel.name(address)
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        let name = self.kernel.name(address);
        (name.settled && self.kernel.missing().is_none())
            .then(|| self.stages.function(&name.text, &self.drivers))
    }

    fn kernel_missing(&self) -> Option<&str> {
        self.kernel.missing()
    }

    fn user_missing(&self) -> Option<&str> {
        self.user.missing()
    }

    fn stage(&self, stage: StageId) -> &'static str {
        self.stages.name(stage)
    }

    fn user(&mut self, pid: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool {
        self.user.name(pid, address, frames)
    }

    fn location(&self, frame: &str) -> Option<Arc<str>> {
        self.user.location(frame)
    }
}

//! Address → function name; and kernel name → stage. For the running host: the kernel's from
//! kallsyms, user frames from the mapped files, and nobody waits. For recordings: what they carry
//! ([`RecordedNames`]), or what this host has of the same builds ([`PerfFileNames`]).

mod answered;
mod build_id;
mod cache;
mod debug_file;
mod demangle;
mod dwarf_budget;
mod dwarf_limits;
mod elf;
mod elf_memory;
mod elf_thread;
mod entry;
mod files;
mod function_table;
mod hit_files;
mod instruction;
mod kallsyms;
mod kernel;
mod library;
mod mapped_file;
mod named;
mod packed;
mod patience;
mod perf_file;
mod perf_file_kernel;
mod perf_file_user;
mod perf_map;
mod places;
mod process;
mod recorded_names;
mod resolve;
mod section;
mod sections;
mod spaces;
mod stage;
mod user;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::decode::maps;
use crate::model::{KernelFunction, Name, Names, StageId};
use dwarf_budget::DwarfBudget;
use kernel::{KernelFiles, KernelNames};
use user::UserNames;

pub use build_id::in_notes as build_id_in_notes;
pub use cache::KernelCache;
pub use elf_thread::NAME as ELF_THREAD;
pub use entry::{functions_of, of_address, of_function};
pub use hit_files::HitFiles;
pub use library::find as find_library;
pub use perf_file::{PerfFile, PerfFileNames};
pub use perf_map::PerfMap;
pub use recorded_names::{RecordedNames, RecordedSymbols};
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

//! Names for a recording that carries none (perf's): of the kernel and of the programs of the same
//! build that are on this host. Waits for them while patience lasts: a replay loses nothing by it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use super::perf_file_kernel::PerfFileKernel;
use super::perf_file_user::PerfFileUser;
use crate::model::{KernelFunction, Mapped, Name, Names, StageId};
use crate::symbol::StageTable;
use crate::symbol::kernel::KernelFiles;
use crate::symbol::kernel::cache::KernelCache;
use crate::symbol::user::patience::Patience;

/// What perf calls the kernel where it lists build ids.
const KERNEL: &str = "[kernel.kallsyms]";

/// What a file says of the host it is from.
#[derive(Debug, Clone, Default)]
pub struct PerfFile {
    /// By path; the kernel is `[kernel.kallsyms]`.
    pub build_ids: Vec<(String, Vec<u8>)>,
    /// Of the kernel, as `uname -r` prints it.
    pub release: Option<String>,
    /// Modules that drive a network device here.
    pub drivers: FxHashSet<String>,
}

pub struct PerfFileNames {
    kernel: PerfFileKernel,
    user: PerfFileUser,
    stages: StageTable,
    drivers: FxHashSet<String>,
    patience: Patience,
}

impl PerfFileNames {
    /// `patience`: how long answers are waited for, all together.
    pub fn new(foreign: PerfFile, cache: Option<KernelCache>, patience: Duration) -> PerfFileNames {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let debug = home
            .filter(|home| home.is_absolute())
            .map(|home| home.join(".debug"));
        PerfFileNames::at(Path::new("/"), debug, foreign, cache, patience)
    }

    /// The host whose /proc is `root`/proc; `debug` is where perf keeps files by build id.
    pub fn at(
        root: &Path,
        debug: Option<PathBuf>,
        foreign: PerfFile,
        cache: Option<KernelCache>,
        patience: Duration,
    ) -> PerfFileNames {
        let mut build_ids: rustc_hash::FxHashMap<_, _> = foreign.build_ids.into_iter().collect();
        let kernel = build_ids.remove(KERNEL);
        PerfFileNames {
            kernel: PerfFileKernel::new(
                KernelFiles::below(root),
                cache,
                debug.clone(),
                kernel,
                foreign.release,
            ),
            user: PerfFileUser::new(build_ids, debug),
            stages: StageTable::builtin(),
            drivers: foreign.drivers,
            patience: Patience::new(patience),
        }
    }
}

impl Names for PerfFileNames {
    fn kernel(&mut self, address: u64) -> Name {
        self.kernel.name(address, &mut self.patience)
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        let name = self.kernel(address);
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
        self.user.name(pid, address, frames, &mut self.patience)
    }

    fn mapped(&mut self, mapped: &Mapped<'_>) {
        match mapped.pid {
            None => self.kernel.mapped(mapped),
            Some(pid) => self.user.mapped(pid, mapped),
        }
    }

    fn forked(&mut self, parent: u32, child: u32) {
        self.user.forked(parent, child);
    }

    fn executed(&mut self, pid: u32) {
        self.user.executed(pid);
    }

    fn location(&self, frame: &str) -> Option<Arc<str>> {
        self.user.location(frame)
    }
}

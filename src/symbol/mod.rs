//! Address → function name, for the running host: the kernel's from kallsyms, user frames from
//! the mapped files. Never waits; knows no event and no screen.

mod elf;
mod kallsyms;
mod kernel;
mod mapped_file;
mod maps;
mod perf_map;
mod readable;
mod resolve;
mod user;

use std::path::Path;

use crate::model::{Name, Names};
use kernel::KernelNames;
use user::UserNames;

/// Names of the host netop runs on.
pub struct HostNames {
    kernel: KernelNames,
    user: UserNames,
}

impl HostNames {
    /// Starts reading at once, in threads that end with the value.
    pub fn start() -> HostNames {
        HostNames::at(Path::new("/"))
    }

    /// The host whose /proc is `root`/proc.
    pub fn at(root: &Path) -> HostNames {
        let proc = root.join("proc");
        HostNames {
            kernel: KernelNames::start(proc.join("kallsyms")),
            user: UserNames::start(proc),
        }
    }

    /// Why kernel functions have no names, in one sentence; known once kallsyms has been read.
    pub fn kernel_missing(&self) -> Option<&str> {
        self.kernel.missing()
    }
}

impl Names for HostNames {
    fn kernel(&mut self, address: u64) -> Name {
        self.kernel.name(address)
    }

    fn user(&mut self, pid: u32, address: u64) -> Name {
        self.user.name(pid, address)
    }
}

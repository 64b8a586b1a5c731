//! Which machine this is.

use std::fs::File;

use crate::decode::{Host, cpu_list};
use crate::host::fast::contents_at_once;
use crate::host::proc::{Proc, printable};

/// Texts that cannot be read are `?`; without a CPU list, CPU 0 alone.
pub fn identity(proc: &Proc) -> Host {
    let line = |name| {
        proc.text(name)
            .map_or_else(|_| "?".to_owned(), |text| printable(text.trim()))
    };
    Host {
        hostname: line("proc/sys/kernel/hostname"),
        kernel: line("proc/sys/kernel/osrelease"),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: OnlineCpus::open(proc).read().unwrap_or_else(|| vec![0]),
        clock: None,
    }
}

/// Which CPUs are online; kept open.
#[derive(Debug)]
pub struct OnlineCpus {
    /// `None`: the kernel does not say.
    file: Option<File>,
    text: Vec<u8>,
}

impl OnlineCpus {
    pub fn open(proc: &Proc) -> OnlineCpus {
        OnlineCpus {
            file: proc.open("sys/devices/system/cpu/online").ok(),
            text: vec![0; 256],
        }
    }

    /// Ascending; `None`: the kernel does not say.
    pub fn read(&mut self) -> Option<Vec<u32>> {
        let list = contents_at_once(self.file.as_ref()?, &mut self.text).ok()?;
        cpu_list(list)
    }
}

/// Another one with every boot.
pub fn boot_id(proc: &Proc) -> String {
    let id = proc.text("proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| "?".to_owned(), |text| printable(text.trim()))
}

/// Every CPU that may ever come online; where that is not known, those that are.
pub fn possible_cpus(proc: &Proc) -> Vec<u32> {
    let possible = proc.text("sys/devices/system/cpu/possible").ok();
    let possible = possible.and_then(|list| cpu_list(&list));
    possible.unwrap_or_else(|| identity(proc).cpus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn a_host_without_files_still_has_an_identity() {
        let (_dir, proc) = root_with(&[("proc/sys/kernel/hostname", "edge-12\n")]);
        let host = identity(&proc);
        assert_eq!(
            (host.hostname.as_str(), host.kernel.as_str(), host.cpus),
            ("edge-12", "?", vec![0])
        );
    }
}

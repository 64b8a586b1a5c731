//! The kernel modules that drive this host's network devices.

use rustc_hash::FxHashSet;

use crate::host::proc::Proc;

/// Names as kallsyms has them. A driver built into the kernel has no module and is not here.
pub fn drivers(proc: &Proc) -> FxHashSet<String> {
    let devices = proc.list("sys/class/net").unwrap_or_default();
    let module = |device: &String| {
        proc.link_name(&format!("sys/class/net/{device}/device/driver/module"))
            .ok()
    };
    devices.iter().filter_map(module).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_device_names_its_drivers_module_and_a_virtual_one_none() {
        let root = tempfile::tempdir().expect("a directory");
        let driver = root.path().join("sys/class/net/eth0/device/driver");
        fs::create_dir_all(&driver).expect("directories");
        symlink("../../../../module/ice", driver.join("module")).expect("a link");
        fs::create_dir_all(root.path().join("sys/class/net/lo")).expect("directories");
        let found = drivers(&Proc::at(root.path()));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["ice"]);
    }
}

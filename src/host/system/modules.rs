//! The kernel modules that are loaded.

use crate::host::proc::{Proc, printable};

/// Names as kallsyms has them (/proc/modules, kernel/module/procfs.c); none where the kernel takes
/// no modules.
pub fn modules(proc: &Proc) -> Vec<String> {
    let text = proc.text("proc/modules").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn a_module_is_the_first_word_of_its_line() {
        let text = "veth 49152 0 - Live 0x0000000000000000\nmlx5_core 2 1 mlx5_ib, Live 0x0\n";
        let (_dir, proc) = root_with(&[("proc/modules", text)]);
        assert_eq!(modules(&proc), ["veth", "mlx5_core"]);
        let (_dir, proc) = root_with(&[]);
        assert!(modules(&proc).is_empty());
    }
}

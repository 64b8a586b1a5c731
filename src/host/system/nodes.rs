//! Which NUMA node each CPU belongs to.

use crate::host::proc::Proc;

/// (cpu, node), by CPU; empty where the platform has no nodes.
pub fn read(proc: &Proc) -> Vec<(u32, u32)> {
    let folder = "sys/devices/system/node";
    let mut all = Vec::new();
    for name in proc.list(folder).unwrap_or_default() {
        let node = name
            .strip_prefix("node")
            .and_then(|n| n.parse::<u32>().ok());
        let list = proc.text(&format!("{folder}/{name}/cpulist"));
        if let (Some(node), Ok(list)) = (node, list) {
            all.extend(cpus(&list).into_iter().map(|cpu| (cpu, node)));
        }
    }
    all.sort_unstable();
    all
}

/// `0-3,8` (lib/bitmap.c); what is no list is empty.
fn cpus(text: &str) -> Vec<u32> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        // No kernel has more CPUs than this.
        (to < 65_536).then_some(from..=to)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn each_cpu_has_the_node_that_lists_it() {
        let (_dir, proc) = root_with(&[
            ("sys/devices/system/node/node0/cpulist", "0-1,4\n"),
            ("sys/devices/system/node/node1/cpulist", "2-3\n"),
            ("sys/devices/system/node/node2/cpulist", "\n"),
            ("sys/devices/system/node/online", "0-2\n"),
        ]);
        assert_eq!(read(&proc), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0)]);
    }

    #[test]
    fn what_is_no_list_has_no_cpus() {
        for text in ["", "-", "x", "3-", "0-99999999", "5-2"] {
            assert_eq!(cpus(text), [0u32; 0], "{text}");
        }
    }
}

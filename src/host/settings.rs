//! What hardly ever changes and takes many files to read, at a slower pace than the counters: the
//! sysctls of the own namespace, whether irqbalance runs, what namespaces are called, and whether
//! one has VLAN devices.

use std::collections::BTreeMap;

use super::system::sysctls;
use crate::host::device::stacked;
use crate::host::netns;
use crate::host::netns::Netns;
use crate::host::proc::Proc;

/// ns.
const EVERY: u64 = 5_000_000_000;

#[derive(Default)]
pub struct Settings {
    read_at: Option<u64>,
    /// The other namespaces that there were: a new one has a name.
    netns: Vec<u64>,
    pub sysctls: BTreeMap<String, String>,
    pub irqbalance: bool,
    pub netns_names: Vec<(u64, String)>,
    /// One of the other namespaces, if any has VLAN devices.
    pub vlan_inside: Option<u64>,
}

impl Settings {
    /// Reads them when it is time, or when there are other namespaces than before.
    /// `at` in ns.
    pub fn look(&mut self, proc: &Proc, others: &[Netns], at: u64) {
        let due = (self.read_at).is_none_or(|last| at.saturating_sub(last) >= EVERY);
        let now = others.iter().map(|other| &other.inode);
        if !due && now.eq(&self.netns) {
            return;
        }
        let vlan = |other: &&Netns| {
            other
                .in_proc(proc)
                .is_some_and(|at| stacked::has_vlan(proc, &at))
        };
        *self = Settings {
            read_at: Some(at),
            netns: others.iter().map(|other| other.inode).collect(),
            sysctls: sysctls::read(proc),
            irqbalance: sysctls::irqbalance(proc),
            netns_names: netns::names(proc),
            vlan_inside: others.iter().find(vlan).map(|other| other.inode),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;
    use std::fs;

    #[test]
    fn settings_are_read_again_after_a_while_or_with_other_namespaces() {
        let (_dir, proc) = root_with(&[("proc/sys/net/core/somaxconn", "1\n")]);
        let mut settings = Settings::default();
        let mut at = |second: u64, others: &[Netns], now: &str| {
            fs::write(proc.path("proc/sys/net/core/somaxconn"), now).expect("file");
            settings.look(&proc, others, second * 1_000_000_000);
            settings.sysctls["net.core.somaxconn"].clone()
        };
        assert_eq!(at(10, &[], "1"), "1");
        assert_eq!(at(14, &[], "2"), "1");
        assert_eq!(at(15, &[], "3"), "3");
        assert_eq!(at(16, &[Netns::of_process(7, 1)], "4"), "4");
        assert_eq!(at(17, &[Netns::of_process(7, 2)], "5"), "4");
    }
}

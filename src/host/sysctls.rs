//! The settings of the network stack that advice refers to. A few file reads of some µs each.

use std::collections::BTreeMap;

use super::proc::{Proc, printable};

/// In the order of signals.md 4.7 and 5; a kernel without one has no line of it.
const READ: &[&str] = &[
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.default_qdisc",
    "net.core.dev_weight",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.rps_sock_flow_entries",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.ip_forward",
    "net.ipv4.neigh.default.gc_thresh3",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
    "net.ipv4.udp_mem",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
    "vm.min_free_kbytes",
];

/// Of the namespace netop runs in.
pub fn read(proc: &Proc) -> BTreeMap<String, String> {
    let value = |name: &&str| {
        let path = format!("proc/sys/{}", name.replace('.', "/"));
        let text = proc.text(&path).ok()?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Some(((*name).to_owned(), printable(&words.join(" "))))
    };
    READ.iter().filter_map(value).collect()
}

/// Sockets that see every packet of a device, of one namespace: lines of /proc/net/packet behind
/// its title (net/packet/af_packet.c).
pub fn capture_sockets(proc: &Proc) -> Option<u64> {
    let text = proc.text("proc/net/packet").ok()?;
    Some(text.lines().skip(1).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;

    #[test]
    fn settings_have_their_sysctl_names_and_triples_one_space() {
        let (_dir, proc) = root_with(&[
            ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
            ("proc/sys/net/core/somaxconn", "4096\n"),
            ("proc/net/packet", "sk RefCnt Type Proto\n1 3 3 0003\n"),
        ]);
        let read = read(&proc);
        assert_eq!(read.len(), 2);
        assert_eq!(read["net.ipv4.tcp_rmem"], "4096 131072 6291456");
        assert_eq!(capture_sockets(&proc), Some(1));
    }

    #[test]
    fn this_kernel_has_most_of_them() {
        assert!(read(&Proc::host()).len() > 15);
    }
}

//! The settings of the network stack that advice refers to. A few file reads of some µs each.

use std::collections::BTreeMap;

use crate::host::proc::{Proc, printable};

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

/// Those that each network namespace has for itself and advice is about.
const READ_INSIDE: &[&str] = &[
    "net.core.somaxconn",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Of the namespace netop runs in.
pub fn read(proc: &Proc) -> BTreeMap<String, String> {
    values(proc, READ)
}

/// Of the namespace this thread is in: /proc/sys/net shows that one.
pub fn read_inside(proc: &Proc) -> BTreeMap<String, String> {
    values(proc, READ_INSIDE)
}

fn values(proc: &Proc, names: &[&str]) -> BTreeMap<String, String> {
    let value = |name: &&str| {
        let path = format!("proc/sys/{}", name.replace('.', "/"));
        let text = proc.text(&path).ok()?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Some(((*name).to_owned(), printable(&words.join(" "))))
    };
    names.iter().filter_map(value).collect()
}

/// irqbalance leaves its socket (1.4 and later) or its pid behind in /run.
pub fn irqbalance(proc: &Proc) -> bool {
    let sockets = proc.list("run/irqbalance").unwrap_or_default();
    let of_socket = |name: &String| {
        let pid = name.strip_prefix("irqbalance")?.strip_suffix(".sock")?;
        Some(pid.to_owned())
    };
    let of_file = || proc.text("run/irqbalance.pid").ok();
    let pid = sockets.iter().find_map(of_socket).or_else(of_file);
    let comm = pid.and_then(|pid| proc.text(&format!("proc/{}/comm", pid.trim())).ok());
    comm.is_some_and(|comm| comm.trim() == "irqbalance")
}

/// Sockets that see every packet of a device, of one namespace: lines of /proc/net/packet behind
/// its title (net/packet/af_packet.c).
pub fn capture_sockets(proc: &Proc) -> Option<u64> {
    let text = proc.text("proc/net/packet").ok()?;
    Some(text.lines().skip(1).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

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
    fn irqbalance_runs_when_the_pid_it_left_is_its() {
        let socket = "run/irqbalance/irqbalance812.sock";
        let (_dir, proc) = root_with(&[(socket, ""), ("proc/812/comm", "irqbalance\n")]);
        assert!(irqbalance(&proc));
        let (_dir, proc) = root_with(&[(socket, ""), ("proc/812/comm", "bash\n")]);
        assert!(!irqbalance(&proc), "the pid is another program's now");
        let (_dir, proc) = root_with(&[
            ("run/irqbalance.pid", "7\n"),
            ("proc/7/comm", "irqbalance\n"),
        ]);
        assert!(irqbalance(&proc));
    }

    #[test]
    fn this_kernel_has_most_of_them() {
        assert!(read(&Proc::host()).len() > 15);
    }
}

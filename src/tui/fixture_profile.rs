//! Snapshots with CPU samples made by hand for the tests of view 5.

use std::sync::Arc;

use super::fixture::{SEND, busy, stack};
use crate::model::{Snapshot, Stack};

/// A CPU sample of so many ms, leaf first; one sample per 5 ms.
pub fn cpu_stack(context: &'static str, pid: u32, comm: &str, ms: f64, frames: &[&str]) -> Stack {
    Stack {
        unit: "ns",
        weight: ms * 1e6,
        samples: ms as u64 / 5,
        context: Some(context),
        ..stack("cpu", pid, comm, 0.0, frames)
    }
}

/// [`busy`] with ten seconds of CPU samples.
pub fn cpu_time() -> Snapshot {
    let mut s = busy();
    let mut interrupted = cpu_stack("softirq", 9127, "flood", 900.0, &[]);
    interrupted.frames = RECEIVE.iter().chain(SEND).map(|f| Arc::from(*f)).collect();
    interrupted.cut = RECEIVE.len();
    interrupted.stage = Some("tcp");
    s.cpu_profile = vec![
        interrupted,
        cpu_stack("softirq", 0, "swapper", 1400.0, &RECEIVE[2..]),
        cpu_stack("ksoftirqd", 25, "ksoftirqd/1", 310.0, &RECEIVE[1..]),
        cpu_stack("process", 9127, "flood", 2300.0, SEND),
        cpu_stack("process", 9127, "flood", 1200.0, &SEND[3..]),
        cpu_stack("process", 9127, "flood", 40.0, &SEND[10..]),
        cpu_stack("process", 812, "nginx", 620.0, SHORT),
        cpu_stack("process", 812, "nginx", 250.0, NESTED),
        cpu_stack("idle", 0, "swapper", 22_000.0, &["default_idle", "do_idle"]),
    ]
    .into();
    s.cpu_profile_s = 10.0;
    s
}

/// [`cpu_time`] half a minute before, over half as many seconds.
pub fn cpu_time_before() -> Snapshot {
    let mut s = cpu_time();
    s.at -= 30_000_000_000;
    s.cpu_profile_s = 5.0;
    let mut stacks = s.cpu_profile.to_vec();
    stacks.remove(2);
    stacks[1].weight = 250e6;
    for stack in &mut stacks {
        stack.weight /= 2.0;
    }
    stacks.push(cpu_stack(
        "napi thread",
        77,
        "napi/eth0-3",
        120.0,
        &RECEIVE[3..],
    ));
    s.cpu_profile = stacks.into();
    s
}

/// A TCP segment received, leaf first.
const RECEIVE: &[&str] = &[
    "_raw_spin_lock",
    "tcp_v4_rcv",
    "ip_local_deliver_finish",
    "ip_rcv",
    "__netif_receive_skb_one_core",
    "process_backlog",
    "__napi_poll",
    "net_rx_action",
    "handle_softirqs",
];

/// Of a program without frame pointers.
const SHORT: &[&str] = &[
    "skb_copy_datagram_iter",
    "tcp_recvmsg",
    "__x64_sys_recvfrom",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
    "__libc_recv (libc.so.6)",
];

/// A qdisc below a qdisc.
const NESTED: &[&str] = &[
    "fq_codel_dequeue",
    "__qdisc_run",
    "__dev_queue_xmit",
    "__qdisc_run",
    "__dev_queue_xmit",
    "__qdisc_run",
    "__dev_queue_xmit",
    "ip_output",
    "entry_SYSCALL_64_after_hwframe",
    "__libc_send (libc.so.6)",
];

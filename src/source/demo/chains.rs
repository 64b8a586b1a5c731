//! Call chains in the order of the real functions (6.8, x86), made of segments, and their synthetic
//! addresses. Leaf first.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::events::{self, OTHER};
use super::process::{Frames, KSOFTIRQD, PROCESSES, Process, SWAPPER};
use super::work;

pub type Segment = &'static [&'static str];
pub type Path = &'static [Segment];

/// linux/perf_event.h: what follows in a chain was running there.
const PERF_CONTEXT_KERNEL: u64 = (-128_i64) as u64;
const PERF_CONTEXT_USER: u64 = (-512_i64) as u64;

pub const SOFTIRQ: Segment = &["__do_softirq"];
pub const NAPI_ETH0: Segment = &["ice_napi_poll [ice]", "__napi_poll", "net_rx_action"];
pub const NAPI_ETH1: Segment = &[
    "mlx4_en_poll_rx_cq [mlx4_en]",
    "__napi_poll",
    "net_rx_action",
];
pub const POLL_ETH0: Segment = &[
    "napi_gro_receive",
    "ice_clean_rx_irq [ice]",
    "ice_napi_poll [ice]",
    "__napi_poll",
    "net_rx_action",
];
pub const POLL_ETH1: Segment = &[
    "napi_gro_frags",
    "mlx4_en_process_rx_cq [mlx4_en]",
    "mlx4_en_poll_rx_cq [mlx4_en]",
    "__napi_poll",
    "net_rx_action",
];
pub const GRO_ETH0: Segment = &[
    "__netif_receive_skb_list_core",
    "netif_receive_skb_list_internal",
    "napi_complete_done",
    "ice_napi_poll [ice]",
    "__napi_poll",
    "net_rx_action",
];
pub const GRO_ETH1: Segment = &[
    "__netif_receive_skb_list_core",
    "netif_receive_skb_list_internal",
    "napi_complete_done",
    "mlx4_en_poll_rx_cq [mlx4_en]",
    "__napi_poll",
    "net_rx_action",
];
pub const BACKLOG: Segment = &[
    "__netif_receive_skb_one_core",
    "__netif_receive_skb",
    "process_backlog",
    "__napi_poll",
    "net_rx_action",
];
pub const CLEAN_TX: Segment = &[
    "napi_consume_skb",
    "ice_clean_tx_irq [ice]",
    "ice_napi_poll [ice]",
    "__napi_poll",
    "net_rx_action",
];
pub const UDP_QUEUE: Segment = &[
    "udp_queue_rcv_one_skb",
    "udp_queue_rcv_skb",
    "udp_unicast_rcv_skb",
];
pub const UDP_RCV: Segment = &[
    "__udp4_lib_rcv",
    "udp_rcv",
    "ip_protocol_deliver_rcu",
    "ip_local_deliver_finish",
    "ip_local_deliver",
    "ip_list_rcv",
];
pub const TCP_RCV: Segment = &[
    "tcp_rcv_established",
    "tcp_v4_do_rcv",
    "tcp_v4_rcv",
    "ip_protocol_deliver_rcu",
    "ip_local_deliver_finish",
    "ip_local_deliver",
    "ip_list_rcv",
];
pub const QUEUE: Segment = &["__dev_queue_xmit", "ip_finish_output2", "ip_output"];
pub const DEV_XMIT: Segment = &["dev_hard_start_xmit"];
pub const UDP_SEND: Segment = &[
    "ip_send_skb",
    "udp_send_skb",
    "udp_sendmsg",
    "inet_sendmsg",
    "__sys_sendto",
    "__x64_sys_sendto",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
];
pub const TCP_PUSH: Segment = &[
    "__ip_queue_xmit",
    "ip_queue_xmit",
    "__tcp_transmit_skb",
    "tcp_write_xmit",
    "__tcp_push_pending_frames",
];
pub const TCP_AGAIN: Segment = &[
    "__tcp_retransmit_skb",
    "tcp_retransmit_skb",
    "tcp_xmit_retransmit_queue.part.0",
    "tcp_ack",
];
pub const TCP_XMIT: Segment = &["__ip_queue_xmit", "ip_queue_xmit", "__tcp_transmit_skb"];
pub const ACK: Segment = &[
    "__ip_queue_xmit",
    "ip_queue_xmit",
    "__tcp_transmit_skb",
    "__tcp_send_ack.part.0",
    "tcp_send_ack",
    "__tcp_ack_snd_check",
];
pub const TCP_SEND: Segment = &[
    "tcp_push",
    "tcp_sendmsg_locked",
    "tcp_sendmsg",
    "inet_sendmsg",
];
pub const WRITEV: Segment = &[
    "sock_write_iter",
    "do_iter_readv_writev",
    "vfs_writev",
    "do_writev",
    "__x64_sys_writev",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
];
pub const SENDTO: Segment = &[
    "__sys_sendto",
    "__x64_sys_sendto",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
];
pub const RECV: Segment = &[
    "__sys_recvfrom",
    "__x64_sys_recvfrom",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
];
pub const RECVMSG: Segment = &[
    "inet_recvmsg",
    "sock_recvmsg",
    "__sys_recvfrom",
    "__x64_sys_recvfrom",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
];

/// What called __do_softirq, and what was interrupted.
const IRQ_EXIT: Segment = &["irq_exit_rcu"];
const INTERRUPT: Segment = &["common_interrupt", "asm_common_interrupt"];
pub const IDLE_LOOP: Segment = &[
    "cpuidle_enter_state",
    "cpuidle_enter",
    "do_idle",
    "cpu_startup_entry",
    "start_secondary",
];
const THREAD: Segment = &[
    "run_ksoftirqd",
    "smpboot_thread_fn",
    "kthread",
    "ret_from_fork",
    "ret_from_fork_asm",
];

/// A guest's CPU without work, in its idle loop.
pub const IDLE: Segment = &[
    "pv_native_safe_halt",
    "default_idle",
    "arch_cpu_idle",
    "default_enter_idle [cpuidle_haltpoll]",
];

/// What a chain's own kernel frames stand on.
#[derive(Debug, Clone, Copy)]
pub enum Under {
    /// Of ksoftirqd, or of whoever was interrupted.
    Softirq(&'static Process),
    Interrupt(&'static Process),
    /// User frames; none of a kernel thread.
    Call(Frames),
}

const KERNEL_TEXT: u64 = 0xffff_ffff_8100_0000;
const USER_TEXT: u64 = 0x5581_0000_0000;
/// Bytes between two functions.
const STRIDE: u64 = 0x140;
/// Return addresses lie inside their functions.
const INSIDE: u64 = 0x2c;

/// Both ways between frames and addresses, for every frame that a chain can have.
struct Symbols {
    addresses: BTreeMap<&'static str, u64>,
    names: BTreeMap<u64, &'static str>,
}

static SYMBOLS: LazyLock<Symbols> = LazyLock::new(|| {
    let rows = || events::all().chain([&OTHER]);
    let kernel = rows()
        .flat_map(|row| row.path.iter())
        .chain(&[IRQ_EXIT, INTERRUPT, IDLE_LOOP, THREAD])
        .flat_map(|segment| segment.iter());
    let user = rows()
        .flat_map(|row| row.user.iter())
        .chain(PROCESSES.iter().flat_map(|process| process.busy.iter()));
    let worked = work::all()
        .flat_map(|work| {
            let leaves = work.parts.iter().map(|(_, leaf)| leaf);
            leaves.chain(work.base)
        })
        .chain([&IDLE])
        .flat_map(|segment| segment.iter());
    let programs = work::all().flat_map(|work| work.user.iter());
    let mut symbols = Symbols {
        addresses: BTreeMap::new(),
        names: BTreeMap::new(),
    };
    for (text, frame) in kernel
        .map(|frame| (KERNEL_TEXT, frame))
        .chain(user.map(|frame| (USER_TEXT, frame)))
        .chain(worked.map(|frame| (KERNEL_TEXT, frame)))
        .chain(programs.map(|frame| (USER_TEXT, frame)))
    {
        let next = text + INSIDE + STRIDE * symbols.addresses.len() as u64;
        let address = *symbols.addresses.entry(frame).or_insert(next);
        symbols.names.insert(address, frame);
    }
    symbols
});

/// The text of a frame, as a view shows it: `name`, `name [module]`, `name (file)`.
/// Callers are asked for at the byte before their return address.
pub fn symbol(address: u64) -> Option<&'static str> {
    let names = &SYMBOLS.names;
    names
        .get(&address)
        .or_else(|| names.get(&address.checked_add(1)?))
        .copied()
}

/// Appends a chain as the kernel gives it: `leaf` on `path` on what is under them.
pub fn push(leaf: Segment, path: Path, under: Under, frames: &mut Vec<u64>) {
    let address = |frame: &&str| SYMBOLS.addresses.get(*frame).copied();
    let beneath: &[Segment] = match under {
        Under::Softirq(p) if *p == SWAPPER => &[IRQ_EXIT, INTERRUPT, IDLE_LOOP],
        Under::Softirq(p) if *p == KSOFTIRQD => &[THREAD],
        Under::Softirq(_) => &[IRQ_EXIT, INTERRUPT],
        Under::Interrupt(p) if *p == SWAPPER => &[INTERRUPT, IDLE_LOOP],
        Under::Interrupt(_) => &[INTERRUPT],
        Under::Call(_) => &[],
    };
    let user = match under {
        Under::Softirq(process) | Under::Interrupt(process) => process.busy,
        Under::Call(user) => user,
    };
    let kernel = [leaf]
        .into_iter()
        .chain(path.iter().chain(beneath).copied());
    let mut kernel = kernel.flatten().peekable();
    if kernel.peek().is_some() {
        frames.push(PERF_CONTEXT_KERNEL);
        frames.extend(kernel.filter_map(address));
    }
    if !user.is_empty() {
        frames.push(PERF_CONTEXT_USER);
        frames.extend(user.iter().filter_map(address));
    }
}

//! The list of the rules.

use super::limits::Limits;
use super::signal::Signal;
use super::window::Window;
use super::{cost, hardware, offloads, path, polling, queues, receive, sockets, transmit};
use crate::model::Finding;

pub struct Rule {
    pub id: &'static str,
    /// What is checked, for the list of what is fine.
    pub checks: &'static str,
    pub needs: Signal,
    pub(super) judge: fn(&Window<'_>, &Limits) -> Vec<Finding>,
}

macro_rules! one {
    ($judge:path) => {
        |window, limits| $judge(window, limits).into_iter().collect()
    };
}

/// In the order of signals.md 5.
pub static RULES: &[Rule] = &[
    Rule {
        id: "A01",
        checks: "softirqs finish their work",
        needs: Signal::Counters,
        judge: receive::squeeze,
    },
    Rule {
        id: "A02",
        checks: "the CPUs' backlogs have room",
        needs: Signal::Counters,
        judge: one!(receive::backlog),
    },
    Rule {
        id: "A03",
        checks: "packets are spread over the CPUs",
        needs: Signal::Counters,
        judge: one!(receive::one_cpu),
    },
    Rule {
        id: "A04",
        checks: "busy queues do not share a CPU",
        needs: Signal::Interrupts,
        judge: queues::affinity,
    },
    Rule {
        id: "A05",
        checks: "receive queues have about the same load",
        needs: Signal::Queues,
        judge: queues::skew,
    },
    Rule {
        id: "A06",
        checks: "an interrupt serves several packets",
        needs: Signal::Interrupts,
        judge: queues::coalesce,
    },
    Rule {
        id: "A07",
        checks: "no interrupt timer dominates a round trip",
        needs: Signal::Interrupts,
        judge: polling::coalesce_down,
    },
    Rule {
        id: "A08",
        checks: "polls take what is there",
        needs: Signal::Polls,
        judge: queues::saturated,
    },
    Rule {
        id: "A09",
        checks: "softirqs do not wait behind programs",
        needs: Signal::CpuTime,
        judge: one!(polling::starved),
    },
    Rule {
        id: "A10",
        checks: "NICs merge what they receive",
        needs: Signal::Devices,
        judge: offloads::gro_off,
    },
    Rule {
        id: "A11",
        checks: "segmented traffic on veth is merged",
        needs: Signal::Devices,
        judge: offloads::veth_gro,
    },
    Rule {
        id: "A12",
        checks: "GRO finds something to merge",
        needs: Signal::Gro,
        judge: offloads::gro_ratio,
    },
    Rule {
        id: "A13",
        checks: "forwarded datagrams are merged",
        needs: Signal::Devices,
        judge: hardware::udp_forward,
    },
    Rule {
        id: "A14",
        checks: "checksums are not computed by the CPU",
        needs: Signal::CpuTime,
        judge: one!(cost::checksum),
    },
    Rule {
        id: "A15",
        checks: "packets are cut by the device",
        needs: Signal::Devices,
        judge: offloads::tso_off,
    },
    Rule {
        id: "A16",
        checks: "receive rings have room",
        needs: Signal::Counters,
        judge: transmit::ring,
    },
    Rule {
        id: "A17",
        checks: "the cloud instance's allowances hold",
        needs: Signal::Counters,
        judge: transmit::allowance,
    },
    Rule {
        id: "A18",
        checks: "receive buffers can be allocated",
        needs: Signal::Devices,
        judge: transmit::no_memory,
    },
    Rule {
        id: "A19",
        checks: "receive buffers are recycled",
        needs: Signal::CpuTime,
        judge: one!(hardware::pages),
    },
    Rule {
        id: "A20",
        checks: "interrupts stay on the device's NUMA node",
        needs: Signal::Interrupts,
        judge: queues::numa,
    },
    Rule {
        id: "A21",
        checks: "readers are where their packets arrive",
        needs: Signal::Latency,
        judge: one!(polling::flow_steering),
    },
    Rule {
        id: "A22",
        checks: "virtio has queues enough",
        needs: Signal::Devices,
        judge: queues::virtio,
    },
    Rule {
        id: "A23",
        checks: "qdiscs have room",
        needs: Signal::Counters,
        judge: transmit::qdisc,
    },
    Rule {
        id: "A24",
        checks: "transmit rings have room",
        needs: Signal::Devices,
        judge: transmit::stopped,
    },
    Rule {
        id: "A25",
        checks: "no transmit queue is stuck",
        needs: Signal::Devices,
        judge: hardware::stuck,
    },
    Rule {
        id: "A26",
        checks: "senders do not crowd one queue",
        needs: Signal::Queues,
        judge: hardware::crowded,
    },
    Rule {
        id: "A27",
        checks: "UDP receive buffers have room",
        needs: Signal::Counters,
        judge: sockets::udp_buffer,
    },
    Rule {
        id: "A28",
        checks: "TCP receivers have room",
        needs: Signal::Counters,
        judge: one!(sockets::tcp_buffer),
    },
    Rule {
        id: "A29",
        checks: "locked TCP sockets have room",
        needs: Signal::Counters,
        judge: one!(sockets::tcp_backlog),
    },
    Rule {
        id: "A30",
        checks: "servers accept fast enough",
        needs: Signal::Counters,
        judge: one!(sockets::listen),
    },
    Rule {
        id: "A31",
        checks: "SYN queues have room",
        needs: Signal::Counters,
        judge: one!(sockets::syn_queue),
    },
    Rule {
        id: "A32",
        checks: "TCP sends little again",
        needs: Signal::Counters,
        judge: one!(transmit::retransmit),
    },
    Rule {
        id: "A33",
        checks: "XDP is not in the way",
        needs: Signal::Devices,
        judge: hardware::xdp,
    },
    Rule {
        id: "A34",
        checks: "softirqs do not run on others' time",
        needs: Signal::CpuTime,
        judge: cost::stolen,
    },
    Rule {
        id: "A35",
        checks: "no device should be polled by threads",
        needs: Signal::CpuTime,
        judge: one!(polling::threaded),
    },
    Rule {
        id: "A36",
        checks: "threads that poll have CPU left",
        needs: Signal::CpuTime,
        judge: polling::thread_full,
    },
    Rule {
        id: "A37",
        checks: "netfilter is cheap and its table has room",
        needs: Signal::Counters,
        judge: cost::netfilter,
    },
    Rule {
        id: "A38",
        checks: "no pause frames are received or sent",
        needs: Signal::Devices,
        judge: hardware::pause,
    },
    Rule {
        id: "A39",
        checks: "copies do not dominate",
        needs: Signal::CpuTime,
        judge: one!(cost::copy),
    },
    Rule {
        id: "A40",
        checks: "no capture clones the traffic",
        needs: Signal::CpuTime,
        judge: one!(cost::capture),
    },
    Rule {
        id: "A41",
        checks: "no program spins in vain",
        needs: Signal::CpuTime,
        judge: one!(polling::spinning),
    },
    Rule {
        id: "A42",
        checks: "neighbours answer",
        needs: Signal::Reasons,
        judge: one!(path::neighbour),
    },
    Rule {
        id: "A43",
        checks: "the reverse path filter refuses nothing",
        needs: Signal::Reasons,
        judge: one!(path::reverse_path),
    },
    Rule {
        id: "A44",
        checks: "no frames of protocols without a receiver",
        needs: Signal::Reasons,
        judge: one!(path::unwanted),
    },
    Rule {
        id: "A45",
        checks: "observers are cheap",
        needs: Signal::CpuTime,
        judge: one!(cost::observers),
    },
];

//! The counters that the machine's kernel keeps anyway, cumulative since its boot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::devices;
use super::load::{CPUS, Flow, KAFKA_SEGS, Load, NGINX_SEGS, TCP_MERGED};
use super::owners;
use super::process::{PROCESSES, STATSD};
use super::sockets;
use crate::decode::{
    CpuCounters, Demand, HostSample, IrqCounter, ProtocolCounters, SlowSample, Softnet,
    TaskCounters,
};

/// Inode of the first network namespace (include/linux/proc_ns.h, PROC_NET_INIT_INO).
pub const NETNS: u64 = 0xf000_0098;

/// Interrupt of the first receive queue of eth0; queue N is served by CPU N.
pub const FIRST_IRQ: u32 = 128;

#[derive(Debug, Default)]
pub struct Counters {
    cpus: [Load; CPUS],
    all: Load,
    /// Before the last interval, and how long that was, ns.
    before: Load,
    length_ns: u64,
}

impl Counters {
    pub fn add(&mut self, loads: &[Load; CPUS], length_ns: u64) {
        self.before = self.all.clone();
        self.length_ns = length_ns;
        for (sum, load) in self.cpus.iter_mut().zip(loads) {
            sum.add(load);
            self.all.add(load);
        }
    }

    pub fn sample(&self, at: u64, demand: &Demand) -> HostSample {
        let cpus = (0..).zip(&self.cpus);
        HostSample {
            cpus: cpus.map(|(cpu, load)| of_cpu(cpu, load)).collect(),
            slow: Some(Arc::new(SlowSample {
                at,
                links: devices::links(&self.cpus, &self.all, at),
                protocols: vec![protocols(&self.all)],
                tasks: tasks(&self.all, demand),
                tasks_complete: demand.list_tasks,
                irqs: self.irqs(),
                sockets: Some(Box::new(sockets::read(
                    &self.all,
                    &self.before,
                    at,
                    self.length_ns,
                    demand,
                ))),
                socket_users: owners::users(demand),
                softnet_inexact: None,
                sysctls: sysctls(),
                capture_sockets: Some(0),
                sysctls_inside: Vec::new(),
                namespaces: Vec::new(),
                irqbalance: Some(false),
                netns_names: Vec::new(),
                nodes: (0..CPUS as u32).map(|cpu| (cpu, cpu / 2)).collect(),
                notes: Vec::new(),
            })),
        }
    }

    fn irqs(&self) -> Vec<IrqCounter> {
        let of_queue = |queue: usize| {
            let mut per_cpu = vec![0; CPUS];
            // Half of the polls follow an interrupt, the others a full poll.
            per_cpu[queue] = self.cpus[queue][Flow::PollEth0] / 2;
            IrqCounter {
                irq: FIRST_IRQ + queue as u32,
                name: format!("ice-eth0-TxRx-{queue}"),
                device: Some("eth0".to_owned()),
                per_cpu,
                affinity: Some(queue.to_string()),
                effective: Some(queue.to_string()),
            }
        };
        (0..CPUS).map(of_queue).collect()
    }
}

/// A kernel's defaults.
fn sysctls() -> BTreeMap<String, String> {
    [
        ("net.core.netdev_budget", "300"),
        ("net.core.netdev_budget_usecs", "8000"),
        ("net.core.netdev_max_backlog", "1000"),
        ("net.core.rmem_default", "212992"),
        ("net.core.rmem_max", "212992"),
        ("net.core.somaxconn", "4096"),
        ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Skbs that entered the stack: hits of netif_receive_skb, and what softnet counts.
fn received(load: &Load) -> u64 {
    load[Flow::StackTcp] + load[Flow::StackUdp] + load[Flow::StackEth1] + load[Flow::Lo]
}

fn of_cpu(cpu: u32, load: &Load) -> CpuCounters {
    CpuCounters {
        cpu,
        net_rx_runs: load[Flow::RunRx],
        net_tx_runs: load[Flow::RunTx],
        softnet: Softnet {
            processed: received(load),
            squeezed: load.squeezed,
            ..Softnet::default()
        },
        time: load.time,
    }
}

fn protocols(all: &Load) -> ProtocolCounters {
    let drops = all[Flow::DropRcvbuf];
    let tcp_in = all[Flow::StackTcp] * TCP_MERGED + all[Flow::GroEth1];
    let tcp_out = (all[Flow::KafkaTx] + all[Flow::KafkaTxSoft]) * KAFKA_SEGS
        + all[Flow::NginxTx] * NGINX_SEGS
        + all[Flow::SshTx]
        + all[Flow::AckTx];
    let counters = [
        ("Ip.InReceives", received(all)),
        ("Ip.InDelivers", received(all)),
        ("Ip.InDiscards", 0),
        ("Ip.OutDiscards", 0),
        ("Udp.InDatagrams", all[Flow::StatsdRecv]),
        ("Udp.NoPorts", all[Flow::DropNoSocket]),
        ("Udp.InErrors", drops),
        ("Udp.OutDatagrams", all[Flow::Lo]),
        ("Udp.RcvbufErrors", drops),
        ("Udp.SndbufErrors", 0),
        ("Udp.MemErrors", 0),
        ("Tcp.InSegs", tcp_in),
        ("Tcp.OutSegs", tcp_out),
        ("Tcp.RetransSegs", all[Flow::Retransmit]),
        ("Tcp.InErrs", 0),
        ("TcpExt.ListenOverflows", 0),
        ("TcpExt.ListenDrops", 0),
        ("TcpExt.TCPBacklogDrop", 0),
        ("TcpExt.TCPRcvQDrop", 0),
    ];
    ProtocolCounters {
        netns: NETNS,
        counters: counters
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    }
}

/// The processes that were asked for. /proc has no pid 0.
fn tasks(all: &Load, demand: &Demand) -> Vec<TaskCounters> {
    PROCESSES
        .iter()
        .filter(|process| process.pid != 0)
        .filter(|process| {
            demand.list_tasks
                || demand.tasks.contains(&process.pid)
                || demand.pids.contains(&process.pid)
        })
        .map(|process| TaskCounters {
            pid: process.pid,
            comm: process.comm.to_owned(),
            start_ticks: None,
            netns: NETNS,
            // The slow reader of the drop episode waits for its CPU.
            runq_ns: Some(if process.pid == STATSD.pid {
                all[Flow::StatsdRecv] * 900 + all[Flow::DropRcvbuf] * 200_000
            } else {
                all[Flow::KafkaSend] * 150
            }),
            container: process.container.map(str::to_owned),
            // Its quota stops it in two of five periods.
            throttled: (process.pid == STATSD.pid)
                .then(|| (all[Flow::StatsdRecv] / 100, all[Flow::StatsdRecv] / 250)),
        })
        .collect()
}

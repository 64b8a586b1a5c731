//! How a NIC's queues, interrupts and CPUs go together (signals.md A04–A06, A08, A20, A22). No
//! fault of the lab can make them on virtual devices: they stay `info`.

use std::collections::BTreeMap;

use super::card::About;
use super::limits::Limits;
use super::offloads::deferral;
use super::receive::figure;
use super::window::{CpuSeen, Window};
use crate::model::{Device, Finding, Queue, Severity};

fn receiving(device: &Device) -> Vec<&Queue> {
    let queues = device.queues.iter();
    queues.filter(|queue| queue.direction == "rx").collect()
}

fn softirq(cpus: &[CpuSeen], cpu: u32) -> Option<f64> {
    cpus.iter().find(|seen| seen.cpu == cpu)?.softirq_pct
}

const AFFINITY: About = About {
    rule: "A04",
    name: "irq-affinity",
    source: "Documentation/networking/scaling.rst (RSS IRQ Configuration)",
};

pub fn affinity(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let cpus = window.cpus();
    let idlest = cpus
        .iter()
        .filter_map(|cpu| Some((cpu.idle_pct?, cpu.cpu)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let found = window.now.devices.iter().filter_map(|device| {
        let queues = receiving(device);
        let all: u64 = queues.iter().filter_map(|queue| queue.interrupts).sum();
        let mut on: BTreeMap<u32, Vec<&Queue>> = BTreeMap::new();
        for queue in queues {
            if queue.interrupts.is_some_and(|n| n > 0 && 10 * n >= all)
                && let Some(cpu) = queue.cpu
            {
                on.entry(cpu).or_default().push(queue);
            }
        }
        let (&cpu, queues) = on.iter().max_by_key(|(_, queues)| queues.len())?;
        let (busy, (idle, free)) = (softirq(&cpus, cpu)?, idlest?);
        if queues.len() < 2 || busy < limits.get("A04.softirq_pct") || idle < limits.get("A04.idle_pct") {
            return None;
        }
        let irq = queues.last()?.irq?;
        let name = &device.name;
        AFFINITY
            .card(Severity::Info, name.clone(), format!("cpu{cpu} serves {} receive queues of {name} while cpu{free} idles", queues.len()))
            .why("The CPU that takes the interrupt also polls and mostly runs the whole stack. Queues that share one CPU compete although others are free; irqbalance, where it runs, sets this by itself.")
            .state("queues on it", Some(queues.len() as f64), "")
            .saw("its softirq time", busy, "%")
            .saw("idle time of the idlest CPU", idle, "%")
            .check(format!("grep {name} /proc/interrupts; cat /proc/irq/{irq}/effective_affinity_list; systemctl is-active irqbalance"))
            .attempt(format!("echo {free} > /proc/irq/{irq}/smp_affinity_list"), format!("echo {cpu} > /proc/irq/{irq}/smp_affinity_list"))
            .done()
    });
    found.collect()
}

const SKEW: About = About {
    rule: "A05",
    name: "rss-skew",
    source: "Documentation/networking/scaling.rst (RSS Configuration)",
};

pub fn skew(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let sockets = window
        .now
        .sockets
        .as_ref()
        .map(|sockets| sockets.tcp + sockets.udp);
    let found = window.now.devices.iter().filter_map(|device| {
        let rates: Vec<f64> = receiving(device).iter().filter_map(|queue| queue.rate).collect();
        let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        let most = rates.iter().copied().fold(0.0, f64::max);
        let skew = most / mean.max(1e-9);
        if rates.len() < 4 || mean * (rates.len() as f64) < limits.get("A05.packets") || skew < limits.get("A05.skew") {
            return None;
        }
        let name = &device.name;
        SKEW.card(Severity::Info, name.clone(), format!("one receive queue of {name} has {skew:.1} times the mean"))
            .why("The indirection table or what is hashed sends most flows to few queues. An equal table, or UDP ports in the hash, evens it; a few big flows cannot be spread.")
            .state("busiest queue", Some(most), "packets/s")
            .state("mean queue", Some(mean), "packets/s")
            .guard("many flows", sockets.map_or_else(|| "–".to_owned(), |n| format!("{n} sockets")), sockets.is_none_or(|n| n as f64 >= limits.get("A05.flows")))
            .check(format!("ethtool -x {name}; ethtool -n {name} rx-flow-hash udp4"))
            .attempt(format!("ethtool -X {name} equal {}", rates.len()), format!("ethtool -X {name} default"))
            .done()
    });
    found.collect()
}

const COALESCE: About = About {
    rule: "A06",
    name: "coalesce-up",
    source: "Documentation/networking/napi.rst (Software IRQ coalescing); net_dim.rst",
};

pub fn coalesce(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let found = window.now.devices.iter().filter_map(|device| {
        let each = device.packets_per_interrupt?;
        let rate = device.rx_rate? / each.max(1e-9);
        let queues = receiving(device).len().max(1) as f64;
        if rate / queues < limits.get("A06.interrupts") || each >= limits.get("A06.packets") {
            return None;
        }
        let name = &device.name;
        let set = device.setup.as_ref().and_then(|setup| setup.coalesce);
        let card = COALESCE
            .card(Severity::Info, name.clone(), format!("{name} interrupts {rate:.0} times a second, for {each:.1} packets each"))
            .why("Almost every packet costs an interrupt and a poll. Waiting tens of microseconds lets one interrupt serve many packets and GRO merge more; requests and answers of few flows wait that much longer.")
            .state("interrupts", Some(rate), "/s")
            .state("packets an interrupt", Some(each), "")
            .state("rx-usecs", set.map(|set| f64::from(set.rx_us)), "µs")
            .guard("not adaptive already", set.map_or("–", |set| if set.adaptive_rx { "adaptive" } else { "fixed" }), set.is_none_or(|set| !set.adaptive_rx))
            .check(format!("ethtool -c {name}"));
        match set {
            Some(set) => card.attempt(format!("ethtool -C {name} adaptive-rx on"), format!("ethtool -C {name} adaptive-rx off rx-usecs {}", set.rx_us)),
            None => match deferral(device) {
                Some((attempt, revert)) => card.attempt(attempt, revert),
                None => card,
            },
        }
        .done()
    });
    found.collect()
}

const SATURATED: About = About {
    rule: "A08",
    name: "poll-saturated",
    source: "include/linux/netdevice.h NAPI_POLL_WEIGHT; net/core/dev.c process_backlog",
};

pub fn saturated(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let cpus = window.cpus();
    let found = window.now.devices.iter().filter_map(|device| {
        let full = device.full_polls_pct?;
        let rate = device.rx_rate? / device.packets_per_poll?.max(1e-9);
        let serving = device.irqs.iter().filter_map(|irq| irq.cpu);
        let busiest = serving
            .filter_map(|cpu| Some((softirq(&cpus, cpu)?, cpu)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (busy, cpu) = busiest?;
        if full < limits.get("A08.full") || rate < limits.get("A08.polls") || busy < limits.get("A08.softirq_pct") {
            return None;
        }
        let name = &device.name;
        SATURATED
            .card(Severity::Info, name.clone(), format!("{full:.0}% of the polls of {name} find more than they may take, and cpu{cpu} is full"))
            .why("That core is the bottleneck of its queue: spread the work (more queues, moved interrupts) or make a packet cheaper. A driver's poll weight is fixed at 64; net.core.dev_weight, old guides notwithstanding, only changes the backlog and the qdisc's quota.")
            .state("full polls", Some(full), "%")
            .state("polls", Some(rate), "/s")
            .saw("softirq time of its CPU", busy, "%")
            .guard("not the backlog", name.clone(), device.physical)
            .check(format!("ethtool -l {name}; cat /sys/class/net/{name}/threaded"))
            .done()
    });
    found.collect()
}

const NUMA: About = About {
    rule: "A20",
    name: "rx-numa",
    source: "Documentation/networking/scaling.rst",
};

pub fn numa(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let node_of = |cpu: u32| window.now.cpus.iter().find(|c| c.cpu == cpu)?.node;
    let found = window.now.devices.iter().filter_map(|device| {
        let node = device.numa_node?;
        let known = device.irqs.iter().filter_map(|irq| Some((irq.count?, node_of(irq.cpu?)?)));
        let (mut all, mut far) = (0, 0);
        for (count, of_cpu) in known {
            all += count;
            far += if of_cpu == node { 0 } else { count };
        }
        let share = 100.0 * far as f64 / (all.max(1)) as f64;
        if share < limits.get("A20.share") || device.rx_rate? < limits.get("A20.packets") {
            return None;
        }
        let name = &device.name;
        NUMA.card(Severity::Info, name.clone(), format!("{share:.0}% of the interrupts of {name} go to CPUs of another NUMA node"))
            .why("The packets' memory then crosses the link between the sockets twice. CPUs of the device's own node shorten every access.")
            .state("interrupts elsewhere", Some(share), "%")
            .state("the device's node", Some(f64::from(node)), "")
            .check(format!("cat /sys/class/net/{name}/device/numa_node; lscpu -e=CPU,NODE; grep {name} /proc/interrupts"))
            .done()
    });
    found.collect()
}

const VIRTIO: About = About {
    rule: "A22",
    name: "virtio-queues",
    source: "drivers/net/virtio_net.c; Documentation/networking/scaling.rst",
};

pub fn virtio(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let cpus = window.cpus();
    let busiest = cpus
        .iter()
        .filter_map(|cpu| cpu.softirq_pct)
        .fold(None, |most: Option<f64>, pct| {
            Some(most.map_or(pct, |most| most.max(pct)))
        });
    let found = window.now.devices.iter().filter_map(|device| {
        let channels = device.setup.as_ref()?.channels?;
        let busy = busiest?;
        if device.driver.as_deref() != Some("virtio_net") || channels != 1 || cpus.len() < 4 || busy < limits.get("A22.softirq_pct") {
            return None;
        }
        let name = &device.name;
        VIRTIO
            .card(Severity::Info, name.clone(), format!("{name} has one queue for {} CPUs", cpus.len()))
            .why("One pair of virtqueues means one CPU does all packet work. More must be offered by the hypervisor and switched on in the guest; otherwise RPS spreads what comes after the driver.")
            .saw("softirq of the busiest CPU", busy, "%")
            .state("packets received", device.rx_rate, "/s")
            .guard("it is this device's work", figure(device.rx_rate, " packets/s"), device.rx_rate.is_some_and(|rate| rate >= limits.get("A22.packets")))
            .check(format!("ethtool -l {name}"))
            .attempt(format!("ethtool -L {name} combined {}", cpus.len()), format!("ethtool -L {name} combined 1"))
            .done()
    });
    found.collect()
}

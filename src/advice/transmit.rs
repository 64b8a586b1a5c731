//! Rings, allowances and memory of NICs; qdiscs, retransmits (signals.md A16–A18, A23, A24, A32).

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Class, Device, Finding, Layer, Severity};

const RING: About = About {
    rule: "A16",
    name: "rx-ring-drop",
    source: "include/uapi/linux/if_link.h (rx_missed_errors); netdata net.conf",
};

pub fn ring(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    // What the driver could not send, or had no memory for, is no matter of the receive ring.
    let ring = |d: &crate::model::Drop| d.place.starts_with("NIC ring");
    let lost = window.losses(|d| d.layer == Layer::Nic && d.class == Class::Trouble && ring(d));
    let found = lost.into_iter().filter_map(|(drop, rate)| {
        if rate < limits.get("A16.drops") || drop.reason.as_deref().is_some_and(|r| r.contains("allowance")) {
            return None;
        }
        let device = drop.device.clone().unwrap_or_else(|| "DEV".to_owned());
        let cpus = window.cpus();
        let hottest = cpus.iter().filter_map(|cpu| cpu.softirq_pct).fold(0.0, f64::max);
        let row = window.now.devices.iter().find(|d| d.name == device);
        let ring = row.and_then(|d| d.setup.as_ref()?.rx_ring);
        let card = RING.card(Severity::Drop, drop.place.clone(), format!("{device} drops {rate:.0} packets a second for want of a receive buffer"))
            .why("The NIC had no free receive buffer when the packet came. Bursts need a longer ring; constant overload needs CPU: then spread the work first.")
            .saw("ring drops", rate, "/s")
            .saw("softirq of the busiest CPU", hottest, "%")
            .state("receive ring", ring.map(|(now, _)| f64::from(now)), "entries")
            .state("at most", ring.map(|(_, most)| f64::from(most)), "entries")
            .guard("the CPU keeps up", format!("{hottest:.0}% softirq"), hottest < 95.0)
            .check(format!("ethtool -S {device} | grep -Ei 'miss|drop|no_buf|discard|out_of'; ethtool -g {device}"));
        match ring {
            Some((now, most)) if now < most => card.attempt(format!("ethtool -G {device} rx {}", most.min(2 * now)), format!("ethtool -G {device} rx {now}")),
            // Nothing longer is to be had: only faster emptying helps.
            Some(_) => card,
            None => card.attempt(format!("ethtool -G {device} rx 4096"), format!("ethtool -g {device}  # before: its old value")),
        }
        .done()
    });
    found.collect()
}

const ALLOWANCE: About = About {
    rule: "A17",
    name: "cloud-allowance",
    source: "drivers/net/ethernet/amazon/ena/ena_ethtool.c",
};

pub fn allowance(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let lost = window.losses(|d| d.reason.as_deref().is_some_and(|r| r.contains("allowance")));
    let found = lost
        .into_iter()
        .filter(|(_, rate)| *rate > limits.get("A17.events"));
    let cards = found.filter_map(|(drop, rate)| {
        let device = drop.device.clone().unwrap_or_default();
        ALLOWANCE
            .card(Severity::Drop, drop.place.clone(), format!("{device}: the cloud instance's allowance is used up"))
            .why("The instance's bandwidth, packet or connection limit shaped or dropped traffic. No setting of this host changes that: a larger instance, fewer small packets, fewer tracked connections.")
            .saw(drop.reason.as_deref().unwrap_or("allowance"), rate, "/s")
            .check(format!("ethtool -S {device} | grep allowance"))
            .done()
    });
    cards.collect()
}

const MEMORY: About = About {
    rule: "A18",
    name: "rx-alloc-fail",
    source: "drivers' documentation (mlx5/counters.rst: buff_alloc_err)",
};

pub fn no_memory(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let old = window.sysctl_number("vm.min_free_kbytes").unwrap_or(67_584);
    let found = window.now.devices.iter().filter_map(|device| {
        let name = &device.name;
        let rate = window.trouble(name, "memory");
        if rate < limits.get("A18.failures") {
            return None;
        }
        MEMORY
            .card(Severity::Info, name.clone(), format!("{name} finds no memory for {rate:.0} receive buffers a second"))
            .why("The driver could not get memory where it may not wait for it. More memory kept free, a smaller ring or a smaller MTU helps.")
            .saw("failed allocations", rate, "/s")
            .state("vm.min_free_kbytes", Some(old as f64), "KiB")
            .check(format!("ethtool -S {name} | grep -i alloc; sysctl vm.min_free_kbytes"))
            .attempt(format!("sysctl -w vm.min_free_kbytes={}", 2 * old), format!("sysctl -w vm.min_free_kbytes={old}"))
            .done()
    });
    found.collect()
}

const STOPPED: About = About {
    rule: "A24",
    name: "tx-stop",
    source: "Documentation/ABI/testing/sysfs-class-net-queues; mlx5/counters.rst (txN_stopped)",
};

pub fn stopped(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let found = window.now.devices.iter().filter_map(|device| {
        let name = &device.name;
        let rate = window.trouble(name, "tx stop");
        if rate < limits.get("A24.stops") {
            return None;
        }
        let (ring, most) = device.setup.as_ref().and_then(|setup| setup.tx_ring)?;
        STOPPED
            .card(Severity::Info, name.clone(), format!("the transmit queues of {name} stop {rate:.0} times a second"))
            .why("The driver's transmit ring was full, so that its queue was stopped and started again. Either completions come late (CPU, coalescing), or the ring is short; at line rate this is normal.")
            .saw("stops and requeues", rate, "/s")
            .state("transmit ring", Some(f64::from(ring)), "entries")
            .state("at most", Some(f64::from(most)), "entries")
            .guard("the ring can grow", format!("{ring} of {most}"), ring < most)
            .check(format!("ethtool -S {name} | grep -E 'stop|restart|busy'; ethtool -g {name}"))
            .attempt(format!("ethtool -G {name} tx {}", most.min(2 * ring)), format!("ethtool -G {name} tx {ring}"))
            .done()
    });
    found.collect()
}

const QDISC: About = About {
    rule: "A23",
    name: "qdisc-drop",
    source: "tc(8); net/core/dropreason-core.h; admin-guide/sysctl/net.rst (default_qdisc)",
};

/// A queue that drops by policy: shapers and AQM do their job.
const BY_POLICY: [&str; 10] = [
    "tbf", "htb", "hfsc", "cbq", "netem", "codel", "fq_codel", "pie", "red", "cake",
];

const FIFOS: [&str; 2] = ["pfifo", "bfifo"];

pub fn qdisc(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let lost = window.losses(|d| d.layer == Layer::Qdisc);
    let found = lost.into_iter().filter_map(|(drop, rate)| {
        if rate < limits.get("A23.drops") {
            return None;
        }
        let name = drop.device.clone().unwrap_or_else(|| "DEV".to_owned());
        let device = window.now.devices.iter().find(|d| d.name == name);
        // A shaper counts what the queue below it drops as its own.
        let full = device.and_then(|d| {
            let fifos = d.qdiscs.iter().filter(|q| FIFOS.contains(&&*q.kind));
            fifos.max_by_key(|q| q.drops_total).filter(|q| q.drops_total > 0)
        });
        let kind = full.map(|q| q.kind.clone()).or_else(|| device.and_then(|d| d.qdisc.clone()));
        let policy = kind.as_deref().is_some_and(|kind| BY_POLICY.contains(&kind));
        let (severity, why) = if policy {
            (Severity::Info, "This qdisc shapes or manages its queue: dropping is how it does that. Senders that react (TCP) adapt; for others its rate or limit is the setting.")
        } else {
            (Severity::Drop, "Packets were offered faster than the device sends, and the queue was full. TCP adapts, UDP loses data. A longer queue takes bursts; pacing in the sender avoids them.")
        };
        let card = QDISC
            .card(severity, drop.place.clone(), format!("the qdisc of {name} drops {rate:.0} packets a second"))
            .why(why)
            .saw("qdisc drops", rate, "/s")
            .state("limit", full.and_then(|q| q.limit).map(f64::from), "")
            .guard("kind", kind.as_deref().unwrap_or("–"), true)
            .check(inside(device, &format!("tc -s -d qdisc show dev {name}")));
        if policy {
            return card.done();
        }
        let queue = full.and_then(|q| Some((q, q.limit?)));
        match queue {
            Some((queue, old)) => {
                let place = if queue.parent == "root" { "root".to_owned() } else { format!("parent {}", queue.parent) };
                let handle = if queue.handle == "0:" { String::new() } else { format!(" handle {}", queue.handle) };
                let set = |limit: u32| inside(device, &format!("tc qdisc change dev {name} {place}{handle} {} limit {limit}", queue.kind));
                card.attempt(set(old.saturating_mul(2)), set(old))
            }
            // Others have limits of their own.
            None if device.is_some_and(by_txqueuelen) => card.attempt(
                inside(device, &format!("ip link set {name} txqueuelen 2000")),
                inside(device, &format!("ip link show {name}  # before: its old qlen")),
            ),
            None => card,
        }
        .done()
    });
    found.collect()
}

/// Its queue is as long as txqueuelen says: pfifo_fast, also below mq.
fn by_txqueuelen(device: &Device) -> bool {
    let kinds = device.qdiscs.iter().map(|qdisc| &*qdisc.kind);
    kinds
        .chain(device.qdisc.as_deref())
        .any(|kind| kind == "pfifo_fast")
}

/// The command in the device's namespace.
fn inside(device: Option<&Device>, command: &str) -> String {
    device.map_or_else(|| command.to_owned(), |device| device.inside(command))
}

const RETRANSMIT: About = About {
    rule: "A32",
    name: "tcp-retransmit",
    source: "Documentation/networking/snmp_counter.rst; ip-sysctl.rst",
};

pub fn retransmit(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let again = window.counter("Tcp.RetransSegs");
    let sent = window.counter("Tcp.OutSegs");
    let share = 100.0 * again / sent.max(1e-9);
    if sent < limits.get("A32.segments") || share < limits.get("A32.share") {
        return None;
    }
    let dsack = window.counter("TcpExt.TCPDSACKRecv");
    let spurious = 100.0 * dsack / again.max(1e-9);
    let own: f64 = window
        .losses(|d| matches!(d.layer, Layer::Qdisc | Layer::Backlog) || d.layer == Layer::Nic)
        .iter()
        .map(|(_, rate)| rate)
        .sum();
    let severity = if share >= limits.get("A32.bad") {
        Severity::Drop
    } else {
        Severity::Info
    };
    let algorithm = window
        .sysctl("net.ipv4.tcp_congestion_control")
        .unwrap_or("cubic")
        .to_owned();
    RETRANSMIT
        .card(severity, "", format!("{share:.1}% of TCP's segments are sent again"))
        .why("Data was sent again: loss on the path, a full queue at some hop, or reordering taken for loss. Which peers it is tells whether it is one path or all.")
        .saw("segments sent again", again, "/s")
        .saw("share", share, "%")
        .saw("duplicates that came back (DSACK)", spurious, "% of them")
        .guard("not only reordering", format!("{spurious:.0}% duplicates"), spurious < 50.0)
        .guard("not lost on this host", format!("{own:.1} drops/s here"), own < 0.5 * again)
        .check("nstat -az | grep -E 'Retrans|DSACK|Timeouts'; ss -tin")
        .attempt(
            "sysctl -w net.ipv4.tcp_congestion_control=bbr  # lossy WAN paths; where the module is there".to_owned(),
            format!("sysctl -w net.ipv4.tcp_congestion_control={algorithm}"),
        )
        .done()
}

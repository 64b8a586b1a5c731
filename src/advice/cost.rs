//! Where the network's CPU time goes: checksums, filters, copies, captures, observers
//! (signals.md A14, A37, A39, A40, A45), and softirqs on a program's time (A34).

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Finding, Severity};

/// Shares mean something only where the network takes a part of a CPU that matters.
fn matters(net_pct: f64, limits: &Limits) -> bool {
    net_pct >= limits.get("net_pct")
}

const CHECKSUM: About = About {
    rule: "A14",
    name: "checksum-offload",
    source: "Documentation/networking/checksum-offloads.rst; segmentation-offloads.rst",
};

pub fn checksum(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let (share, net) = window.leaf_share("csum")?;
    if share < limits.get("A14.share") || !matters(net, limits) {
        return None;
    }
    let off = window.now.devices.iter().filter_map(|device| {
        let setup = device.setup.as_ref()?;
        let (tx, rx) = (
            setup.offload("tx-csum") == Some(false),
            setup.offload("rx-csum") == Some(false),
        );
        (tx || rx).then_some((device, if rx { "rx" } else { "tx" }))
    });
    let busiest = off.max_by(|a, b| a.0.traffic().total_cmp(&b.0.traffic()));
    let (name, way) = busiest.map_or(("DEV", "tx"), |(device, way)| (&device.name, way));
    let typed = |command: String| {
        busiest.map_or_else(|| command.clone(), |(device, _)| device.inside(&command))
    };
    let card = CHECKSUM
        .card(Severity::Cost, busiest.map_or("", |_| name), format!("{share:.0}% of the network's CPU time sums bytes"))
        .why("The CPU computes checksums that a NIC could. Without TX checksum the kernel also disables TSO.")
        .saw("summing bytes", share, "% of the network's CPU time")
        .saw("the network", net, "% of a CPU")
        .check(typed(format!("ethtool -k {name} | grep checksum")));
    // Software sums too what it was told to cut, to forward or to filter: then nothing is off.
    match busiest {
        Some(_) => card.attempt(
            typed(format!("ethtool -K {name} {way} on")),
            typed(format!("ethtool -K {name} {way} off")),
        ),
        None => card,
    }
    .done()
}

const NETFILTER: About = About {
    rule: "A37",
    name: "netfilter-share",
    source: "Documentation/networking/nf_flowtable.rst; nf_conntrack-sysctl.rst",
};

pub fn netfilter(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some((share, net)) = window.stage_share(&["netfilter"])
        && share >= limits.get("A37.share")
        && matters(net, limits)
    {
        found.extend(
            NETFILTER
                .card(Severity::Cost, "rules", format!("{share:.0}% of the network's CPU time goes through netfilter"))
                .why("Every packet walks rules and the connection table. Sets instead of long lists, notrack for trusted ports and the flowtable for forwarding cut it.")
                .saw("netfilter", share, "% of the network's CPU time")
                .saw("the network", net, "% of a CPU")
                .check("nft list ruleset | wc -l; conntrack -S")
                .attempt("nft add rule ip raw prerouting udp dport PORT notrack", "nft -a list table ip raw  # then delete rule … handle N")
                .done(),
        );
    }
    let count = window.sysctl_number("net.netfilter.nf_conntrack_count");
    let most = window.sysctl_number("net.netfilter.nf_conntrack_max");
    if let (Some(count), Some(most)) = (count, most.filter(|most| *most > 0)) {
        let full = 100.0 * count as f64 / most as f64;
        if full >= limits.get("A37.full") {
            found.extend(
                NETFILTER
                    .card(Severity::Drop, "table", format!("the connection table is {full:.0}% full"))
                    .why("A new connection that finds the table full is dropped. A larger table takes some memory.")
                    .state("connections", Some(count as f64), "")
                    .state("net.netfilter.nf_conntrack_max", Some(most as f64), "")
                    .check("sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max")
                    .attempt(
                        format!("sysctl -w net.netfilter.nf_conntrack_max={}", 2 * most),
                        format!("sysctl -w net.netfilter.nf_conntrack_max={most}"),
                    )
                    .done(),
            );
        }
    }
    found
}

const COPY: About = About {
    rule: "A39",
    name: "copy-dominates",
    source: "Documentation/networking/msg_zerocopy.rst",
};

pub fn copy(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let (share, net) = window.stage_share(&["copy"])?;
    let bytes = window.now.summary.local_bps.unwrap_or(0.0) / 8.0
        + window.now.summary.tx_bps.unwrap_or(0.0) / 8.0
        + window.now.summary.rx_bps.unwrap_or(0.0) / 8.0;
    if share < limits.get("A39.share") || !matters(net, limits) || bytes < limits.get("A39.bytes") {
        return None;
    }
    COPY.card(Severity::Info, "", format!("{share:.0}% of the network's CPU time copies data"))
        .why("Moving bytes between programs and the kernel costs more than the protocol. Zero-copy sends (from about 10 kB a write), sendfile, splice or a larger MTU cut copies or packets; on loopback and veth MSG_ZEROCOPY copies all the same.")
        .saw("copies", share, "% of the network's CPU time")
        .saw("carried", bytes, "bytes/s")
        .check("ip link show | grep mtu")
        .done()
}

const CAPTURE: About = About {
    rule: "A40",
    name: "capture-running",
    source: "net/packet/af_packet.c",
};

pub fn capture(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    // A capture's cost is mostly the clones that it calls for.
    let (share, net) = window.inclusive_share("tap_capture")?;
    if share < limits.get("A40.share") || !matters(net, limits) {
        return None;
    }
    CAPTURE
        .card(Severity::Cost, "", format!("{share:.0}% of the network's CPU time feeds capture sockets"))
        .why("Every packet is cloned for a capture (tcpdump, an agent). Narrow its filter or stop it.")
        .saw("captures", share, "% of the network's CPU time")
        .state("capture sockets", window.facts().capture_sockets.map(|n| n as f64), "")
        .check("ss -0ap; cat /proc/net/packet")
        .done()
}

const OBSERVERS: About = About {
    rule: "A45",
    name: "netop-overhead",
    source: "measured: netop's own cost line, stage observer",
};

pub fn observers(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let observers = window.now.summary.observer_pct?;
    // netop holds itself to its budget, and says in the header when it does not.
    let own = window.now.health.cost_all_pct.unwrap_or(0.0);
    let others = observers - own;
    if others < limits.get("A45.observer_pct") {
        return None;
    }
    OBSERVERS
        .card(Severity::Info, "", format!("observers beside netop take {others:.1}% of a CPU"))
        .why("Programs attached to events of the network stack cost CPU time at each packet. What netop takes itself is not in this figure.")
        .saw("all observers", observers, "% of a CPU")
        .state("netop itself", Some(own), "% of a CPU")
        .check("bpftool prog show; bpftool perf show")
        .done()
}

const STOLEN: About = About {
    rule: "A34",
    name: "softirq-steals",
    source: "Documentation/networking/scaling.rst; networking/napi.rst (threaded)",
};

pub fn stolen(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let all: f64 = window.cpus().iter().map(|cpu| cpu.packets).sum();
    let processes = window
        .now
        .processes
        .iter()
        .filter(|p| p.pid != 0 && !p.ended);
    let found = processes.filter_map(|process| {
        let stolen = process.cpu_stolen_pct?;
        let own = process.cpu_own_pct.unwrap_or(0.0);
        let sends = process.tx_packets.unwrap_or(0.0) / window.now.interval_s.max(1e-9);
        if stolen < limits.get("A34.stolen_pct") {
            return None;
        }
        STOLEN
            .card(Severity::Latency, format!("{}({})", process.comm, process.pid), format!("softirqs take {stolen:.0}% of a CPU of {}'s time", process.comm))
            .why("Interrupts and packet work of others run on this program's CPU and count as its time. Moving the interrupts, the program, or polling in threads separates them.")
            .saw("softirq work on its time", stolen, "% of a CPU")
            .saw("network work of its own", own, "% of a CPU")
            // A sender on veth or loopback receives in its own context by nature.
            .guard("not its own traffic", format!("own {own:.1}%"), own < 0.5 * stolen)
            .guard("it sends little itself", format!("{sends:.0} of {all:.0} packets/s"), sends < 0.5 * all)
            .check(format!("grep . /proc/irq/*/effective_affinity_list; taskset -pc {}", process.pid))
            .attempt("", "")
            .done()
    });
    found.collect()
}

//! Receiving: squeezed softirqs, a full backlog, all packets on one CPU (signals.md A01–A03).

use super::card::About;
use super::limits::Limits;
use super::window::{CpuSeen, Window};
use crate::model::{Class, Finding, Layer, Severity};

const SQUEEZE: About = About {
    rule: "A01",
    name: "softnet-squeeze",
    source: "Documentation/admin-guide/sysctl/net.rst; net/core/dev.c net_rx_action",
};

/// A squeeze alone is no loss: it costs only beside losses at the NIC.
pub fn squeeze(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let lossy = window.losses(|d| d.class == Class::Trouble && d.layer == Layer::Nic);
    let found = window.cpus().into_iter().filter_map(|cpu| {
        let share = 100.0 * cpu.squeezes / cpu.runs.max(1e-9);
        if cpu.squeezes < limits.get("A01.squeezes") || share < limits.get("A01.share") {
            return None;
        }
        let per_run = cpu.packets / cpu.runs.max(1e-9);
        let budget = window.sysctl_number("net.core.netdev_budget").unwrap_or(300);
        let usecs = window.sysctl_number("net.core.netdev_budget_usecs").unwrap_or(8000);
        let by_packets = per_run >= 0.8 * budget as f64;
        let (setting, old, new) = if by_packets {
            ("net.core.netdev_budget", budget, 2 * budget)
        } else {
            ("net.core.netdev_budget_usecs", usecs, 2 * usecs)
        };
        let severity = if lossy.is_empty() { Severity::Info } else { Severity::Cost };
        SQUEEZE
            .card(
                severity,
                format!("cpu{}", cpu.cpu),
                format!("cpu{} leaves packets for the next softirq {:.0} times a second", cpu.cpu, cpu.squeezes),
            )
            .why("net_rx_action stopped because its budget of packets or of time was used up while work was left. A larger budget drains more a run and delays programs; it adds no CPU capacity. Squeezes are no drops: without drops beside them they are normal in bursts; and netdev_budget_usecs below two jiffies is refused (EINVAL).")
            .saw("squeezes", cpu.squeezes, "/s")
            .saw("share of the runs", share, "%")
            .saw("packets per run", per_run, "")
            .guard("which limit", if by_packets { "packets" } else { "time" }, true)
            .guard("stolen by the hypervisor", figure(cpu.steal_pct, "%"), quiet(&cpu, limits))
            .check("cat /proc/net/softnet_stat; sysctl net.core.netdev_budget net.core.netdev_budget_usecs")
            .attempt(format!("sysctl -w {setting}={new}"), format!("sysctl -w {setting}={old}"))
            .done()
    });
    found.collect()
}

const BACKLOG: About = About {
    rule: "A02",
    name: "backlog-drop",
    source: "Documentation/admin-guide/sysctl/net.rst (netdev_max_backlog); networking/scaling.rst",
};

pub fn backlog(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let lost = window.losses(|d| d.layer == Layer::Backlog);
    let rate: f64 = lost.iter().map(|(_, rate)| rate).sum();
    if rate < limits.get("A02.drops") {
        return None;
    }
    let old = window
        .sysctl_number("net.core.netdev_max_backlog")
        .unwrap_or(1000);
    let cpus = window.cpus();
    let busiest = cpus.iter().max_by(|a, b| a.packets.total_cmp(&b.packets));
    let softirq = busiest.and_then(|cpu| cpu.softirq_pct);
    let full = softirq.is_some_and(|pct| pct >= 95.0);
    let why = if full {
        "Packets of RPS, veth, loopback or tunnels wait in a queue per CPU, and it was full. That CPU has no time left: a longer queue only adds delay, spreading the work (RPS, more queues) helps."
    } else {
        "Packets of RPS, veth, loopback or tunnels wait in a queue per CPU, and it was full. A longer queue takes bursts."
    };
    let longer = (2 * old).min(10_000);
    let card = BACKLOG
        .card(Severity::Drop, "", format!("{rate:.0} packets a second find a CPU's backlog full"))
        .why(why)
        .saw("backlog drops", rate, "/s")
        .state("net.core.netdev_max_backlog", Some(old as f64), "packets")
        .state("softirq of the busiest CPU", softirq, "%")
        .guard("flow limit (net.core.flow_limit_cpu_bitmap)", "its drops are in softnet_stat column 11 too", true)
        .check("cat /proc/net/softnet_stat; sysctl net.core.netdev_max_backlog; grep . /sys/class/net/*/queues/rx-*/rps_cpus")
;
    // Longer than that it only adds delay.
    let card = if longer > old {
        card.attempt(
            format!("sysctl -w net.core.netdev_max_backlog={longer}"),
            format!("sysctl -w net.core.netdev_max_backlog={old}"),
        )
    } else {
        card
    };
    card.done()
}

const ONE_CPU: About = About {
    rule: "A03",
    name: "rx-one-cpu",
    source: "Documentation/networking/scaling.rst (RSS, RPS: suggested configuration)",
};

pub fn one_cpu(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let cpus = window.cpus();
    let all: f64 = cpus.iter().map(|cpu| cpu.packets).sum();
    let busiest = cpus.iter().max_by(|a, b| a.packets.total_cmp(&b.packets))?;
    let share = 100.0 * busiest.packets / all.max(1e-9);
    let least = if cpus.len() >= 4 {
        "A03.share_many"
    } else {
        "A03.share"
    };
    let softirq = busiest.softirq_pct?;
    let mut others: Vec<f64> = (cpus.iter())
        .filter(|cpu| cpu.cpu != busiest.cpu)
        .filter_map(|cpu| cpu.idle_pct)
        .collect();
    others.sort_by(f64::total_cmp);
    let idle = *others.get(others.len() / 2)?;
    if all < limits.get("A03.packets")
        || share < limits.get(least)
        || softirq < limits.get("A03.softirq_pct")
        || idle < limits.get("A03.idle_pct")
    {
        return None;
    }
    // Only NICs can be told to spread; what stays on this host runs where its sender does.
    let wire = window.now.summary.rx_pps.unwrap_or(0.0);
    let number = busiest.cpu;
    let device = window.busiest_wire()?;
    let name = &device.name;
    let flows = window
        .now
        .tcp
        .iter()
        .filter_map(|tcp| tcp.flow.received_bps);
    let (total, most) = flows.fold((0.0, 0.0f64), |(sum, most), bps| (sum + bps, most.max(bps)));
    let of_one = (total > 0.0).then(|| 100.0 * most / total);
    let card = ONE_CPU
        .card(Severity::Cost, format!("cpu{number}"), format!("cpu{number} takes {share:.0}% of all packets, the others idle"))
        .why("All receive work ends on one core, which is the ceiling of throughput and a source of delay. More queues (RSS), moved interrupts or software steering (RPS) let other cores share it.")
        .saw("packets", busiest.packets, "/s")
        .saw("share of all", share, "%")
        .saw("its softirq time", softirq, "%")
        .saw("idle time of the median other CPU", idle, "%")
        .guard("from the wire", format!("{wire:.0} packets/s"), wire >= 0.5 * all)
        // One flow stays on one CPU whatever is set; only merging, larger packets or more
        // connections help it.
        .guard("more than one flow", figure(of_one, "% in one connection"), of_one.is_none_or(|pct| pct < 80.0))
        .guard("stolen by the hypervisor", figure(busiest.steal_pct, "%"), quiet(busiest, limits))
        .check(device.inside(&format!("grep . /sys/class/net/{name}/queues/rx-*/rps_cpus; cat /proc/interrupts; ethtool -l {name}")));
    let setup = device.setup.as_ref();
    let channels = setup.and_then(|setup| Some((setup.channels?, setup.channels_most?)));
    match channels {
        Some((now, most)) if most > now => card.attempt(
            format!(
                "ethtool -L {name} combined {}  # the link is reset for a moment",
                most.min(cpus.len() as u32).max(now)
            ),
            format!("ethtool -L {name} combined {now}"),
        ),
        _ => {
            let rps = format!("/sys/class/net/{name}/queues/rx-0/rps_cpus");
            let first = device
                .queues
                .iter()
                .find(|queue| queue.direction == "rx" && queue.queue == 0);
            let old = first
                .and_then(|queue| queue.steering.as_deref())
                .unwrap_or("0");
            card.attempt(
                format!("echo {} > {rps}", mask(window, number)),
                format!("echo {old} > {rps}"),
            )
        }
    }
    .done()
}

/// The CPUs of this one's NUMA node but itself, as rps_cpus takes them: words of 32 CPUs, the last
/// first.
fn mask(window: &Window<'_>, but: u32) -> String {
    let cpus = &window.now.cpus;
    let node = cpus
        .iter()
        .find(|cpu| cpu.cpu == but)
        .and_then(|cpu| cpu.node);
    let near = cpus.iter().filter(|cpu| cpu.cpu != but && cpu.node == node);
    let mut words = vec![0u32; 1];
    for cpu in near {
        let word = cpu.cpu as usize / 32;
        words.resize(words.len().max(word + 1), 0);
        words[word] |= 1 << (cpu.cpu % 32);
    }
    let text = |(i, word): (usize, &u32)| {
        if i == 0 {
            format!("{word:x}")
        } else {
            format!("{word:08x}")
        }
    };
    words
        .iter()
        .rev()
        .enumerate()
        .map(text)
        .collect::<Vec<_>>()
        .join(",")
}

fn quiet(cpu: &CpuSeen, limits: &Limits) -> bool {
    cpu.steal_pct
        .is_none_or(|pct| pct <= limits.get("steal_pct"))
}

pub fn figure(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}{unit}"))
}

//! How soon packets are taken: interrupt timers, ksoftirqd, threads that poll, programs that spin,
//! and on which CPU the reader is (signals.md A07, A09, A21, A35, A36, A41). They cost time rather
//! than packets, and no fault of the lab proves them: they stay `info`.

use super::card::About;
use super::cost;
use super::limits::Limits;
use super::receive::figure;
use super::window::{Window, cpu_list};
use crate::model::{Cpu, Device, Finding, Severity};

const COALESCE_DOWN: About = About {
    rule: "A07",
    name: "coalesce-down",
    source: "Documentation/networking/device_drivers/ethernet/intel/ice.rst (\"For reduced latency\")",
};

pub fn coalesce_down(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let hottest = window.hottest_softirq();
    let nearest = window
        .now
        .tcp
        .iter()
        .filter_map(|tcp| tcp.flow.srtt_us)
        .min();
    let found = window.now.devices.iter().filter_map(|device| {
        let set = device.setup.as_ref()?.coalesce?;
        let old = Some(set.rx_us).filter(|us| *us > 0 && !set.adaptive_rx)?;
        // The busiest line meets the timer's limit.
        let most = 1e6 / f64::from(old);
        let busiest = device.irqs.iter().filter_map(|irq| irq.count).max()?;
        // Interrupts are read with the devices.
        let since_s = window.now.summary.devices_s.unwrap_or(window.now.interval_s);
        let rate = busiest as f64 / since_s.max(1e-9);
        let round_trip = nearest? as f64;
        if (rate / most - 1.0).abs() > limits.get("A07.near") / 100.0
            || round_trip > limits.get("A07.round_trips") * f64::from(old)
        {
            return None;
        }
        let name = &device.name;
        COALESCE_DOWN
            .card(Severity::Info, name.clone(), format!("the interrupt timer of {name} ({old} µs) dominates the round trip of {round_trip:.0} µs"))
            .why("A packet waits for the timer, not for the network. A shorter one answers sooner and takes more interrupts.")
            .state("interrupts of its busiest line", Some(rate), "/s")
            .state("the timer allows", Some(most), "/s")
            .state("shortest round trip", Some(round_trip), "µs")
            .guard("the CPU has time for more interrupts", figure(hottest, "% softirq"), hottest.is_some_and(|pct| pct < limits.get("A07.softirq_pct")))
            .check(device.inside(&format!("ethtool -c {name}")))
            .attempt(
                device.inside(&format!("ethtool -C {name} adaptive-rx off rx-usecs {}", old / 4)),
                device.inside(&format!("ethtool -C {name} adaptive-rx off rx-usecs {old}")),
            )
            .done()
    });
    found.collect()
}

const STARVED: About = About {
    rule: "A09",
    name: "ksoftirqd-starved",
    source: "Documentation/networking/napi.rst; kernel/softirq.c",
};

/// The heaviest program on the CPU that is no thread of the softirqs itself.
fn competitor(cpu: &Cpu) -> Option<(&str, u32, f64)> {
    let programs = cpu.processes.iter();
    let mut programs = programs.filter(|p| p.pid != 0 && !p.comm.starts_with("ksoftirqd/"));
    programs.next().map(|p| (p.comm.as_str(), p.pid, p.cpu_pct))
}

pub fn starved(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let in_thread = window.context_pct("ksoftirqd");
    let waits = window.now.latency.iter().find(|l| l.pair == "net_rx_wait");
    let late = waits.and_then(|l| Some((l.recent.p99_ns? as f64 / 1e6, l.recent.count)));
    let waited = late.is_some_and(|(ms, count)| {
        ms >= limits.get("A09.wait_ms") && count as f64 >= limits.get("A09.pairs")
    });
    let handed_over = in_thread.is_some_and(|pct| pct >= limits.get("A09.thread_pct"));
    let (cpu, (comm, pid, busy)) = window
        .now
        .cpus
        .iter()
        .filter_map(|cpu| Some((cpu, competitor(cpu)?)))
        .max_by(|a, b| a.1.2.total_cmp(&b.1.2))?;
    if !(waited || handed_over && busy >= limits.get("A09.program_pct")) {
        return None;
    }
    let others = window.now.cpus.iter().map(|other| other.cpu);
    let others = cpu_list(others.filter(|other| *other != cpu.cpu));
    let all = cpu_list(window.now.cpus.iter().map(|cpu| cpu.cpu));
    let seen = window.cpus().into_iter().find(|seen| seen.cpu == cpu.cpu);
    let steal = seen.and_then(|seen| seen.steal_pct);
    let card = STARVED
        .card(Severity::Info, format!("cpu{}", cpu.cpu), format!("softirqs of cpu{} wait in ksoftirqd beside {comm}({pid})", cpu.cpu))
        .why("Under load softirqs are handed to the thread ksoftirqd, which competes with programs at normal priority: packets then wait for the scheduler. Moving the program or the interrupts, or polling in threads of their own, separates them.")
        .state("ksoftirqd", in_thread, "% of a CPU")
        .state("NET_RX waits, p99", late.map(|(ms, _)| ms), "ms")
        .state("the program beside it", Some(busy), "% of that CPU")
        .guard("stolen by the hypervisor", figure(steal, "%"), steal.is_none_or(|pct| pct <= limits.get("steal_pct")))
        .check("ps -eo pid,comm,psr,pcpu --sort=-pcpu | head; cat /proc/softirqs");
    // On one CPU there is nowhere to go.
    if others.is_empty() {
        card
    } else {
        card.attempt(
            format!("taskset -pc {others} {pid}"),
            format!("taskset -pc {all} {pid}"),
        )
    }
    .done()
}

const STEERING: About = About {
    rule: "A21",
    name: "rfs-missing",
    source: "Documentation/networking/scaling.rst (RFS, Accelerated RFS)",
};

/// Flows that the whole table of RFS has room for, as scaling.rst suggests.
const FLOWS: u64 = 32_768;

pub fn flow_steering(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let reads = window.now.latency.iter().find(|l| l.pair == "reader")?;
    let crossed = reads.crossed_cpu_pct?;
    let wakes =
        f64::from(reads.one_in) * reads.times.count as f64 / window.now.interval_s.max(1e-9);
    if crossed < limits.get("A21.crossed_pct") || wakes < limits.get("A21.wakes") {
        return None;
    }
    let wire = window.now.devices.iter().filter(|device| device.physical);
    let device = wire.max_by(|a, b| a.traffic().total_cmp(&b.traffic()))?;
    let name = &device.name;
    let queues = device
        .queues
        .iter()
        .filter(|q| q.direction == "rx")
        .count()
        .max(1) as u64;
    let old = window
        .sysctl_number("net.core.rps_sock_flow_entries")
        .unwrap_or(0);
    let known = device
        .queues
        .iter()
        .filter_map(|q| q.rfs_flows)
        .max()
        .unwrap_or(0);
    let hottest = window.hottest_softirq();
    let set = |entries: u64, each: u64| {
        format!(
            "sysctl -w net.core.rps_sock_flow_entries={entries}; for q in /sys/class/net/{name}/queues/rx-*/rps_flow_cnt; do echo {each} > $q; done"
        )
    };
    STEERING
        .card(Severity::Info, name.clone(), format!("{crossed:.0}% of what is read came in on another CPU than its reader's"))
        .why("The stack runs on one CPU and the reader on another, so that data and wake-ups cross caches. RFS steers each flow to the CPU where its reader ran last.")
        .state("readers on another CPU", Some(crossed), "%")
        .state("on another NUMA node", reads.crossed_node_pct, "%")
        .state("wake-ups", Some(wakes), "/s")
        .state("net.core.rps_sock_flow_entries", Some(old as f64), "")
        .guard("the receiving CPU is not full", figure(hottest, "% softirq"), hottest.is_none_or(|pct| pct < 95.0))
        .guard("RFS is off", format!("{old} entries, {known} flows a queue"), old == 0 || known == 0)
        .check(format!("sysctl net.core.rps_sock_flow_entries; grep . /sys/class/net/{name}/queues/rx-*/rps_flow_cnt"))
        .attempt(set(FLOWS, FLOWS / queues), set(old, known))
        .done()
}

const THREADED: About = About {
    rule: "A35",
    name: "napi-threaded",
    source: "Documentation/networking/napi.rst (Threaded NAPI); ABI/testing/sysfs-class-net",
};

/// An offer, where softirqs are in the way of a program.
pub fn threaded(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let mut reasons = cost::stolen(window, limits);
    reasons.extend(starved(window, limits));
    let reason = reasons.first()?;
    let polled = |device: &&Device| {
        let napi = device.setup.as_ref().and_then(|setup| setup.napi);
        device.physical && napi.is_some_and(|napi| napi.threaded == Some(false))
    };
    let devices = window.now.devices.iter().filter(polled);
    let device = devices.max_by(|a, b| a.traffic().total_cmp(&b.traffic()))?;
    let name = &device.name;
    let wire = device.rx_rate.unwrap_or(0.0);
    THREADED
        .card(Severity::Info, name.clone(), format!("{name} could be polled by threads: {}", reason.title))
        .why("Polls then run in threads napi/DEV-ID that the scheduler can place and weigh, and a program is no longer interrupted for long. Throughput of a core may fall a little, RPS and the backlog stay softirqs, and time_squeeze no longer tells anything.")
        .state("packets received", Some(wire), "/s")
        .guard("the softirqs are this device's", format!("{wire:.0} packets/s"), wire >= limits.get("A35.packets"))
        .check(format!("cat /sys/class/net/{name}/threaded; ps -eo pid,comm,psr | grep napi/"))
        .attempt(format!("echo 1 > /sys/class/net/{name}/threaded"), format!("echo 0 > /sys/class/net/{name}/threaded"))
        .done()
}

const THREAD_FULL: About = About {
    rule: "A36",
    name: "napi-thread-full",
    source: "Documentation/networking/napi.rst (Threaded NAPI)",
};

pub fn thread_full(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let threads = window.now.cpus.iter().flat_map(|cpu| {
        let napi = cpu.processes.iter().filter(|p| p.comm.starts_with("napi/"));
        napi.map(move |thread| (cpu.cpu, thread))
    });
    let full = threads.filter(|(_, thread)| thread.cpu_pct >= limits.get("A36.thread_pct"));
    let found = full.filter_map(|(cpu, thread)| {
        // `napi/eth0-8193`
        let device = thread.comm.strip_prefix("napi/")?.rsplit_once('-')?.0;
        let polls = window.now.devices.iter().find(|d| d.name.starts_with(device));
        let full = polls.and_then(|device| device.full_polls_pct);
        let others = window.cpus().into_iter().filter(|other| other.cpu != cpu);
        let free = others
            .filter(|other| other.idle_pct.is_some_and(|idle| idle >= 50.0))
            .map(|other| other.cpu)
            .next();
        let card = THREAD_FULL
            .card(Severity::Info, thread.comm.clone(), format!("{} uses {:.0}% of cpu{cpu}", thread.comm, thread.cpu_pct))
            .why("That queue's thread is the bottleneck. A CPU of its own helps it, more queues spread its packets.")
            .state("the thread", Some(thread.cpu_pct), "% of a CPU")
            .guard("its polls are full, it does not spin", figure(full, "% full polls"), full.is_none_or(|full| full >= limits.get("A36.full")))
            .check("top -H -b -n1 | grep napi/");
        match free {
            Some(free) => card.attempt(format!("taskset -pc {free} {}", thread.pid), format!("taskset -pc {cpu} {}", thread.pid)),
            None => card,
        }
        .done()
    });
    found.collect()
}

const SPINNING: About = About {
    rule: "A41",
    name: "busy-poll-waste",
    source: "Documentation/admin-guide/sysctl/net.rst (busy_poll); networking/napi.rst",
};

pub fn spinning(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let set = |name: &str| window.sysctl_number(name).unwrap_or(0);
    let (poll, read) = (set("net.core.busy_poll"), set("net.core.busy_read"));
    let found = window.counter("TcpExt.BusyPollRxPackets");
    let received: f64 = window.cpus().iter().map(|cpu| cpu.packets).sum();
    let share = 100.0 * found / received.max(1e-9);
    let (_, net) = window.stage_share(&[])?;
    let polls = window.stage_share(&["napi"])?.0 * net / 100.0;
    if poll + read == 0
        || share >= limits.get("A41.found_pct")
        || polls < limits.get("A41.poll_pct")
    {
        return None;
    }
    SPINNING
        .card(Severity::Info, "", format!("programs spin for packets, and find {share:.1}% of them so"))
        .why("With busy_poll and busy_read every socket polls its queue for a while before it sleeps, at a CPU's cost. Where few packets are found so, only the sockets that need it should (SO_BUSY_POLL).")
        .saw("packets found by spinning", found, "/s")
        .state("polling", Some(polls), "% of a CPU")
        .state("net.core.busy_poll", Some(poll as f64), "µs")
        .state("net.core.busy_read", Some(read as f64), "µs")
        .check("sysctl net.core.busy_poll net.core.busy_read; nstat -az TcpExtBusyPollRxPackets")
        .attempt("sysctl -w net.core.busy_poll=0 net.core.busy_read=0", format!("sysctl -w net.core.busy_poll={poll} net.core.busy_read={read}"))
        .done()
}

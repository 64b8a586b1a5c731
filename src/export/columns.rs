//! The columns of every table, as docs/snapshot.md names them: name, unit, getter; a title where the
//! text page shows the column. A figure that CSV and text both show is declared here and only here.

use std::fmt::Display;

use crate::model::{
    Backing, Cpu, Device, Drop, Function, Health, HostEvent, Latency, LatencyPart, NO_SOCKET, Part,
    Process, Stack, Stage, Summary, Witness, format_time,
};

use super::table::Unit::{
    Bits, Bytes, Count, Hits, HitsPerS, Ms, None as Bare, Ns, PerHit, PerS, Percent, Seconds,
};
use super::table::{Cell, Column};

pub const FUNCTIONS: &[Column<Function>] = &[
    Column::new("name", Bare, |f: &Function| (&f.name).into()).titled("FUNCTION"),
    Column::new("event", Bare, |f| (&f.event).into()),
    Column::new("source", Bare, |f: &Function| {
        f.source.map(Backing::name).into()
    })
    .titled("SOURCE"),
    Column::new("calls", Hits, |f: &Function| f.calls.into()).titled("CALLS"),
    Column::new("rate", HitsPerS, |f: &Function| f.rate.into()).titled("RATE/s"),
    Column::new("total", Hits, |f: &Function| f.total.into()).titled("TOTAL"),
    Column::new("peak_rate", HitsPerS, |f: &Function| f.peak_rate.into()).titled("PEAK/s"),
    Column::new("estimated", Bare, |f| f.estimated.into()),
    Column::new("error", Count, |f: &Function| f.error.into()).titled("±CALLS"),
    Column::new("packets_per_hit", PerHit, |f: &Function| {
        f.packets_per_hit.into()
    })
    .titled("PKT/HIT"),
    Column::new("bytes_per_hit", Bytes, |f: &Function| {
        f.bytes_per_hit.into()
    })
    .titled("B/HIT"),
    Column::new("cpu_pct", Percent, |f: &Function| f.cpu_pct.into()).titled("CPU%"),
    Column::new("cpu_error", Percent, |f: &Function| f.cpu_error.into()).titled("±CPU"),
    Column::new("self_pct", Percent, |f: &Function| f.self_pct.into()).titled("SELF%"),
    Column::new("ns_per_packet", Ns, |f: &Function| f.ns_per_packet.into()).titled("NS/PKT"),
    Column::new("ns_error", Ns, |f: &Function| f.ns_error.into()).titled("±NS"),
    Column::new("ns_per_call", Ns, |f: &Function| f.ns_per_call.into()).titled("NS/HIT"),
    Column::new("samples", Count, |f| f.samples.into()),
    Column::new("reason", Bare, |f| f.reason.as_ref().into()),
];

pub const STAGES: &[Column<Stage>] = &[
    Column::new("stage", Bare, |s: &Stage| s.stage.into()).titled("STAGE"),
    Column::new("direction", Bare, |s: &Stage| s.direction.into()).titled("DIR"),
    Column::new("cpu_pct", Percent, |s: &Stage| s.cpu_pct.into()).titled("CPU%"),
    Column::new("cpu_error", Percent, |s: &Stage| s.cpu_error.into()).titled("±CPU"),
    Column::new("inclusive_pct", Percent, |s: &Stage| s.inclusive_pct.into()).titled("INCL%"),
    Column::new("ns_per_packet", Ns, |s: &Stage| s.ns_per_packet.into()).titled("NS/PKT"),
    Column::new("ns_error", Ns, |s: &Stage| s.ns_error.into()).titled("±NS"),
    // Percent of one CPU, as `cpu_pct`.
    Column::new("leaves", Bare, |s: &Stage| {
        joined(s.leaves.iter().map(|part| (part.name, part.cpu_pct)))
    })
    .titled("OF WHICH CPU%"),
    Column::new("per_cpu", Bare, |s: &Stage| {
        joined(s.per_cpu.iter().map(|part| (part.cpu, part.cpu_pct)))
    }),
];

pub const CONTEXTS: &[Column<Part>] = &[
    Column::new("name", Bare, |p| p.name.into()),
    Column::new("cpu_pct", Percent, |p| p.cpu_pct.into()),
];

/// `lock=12.4 alloc=3.1`; an empty list is none.
fn joined<N: Display>(parts: impl Iterator<Item = (N, f64)>) -> Cell {
    let parts: Vec<String> = parts
        .map(|(name, pct)| format!("{name}={pct:.1}"))
        .collect();
    if parts.is_empty() {
        Cell::Missing
    } else {
        Cell::Text(parts.join(" "))
    }
}

pub const CPUS: &[Column<Cpu>] = &[
    Column::new("cpu", Bare, |c| c.cpu.into()),
    Column::new("node", Bare, |c| c.node.into()),
    Column::new("net_pct", Percent, |c| c.net_pct.into()),
    Column::new("net_rx_pct", Percent, |c| c.net_rx_pct.into()),
    Column::new("net_tx_pct", Percent, |c| c.net_tx_pct.into()),
    Column::new("net_sock_pct", Percent, |c| c.net_sock_pct.into()),
    Column::new("observer_pct", Percent, |c| c.observer_pct.into()),
    Column::new("softirq_pct", Percent, |c| c.softirq_pct.into()),
    Column::new("user_pct", Percent, |c| c.user_pct.into()),
    Column::new("system_pct", Percent, |c| c.system_pct.into()),
    Column::new("irq_pct", Percent, |c| c.irq_pct.into()),
    Column::new("idle_pct", Percent, |c| c.idle_pct.into()),
    Column::new("steal_pct", Percent, |c| c.steal_pct.into()),
    Column::new("rx_packets", Count, |c| c.rx_packets.into()),
    Column::new("rx_rate", PerS, |c| c.rx_rate.into()),
    Column::new("squeezed", Count, |c| c.squeezed.into()),
    Column::new("backlog_dropped", Count, |c| c.backlog_dropped.into()),
    Column::new("backlog", Count, |c| c.backlog.into()),
    Column::new("received_rps", Count, |c| c.received_rps.into()),
    Column::new("net_rx_runs", Count, |c| c.net_rx_runs.into()),
    Column::new("net_rx_rate", PerS, |c| c.net_rx_rate.into()),
    Column::new("napi_polls", Count, |c| c.napi_polls.into()),
    Column::new("work_per_poll", Count, |c| c.work_per_poll.into()),
    Column::new("packets_per_run", Count, |c| c.packets_per_run.into()),
    Column::new("cost_pct", Percent, |c| c.cost_pct.into()),
];

pub const PROCESSES: &[Column<Process>] = &[
    Column::new("pid", Bare, |p| {
        (p.pid != NO_SOCKET).then_some(p.pid).into()
    }),
    Column::new("comm", Bare, |p| (&p.comm).into()),
    Column::new("container", Bare, |p| p.container.as_ref().into()),
    Column::new("tx_calls", Count, |p| p.tx_calls.into()),
    Column::new("tx_bytes", Bytes, |p| p.tx_bytes.into()),
    Column::new("rx_calls", Count, |p| p.rx_calls.into()),
    Column::new("rx_bytes", Bytes, |p| p.rx_bytes.into()),
    Column::new("tx_packets", Count, |p| p.tx_packets.into()),
    Column::new("rx_packets", Count, |p| p.rx_packets.into()),
    Column::new("cpu_own_pct", Percent, |p| p.cpu_own_pct.into()),
    Column::new("cpu_softirq_owned_pct", Percent, |p| {
        p.cpu_softirq_owned_pct.into()
    }),
    Column::new("cpu_stolen_pct", Percent, |p| p.cpu_stolen_pct.into()),
    Column::new("runq_delay_ms", Ms, |p| p.runq_delay_ms.into()),
    Column::new("throttled_pct", Percent, |p| p.throttled_pct.into()),
    Column::new("oldest_rx_ms", Ms, |p| p.oldest_rx_ms.into()),
    Column::new("drops", Count, |p| p.drops.into()),
    Column::new("retransmits", Count, |p| p.retransmits.into()),
    Column::new("limit", Bare, |p| p.limit.as_ref().into()),
    Column::new("context_rate", PerS, |p| p.context_rate.into()),
    Column::new("estimated", Bare, |p| p.estimated.into()),
    Column::new("calls_exact", Bare, |p| p.calls_exact.into()),
    Column::new("bytes_exact", Bare, |p| p.bytes_exact.into()),
    Column::new("packets_estimated", Bare, |p| p.packets_estimated.into()),
    Column::new("ended", Bare, |p| p.ended.into()),
    Column::new("start_ticks", Bare, |p| p.start_ticks.into()),
];

pub const STACKS: &[Column<Stack>] = &[
    Column::new("function", Bare, |s| (&s.function).into()),
    Column::new("pid", Bare, |s| s.pid.into()),
    Column::new("comm", Bare, |s| (&s.comm).into()),
    Column::new("weight", Count, |s| s.weight.into()),
    Column::new("unit", Bare, |s| s.unit.into()),
    Column::new("samples", Count, |s| s.samples.into()),
    Column::new("stage", Bare, |s| s.stage.into()),
    Column::new("direction", Bare, |s| s.direction.into()),
    Column::new("context", Bare, |s| s.context.into()),
    Column::new("cut", Count, |s| (s.cut as u64).into()),
    // Leaf first, as in JSON.
    Column::new("frames", Bare, |s| Cell::Text(s.frames.join(";"))),
];

pub const DROPS: &[Column<Drop>] = &[
    Column::new("where", Bare, |d| (&d.place).into()),
    Column::new("reason", Bare, |d| d.reason.as_ref().into()),
    Column::new("class", Bare, |d| d.class.name().into()),
    Column::new("layer", Bare, |d| d.layer.name().into()),
    Column::new("unit", Bare, |d| d.unit.into()),
    Column::new("location", Bare, |d| d.location.as_ref().into()),
    Column::new("device", Bare, |d| d.device.as_ref().into()),
    Column::new("pid", Bare, |d| d.pid.into()),
    Column::new("comm", Bare, |d| d.comm.as_ref().into()),
    Column::new("count", Count, |d| d.count.into()),
    Column::new("rate", PerS, |d| d.rate.into()),
    Column::new("total", Count, |d| d.total.into()),
    Column::new("estimated", Bare, |d| d.estimated.into()),
    Column::new("counted_s", Seconds, |d| d.counted_s.into()),
    // `Udp.RcvbufErrors=1994 kfree_skb SOCKET_RCVBUFF=1994`
    Column::new("witnesses", Bare, |d| {
        let said = |w: &Witness| format!("{}={}", w.name, w.count);
        let all: Vec<String> = d.witnesses.iter().map(said).collect();
        Cell::Text(all.join("; "))
    }),
];

pub const LATENCY: &[Column<Latency>] = &[
    Column::new("pair", Bare, |l: &Latency| l.pair.into()).titled("WAIT"),
    Column::new("from", Bare, |l: &Latency| l.from.into()),
    Column::new("to", Bare, |l: &Latency| l.to.into()),
    Column::new("direction", Bare, |l: &Latency| l.direction.into()),
    Column::new("device", Bare, |l: &Latency| l.device.as_ref().into()).titled("DEVICE"),
    Column::new("count", Count, |l: &Latency| l.times.count.into()).titled("COUNT"),
    Column::new("p50_ns", Ns, |l: &Latency| l.times.p50_ns.into()).titled("P50 ns"),
    Column::new("p99_ns", Ns, |l: &Latency| l.times.p99_ns.into()).titled("P99 ns"),
    Column::new("p999_ns", Ns, |l: &Latency| l.times.p999_ns.into()).titled("P99.9 ns"),
    Column::new("max_ns", Ns, |l: &Latency| l.times.max_ns.into()).titled("MAX ns"),
    Column::new("sum_ns", Ns, |l: &Latency| l.sum_ns.into()),
    Column::new("matched_pct", Percent, |l: &Latency| l.matched_pct.into()).titled("MATCHED%"),
    Column::new("censored", Count, |l: &Latency| l.censored.into()),
    Column::new("merged", Count, |l: &Latency| l.merged.into()),
    Column::new("one_in", Count, |l: &Latency| l.one_in.into()),
    Column::new("crossed_cpu_pct", Percent, |l: &Latency| {
        l.crossed_cpu_pct.into()
    }),
    Column::new("crossed_node_pct", Percent, |l: &Latency| {
        l.crossed_node_pct.into()
    }),
    Column::new("reason", Bare, |l: &Latency| l.reason.as_ref().into()).titled("REASON"),
    // `eth0=1200/656/1312`: count, p50 and p99 in ns.
    Column::new("by", Bare, |l| {
        let ns = |ns: Option<u64>| ns.map_or(String::new(), |ns| ns.to_string());
        let said = |p: &LatencyPart| {
            let (count, p50) = (p.times.count, ns(p.times.p50_ns));
            format!("{}={count}/{p50}/{}", p.name, ns(p.times.p99_ns))
        };
        let all: Vec<String> = l.by.iter().map(said).collect();
        Cell::Text(all.join("; "))
    }),
];

pub const DEVICES: &[Column<Device>] = &[
    Column::new("name", Bare, |d| (&d.name).into()),
    Column::new("netns", Bare, |d| d.netns.as_ref().into()),
    Column::new("driver", Bare, |d| d.driver.as_ref().into()),
    Column::new("kind", Bare, |d| d.kind.as_ref().into()),
    Column::new("ifindex", Bare, |d| d.ifindex.into()),
    Column::new("physical", Bare, |d| d.physical.into()),
    Column::new("fresh", Bare, |d| d.fresh.into()),
    Column::new("age_s", Seconds, |d| d.age_s.into()),
    Column::new("span_s", Seconds, |d| d.span_s.into()),
    Column::new("rx_packets", Count, |d| d.rx_packets.into()),
    Column::new("rx_bytes", Bytes, |d| d.rx_bytes.into()),
    Column::new("tx_packets", Count, |d| d.tx_packets.into()),
    Column::new("tx_bytes", Bytes, |d| d.tx_bytes.into()),
    Column::new("rx_rate", PerS, |d| d.rx_rate.into()),
    Column::new("tx_rate", PerS, |d| d.tx_rate.into()),
    Column::new("rx_bps", Bits, |d| d.rx_bps.into()),
    Column::new("tx_bps", Bits, |d| d.tx_bps.into()),
    Column::new("rx_length", Bytes, |d| d.rx_length.into()),
    Column::new("tx_length", Bytes, |d| d.tx_length.into()),
    Column::new("gro_ratio", Count, |d| d.gro_ratio.into()),
    Column::new("gso_factor", Count, |d| d.gso_factor.into()),
    Column::new("interrupts", Count, |d| d.interrupts.into()),
    Column::new("packets_per_interrupt", Count, |d| {
        d.packets_per_interrupt.into()
    }),
    Column::new("polls", Count, |d| d.polls.into()),
    Column::new("packets_per_poll", Count, |d| d.packets_per_poll.into()),
    Column::new("full_polls_pct", Percent, |d| d.full_polls_pct.into()),
    Column::new("dropped", Count, |d| d.dropped.into()),
    Column::new("rx_dropped", Count, |d| d.rx_dropped.into()),
    Column::new("tx_dropped", Count, |d| d.tx_dropped.into()),
    Column::new("ring_drops", Count, |d| d.ring_drops.into()),
    Column::new("qdisc", Bare, |d| d.qdisc.as_ref().into()),
    Column::new("qdisc_drops", Count, |d| d.qdisc_drops.into()),
    Column::new("qdisc_backlog", Count, |d| d.qdisc_backlog.into()),
    Column::new("unexplained_drops", Count, |d| d.unexplained_drops.into()),
    Column::new("numa_node", Bare, |d| d.numa_node.into()),
];

pub const SUMMARY: &[Column<Summary>] = &[
    Column::new("loss_rate", PerS, |s| s.loss_rate.into()),
    Column::new("loss_where", Bare, |s| s.loss_where.as_ref().into()),
    Column::new("loss_since", Bare, |s| {
        s.loss_since
            .map_or(Cell::Missing, |at| Cell::Text(format_time(at)))
    }),
    Column::new("loss_total", Count, |s| s.loss_total.into()),
    Column::new("hot_cpu", Bare, |s| s.hot_cpu.into()),
    Column::new("hot_softirq_pct", Percent, |s| s.hot_softirq_pct.into()),
    Column::new("hot_cause", Bare, |s| s.hot_cause.as_ref().into()),
    Column::new("next_cpu", Bare, |s| s.next_cpu.into()),
    Column::new("next_softirq_pct", Percent, |s| s.next_softirq_pct.into()),
    Column::new("net_cores", Count, |s| s.net_cores.into()),
    Column::new("net_cores_error", Count, |s| s.net_cores_error.into()),
    Column::new("net_rx_pct", Percent, |s| s.net_rx_pct.into()),
    Column::new("net_tx_pct", Percent, |s| s.net_tx_pct.into()),
    Column::new("net_sock_pct", Percent, |s| s.net_sock_pct.into()),
    Column::new("net_other_pct", Percent, |s| s.net_other_pct.into()),
    Column::new("observer_pct", Percent, |s| s.observer_pct.into()),
    Column::new("ns_per_packet", Ns, |s| s.ns_per_packet.into()),
    Column::new("ns_error", Ns, |s| s.ns_error.into()),
    Column::new("wire_pps", PerS, |s| s.wire_pps.into()),
    Column::new("cpu_window_s", Seconds, |s| s.cpu_window_s.into()),
    Column::new("rx_pps", PerS, |s| s.rx_pps.into()),
    Column::new("tx_pps", PerS, |s| s.tx_pps.into()),
    Column::new("rx_bps", Bits, |s| s.rx_bps.into()),
    Column::new("tx_bps", Bits, |s| s.tx_bps.into()),
    Column::new("local_pps", PerS, |s| s.local_pps.into()),
    Column::new("local_bps", Bits, |s| s.local_bps.into()),
    Column::new("devices_s", Seconds, |s| s.devices_s.into()),
];

pub const EVENTS: &[Column<HostEvent>] = &[
    Column::new("time", Bare, |e| Cell::Text(format_time(e.time))),
    Column::new("kind", Bare, |e| e.kind.into()),
    Column::new("device", Bare, |e| e.device.as_ref().into()),
    Column::new("text", Bare, |e| (&e.text).into()),
];

pub const HEALTH: &[Column<Health>] = &[
    Column::new("lost", Count, |h| h.lost.into()),
    Column::new("throttled", Count, |h| h.throttled.into()),
    Column::new("channel_dropped", Count, |h| h.channel_dropped.into()),
    Column::new("undecodable", Count, |h| h.undecodable.into()),
    Column::new("samples", Count, |h| h.samples.into()),
    Column::new("cpu_samples", Count, |h| h.cpu_samples.into()),
    Column::new("own_cpu_pct", Percent, |h| h.own_cpu_pct.into()),
    Column::new("own_anon_bytes", Bytes, |h| h.own_anon_bytes.into()),
    Column::new("cost_pct", Percent, |h| h.cost_pct.into()),
    Column::new("cost_bound_pct", Percent, |h| h.cost_bound_pct.into()),
    Column::new("cost_modelled_pct", Percent, |h| h.cost_modelled_pct.into()),
    Column::new("cost_windows", Count, |h| (h.cost_windows as u64).into()),
    Column::new("cost_cpu", Bare, |h| h.cost_cpu.into()),
    Column::new("cost_all_pct", Percent, |h| h.cost_all_pct.into()),
    Column::new("budget_pct", Percent, |h| h.budget_pct.into()),
    Column::new("perf_hit_ns", Ns, |h| h.perf_hit_ns.into()),
    Column::new("bpf_hit_ns", Ns, |h| h.bpf_hit_ns.into()),
    Column::new("sample_ns", Ns, |h| h.sample_ns.into()),
    Column::new("costs_measured", Bare, |h| h.costs_measured.into()),
    Column::new("governor", Bare, |h| (&h.governor).into()),
    Column::new("counting", Bare, |h| h.counting.into()),
    Column::new("detached", Bare, |h| h.detached.into()),
    Column::new("banner", Bare, |h| h.banner.as_ref().into()),
    Column::new("notes", Bare, |h| Cell::Text(h.notes.join(" · "))),
];

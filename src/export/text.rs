//! Text for people, like `top -b`: the screen's four lines, the functions, the stages and what the
//! CPUs did, then what to know about
//! the numbers. No escape codes, the same at every width. ≈ marks an estimate, – what could not be
//! had; columns that nothing here could fill are left out.

use std::fmt::Write;

use crate::model::{Snapshot, format_time};

use super::clean::clean;
use super::text_table::{self, MISSING};

pub fn page(snapshot: &Snapshot) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(clean(&text).trim_end());
        page.push('\n');
    };
    if let Some(banner) = &snapshot.health.banner {
        let samples = snapshot.health.cpu_samples.filter(|samples| *samples > 0);
        match samples {
            Some(samples) => line(format!("{samples} CPU samples; {banner}")),
            None => line(banner.clone()),
        }
    }
    line(state(snapshot));
    line(loss(snapshot));
    line(hot(snapshot));
    line(net(snapshot));
    if let Some(filter) = filter(snapshot) {
        line(filter);
    }
    for event in &snapshot.events {
        let at = format_time(event.time);
        line(format!("EVENT {at} {}: {}", event.kind, event.text));
    }
    line(String::new());
    text_table::functions(&snapshot.functions)
        .into_iter()
        .for_each(&mut line);
    if !snapshot.stages.is_empty() {
        line(String::new());
        text_table::stages(&snapshot.stages)
            .into_iter()
            .for_each(&mut line);
    }
    if !snapshot.latency.is_empty() {
        line(String::new());
        text_table::latency(&snapshot.latency)
            .into_iter()
            .for_each(&mut line);
    }
    if let Some(network) = network(snapshot) {
        line(String::new());
        line(network);
    }
    if let Some(contexts) = contexts(snapshot) {
        line(contexts);
    }
    if let Some(governor) = governor(snapshot) {
        line(governor);
    }
    for note in &snapshot.health.notes {
        line(format!("note: {note}"));
    }
    line(String::new());
    page
}

fn state(s: &Snapshot) -> String {
    let health = &s.health;
    let mut text = format!(
        "{} {} {}cpu {} {:.2}s {}",
        s.host.hostname,
        s.host.kernel,
        s.host.cpus_online,
        s.host.source.to_uppercase(),
        s.interval_s,
        health.counting,
    );
    if let Some(clock) = s.host.clock {
        let _ = write!(text, "+{clock}");
    }
    let busiest = health
        .cost_cpu
        .map_or(String::new(), |cpu| format!("cpu{cpu} "));
    let _ = write!(
        text,
        "  cost {busiest}{} all {}  lost {}",
        or_missing(health.cost_pct, percent),
        or_missing(health.cost_all_pct, percent),
        health.samples_lost(),
    );
    if health.throttled > 0 {
        let _ = write!(text, "  throttled {}", health.throttled);
    }
    if health.detached {
        text.push_str("  DETACHED");
    }
    let _ = write!(text, "  {}", format_time(s.at));
    text
}

fn loss(s: &Snapshot) -> String {
    let summary = &s.summary;
    let Some(rate) = summary.loss_rate else {
        return format!("LOSS {MISSING}");
    };
    let mut text = format!("LOSS {}/s", scaled(rate));
    if let Some(place) = &summary.loss_where {
        let _ = write!(text, " {place}");
    }
    if let Some(since) = summary.loss_since {
        let _ = write!(text, "  since {}", format_time(since));
    }
    if let Some(total) = summary.loss_total {
        let _ = write!(text, "  total {total}");
    }
    if let Some(rate) = s.policy_rate() {
        let _ = write!(text, " · by rules {}/s", scaled(rate));
    }
    text
}

fn hot(s: &Snapshot) -> String {
    let summary = &s.summary;
    let (Some(cpu), Some(share)) = (summary.hot_cpu, summary.hot_softirq_pct) else {
        return format!("HOT  {MISSING}");
    };
    let mut text = format!("HOT  cpu{cpu} {} softirq", percent(share));
    if let Some(cause) = &summary.hot_cause {
        let _ = write!(text, ", {cause}");
    }
    if let (Some(cpu), Some(share)) = (summary.next_cpu, summary.next_softirq_pct) {
        let _ = write!(text, " · next cpu{cpu} {}", percent(share));
    }
    text
}

fn net(s: &Snapshot) -> String {
    let summary = &s.summary;
    let way = |name: &str, bits: Option<f64>, packets: Option<f64>| {
        format!(
            "{name} {}b/s {}pps",
            or_missing(bits, scaled),
            or_missing(packets, scaled)
        )
    };
    let mut text = format!(
        "NET  {} · {} · {}",
        way("rx", summary.rx_bps, summary.rx_pps),
        way("tx", summary.tx_bps, summary.tx_pps),
        way("local", summary.local_bps, summary.local_pps),
    );
    if let Some(seconds) = s.late_devices_s() {
        let _ = write!(text, " over {seconds:.1} s");
    }
    if let Some(cores) = summary.net_cores {
        let _ = write!(text, " · {cores:.2}/{} cores", s.host.cpus_online);
    } else if s.host.clock.is_some() {
        let _ = write!(text, " · {MISSING}/{} cores", s.host.cpus_online);
    }
    if let Some(ns) = summary.ns_per_packet.filter(|ns| *ns > 0.0) {
        let _ = write!(text, " · {}/pkt", nanoseconds(ns));
        if let Some(error) = summary.ns_error {
            let _ = write!(text, " ±{}", percent(error * 100.0 / ns));
        }
    }
    text
}

/// Whose work the network's CPU time was and what it rests on, with every error; None: CPU time
/// was not measured.
fn network(s: &Snapshot) -> Option<String> {
    let summary = &s.summary;
    let cores = summary.net_cores.filter(|cores| cores.is_finite())?;
    let error = plus_minus(summary.net_cores_error, |error| format!("{error:.2}"));
    let mut text = format!("network {cores:.2}{error} of {} CPUs", s.host.cpus_online);
    let ways = [
        ("rx", summary.net_rx_pct),
        ("tx", summary.net_tx_pct),
        ("sock", summary.net_sock_pct),
        ("other", summary.net_other_pct),
    ];
    let mut sep = ": ";
    for (name, pct) in ways {
        if let Some(pct) = pct {
            let _ = write!(text, "{sep}{name} {}", percent(pct));
            sep = " ";
        }
    }
    if let Some(ns) = summary.ns_per_packet.filter(|ns| ns.is_finite()) {
        let error = plus_minus(summary.ns_error, nanoseconds);
        let _ = write!(text, " · {}{error} per packet", nanoseconds(ns));
    }
    if let Some(pps) = summary.wire_pps {
        let _ = write!(text, " at {}pps", scaled(pps));
    }
    if let Some(pct) = summary.observer_pct {
        let _ = write!(text, " · observers {}", percent(pct));
    }
    if let Some(window) = summary.cpu_window_s {
        let _ = write!(text, " · last {window:.0} s");
    }
    Some(text)
}

/// Percent of one CPU, as everything else.
fn contexts(s: &Snapshot) -> Option<String> {
    let all: f64 = s.contexts.iter().map(|part| part.cpu_pct).sum();
    if !all.is_finite() || all <= 0.0 {
        return None;
    }
    let parts: Vec<String> = s
        .contexts
        .iter()
        .map(|part| format!("{} {}", part.name, percent(part.cpu_pct)))
        .collect();
    Some(format!("contexts {}", parts.join(" · ")))
}

/// What is given up to stay within the budget, and what that reckons with.
fn governor(s: &Snapshot) -> Option<String> {
    let health = &s.health;
    if health.governor.is_empty() {
        return None;
    }
    let mut text = format!("governor {}", health.governor);
    let ways = [("bpf", health.bpf_hit_ns), ("perf", health.perf_hit_ns)];
    let known: Vec<String> = (ways.iter())
        .filter_map(|(name, ns)| ns.map(|ns| format!("{ns} ns a hit by {name}")))
        .collect();
    if !known.is_empty() {
        let whence = if health.costs_measured {
            "measured here"
        } else {
            "assumed"
        };
        let _ = write!(text, " · {} ({whence})", known.join(", "));
    }
    Some(text)
}

fn plus_minus(error: Option<f64>, shown: fn(f64) -> String) -> String {
    error
        .filter(|error| error.is_finite())
        .map_or_else(String::new, |error| format!(" ±{}", shown(error)))
}

fn filter(s: &Snapshot) -> Option<String> {
    let filter = &s.filter;
    let mut parts = Vec::new();
    for pid in &filter.pids {
        let ended = if filter.ended.contains(pid) {
            " (ended)"
        } else {
            ""
        };
        parts.push(format!("pid {pid}{ended}"));
    }
    if let (Some(by), false) = (filter.by, filter.pids.is_empty()) {
        parts.push(format!("by {by}"));
    }
    if let Some(device) = &filter.device {
        parts.push(format!("device {device}"));
    }
    if let Some(cpus) = &filter.cpu {
        parts.push(format!("cpu {cpus}"));
    }
    if let Some(module) = &filter.module {
        parts.push(format!(
            "module {module} (LOSS, HOT, NET and counts: all modules)"
        ));
    }
    (!parts.is_empty()).then(|| format!("ONLY {}", parts.join(", ")))
}

fn or_missing(value: Option<f64>, shown: fn(f64) -> String) -> String {
    value
        .filter(|v| v.is_finite())
        .map_or_else(|| MISSING.to_owned(), shown)
}

fn percent(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}%")
    } else {
        format!("{value:.1}%")
    }
}

/// `612 ns`, `12.3 µs`.
fn nanoseconds(ns: f64) -> String {
    if ns < 10_000.0 {
        format!("{ns:.0} ns")
    } else {
        format!("{:.1} µs", ns / 1000.0)
    }
}

/// Three digits and a decimal prefix: 1.84k, 71.4G.
fn scaled(value: f64) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let mut value = value;
    let mut prefix = 0;
    // 999.5 would be shown as 1000.
    while value >= 999.5 && prefix + 1 < prefixes.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let digits = match value {
        v if prefix == 0 && (v.fract() == 0.0 || v >= 99.95) => 0,
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}{}", prefixes[prefix])
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

//! Text for people, like `top -b`: the screen's four lines, the functions, then what to know about
//! the numbers. No escape codes, the same at every width. ≈ marks an estimate, – what could not be
//! had; columns that nothing here could fill are left out.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::model::{Function, Snapshot, format_time};

use super::clean::clean;
use super::columns::FUNCTIONS;
use super::table::{Cell, Column, Unit};

const MISSING: &str = "–";

pub fn page(snapshot: &Snapshot) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(clean(&text).trim_end());
        page.push('\n');
    };
    if let Some(banner) = &snapshot.health.banner {
        line(banner.clone());
    }
    line(state(snapshot));
    line(loss(snapshot));
    line(hot(snapshot));
    line(net(snapshot));
    if let Some(filter) = filter(snapshot) {
        line(filter);
    }
    line(String::new());
    functions(&snapshot.functions)
        .into_iter()
        .for_each(&mut line);
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
        health.lost + health.throttled + health.channel_dropped + health.undecodable,
    );
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
    if let Some(cores) = summary.net_cores {
        let _ = write!(text, " · {cores:.2}/{} cores", s.host.cpus_online);
    }
    if let Some(ns) = summary.ns_per_packet {
        let _ = write!(text, " · {ns:.0} ns/pkt");
        if let Some(error) = summary.ns_error {
            let _ = write!(text, " ±{error:.0}");
        }
    }
    text
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
    (!parts.is_empty()).then(|| format!("ONLY {}", parts.join(", ")))
}

/// The function table with its title line, aligned: text left, numbers right.
fn functions(rows: &[Function]) -> Vec<String> {
    let columns = FUNCTIONS.iter().filter_map(|column| {
        let title = column.title?;
        let fields: Vec<String> = rows.iter().map(|row| field(column, row)).collect();
        // The name and the exact counts stand in any case: their – is news.
        let stands = matches!(column.unit, Unit::None | Unit::Hits | Unit::HitsPerS)
            || fields.iter().any(|field| field != MISSING);
        stands.then_some((title, column.unit, fields))
    });
    let mut lines = vec![String::new(); rows.len() + 1];
    for (title, unit, fields) in columns {
        let cells = || std::iter::once(title).chain(fields.iter().map(String::as_str));
        let width = cells().map(UnicodeWidthStr::width).max().unwrap_or(0);
        for (line, cell) in lines.iter_mut().zip(cells()) {
            let space = " ".repeat(width - cell.width());
            if !line.is_empty() {
                line.push_str("  ");
            }
            if unit == Unit::None {
                line.push_str(cell);
                line.push_str(&space);
            } else {
                line.push_str(&space);
                line.push_str(cell);
            }
        }
    }
    lines
}

fn field(column: &Column<Function>, row: &Function) -> String {
    let text = match (column.get)(row) {
        Cell::Missing => return MISSING.to_owned(),
        Cell::Text(text) => clean(&text).into_owned(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Count(count) => count.to_string(),
        // Enough digits to compare with other tools.
        Cell::Number(number) if number.abs() >= 100.0 => format!("{number:.0}"),
        Cell::Number(number) => format!("{number:.1}"),
    };
    let estimate = match column.unit {
        Unit::Hits | Unit::HitsPerS => row.estimated,
        // From samples, and they did not see every hit.
        Unit::Bytes => row.calls != Some(row.samples),
        _ => false,
    };
    if estimate { format!("≈{text}") } else { text }
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

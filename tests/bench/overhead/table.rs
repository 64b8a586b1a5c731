//! The figures of one load as a table in GitHub's markdown.

use std::fmt::Write;

use crate::load::{Figures, Kind, Latency};
use crate::watcher::Watcher;

/// A watcher's window and the two windows of nothing beside it.
pub struct Pair {
    pub before: Figures,
    pub with: Figures,
    pub after: Figures,
}

pub struct Row {
    pub watcher: Watcher,
    pub pairs: Vec<Pair>,
    /// Why it was not measured.
    pub failed: Option<String>,
}

impl Row {
    pub fn new(watcher: Watcher) -> Row {
        Row {
            watcher,
            pairs: Vec::new(),
            failed: None,
        }
    }

    fn windows(&self) -> Vec<Figures> {
        self.pairs.iter().map(|pair| pair.with).collect()
    }
}

impl Pair {
    /// The figure with nothing, and with the watcher.
    fn of(&self, figure: impl Fn(&Figures) -> f64) -> (f64, f64) {
        let nothing = f64::midpoint(figure(&self.before), figure(&self.after));
        (nothing, figure(&self.with))
    }
}

pub fn markdown(kind: &Kind, nothing: &[Figures], rows: &[Row]) -> String {
    let head: &[&str] = if kind.asks {
        &[
            "p99 ×",
            "from–to",
            "p50 ×",
            "p50 µs",
            "p99 µs",
            "answers/s",
            "mean ns",
            "tasks ns",
            "its own",
        ]
    } else {
        &[
            "kept",
            "from–to",
            "kept, tasks only",
            "from–to",
            "added ns",
            "mean ns",
            "median ns",
            "min ns",
            "its own",
            "packets/s",
        ]
    };
    let cells = if kind.asks { latency } else { cost };
    let mut text = format!("**{}** ({} rounds)\n\n", kind.title, rounds(rows));
    let mut line = |name: &str, cells: &[String]| {
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("memory");
    };
    line(
        "",
        &head.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    line("---", &vec!["---:".to_owned(); head.len()]);
    line("nothing", &cells(nothing, &[]));
    for (index, row) in rows.iter().enumerate() {
        if row.failed.is_some() {
            let mut cells = vec!["–".to_owned(); head.len()];
            cells[0] = format!("– [{}]", index + 1);
            line(&row.watcher.name, &cells);
        } else {
            line(&row.watcher.name, &cells(&row.windows(), &row.pairs));
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if let Some(why) = &row.failed {
            writeln!(text, "\n[{}] {} {why}", index + 1, row.watcher.name).expect("memory");
        }
    }
    // Above a few percent the machine was not quiet, and whole-host figures say little.
    let others = nothing.iter().map(|w| (w.ns - w.tasks_ns) * w.rate / 1e7);
    let others = mean(&others.collect::<Vec<_>>());
    writeln!(
        text,
        "\nWith nothing, all else on the host took {others:.0} % of a CPU."
    )
    .expect("memory");
    text
}

fn rounds(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.pairs.len()).max().unwrap_or(0)
}

/// Cells of a load that is as fast as it can be.
fn cost(windows: &[Figures], pairs: &[Pair]) -> Vec<String> {
    let ns: Vec<f64> = windows.iter().map(|w| w.ns).collect();
    let own: Vec<f64> = windows.iter().map(|w| w.own_ns).collect();
    let rate: Vec<f64> = windows.iter().map(|w| w.rate).collect();
    let tasks = pairs.iter().map(|pair| pair.of(|f| f.tasks_ns));
    let tasks: Vec<f64> = tasks.map(|(nothing, with)| nothing / with).collect();
    let pairs: Vec<(f64, f64)> = pairs.iter().map(|pair| pair.of(|f| f.ns)).collect();
    let kept: Vec<f64> = pairs.iter().map(|(nothing, with)| nothing / with).collect();
    let added: Vec<f64> = pairs.iter().map(|(nothing, with)| with - nothing).collect();
    vec![
        ratio(&kept),
        interval(&kept),
        ratio(&tasks),
        interval(&tasks),
        if added.is_empty() {
            String::new()
        } else {
            format!("{:+.0}", median(&added))
        },
        format!("{:.0}", mean(&ns)),
        format!("{:.0}", median(&ns)),
        format!("{:.0}", ns.iter().copied().fold(f64::INFINITY, f64::min)),
        format!("{:.0}", mean(&own)),
        thousands(median(&rate)),
    ]
}

/// Cells of a load of a fixed rate.
fn latency(windows: &[Figures], pairs: &[Pair]) -> Vec<String> {
    let of =
        |part: fn(&Latency) -> f64| move |f: &Figures| f.latency.as_ref().map_or(f64::NAN, part);
    let all = |part| windows.iter().map(of(part)).collect::<Vec<f64>>();
    let times = |part| {
        let pairs = pairs.iter().map(|pair| pair.of(of(part)));
        pairs
            .map(|(nothing, with)| with / nothing)
            .collect::<Vec<f64>>()
    };
    let ns = |part: fn(&Figures) -> f64| {
        let of_all: Vec<f64> = windows.iter().map(part).collect();
        format!("{:.0}", mean(&of_all))
    };
    let p99 = times(|l| l.p99_us);
    vec![
        ratio(&p99),
        interval(&p99),
        ratio(&times(|l| l.p50_us)),
        format!("{:.0}", median(&all(|l| l.p50_us))),
        format!("{:.0}", median(&all(|l| l.p99_us))),
        format!("{:.0}", median(&all(|l| l.rate))),
        ns(|w| w.ns),
        ns(|w| w.tasks_ns),
        ns(|w| w.own_ns),
    ]
}

/// The median of ratios; nothing is what the others are compared with.
fn ratio(ratios: &[f64]) -> String {
    if ratios.is_empty() {
        return "1".to_owned();
    }
    format!("{:.3}", median(ratios))
}

/// The 95 % interval of the median by order statistics; of fewer than nine rounds the least and
/// the greatest.
fn interval(values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rounds = sorted.len() as f64;
    // Ranks left out at either end: of a binomial of one half, by its normal approximation.
    let out = ((rounds - 1.0) / 2.0 - 0.98 * rounds.sqrt()).max(0.0) as usize;
    format!("{:.2}–{:.2}", sorted[out], sorted[sorted.len() - 1 - out])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn thousands(n: f64) -> String {
    format!("{:.0} k", n / 1e3)
}

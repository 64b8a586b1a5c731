//! The figures of one shape as a table in GitHub's markdown.

use std::fmt::Write;

use crate::load::Figures;
use crate::pair::{Pair, Row};
use crate::shape::Shape;
use crate::statistics::{interval, mean, median};
use crate::watcher::NOTHING;

pub const LEGEND: &str = "kept: CPU time per wire packet with nothing, divided by that with the \
watcher, where time is counted in what the same work took in the same quarter second (median of the \
rounds, each against the windows of nothing before and after it); raw: the same by the clock, with \
what the machine's speed did in between; tasks: kept of the load's and the watcher's threads \
alone, which other programs disturb less; costs: what the watcher took, % of the CPU time there is \
(CPU 0's, or all CPUs' where the shape fills all); said: what netop said meanwhile, of the busiest \
CPU or of all CPUs' time accordingly; too much: said less costs; it measured, at most: what netop said \
that it measured of that, and the most it can be; from–to: 95 % interval of the median before it, \
or all rounds when they are fewer than nine; even ns: per wire packet, as if the machine had had \
its usual speed throughout; ns: by the clock, mean; p99: of how late a datagram arrived, from when \
it was due, µs, and ×: divided by that with nothing; own: CPU time of the watcher's threads, % of a \
CPU; –: not measured.";

const HEAD: [&str; 21] = [
    "when",
    "kept",
    "from–to",
    "raw",
    "tasks",
    "from–to",
    "costs",
    "from–to",
    "said",
    "from–to",
    "too much",
    "from–to",
    "it measured",
    "at most",
    "even ns",
    "from–to",
    "ns",
    "p99",
    "p99 ×",
    "own",
    "packets/s",
];

const NONE: &str = "–";

pub fn markdown(shape: &Shape, nothing: &[Figures], rows: &[Row]) -> String {
    let mut text = format!(
        "**{}** (time of {}, {} rounds)\n\n",
        shape.title,
        shape.scope.title(),
        rounds(rows)
    );
    text.push_str(&table("nothing", nothing, rows));
    for (index, row) in rows.iter().enumerate() {
        if let Some(why) = &row.failed {
            writeln!(text, "\n[{}] {} {why}", index + 1, row.watcher.name).expect("memory");
        }
    }
    text.push('\n');
    text.push_str(&resolution(nothing, rows));
    text
}

/// One process, detached and attached in turn.
pub fn toggled(detached: &[Figures], row: &Row) -> String {
    let rows = std::slice::from_ref(row);
    format!(
        "**one netop, its events detached and attached in turn, on one_cpu** ({} rounds)\n\n{}\n{}",
        rounds(rows),
        table("detached", detached, rows),
        resolution(detached, rows)
    )
}

/// Without the columns that nobody has a figure in.
fn table(nothing_called: &str, nothing: &[Figures], rows: &[Row]) -> String {
    let usual = usual_batch(nothing);
    let mut lines = vec![(nothing_called, cells("", nothing, &[], usual))];
    for (index, row) in rows.iter().enumerate() {
        if row.failed.is_some() {
            let mut cells = HEAD.map(|_| NONE.to_owned());
            cells[0] = format!("{NONE} [{}]", index + 1);
            lines.push((&row.watcher.name, cells.to_vec()));
            continue;
        }
        for (state, pairs) in &row.states {
            let windows: Vec<Figures> = pairs.iter().map(|pair| pair.with).collect();
            let cells = cells(state.title(), &windows, pairs, usual);
            lines.push((&row.watcher.name, cells));
        }
    }
    let used = HEAD.iter().enumerate().map(|(column, _)| {
        let mut cells = lines.iter().map(|(_, cells)| &cells[column]);
        cells.any(|cell| cell != NONE)
    });
    let used: Vec<bool> = used.collect();
    let head = HEAD.map(str::to_owned).to_vec();
    let rule = HEAD.map(|_| "---:".to_owned()).to_vec();
    let mut text = String::new();
    for (name, cells) in [("", head), ("---", rule)].into_iter().chain(lines) {
        let cells = cells.into_iter().zip(&used).filter(|(_, used)| **used);
        let cells: Vec<String> = cells.map(|(cell, _)| cell).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("memory");
    }
    text
}

fn rounds(rows: &[Row]) -> usize {
    let states = rows.iter().flat_map(|row| &row.states);
    states.map(|(_, pairs)| pairs.len()).max().unwrap_or(0)
}

/// ns that the reference work takes when nothing watches.
fn usual_batch(nothing: &[Figures]) -> Option<f64> {
    let batch = |figures: &Figures| Some(figures.ns / figures.batches?);
    let batches: Vec<f64> = nothing.iter().filter_map(batch).collect();
    (!batches.is_empty()).then(|| median(&batches))
}

fn cells(when: &str, windows: &[Figures], pairs: &[Pair], usual: Option<f64>) -> Vec<String> {
    let of = |figure: fn(&Pair) -> Option<f64>| pairs.iter().filter_map(figure).collect::<Vec<_>>();
    let shown = |figure: fn(&Figures) -> Option<f64>| {
        let known = windows.iter().filter_map(figure);
        known.collect::<Vec<f64>>()
    };
    let kept = of(|pair| Some(pair.kept()));
    let tasks = of(Pair::kept_tasks);
    let costs = of(|pair| Some(pair.costs()));
    let said = of(|pair| pair.words.said);
    let too_much = of(Pair::said_too_much);
    let even = windows.iter().filter_map(|w| Some(w.batches? * usual?));
    let even: Vec<f64> = even.collect();
    vec![
        when.to_owned(),
        middle(&kept, 3),
        from_to(&kept, 3),
        middle(&of(|pair| Some(pair.kept_raw())), 3),
        middle(&tasks, 3),
        from_to(&tasks, 3),
        middle(&costs, 1),
        from_to(&costs, 1),
        middle(&said, 1),
        from_to(&said, 1),
        middle(&too_much, 1),
        from_to(&too_much, 1),
        middle(&of(|pair| pair.words.measured), 1),
        middle(&of(|pair| pair.words.bound), 1),
        middle(&even, 0),
        from_to(&even, 0),
        format!("{:.0}", mean(&shown(|w| Some(w.ns)))),
        middle(&shown(|w| w.p99_us), 0),
        middle(&of(Pair::p99), 2),
        format!("{:.1}", mean(&shown(|w| Some(w.own_pct)))),
        format!("{:.0} k", median(&shown(|w| Some(w.rate))) / 1e3),
    ]
}

fn middle(values: &[f64], decimals: usize) -> String {
    if values.is_empty() {
        return NONE.to_owned();
    }
    format!("{:.decimals$}", median(values))
}

fn from_to(values: &[f64], decimals: usize) -> String {
    if values.is_empty() {
        return NONE.to_owned();
    }
    let (from, to) = interval(values);
    format!("{from:.decimals$}–{to:.decimals$}")
}

/// How small a difference this run can show.
fn resolution(nothing: &[Figures], rows: &[Row]) -> String {
    let mut text = String::new();
    let again = rows.iter().find(|row| row.watcher.name == NOTHING);
    for (state, pairs) in again.into_iter().flat_map(|row| &row.states) {
        let kept: Vec<f64> = pairs.iter().map(Pair::kept).collect();
        let raw: Vec<f64> = pairs.iter().map(Pair::kept_raw).collect();
        if kept.is_empty() {
            continue;
        }
        writeln!(
            text,
            "Nothing beside nothing ({}) kept {}, raw {}: less than that this run cannot show.",
            state.title(),
            from_to(&kept, 3),
            from_to(&raw, 3)
        )
        .expect("memory");
    }
    let apart = |figure: fn(&Figures) -> Option<f64>| {
        let pairs = nothing.windows(2);
        let apart =
            pairs.filter_map(|two| Some(100.0 * (figure(&two[1])? / figure(&two[0])? - 1.0).abs()));
        middle(&apart.collect::<Vec<_>>(), 1)
    };
    writeln!(
        text,
        "Windows of nothing that follow each other differ by {} % in the middle, raw {} %.",
        apart(|w| w.batches),
        apart(|w| Some(w.ns))
    )
    .expect("memory");
    // Above a few percent the machine was not quiet, and the figures are worth little.
    let others: Vec<f64> = nothing.iter().map(|w| w.others_pct).collect();
    writeln!(
        text,
        "With nothing, all else on the host took {:.0} % of a CPU.",
        mean(&others)
    )
    .expect("memory");
    let pairs = rows.iter().flat_map(|row| &row.states);
    let pairs = pairs.flat_map(|(_, pairs)| pairs);
    let windows = nothing.iter().chain(pairs.clone().map(|pair| &pair.with));
    let dropped = windows.map(|w| w.dropped).fold(0.0, f64::max);
    if dropped > 0.001 {
        writeln!(
            text,
            "Up to {:.1} % of a window's packets were dropped at a full backlog, which is cheap.",
            100.0 * dropped
        )
        .expect("memory");
    }
    let elsewhere = pairs.filter(|pair| pair.words.elsewhere);
    match elsewhere.count() {
        0 => {}
        n => writeln!(
            text,
            "In {n} windows what was said was of another CPU than 0."
        )
        .expect("memory"),
    }
    text
}

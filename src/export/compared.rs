//! A comparison as text, at most 100 columns: first what a packet costs, then what changed by
//! stage, function, device and process; what did not is summed up. And as JSON.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::clean::clean;
use super::json;
use crate::model::compare::{Change, Comparison, Key, Load, RowChange, SideInfo, Verdict};
use crate::model::format_time;

/// Cells of a name, of a figure and of its change.
const NAME: usize = 22;
const FIGURE: usize = 6;
const CHANGE: usize = 10;

/// Rows of a table; the order is by how far they moved.
const MOST_ROWS: usize = 12;

/// What stands for a figure that there is none of.
const NONE: &str = "–";

pub fn json(comparison: &Comparison) -> String {
    json::object(comparison)
}

pub fn page(comparison: &Comparison) -> String {
    let mut lines = vec![verdict(comparison)];
    if comparison.identical {
        lines.push("Both are one and the same measurement.".to_owned());
    } else if comparison.shared_s > 0.0 {
        lines.push(format!(
            "The two share {:.0} s of one host: what they share cannot differ.",
            comparison.shared_s
        ));
    }
    lines.push(side("before", &comparison.before));
    lines.push(side("after ", &comparison.after));
    lines.push(format!(
        "load    {} packets/s   network {} % of one CPU",
        alone(&comparison.wire_pps),
        alone(&comparison.net_cpu_pct)
    ));
    let mut listed = 0;
    for table in TABLES {
        let of_kind = comparison.rows.iter().filter(|row| (table.holds)(&row.key));
        let mut rows: Vec<&RowChange> = of_kind.filter(|row| row.differs()).collect();
        rows.sort_by(|a, b| moved(b).total_cmp(&moved(a)));
        listed += rows.len();
        if !rows.is_empty() {
            lines.push(String::new());
            lines.push(title(table));
            for row in rows.iter().take(MOST_ROWS) {
                lines.push(line(table, row));
                lines.extend(calls(row));
            }
            if rows.len() > MOST_ROWS {
                let more = rows.len() - MOST_ROWS;
                lines.push(format!(
                    "  and {more} more that changed (--format json has all)"
                ));
            }
        }
    }
    lines.push(String::new());
    lines.extend(rest(comparison));
    if listed > 0 {
        lines.push(
            "! more than the variance between seconds explains; all rows together err in 5 of 100 \
             diffs. ± 95 %"
                .to_owned(),
        );
    }
    lines.join("\n") + "\n"
}

struct Table {
    title: &'static str,
    /// As counted in a sentence: one and many.
    counted: [&'static str; 2],
    holds: fn(&Key) -> bool,
    /// Which of ns per packet, CPU and rate the kind has.
    figures: [bool; 3],
}

static TABLES: &[Table] = &[
    Table {
        title: "STAGE",
        counted: ["stage", "stages"],
        holds: |key| matches!(key, Key::Stage { .. }),
        figures: [true, true, false],
    },
    Table {
        title: "FUNCTION",
        counted: ["function", "functions"],
        holds: |key| matches!(key, Key::Function { .. }),
        figures: [true, true, true],
    },
    Table {
        title: "DEVICE",
        counted: ["device", "devices"],
        holds: |key| matches!(key, Key::Device { .. }),
        figures: [false, false, true],
    },
    Table {
        title: "PROCESS",
        counted: ["process", "processes"],
        holds: |key| matches!(key, Key::Process { .. }),
        figures: [true, true, true],
    },
];

const FIGURES: [&str; 3] = ["NS/PKT", "CPU%", "RATE/s"];

/// The first line: what became of the cost of a packet.
fn verdict(comparison: &Comparison) -> String {
    let cost = &comparison.ns_per_packet;
    let [before, after] = [cost.before, cost.after].map(figure);
    let lengths = [&comparison.before, &comparison.after]
        .map(|side| format!("{:.0} s", side.window_s.unwrap_or(side.seconds)));
    match cost.verdict {
        Verdict::Different => {
            let way = if cost.after < cost.before {
                "less"
            } else {
                "more"
            };
            let pct = cost.change_pct.unwrap_or(0.0).abs();
            let error = cost.error_pct.unwrap_or(0.0);
            let p = cost.p.unwrap_or(0.0);
            let p = if p < 0.001 {
                "p < 0.001".to_owned()
            } else {
                format!("p = {p:.3}")
            };
            format!("A wire packet costs {pct:.1}% ±{error:.1} {way}: {before} → {after} ns ({p})")
        }
        Verdict::WithinChance => {
            let mut text = format!(
                "A wire packet costs the same, as far as {} and {} tell: {before} → {after} ns",
                lengths[0], lengths[1]
            );
            if let Some(pct) = comparison.detectable_pct {
                let _ = write!(
                    text,
                    "\nA change of {pct:.1}% or more would have been found in 4 of 5 such pairs."
                );
            }
            text
        }
        Verdict::NotComparable if comparison.load == Load::Differs => {
            let [before, after] =
                [comparison.wire_pps.before, comparison.wire_pps.after].map(figure);
            format!(
                "Not comparable: {before} packets/s before, {after} after. What a packet costs depends on that."
            )
        }
        Verdict::NotComparable => {
            "Not comparable: one side does not say how many wire packets there were".to_owned()
        }
        Verdict::NotJudged if cost.before.is_some() && cost.after.is_some() => format!(
            "Too short to judge: {before} → {after} ns per wire packet in {} and {}",
            lengths[0], lengths[1]
        ),
        Verdict::NotJudged => {
            let sampled = |side: &SideInfo| side.parts > 0 || side.window_s.is_some();
            let unnamed = |side: &SideInfo| side.unnamed_samples > 0;
            let why = if unnamed(&comparison.before) || unnamed(&comparison.after) {
                "kernel functions have no names"
            } else {
                unsampled(sampled(&comparison.before), sampled(&comparison.after))
            };
            format!("What a wire packet costs is not known: {why}")
        }
    }
}

fn unsampled(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (true, true) => "nobody counted the packets of both sides",
        (true, false) => "CPU time was not sampled after",
        (false, true) => "CPU time was not sampled before",
        (false, false) => "CPU time was not sampled",
    }
}

fn side(name: &str, side: &SideInfo) -> String {
    let host = clip(&clean(&format!("{} {}", side.hostname, side.kernel)), 40);
    let parts = match (side.parts, side.window_s) {
        (_, Some(window)) => format!("bounds of its window of {window:.0} s"),
        (0, None) if side.unnamed_samples > 0 => {
            format!("{} CPU samples without kernel names", side.unnamed_samples)
        }
        (0, None) => "CPU time not sampled".to_owned(),
        (n, None) => format!("{n} parts"),
    };
    format!(
        "{name}  {host}  until {}, {:.0} s, {parts}",
        format_time(side.until),
        side.seconds
    )
}

/// `1.02M → 1.05M, +2.9% ±0.4!`
fn alone(change: &Change) -> String {
    let mut text = format!("{} → {}", figure(change.before), figure(change.after));
    if change.change_pct.is_some() {
        let _ = write!(text, " ({})", percent(change));
    }
    text
}

fn title(table: &Table) -> String {
    let mut text = format!("{:NAME$}", table.title);
    for (name, _) in FIGURES.iter().zip(table.figures).filter(|(_, has)| *has) {
        let _ = write!(
            text,
            "  {name:>FIGURE$} {:>FIGURE$} {:>CHANGE$}",
            "after", "change"
        );
    }
    text
}

fn line(table: &Table, row: &RowChange) -> String {
    let name = clip(&clean(&name(&row.key)), NAME);
    let mut text = format!("{name}{}", " ".repeat(NAME.saturating_sub(name.width())));
    let figures = row.figures().into_iter().zip(table.figures);
    for (change, _) in figures.filter(|(_, has)| *has) {
        let (before, after) = (figure(change.before), figure(change.after));
        let percent = match change.verdict {
            Verdict::NotComparable => "n/c".to_owned(),
            _ => percent(change),
        };
        let _ = write!(
            text,
            "  {before:>FIGURE$} {after:>FIGURE$} {percent:>CHANGE$}"
        );
    }
    text.trim_end().to_owned()
}

/// Exact totals stand beside the rates, which vary.
fn calls(row: &RowChange) -> Option<String> {
    let (Key::Function { .. }, [Some(before), Some(after)]) = (&row.key, row.calls) else {
        return None;
    };
    let how = if row.exact {
        "counted exactly"
    } else {
        "estimated"
    };
    Some(format!("  {before:.0} → {after:.0} calls, {how}"))
}

/// What is not in the tables.
fn rest(comparison: &Comparison) -> Vec<String> {
    let mut same = Vec::new();
    let mut unjudged = 0;
    for table in TABLES {
        let rows = comparison.rows.iter().filter(|row| (table.holds)(&row.key));
        let judged = |row: &RowChange| {
            let figures = row.figures();
            figures
                .iter()
                .any(|change| change.verdict == Verdict::WithinChance)
        };
        let (mut count, mut few) = (0, 0);
        for row in rows.filter(|row| !row.differs()) {
            if judged(row) {
                count += 1;
            } else {
                few += 1;
            }
        }
        unjudged += few;
        if count > 0 {
            same.push(format!("{count} {}", table.counted[usize::from(count > 1)]));
        }
    }
    let mut lines = Vec::new();
    if !same.is_empty() {
        let none = if comparison.differs() {
            "No change"
        } else {
            "Nothing differs: no change"
        };
        lines.push(format!("{none} beyond chance in {}.", same.join(", ")));
    }
    if unjudged > 0 {
        lines.push(format!(
            "Too few samples or seconds of {unjudged} more to judge."
        ));
    }
    lines
}

pub fn name(key: &Key) -> String {
    match key {
        Key::Stage { stage, direction } => format!("{stage} {direction}"),
        Key::Device { name, direction } => format!("{name} {direction}"),
        Key::Function { name } | Key::Process { name } => name.to_string(),
    }
}

/// How far a row moved: in ns per packet or percent of a CPU where it has those, else by its rate.
fn moved(row: &RowChange) -> f64 {
    let far = |change: &Change| Some((change.after? - change.before?).abs());
    let time = far(&row.cpu_pct).unwrap_or(0.0);
    time * 1e12 + far(&row.rate).unwrap_or(0.0)
}

/// `-58.4±2.1!`, at most [`CHANGE`] cells; `new` and `gone` beside nothing.
fn percent(change: &Change) -> String {
    let sign = if change.differs() { "!" } else { "" };
    let none = |value: Option<f64>| value == Some(0.0);
    let Some(pct) = change.change_pct else {
        return match (none(change.before), none(change.after)) {
            (true, false) if change.after.is_some() => format!("new{sign}"),
            (true, true) => "0".to_owned(),
            _ => NONE.to_owned(),
        };
    };
    if none(change.after) {
        return format!("gone{sign}");
    }
    if pct >= 999.5 {
        return format!("×{}{sign}", figure(Some(1.0 + pct / 100.0)));
    }
    let digits = |value: f64| usize::from(value.abs() < 99.95);
    let error = match change.error_pct {
        Some(error) if error < 999.5 => format!("±{error:.*}", digits(error)),
        _ => "%".to_owned(),
    };
    format!("{pct:+.*}{error}{sign}", digits(pct))
}

/// At most six cells.
fn figure(value: Option<f64>) -> String {
    const STEPS: [(f64, &str); 4] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")];
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return NONE.to_owned();
    };
    if value < 9_999.5 {
        let digits = match value {
            v if v >= 99.95 => 0,
            v if v >= 9.995 => 1,
            v if v > 0.0 => 2,
            _ => 0,
        };
        return format!("{value:.digits$}");
    }
    let (step, unit) = STEPS
        .into_iter()
        .rfind(|(step, _)| value >= 0.9995 * step)
        .unwrap_or(STEPS[0]);
    match value / step {
        v if v >= 1e5 => format!("{:.0e}", v * step),
        v if v >= 99.95 => format!("{v:.0}{unit}"),
        v if v >= 9.995 => format!("{v:.1}{unit}"),
        v => format!("{v:.2}{unit}"),
    }
}

/// In at most so many cells.
fn clip(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        clipped.push(c);
    }
    clipped.push('…');
    clipped
}

#[cfg(test)]
#[path = "compared_tests.rs"]
mod tests;

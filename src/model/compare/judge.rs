//! Series against series: every figure's change and its verdict. The cost of a packet, netop's
//! first question, is judged by itself; all figures of all rows together are judged with Holm's
//! correction, so that equal runs have a row that is called different in at most 5 of 100 pairs.

use std::collections::BTreeSet;

use super::change::{Change, Comparison, Load, RowChange, SCHEMA, SideInfo, Verdict};
use super::mean::{FEWEST, Mean, bounded, ratio};
use super::measured::Measured;
use super::second::{Cell, Key, Second, Windowed};
use super::welch::{detectable, half_width, holm, p_value};

/// Packet rates farther apart than this, of the greater one, make costs not comparable: what a
/// packet costs depends on how many there are (docs/measuring.md).
const RATE_TOLERANCE: f64 = 0.1;

/// What fewer CPU samples met, on both sides together, is not asked about.
const FEWEST_SAMPLES: f64 = 20.0;

const LIKELY: f64 = 0.05;

/// ns of a second as percent of one CPU.
const TO_PCT: f64 = 1e-7;

pub fn compare(before: &Measured, after: &Measured) -> Comparison {
    let sides = [before, after];
    let grains = sides.map(Measured::grain);
    let pps = sides.map(|side| {
        let wire = |part: &Second| Some((part.wire?.all, part.seconds));
        let window = side.window.as_ref().and_then(|w| plain(w.pps?));
        mean(side.parts().iter().filter_map(wire), 0.0, window)
    });
    let load = load(pps.map(|pps| pps.map(|mean| mean.value)));
    let net_cpu = sides.map(|side| {
        let spent = |part: &Second| Some((part.net_ns?, part.seconds));
        let window = windowed(side, |w| w.cpu, None);
        mean(side.parts().iter().filter_map(spent), side.grain(), window)
    });
    let cost = sides.map(|side| {
        let spent = |part: &Second| Some((part.net_ns?, part.wire?.all));
        let window = windowed(side, |w| w.cost, None);
        mean(side.parts().iter().filter_map(spent), side.grain(), window)
    });
    let scatter = scatter(sides, net_cpu);
    let mut ns_per_packet = figure(cost, 1.0);
    let detectable_pct = match cost {
        [Some(a), Some(b)] if a.value > 0.0 && load == Load::Comparable && certain(a, b) => {
            Some(detectable(a, b) * 100.0 / a.value)
        }
        _ => None,
    };
    let mut net_cpu_pct = figure(net_cpu, TO_PCT);
    let mut wire_pps = figure(pps, 1.0);
    for alone in [&mut ns_per_packet, &mut net_cpu_pct, &mut wire_pps] {
        conclude(alone, alone.p);
    }
    if load != Load::Comparable {
        refuse(&mut ns_per_packet);
    }
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    let keys = keys.into_iter().chain(window_keys(sides));
    let mut seen = BTreeSet::new();
    let mut rows: Vec<RowChange> = keys
        .filter(|key| seen.insert(*key))
        .map(|key| row(key, sides, grains, load))
        .collect();
    correct(&mut rows);
    rows.sort_by(|a, b| {
        let kind = |row: &RowChange| std::mem::discriminant(&row.key);
        if kind(a) == kind(b) {
            weight(b).total_cmp(&weight(a)).then(a.key.cmp(&b.key))
        } else {
            a.key.cmp(&b.key)
        }
    });
    Comparison {
        schema: SCHEMA,
        before: info(before),
        after: info(after),
        shared_s: shared_s(before, after),
        identical: before == after,
        load,
        wire_pps,
        ns_per_packet,
        detectable_pct,
        net_cpu_pct,
        scatter,
        rows,
    }
}

fn info(side: &Measured) -> SideInfo {
    let sampled = side.parts().iter().filter(|part| part.net_ns.is_some());
    let parts = sampled.count();
    let window = side.window.as_ref().filter(|_| parts < FEWEST);
    SideInfo {
        hostname: side.origin.hostname.clone(),
        kernel: side.origin.kernel.clone(),
        from: side.from,
        until: side.origin.at,
        seconds: side.seconds(),
        snapshots: side.snapshots,
        parts,
        window_s: window.map(|window| window.seconds),
        unnamed_samples: side.unnamed_samples,
    }
}

fn shared_s(a: &Measured, b: &Measured) -> f64 {
    let (one, other) = (&a.origin, &b.origin);
    // Another kernel is another boot, or another machine of that name.
    let same = (&one.hostname, &one.kernel) == (&other.hostname, &other.kernel);
    if !same || a.undated || b.undated {
        return 0.0;
    }
    let until = a.origin.at.min(b.origin.at);
    until.saturating_sub(a.from.max(b.from)) as f64 / 1e9
}

/// Standard deviations of the measured means over those of as many independent samples.
fn scatter(sides: [&Measured; 2], means: [Option<Mean>; 2]) -> Option<f64> {
    let (mut seen, mut alone) = (0.0, 0.0);
    for (side, mean) in sides.into_iter().zip(means) {
        let mean = mean.filter(|mean| mean.variance.is_finite())?;
        seen += mean.variance;
        alone += mean.value * side.grain() / side.seconds();
    }
    (alone > 0.0).then(|| (seen / alone).sqrt().max(1.0))
}

fn load(pps: [Option<f64>; 2]) -> Load {
    match pps {
        [Some(a), Some(b)] if (a - b).abs() <= RATE_TOLERANCE * a.max(b) => Load::Comparable,
        [Some(_), Some(_)] => Load::Differs,
        _ => Load::Unknown,
    }
}

/// Of parts that have an amount and a base: their mean; where they are too few, what the window
/// says, or what they add up to without bounds.
fn mean(parts: impl Iterator<Item = (f64, f64)>, grain: f64, window: Option<Mean>) -> Option<Mean> {
    let parts: Vec<(f64, f64)> = parts.collect();
    let add_up = || {
        let (amounts, bases) = parts
            .iter()
            .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        (bases > 0.0).then(|| amounts / bases).and_then(plain)
    };
    ratio(&parts, grain).or(window).or_else(add_up)
}

/// What the last snapshot's window says, where the series is too short.
fn windowed(
    side: &Measured,
    of: fn(&Windowed) -> Option<crate::model::Bounded>,
    key: Option<&Key>,
) -> Option<Mean> {
    let window = side.window.as_ref()?;
    let figures = match key {
        Some(key) => window.rows.get(key)?,
        None => &window.net,
    };
    let figure = of(figures)?;
    bounded(figure, window.seconds).or_else(|| plain(figure.value))
}

/// A figure that nobody knows the bounds of.
fn plain(value: f64) -> Option<Mean> {
    value.is_finite().then_some(Mean {
        value,
        variance: f64::INFINITY,
        freedom: 1.0,
    })
}

fn certain(a: Mean, b: Mean) -> bool {
    a.variance.is_finite() && b.variance.is_finite()
}

fn window_keys(sides: [&Measured; 2]) -> impl Iterator<Item = &Key> {
    let windows = sides.into_iter().filter_map(|side| side.window.as_ref());
    windows.flat_map(|window| window.rows.keys())
}

/// Not judged yet.
fn figure(means: [Option<Mean>; 2], scale: f64) -> Change {
    let [before, after] = means.map(|mean| mean.map(|mean| mean.value * scale));
    let mut change = Change {
        before,
        after,
        ..Change::UNKNOWN
    };
    if let [Some(a), Some(b)] = means {
        let to_pct = 100.0 / a.value;
        change.change_pct = (a.value > 0.0).then_some((b.value - a.value) * to_pct);
        if certain(a, b) {
            change.error_pct = (a.value > 0.0).then_some(half_width(a, b) * to_pct);
            change.p = p_value(a, b);
        }
    }
    change
}

fn conclude(change: &mut Change, p: Option<f64>) {
    change.p = p;
    change.verdict = match p {
        None => Verdict::NotJudged,
        Some(p) if p <= LIKELY => Verdict::Different,
        Some(_) => Verdict::WithinChance,
    };
}

/// A cost under another load; where there is no cost there is nothing to refuse.
fn refuse(change: &mut Change) {
    if change.before.or(change.after).is_none() {
        return;
    }
    change.p = None;
    change.error_pct = None;
    change.verdict = Verdict::NotComparable;
}

fn row(key: &Key, sides: [&Measured; 2], grains: [f64; 2], load: Load) -> RowChange {
    let cells = sides.map(|side| -> Vec<(Cell, f64)> {
        let parts = side.parts().iter();
        parts.map(|part| (part.row(key), part.seconds)).collect()
    });
    let rate = [0, 1].map(|at| {
        let counted = cells[at].iter();
        mean(
            counted.filter_map(|(cell, s)| Some((cell.calls?, *s))),
            0.0,
            None,
        )
    });
    let cpu = [0, 1].map(|at| {
        let spent = cells[at].iter();
        let window = windowed(sides[at], |w| w.cpu, Some(key));
        mean(
            spent.filter_map(|(cell, s)| Some((cell.ns?, *s))),
            grains[at],
            window,
        )
    });
    let cost = [0, 1].map(|at| {
        let spent = cells[at].iter();
        let window = windowed(sides[at], |w| w.cost, Some(key));
        mean(
            spent.filter_map(|(cell, _)| Some((cell.ns?, cell.packets?))),
            grains[at],
            window,
        )
    });
    let samples: f64 = [0, 1]
        .map(|at| {
            let ns: f64 = cells[at].iter().filter_map(|(cell, _)| cell.ns).sum();
            if grains[at] > 0.0 {
                ns / grains[at]
            } else {
                0.0
            }
        })
        .iter()
        .sum();
    let mut row = RowChange {
        key: key.clone(),
        calls: [0, 1].map(|at| total(&cells[at])),
        exact: !cells.iter().flatten().any(|(cell, _)| cell.estimated),
        rate: figure(rate, 1.0),
        cpu_pct: figure(cpu, TO_PCT),
        ns_per_packet: figure(cost, 1.0),
    };
    let series = cells.iter().all(|parts| parts.len() >= FEWEST);
    if series && samples < FEWEST_SAMPLES {
        for of_samples in [&mut row.cpu_pct, &mut row.ns_per_packet] {
            of_samples.p = None;
            of_samples.error_pct = None;
        }
    }
    if load != Load::Comparable {
        refuse(&mut row.ns_per_packet);
    }
    row
}

/// `None`: it was not counted in every part.
fn total(cells: &[(Cell, f64)]) -> Option<f64> {
    let sum: Option<f64> = cells.iter().map(|(cell, _)| cell.calls).sum();
    sum.filter(|_| !cells.is_empty())
}

fn correct(rows: &mut [RowChange]) {
    let asked = |change: &&mut Change| change.p.is_some();
    let mut figures: Vec<&mut Change> = rows
        .iter_mut()
        .flat_map(|row| [&mut row.rate, &mut row.cpu_pct, &mut row.ns_per_packet])
        .filter(asked)
        .collect();
    let p_values: Vec<f64> = figures.iter().filter_map(|change| change.p).collect();
    for (change, p) in figures.iter_mut().zip(holm(&p_values)) {
        conclude(change, Some(p));
    }
}

/// What rows of a kind are in order of: CPU time, else calls.
fn weight(row: &RowChange) -> f64 {
    let most = |change: &Change| {
        let (before, after) = (change.before.unwrap_or(0.0), change.after.unwrap_or(0.0));
        before.max(after)
    };
    // Any CPU time stands before none, whatever the calls.
    most(&row.cpu_pct) * 1e12 + most(&row.rate)
}

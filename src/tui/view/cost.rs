//! What a function takes of the CPUs and what that makes per packet: its cells in the table and
//! its sentences below it.

use std::time::Duration;

use ratatui::text::Line;

use super::Scene;
use super::difference;
use crate::model::Function;
use crate::model::compare::{Key, Load, Verdict};
use crate::tui::figure;
use crate::tui::widget::difference::Difference;

pub fn cpu(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::share(f.cpu_pct))
}

pub fn own(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::share(f.self_pct))
}

pub fn cores(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::cores(f.cpu_pct.map(|pct| pct / 100.0)))
}

pub fn per_packet(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::cost(f.ns_per_packet))
}

pub fn error(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::error(f.ns_error, f.ns_per_packet))
}

/// The half-width in percent, to sort by.
pub fn error_pct(f: &Function) -> Option<f64> {
    let ns = f.ns_per_packet.filter(|ns| *ns > 0.0)?;
    Some(f.ns_error? * 100.0 / ns)
}

pub fn since_mark(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    difference::cell(scene, &Key::function(&f.name), |row| &row.ns_per_packet)
}

/// `CPU 310% ±14.2, own 46% · 449 ns/packet ±5% · 14.6 µs/call of 32 packets · a merged packet is
/// one call`
pub fn sentence(f: &Function) -> Option<String> {
    let mut cpu = format!("CPU {}", figure::percent(Some(f.cpu_pct?)));
    if let Some(error) = f.cpu_error {
        cpu = format!("{cpu} ±{}", figure::share(Some(error)));
    }
    if let Some(own) = f.self_pct {
        cpu = format!("{cpu}, own {}", figure::percent(Some(own)));
    }
    let mut parts = vec![cpu];
    if let Some(ns) = f.ns_per_packet {
        let error = match figure::error(f.ns_error, Some(ns)) {
            error if error == figure::NONE => String::new(),
            error => format!(" ±{error}%"),
        };
        parts.push(format!("{}/packet{error}", figure::cost_words(Some(ns))));
    }
    if let Some(ns) = f.ns_per_call {
        // Alone it would call every merge of packets a loss.
        let call = format!("{}/call", figure::cost_words(Some(ns)));
        let warning = "a merged packet is one call";
        match f.packets_per_hit {
            Some(packets) if packets.is_finite() => {
                let packets = figure::rate(Some(packets));
                parts.push(format!("{call} of {packets} packets"));
                parts.push(warning.to_owned());
            }
            _ => parts.push(format!("{call}: {warning}")),
        }
    }
    Some(parts.join(" · "))
}

/// `the mark 90s ago: 449 ns/packet, now 503: +12% ±3, more than chance (!)`
pub fn mark_sentence(scene: &Scene<'_>, f: &Function) -> Option<String> {
    let (mark, now) = (scene.mark?, scene.snapshot);
    let apart = Duration::from_nanos(now.at.abs_diff(mark.at));
    let side = if mark.at > now.at { "later" } else { "ago" };
    let lead = format!("the mark {} {side}", figure::span(apart));
    let Some(compared) = scene.compared() else {
        return Some(format!("{lead}: nothing was measured since"));
    };
    let change = &compared.row(&Key::function(&f.name))?.ns_per_packet;
    let words = |ns: Option<f64>| match ns {
        Some(ns) => format!("{}/packet", figure::cost_words(Some(ns))),
        None => "no cost".to_owned(),
    };
    let then = words(change.before);
    match Difference::new(change) {
        Difference::Unknown => None,
        Difference::NotComparable if compared.load == Load::Differs => {
            let pps = |pps| format!("{}pps", figure::rate(pps));
            Some(format!(
                "{lead}: {then}, not comparable (n/c): {} then, {} now, cost depends on load",
                pps(compared.wire_pps.before),
                pps(compared.wire_pps.after),
            ))
        }
        Difference::NotComparable => Some(format!("{lead}: {then}, not comparable (n/c)")),
        Difference::New { .. } => Some(format!("{lead}: nothing, now {}", words(change.after))),
        Difference::Percent { pct, .. } => {
            let error = change.error_pct.filter(|error| error.is_finite());
            let error = error.map_or_else(String::new, |error| format!(" ±{error:.0}"));
            let judged = match change.verdict {
                Verdict::Different => "more than chance (!)".to_owned(),
                Verdict::WithinChance => "within chance".to_owned(),
                Verdict::NotJudged | Verdict::NotComparable => {
                    format!(
                        "{:.0}s and its samples are too few to judge",
                        compared.after.seconds
                    )
                }
            };
            let now = figure::cost_words(change.after);
            let change = figure::change(pct);
            Some(format!(
                "{lead}: {then}, now {now}: {change}{error}, {judged}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tui::fixture;
    use crate::tui::input::key::parse_keys;
    use crate::tui::state::{Options, UiState};

    #[test]
    fn the_cost_of_a_call_never_stands_without_its_warning() {
        let mut f = fixture::function("netif_receive_skb", Some(10));
        assert_eq!(sentence(&f), None);
        f.cpu_pct = Some(310.0);
        f.cpu_error = Some(14.2);
        f.self_pct = Some(46.2);
        assert_eq!(sentence(&f).as_deref(), Some("CPU 310% ±14.2, own 46%"));
        f.ns_per_packet = Some(449.0);
        f.ns_error = Some(22.0);
        f.ns_per_call = Some(14_580.0);
        let whole = |f: &Function| sentence(f).expect("it takes CPU time");
        let text = whole(&f);
        assert!(
            text.ends_with("449 ns/packet ±5% · 14.6 µs/call: a merged packet is one call"),
            "{text}"
        );
        f.packets_per_hit = Some(32.5);
        let text = whole(&f);
        assert!(
            text.ends_with(" · 14.6 µs/call of 32 packets · a merged packet is one call"),
            "{text}"
        );
    }

    /// Ten seconds of a function at one cost, the mark, and as many at another.
    fn said(factor: f64, pps: f64, after: u64) -> Option<String> {
        let mut ui = UiState::new(Options::default());
        let second = |n: u64, ns: f64, pps: f64| {
            let mut s = fixture::second(n, pps);
            let swing = [1.0, 1.04, 0.96][n as usize % 3];
            fixture::spend(&mut s, "f", pps * ns * swing);
            s
        };
        (2..12).for_each(|n| ui.snapshot(Arc::new(second(n, 450.0, 1e6))));
        for key in parse_keys("d").expect("a key") {
            ui.key(key);
        }
        (12..12 + after).for_each(|n| ui.snapshot(Arc::new(second(n, 450.0 * factor, pps))));
        let now = ui.shown().expect("pushed").clone();
        let scene = Scene {
            ui: &ui,
            snapshot: &now,
            theme: ui.theme,
            mark: ui.mark.as_deref(),
        };
        mark_sentence(&scene, &now.functions[0])
    }

    #[test]
    fn the_mark_says_why_it_compares_or_does_not() {
        let text = |factor, pps, after| said(factor, pps, after).expect("marked");
        let more = text(1.25, 1e6, 10);
        assert!(
            more.starts_with("the mark 10s ago: 448 ns/packet, now 562 ns: "),
            "{more}"
        );
        assert!(
            more.contains(" ±") && more.ends_with(", more than chance (!)"),
            "{more}"
        );
        let same = text(1.01, 1e6, 10);
        assert!(same.ends_with(", within chance"), "{same}");
        let few = text(1.25, 1e6, 2);
        assert!(
            few.ends_with("2s and its samples are too few to judge"),
            "{few}"
        );
        let load = text(1.25, 2e6, 10);
        assert!(load.contains("1.00Mpps then, 2.00Mpps now"), "{load}");
        assert_eq!(
            text(1.0, 1e6, 0),
            "the mark 0ms ago: nothing was measured since"
        );
    }
}

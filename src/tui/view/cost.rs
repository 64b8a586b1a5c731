//! What a function takes of the CPUs and what that makes per packet: its cells in the table and
//! its sentences below it.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Line;

use super::Scene;
use super::difference::{self, Difference};
use crate::model::Function;
use crate::tui::figure;

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
    let Some(mark) = scene.mark else {
        return Line::default();
    };
    let difference = difference::of(scene.snapshot, mark, f);
    let style = match difference {
        Difference::Percent {
            significant: true, ..
        } => scene.theme.strong,
        Difference::Percent { .. } => Style::new(),
        _ => scene.theme.dim,
    };
    Line::styled(difference.text(), style)
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

/// `the mark 90s ago: 449 ns/packet, now +12%: more than the errors explain (!)`
pub fn mark_sentence(scene: &Scene<'_>, f: &Function) -> Option<String> {
    let mark = scene.mark?;
    let now = scene.snapshot;
    let apart = Duration::from_nanos(now.at.abs_diff(mark.at));
    let side = if mark.at > now.at { "later" } else { "ago" };
    let lead = format!("the mark {} {side}", figure::span(apart));
    let words = |f: Option<&Function>| match f.and_then(|f| f.ns_per_packet) {
        Some(ns) => format!("{}/packet", figure::cost_words(Some(ns))),
        None => "no cost".to_owned(),
    };
    let then = words(difference::before(mark, f));
    match difference::of(now, mark, f) {
        Difference::Unknown => None,
        Difference::NotComparable if !difference::same_load(now, mark) => {
            let pps = |pps| format!("{}pps", figure::rate(pps));
            Some(format!(
                "{lead}: {then}, not comparable (n/c): {} then, {} now, cost depends on load",
                pps(mark.summary.wire_pps),
                pps(now.summary.wire_pps),
            ))
        }
        Difference::NotComparable => Some(format!("{lead}: {then}, not comparable (n/c)")),
        Difference::Percent { pct, significant } => {
            let overlap = difference::overlap_s(now, mark);
            let judged = if significant {
                "more than the errors explain (!)".to_owned()
            } else if overlap > 0.0 {
                format!("the two share {overlap:.0}s yet")
            } else {
                "within the errors".to_owned()
            };
            let change = figure::change(pct);
            Some(format!("{lead}: {then}, now {change}: {judged}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;
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

    #[test]
    fn the_mark_says_why_it_compares_or_does_not() {
        let ui = UiState::new(Options::default());
        let mut mark = fixture::empty();
        mark.summary.wire_pps = Some(1e6);
        mark.functions = vec![fixture::function("f", Some(1))];
        mark.functions[0].ns_per_packet = Some(449.0);
        mark.functions[0].ns_error = Some(10.0);
        let mut now = mark.clone();
        now.at += 90_000_000_000;
        now.functions[0].ns_per_packet = Some(503.0);
        let said = |now: &crate::model::Snapshot, mark: Option<&crate::model::Snapshot>| {
            let scene = Scene {
                ui: &ui,
                snapshot: now,
                theme: ui.theme,
                mark,
            };
            mark_sentence(&scene, &now.functions[0])
        };
        assert_eq!(said(&now, None), None);
        assert_eq!(
            said(&now, Some(&mark)).as_deref(),
            Some("the mark 90s ago: 449 ns/packet, now +12%: more than the errors explain (!)")
        );
        now.summary.cpu_window_s = Some(100.0);
        let text = said(&now, Some(&mark)).expect("both have a cost");
        assert!(text.ends_with("now +12%: the two share 10s yet"), "{text}");
        now.summary.cpu_window_s = Some(30.0);
        now.functions[0].ns_error = Some(100.0);
        let text = said(&now, Some(&mark)).expect("both have a cost");
        assert!(text.ends_with("+12%: within the errors"), "{text}");
        now.summary.wire_pps = Some(2e6);
        let text = said(&now, Some(&mark)).expect("both have a cost");
        assert!(text.contains("1.00Mpps then, 2.00Mpps now"), "{text}");
    }
}

//! Pages of comparisons made by hand: the verdict first, at most 100 columns, strangers' names tamed.

use super::super::fixture;
use super::*;
use crate::model::compare::{Measured, Origin, Second, Window, compare};
use crate::model::{Snapshot, WirePackets};

/// So many seconds of `pps` packets at `ns` each; `tcp` is a third of it and has its own factor.
fn series(from_s: u64, seconds: u64, pps: f64, ns: f64, tcp: f64) -> Measured {
    let mut measured = Measured::default();
    for second in 0..seconds {
        // A swing of 2 % that has no direction.
        let swing = 1.0 + 0.02 * [1.0, -1.0, -0.5, 0.5, 1.0, -1.0, 0.0][second as usize % 7];
        let mut part = Second {
            seconds: 1.0,
            wire: Some(WirePackets {
                rx: pps,
                tx: pps / 10.0,
                all: pps,
            }),
            sample_ns: 5e6,
            ..Second::default()
        };
        let all = pps * ns * swing;
        part.spend(Key::stage("tcp", "rx"), "rx", all / 3.0 * tcp);
        part.spend(Key::stage("ip", "rx"), "rx", all / 6.0);
        part.spend(Key::function("net_rx_action"), "rx", all / 2.0 * tcp);
        part.spend(Key::process("\u{1b}[31mevil"), "other", all / 4.0 * tcp);
        part.count(
            Key::function("net_rx_action"),
            Some((pps * swing / 10.0).round()),
            false,
        );
        part.count(Key::device("eth0", "rx"), Some(pps), false);
        part.net_ns = Some(all / 3.0 * tcp + all * 2.0 / 3.0);
        let origin = Origin {
            hostname: "edge-12".to_owned(),
            kernel: "6.18.0".to_owned(),
            at: 1_795_362_301_123_000_000 + (from_s + second) * 1_000_000_000,
        };
        measured.push(origin, part, None).expect("few rows");
    }
    measured
}

fn shown(before: &Measured, after: &Measured) -> String {
    let text = page(&compare(before, after));
    for line in text.lines() {
        assert!(line.width() <= 100, "{}: {line}", line.width());
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    text
}

#[test]
fn a_dearer_packet_is_the_first_thing_said_and_what_did_not_change_the_last() {
    let before = series(0, 60, 1e6, 800.0, 1.0);
    let text = shown(&before, &series(60, 60, 1.02e6, 800.0, 1.5));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("A wire packet costs 16."), "{text}");
    assert!(lines[0].contains(" more: 80"), "{text}");
    for row in ["tcp rx ", "net_rx_action ", "?[31mevil "] {
        let found = lines.iter().find(|line| line.starts_with(row));
        let found = found.unwrap_or_else(|| panic!("{row} is not in\n{text}"));
        assert!(found.contains("+5") && found.contains('!'), "{found}");
    }
    assert!(!text.contains("ip rx"), "{text}");
    assert!(text.contains("calls, counted exactly"), "{text}");
    assert!(
        text.contains("\nNo change beyond chance in 1 stage"),
        "{text}"
    );
}

#[test]
fn one_and_the_same_measurement_is_called_that() {
    let side = series(0, 60, 1e6, 800.0, 1.0);
    let text = shown(&side, &side.clone());
    assert!(
        text.contains("Both are one and the same measurement."),
        "{text}"
    );
    assert!(text.contains("Nothing differs"), "{text}");
    assert!(!text.contains('!'), "{text}");
}

#[test]
fn samples_without_kernel_names_are_neither_no_samples_nor_no_time() {
    let before = series(0, 60, 1e6, 800.0, 1.0);
    let mut after = before.clone();
    after.leave_unnamed(40, 100);
    assert_eq!(after, before, "most have names");
    after.leave_unnamed(790, 800);
    let text = shown(&before, &after);
    assert!(text.contains("kernel functions have no names"), "{text}");
    assert!(
        text.contains("790 CPU samples without kernel names"),
        "{text}"
    );
    assert!(!text.contains("not sampled"), "{text}");
    assert!(!text.contains("→ 0 %"), "{text}");
}

#[test]
fn seconds_are_shared_by_one_boot_of_a_host_and_by_its_own_clock_only() {
    let before = series(0, 60, 1e6, 800.0, 1.0);
    let after = series(40, 60, 1e6, 900.0, 1.0);
    let share = "The two share 20 s of one host";
    assert!(shown(&before, &after).contains(share));
    let mut undated = after.clone();
    undated.undated = true;
    assert!(!shown(&before, &undated).contains("share"));
    let mut other_kernel = after;
    other_kernel.origin.kernel = "6.12.0".to_owned();
    assert!(!shown(&before, &other_kernel).contains("share"));
}

#[test]
fn what_is_missing_for_the_cost_of_a_packet_is_said_of_the_side_that_lacks_it() {
    let sampled = {
        let mut measured = Measured::default();
        for second in 0..3 {
            let mut part = Second::default();
            (part.seconds, part.net_ns) = (1.0, Some(1e6));
            let origin = Origin {
                at: 2_000_000_000 * (second + 1),
                ..Origin::default()
            };
            measured.push(origin, part, None).expect("few rows");
        }
        measured
    };
    let text = shown(&sampled, &sampled.clone());
    assert!(
        text.contains("nobody counted the packets of both sides"),
        "{text}"
    );
}

#[test]
fn other_packet_rates_are_not_comparable_and_the_rates_still_shown() {
    let before = series(0, 60, 1e6, 800.0, 1.0);
    let text = shown(&before, &series(60, 60, 1.2e6, 700.0, 1.0));
    assert!(
        text.starts_with("Not comparable: 1.00M packets/s before, 1.20M after."),
        "{text}"
    );
    assert!(text.contains("eth0 rx") && text.contains("+20.0"), "{text}");
    let row = text.lines().find(|line| line.starts_with("net_rx_action"));
    assert!(row.expect("its rate changed").contains("n/c"), "{text}");
    let within = shown(&before, &series(60, 60, 1.09e6, 800.0, 1.0));
    assert!(
        within.starts_with("A wire packet costs the same"),
        "{within}"
    );
}

#[test]
fn few_seconds_are_too_few_and_single_snapshots_have_their_own_bounds() {
    let short = |from, ns| series(from, 3, 1e6, ns, 1.0);
    let text = shown(&short(0, 800.0), &short(3, 900.0));
    assert!(
        text.starts_with("Too short to judge: 797 → 897 ns per wire packet"),
        "{text}"
    );
    let single = |ns: f64| {
        let mut s: Snapshot = fixture::busy();
        s.summary.cpu_window_s = Some(30.0);
        s.summary.wire_pps = Some(1e6);
        (s.summary.ns_per_packet, s.summary.ns_error) = (Some(ns), Some(20.0));
        let mut measured = Measured::default();
        let second = Second::of(&s, |_, comm| Key::process(comm));
        let pushed = measured.push(Origin::of(&s), second, Window::of(&s));
        pushed.expect("few rows");
        measured
    };
    let same = shown(&single(800.0), &single(810.0));
    assert!(same.contains("as far as 30 s and 30 s tell"), "{same}");
    assert!(same.contains("bounds of its window of 30 s"), "{same}");
    let other = shown(&single(800.0), &single(900.0));
    assert!(
        other.starts_with("A wire packet costs 12.5% ±3."),
        "{other}"
    );
}

#[test]
fn changes_and_figures_keep_their_cells() {
    let mut change = Change {
        before: Some(1.0),
        after: Some(2.0),
        change_pct: Some(-99.94),
        error_pct: Some(500.0),
        p: Some(0.0),
        verdict: Verdict::Different,
    };
    for pct in [-100.0, -99.96, 0.0, 5.05, 99.96, 998.0, 1e9] {
        for error in [None, Some(0.04), Some(99.96), Some(500.0), Some(1e9)] {
            (change.change_pct, change.error_pct) = (Some(pct), error);
            let text = percent(&change);
            assert!(text.width() <= CHANGE, "{text}");
        }
    }
    for value in [
        0.0, 0.004, 9.996, 99.96, 9_999.6, 99_960.0, 999_600.0, 1e12, 1e17, 1e300,
    ] {
        let text = figure(Some(value));
        assert!(text.width() <= FIGURE, "{value}: {text}");
    }
    assert_eq!(figure(Some(1_234_567.0)), "1.23M");
    assert_eq!(figure(None), NONE);
}

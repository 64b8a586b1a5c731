//! What CPU samples say on the screen, as whole frames: tests/frames.
//! `UPDATE_GOLDEN=1 cargo test --lib cpu_tests` writes them anew; read the difference before it is
//! committed.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::tests::frame;
use super::*;
use crate::model::{FunctionSpent, ProcessSpent, StageSpent};
use crate::tui::input::key::parse_keys;
use crate::tui::state::Options;
use crate::tui::{figure, fixture};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

fn check(name: &str, drawn: impl Fn((u16, u16)) -> String) {
    let mut now = String::new();
    for size in SIZES {
        let _ = writeln!(now, "{}x{}\n{}", size.0, size.1, drawn(size));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/frames")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).expect("tests/frames can be written");
        return;
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == then, "{name}\n── then ──\n{then}\n── now ──\n{now}");
}

/// The same host without CPU samples.
fn unsampled() -> Snapshot {
    let mut s = fixture::busy();
    let with = std::mem::take(&mut s.summary);
    s.summary.rx_pps = with.rx_pps;
    s.summary.rx_bps = with.rx_bps;
    s.summary.local_pps = with.local_pps;
    s.host.clock = None;
    s.stages.clear();
    s.contexts.clear();
    for f in &mut s.functions {
        *f = fixture::function(&f.name.clone(), f.calls);
    }
    for cpu in &mut s.cpus {
        cpu.net_pct = None;
    }
    for process in &mut s.processes {
        process.cpu_own_pct = None;
        process.cpu_stolen_pct = None;
    }
    s
}

/// CPU time is sampled, but nothing is known yet.
fn first() -> Snapshot {
    let mut s = unsampled();
    s.host.clock = Some("cpu-clock");
    s
}

/// Ten seconds, a mark, and ten seconds in which functions cost as much more, under as many
/// packets times `load`.
fn marked(keys: &str, load: f64, (w, h): (u16, u16)) -> String {
    let mut ui = UiState::new(Options::default());
    ui.resize(w, h);
    let second = |n: u64, factors: [f64; 3], load: f64| {
        let mut s = fixture::busy();
        s.sequence = n;
        s.at += n * 1_000_000_000;
        s.summary.wire_pps = s.summary.wire_pps.map(|pps| pps * load);
        let swing = load * [1.0, 1.03, 0.97][n as usize % 3];
        s.spent = fixture::second(n, 7e6 * load).spent;
        let spent = s.spent.as_mut().expect("CPU time was sampled");
        let names = s.functions.iter().map(|f| f.name.clone());
        for (name, factor) in names.zip(factors) {
            spent.net_ns += 3e8 * swing * factor;
            spent.functions.push(FunctionSpent {
                name,
                direction: "rx",
                ns: 3e8 * swing * factor,
            });
        }
        for (stage, factor) in s.stages.iter().zip(factors) {
            spent.stages.push(StageSpent {
                stage: stage.stage,
                direction: stage.direction,
                ns: 1e8 * swing * factor,
            });
        }
        for (process, factor) in s.processes.iter().zip(factors) {
            spent.processes.push(ProcessSpent {
                pid: process.pid,
                ns: 2e8 * swing * factor,
            });
        }
        Arc::new(s)
    };
    (2..12).for_each(|n| ui.snapshot(second(n, [1.0; 3], 1.0)));
    for key in parse_keys(&format!("d{keys}")).expect("keys") {
        ui.key(key);
    }
    (12..22).for_each(|n| ui.snapshot(second(n, [1.3, 0.5, 1.01], load)));
    let area = Rect::new(0, 0, w, h);
    let mut buf = Buffer::empty(area);
    render(&ui, area, &mut buf);
    frame_text(&buf)
}

#[test]
fn functions_with_their_cost() {
    check("path_with_cpu", |size| frame(fixture::busy(), "", size));
}

#[test]
fn functions_where_cpu_time_is_not_sampled() {
    check("path_without_cpu", |size| frame(unsampled(), "", size));
}

#[test]
fn functions_before_the_first_sample() {
    check("path_first", |size| frame(first(), "", size));
}

#[test]
fn stages_of_the_host() {
    check("stages", |size| frame(fixture::busy(), "2", size));
}

#[test]
fn stages_of_one_cpu() {
    check("stages_of_cpu1", |size| frame(fixture::busy(), "2jj", size));
}

#[test]
fn stages_before_the_first_sample() {
    check("stages_first", |size| frame(first(), "2", size));
}

#[test]
fn processes_that_work_and_processes_that_pay() {
    check("procs_with_cpu", |size| frame(fixture::busy(), "4", size));
}

#[test]
fn everything_against_the_mark() {
    check("path_against_the_mark", |size| marked("", 1.0, size));
    check("stages_against_the_mark", |size| marked("2", 1.0, size));
    check("procs_against_the_mark", |size| marked("4", 1.0, size));
}

#[test]
fn costs_under_another_load_are_not_compared_and_cpu_time_is() {
    let text = marked("", 1.3, (80, 24));
    assert!(
        text.contains("n/c") && text.contains("7.00Mpps then, 9.10Mpps"),
        "{text}"
    );
    assert!(text.contains("ns/pkt ±5% Δn/c"), "{text}");
    assert!(!text.contains("+30%"), "{text}");
    let text = marked("4", 1.3, (80, 24));
    assert!(text.contains("+70%!"), "{text}");
}

#[test]
fn eight_stages_have_room_at_80_by_24_however_many_cpus_there_are() {
    let mut s = fixture::busy();
    for cpu in 4..64 {
        let mut other = s.cpus[0].clone();
        other.cpu = cpu;
        s.cpus.push(other);
    }
    let text = frame(s.clone(), "2", (80, 24));
    let titles = text.lines().position(|line| line.starts_with(" STAGE"));
    let below = text.lines().skip(titles.expect("a table of stages") + 1);
    let stages = below.take_while(|line| !line.contains(" more")).count();
    assert_eq!(stages, 8, "{text}");
    let last = frame(s, "2G", (80, 24));
    assert!(last.contains("▶cpu63"), "{last}");
    assert!(last.contains("No CPU sample"), "{last}");
    let few = frame(fixture::busy(), "2", (80, 24));
    let contexts = "CONTEXT softirq 152%  ksoftirqd 18%  interrupt 6.6%  process 119%  idle 104%";
    assert!(few.contains(contexts), "{few}");
}

#[test]
fn columns_of_cpu_time_are_there_only_where_it_is_sampled() {
    for size in [(80, 24), (120, 40), (250, 70)] {
        for (keys, title) in [("", "CPU%"), ("2", "NET%"), ("4", "STOLEN%")] {
            let has = |s| frame(s, keys, size).contains(title);
            assert!(has(fixture::busy()) && has(first()), "{title} {size:?}");
            assert!(!has(unsampled()), "{title} {size:?}");
        }
    }
    let text = frame(first(), "", (80, 24));
    assert!(
        !text.contains(" 0.0") && text.contains(figure::NONE),
        "{text}"
    );
}

#[test]
fn net_says_cores_and_cost_before_all_that_can_be_spared() {
    let net = |s: Snapshot, width| {
        let ui = UiState::new(Options::default());
        net_line::net(&ui, &s, width).to_string()
    };
    assert_eq!(
        net(fixture::busy(), 80),
        "NET  rx 71.4G 6.90Mpps · tx 3.10G 900.0kpps · 2.29/4 cores · 289 ns/pkt ±5%"
    );
    assert_eq!(
        net(fixture::busy(), 200),
        "NET  rx 71.4Gb/s 6.90Mpps · tx 3.10Gb/s 900.0kpps · local 1.20Gb/s 120.0kpps · \
         2.29/4 cores (rx 1.70 tx 0.28 sock 0.31) · 289 ns/pkt ±5% (30s) · observers 2.1%"
    );
    assert_eq!(
        net(fixture::busy(), 60),
        "NET  rx 71.4G 6.90Mpps · 2.29/4 cores · 289 ns/pkt ±5%"
    );
    let mut s = fixture::busy();
    s.summary.observer_pct = Some(12.0);
    assert_eq!(
        net(s.clone(), 80),
        "NET  rx 71.4G 6.90Mpps · 2.29/4 cores · 289 ns/pkt ±5% · observers 12%"
    );
    s.summary.observer_pct = Some(0.9);
    s.summary.ns_per_packet = Some(12_345.0);
    s.summary.ns_error = None;
    assert!(net(s.clone(), 200).ends_with("12.3 µs/pkt (30s)"));
    s.summary.ns_per_packet = None;
    assert!(net(s.clone(), 200).contains(" · – ns/pkt"));
    s.summary.net_cores = None;
    assert!(net(s.clone(), 200).ends_with(" · –/4 cores"));
    s.summary.rx_pps = Some(0.0);
    s.summary.tx_pps = None;
    s.summary.net_cores = Some(0.43);
    s.summary.ns_per_packet = Some(6812.0);
    assert_eq!(
        net(s, 60),
        "NET  local 1.20G 120.0kpps · 0.43/4 cores · 6812 ns/pkt"
    );
}

//! What netop wrote is one side of a comparison again; anything else is refused with its line.

use proptest::prelude::*;

use super::super::{fixture, json};
use super::*;
use crate::model::Snapshot;
use crate::model::compare::compare;
use crate::model::{FunctionSpent, NO_SOCKET, ProcessSpent, Spent, StageSpent};

fn snapshot(second: u64) -> Snapshot {
    let mut s = fixture::busy();
    s.at += second * 1_000_000_000;
    s.spent = Some(Spent {
        net_ns: 8e8 + 1e6 * (second % 7) as f64,
        sample_ns: 5e6,
        wire: Some(WirePackets {
            rx: 4e5,
            tx: 1e5,
            all: 5e5,
        }),
        functions: vec![FunctionSpent {
            name: s.functions[0].name.clone(),
            direction: "rx",
            ns: 4e8,
        }],
        stages: vec![StageSpent {
            stage: "tcp",
            direction: "rx",
            ns: 2e8,
        }],
        processes: vec![ProcessSpent {
            pid: s.processes[0].pid,
            ns: 1e8,
        }],
    });
    s
}

fn read(snapshots: &[Snapshot]) -> Recorded {
    let mut recorded = Recorded::default();
    for (at, snapshot) in snapshots.iter().enumerate() {
        recorded
            .take(at + 1, &json::line(snapshot))
            .expect("netop wrote it");
    }
    recorded
}

#[test]
fn a_series_read_again_is_the_series_in_memory() {
    let snapshots: Vec<Snapshot> = (0..10).map(snapshot).collect();
    let mut direct = Measured::default();
    for s in &snapshots {
        let second = Second::of(s, |_, comm| Key::process(comm));
        let pushed = direct.push(Origin::of(s), second, Window::of(s));
        pushed.expect("few rows");
    }
    // The text has milliseconds.
    let recorded = read(&snapshots).measured;
    assert_eq!(recorded.parts(), direct.parts());
    assert_eq!(recorded, direct);
    let compared = compare(&recorded, &direct);
    assert!(!compared.differs());
    assert_eq!(compared.ns_per_packet.change_pct, Some(0.0));
}

#[test]
fn what_is_no_snapshot_is_refused_with_its_line_and_the_reason() {
    let good = json::line(&snapshot(0));
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for (text, why) in [
        ("{}".to_owned(), "line 7, column 2: missing field `schema`"),
        ("[1]".to_owned(), "line 7, column 2: invalid"),
        ("\u{1b}[2J".to_owned(), "line 7, column 1: expected value"),
        (changed("snapshot/1", "snapshot/9"), "line 7: its schema is"),
        (
            changed("\"interval_s\":1.0", "\"interval_s\":-1.0"),
            "line 7: its interval is -1 s",
        ),
        (
            changed("\"interval_s\":1.0", "\"interval_s\":1e300"),
            "line 7: its interval is",
        ),
        (changed("2026-11-22T", "tomorrow "), "is no time"),
        (
            changed("\"net_ns\":8", "\"net_ns\":-8"),
            "line 7: net_ns is -8",
        ),
        (
            changed("\"all\":500000.0", "\"all\":1e30"),
            "line 7: wire.all is 1",
        ),
    ] {
        let refused = Recorded::default().take(7, &text).expect_err(why);
        assert!(refused.why.contains(why), "{why}: {}", refused.why);
        assert!(!refused.cut_off, "{why}");
    }
    let half = &good[..good.len() / 2];
    assert!(Recorded::default().take(1, half).expect_err("cut").cut_off);
    let indented = json::file(&snapshot(0)).replace("\"kernel\": \"6.8.0\"", "\"kernel\": 6");
    let refused = Recorded::default().take(1, &indented).expect_err("no text");
    let line = indented
        .lines()
        .position(|line| line.contains("\"kernel\": 6"));
    let line = line.expect("it is there") + 1;
    assert!(
        refused.why.starts_with(&format!("line {line}, ")),
        "{}",
        refused.why
    );
}

#[test]
fn stacks_of_all_snapshots_add_up() {
    let stack = |s: &mut Snapshot| {
        let mut cpu = s.stacks[0].clone();
        (cpu.unit, cpu.weight) = ("ns", 5e6);
        s.stacks.push(cpu);
    };
    let snapshots: Vec<Snapshot> = (0..3)
        .map(|second| {
            let mut s = snapshot(second);
            stack(&mut s);
            s
        })
        .collect();
    let stacks = read(&snapshots).stacks;
    assert_eq!(stacks.len(), 1);
    assert!((stacks[0].weight - 15e6).abs() < 1.0);
}

proptest! {
    #[test]
    fn no_text_is_fatal(text in ".{0,200}", cut in 0.0..1.0, at in 0.0..1.0, byte in 0u8..128) {
        let _any = Recorded::default().take(1, &text);
        let good = json::line(&snapshot(0));
        let half = &good[..(good.len() as f64 * cut) as usize];
        let _any = Recorded::default().take(1, half);
        let mut bytes = good.clone().into_bytes();
        let place = (bytes.len() as f64 * at) as usize;
        bytes[place] = byte;
        if let Ok(broken) = String::from_utf8(bytes) {
            let mut recorded = Recorded::default();
            if recorded.take(1, &broken).is_ok() {
                let _compared = compare(&recorded.measured, &recorded.measured);
            }
        }
    }
}

#[test]
fn what_belongs_to_no_process_is_read_again_too() {
    let mut snapshot = snapshot(1);
    snapshot.processes[0].pid = NO_SOCKET;
    snapshot.stacks[0].pid = NO_SOCKET;
    let text = json::line(&snapshot);
    assert!(text.contains(r#""pid":null"#));
    let mut recorded = Recorded::default();
    recorded.take(1, &text).expect("a snapshot");
}

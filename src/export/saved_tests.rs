//! What netop wrote is read again; anything else is refused with its reason.

use proptest::prelude::*;

use super::super::{fixture, json};
use super::*;
use crate::model::Snapshot;

fn snapshot() -> Snapshot {
    let mut snapshot = fixture::busy();
    let hit = snapshot.stacks[0].clone();
    snapshot.stacks.push(Stack {
        function: "cpu".into(),
        unit: "ns",
        weight: 5_025_125.5,
        context: Some("softirq"),
        stage: Some("tcp"),
        direction: Some("rx"),
        cut: 1,
        ..hit
    });
    snapshot
}

#[test]
fn the_file_and_the_last_line_of_a_stream_are_read_as_they_were_written() {
    let snapshot = snapshot();
    let mut older = snapshot.clone();
    older.stacks.clear();
    let stream = json::line(&older) + &json::line(&snapshot);
    for text in [json::file(&snapshot), json::line(&snapshot), stream] {
        let saved = parse(&text).expect("netop wrote it");
        assert_eq!(saved.stacks, snapshot.stacks);
        assert_eq!(
            (saved.hostname.as_str(), saved.kernel.as_str()),
            ("edge-12", "6.8.0")
        );
        assert_eq!(saved.at, "2026-11-22T15:45:01.123Z");
        assert!((saved.interval_s - 1.0).abs() < f64::EPSILON);
    }
}

#[test]
fn what_is_no_snapshot_is_refused_with_the_reason() {
    let good = json::line(&snapshot());
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let deep = format!("\"frames\":[{}", "\"f\",".repeat(DEEPEST));
    for (text, why) in [
        (String::new(), "EOF"),
        ("[1, 2]".to_owned(), "invalid"),
        ("{}".to_owned(), "missing field `schema`"),
        (good[..good.len() / 2].to_owned(), "EOF"),
        (format!("{{\"a\":{}", "[".repeat(100_000)), "EOF"),
        (
            changed("netop.snapshot/1", "netop.snapshot/9"),
            "netop.snapshot/9",
        ),
        (changed("\"unit\":\"ns\"", "\"unit\":\"cats\""), "cats"),
        (changed("\"weight\":31.0", "\"weight\":-1"), "weight -1"),
        (changed("\"weight\":31.0", "\"weight\":1e300"), "1e300"),
        (
            changed("\"weight\":31.0", "\"weight\":1e999"),
            "out of range",
        ),
        (changed("\"frames\":[", &deep), "2002 frames"),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST)), "16 MiB"),
    ] {
        let said = parse(&text).err().unwrap_or_else(|| panic!("{why}: read"));
        assert!(said.contains(why), "{said:?} says no {why}");
    }
}

#[test]
fn a_snapshot_from_before_cpu_samples_has_hits() {
    let old = r#"{"schema":"netop.snapshot/1","at":"x","interval_s":1,
        "host":{"hostname":"h","kernel":"k"},
        "stacks":[{"function":"f","pid":1,"comm":"c","weight":2,"samples":1,"frames":["a"]}]}"#;
    let saved = parse(old).expect("a snapshot");
    assert_eq!(
        (saved.stacks[0].unit, saved.stacks[0].cut),
        ("hits", usize::MAX)
    );
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", cut in 0_usize..5000) {
        let _read_or_refused = parse(&text);
        let good = json::line(&snapshot());
        let _read_or_refused = parse(good.get(..cut).unwrap_or(&good));
    }
}

#[test]
fn of_stages_only_few_short_names_are_kept() {
    let mut stages = Stages::default();
    assert_eq!(stages.keep("tcp"), Some("tcp"));
    for name in ["", "a b", "\u{1b}", &"n".repeat(LONGEST_STAGE + 1)] {
        assert_eq!(stages.keep(name), None, "{name}");
    }
    for n in 0..2 * StageId::MOST {
        stages.keep(&format!("s{n}"));
    }
    assert_eq!(stages.0.len(), StageId::MOST);
    assert_eq!(stages.keep("tcp"), Some("tcp"));
}

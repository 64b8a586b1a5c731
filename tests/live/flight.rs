//! The flight recorder on the real kernel: what happens to a link is in its lane, and a recorder
//! that is killed has lost nothing.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ::netop::flight::{Entry, SegmentReader, segments};
use serde_json::Value;

use crate::net::{Net, ip, may_run};

/// Seconds that stand in the ring.
fn ticks(dir: &Path) -> usize {
    let mut ticks = 0;
    for segment in segments(dir).unwrap_or_default() {
        let Ok(mut reader) = SegmentReader::open(&segment.path) else {
            continue;
        };
        while let Ok(entry) = reader.read() {
            ticks += usize::from(matches!(entry, Entry::Tick(_)));
        }
    }
    ticks
}

fn wait_for_more(dir: &Path, recorder: &mut Child) {
    let (before, began) = (ticks(dir), Instant::now());
    while ticks(dir) < before + 2 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "nothing is recorded"
        );
        assert!(matches!(recorder.try_wait(), Ok(None)), "it has ended");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_happened_to_a_link_is_in_the_lane_of_a_recorder_that_was_killed() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let dir = tempfile::tempdir().expect("a directory");
    // Becomes the recorder itself, in the namespace.
    let mut recorder = Command::new("ip")
        .args(["netns", "exec", &net.a, env!("CARGO_BIN_EXE_netop")])
        .args(["record", "--flight", "--dir"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("ip");
    wait_for_more(dir.path(), &mut recorder);
    ip(&["-n", &net.b, "link", "set", &net.vb, "down"]);
    wait_for_more(dir.path(), &mut recorder);
    ip(&["-n", &net.b, "link", "set", &net.vb, "up"]);
    ip(&["-n", &net.a, "link", "set", &net.va, "mtu", "1400"]);
    wait_for_more(dir.path(), &mut recorder);
    recorder.kill().expect("it runs");
    recorder.wait().expect("it ends");
    let whole = ticks(dir.path());
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .arg("report")
        .arg(dir.path())
        .args(["-b", "--format", "json"])
        .output()
        .expect("netop");
    let snapshot: Value = serde_json::from_slice(&output.stdout).expect("one line");
    let length = snapshot["interval_s"].as_f64().expect("a number");
    assert!(
        (length - (whole as f64 - 1.0)).abs() < 0.5,
        "{length} {whole}"
    );
    let events = snapshot["events"].as_array().expect("a list");
    let told: Vec<&str> = (events.iter())
        .filter(|event| event["device"] == net.va.as_str())
        .filter_map(|event| event["text"].as_str())
        .collect();
    let va = &net.va;
    let expected = [
        format!("{va}: link down"),
        format!("{va}: link up"),
        format!("{va}: mtu 1500 → 1400"),
    ];
    assert_eq!(told, expected);
    let notes = snapshot["health"]["notes"].to_string();
    assert!(!notes.contains("torn"), "{notes}");
}

//! The file as its reader goes through it: every index leads somewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

fn stack(pid: u32, comm: &str, context: &'static str, weight: f64, frames: &[&str]) -> Stack {
    Stack {
        function: "cpu".into(),
        pid,
        comm: comm.into(),
        weight,
        unit: "ns",
        samples: 3,
        stage: Some("tcp"),
        direction: Some("rx"),
        context: Some(context),
        cut: 2,
        frames: frames.iter().map(|frame| Arc::from(*frame)).collect(),
    }
}

fn written(stacks: &[Stack]) -> Value {
    let text = profile(&Profile {
        title: "edge-12: CPU time".to_owned(),
        subtitle: "6.8.0".to_owned(),
        stacks,
        lines: &BTreeMap::new(),
        at: 1_795_362_301_000_000_000,
        seconds: 10.0,
    })
    .expect("there is something");
    assert!(!text.contains('\u{9b}'));
    serde_json::from_str(&text).expect("JSON")
}

fn column<'a>(table: &'a Value, path: &str) -> &'a Vec<Value> {
    let found = table.pointer(path).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no {path}: {table}"))
}

/// `name: outer;inner category weight` of each sample of each thread.
fn samples(file: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let categories = column(file, "/meta/categories");
    for thread in column(file, "/threads") {
        let strings = match thread.get("stringArray") {
            Some(strings) => strings.as_array().expect("strings"),
            None => column(file, "/shared/stringArray"),
        };
        let at = |path: &str, row: &Value| -> Value {
            let row = row.as_u64().expect("an index") as usize;
            column(thread, path)[row].clone()
        };
        let weights = column(thread, "/samples/weight");
        for (stack, weight) in column(thread, "/samples/stack").iter().zip(weights) {
            let mut names = Vec::new();
            let mut category = "-";
            let mut next = stack.clone();
            while !next.is_null() {
                let frame = at("/stackTable/frame", &next);
                let func = at("/frameTable/func", &frame);
                let name = at("/funcTable/name", &func).as_u64().expect("an index");
                names.push(strings[name as usize].as_str().expect("a name"));
                if category == "-" {
                    let place = at("/frameTable/category", &frame)
                        .as_u64()
                        .expect("an index");
                    category = categories[place as usize]["name"].as_str().expect("a name");
                }
                next = at("/stackTable/prefix", &next);
            }
            names.reverse();
            let process = thread["processName"].as_str().expect("a name");
            found.push(format!(
                "{process}: {} {category} {weight}",
                names.join(";")
            ));
        }
    }
    found
}

#[test]
fn every_stack_is_a_sample_of_its_process_in_milliseconds_with_its_stage() {
    let mut unstaged = stack(
        9,
        "statsd",
        "process",
        2.5e6,
        &["read (libc.so.6)", "main (statsd)"],
    );
    unstaged.stage = None;
    let file = written(&[
        stack(7, "kafka", "process", 60e6, &["copy", "main (kaf\u{9b}ka)"]),
        stack(
            7,
            "kafka",
            "process",
            1e6,
            &["copy", "read", "main (kafka)"],
        ),
        stack(
            7,
            "kafka",
            "softirq",
            40e6,
            &["tcp_ack", "net_rx_action", "main (kafka)"],
        ),
        stack(8, "kafka", "process", 1_234.0, &[]),
        unstaged,
    ]);
    let mut found = samples(&file);
    found.sort();
    let expected = [
        "kafka:  - 0.001",
        "kafka: main (kaf?ka);copy tcp 60.0",
        "kafka: read;copy tcp 1.0",
        "softirq: net_rx_action;tcp_ack tcp 40.0",
        "statsd: main (statsd);read (libc.so.6) User 2.5",
    ];
    assert_eq!(found, expected);
    let threads = column(&file, "/threads");
    assert_eq!(threads.len(), 4);
    for thread in threads {
        assert_eq!(thread["samples"]["weightType"], "tracing-ms");
        assert_eq!(thread["isMainThread"], true);
    }
    assert_eq!(file["meta"]["symbolicated"], true);
    assert_eq!(file["meta"]["startTime"], 1_795_362_291_000.0);
}

#[test]
fn hits_are_whole_and_a_weight_of_more_than_32_bits_is_several_samples() {
    let mut hits = stack(7, "kafka", "process", 5e9, &["f"]);
    hits.unit = "hits";
    let file = written(&[hits]);
    let weights = column(&file, "/threads/0/samples/weight");
    let sum: u64 = weights
        .iter()
        .map(|weight| weight.as_u64().expect("whole"))
        .sum();
    assert_eq!((sum, weights.len()), (5_000_000_000, 3));
    assert_eq!(file["threads"][0]["samples"]["weightType"], "samples");
}

//! Stacks → folded lines and the picture of them.

use std::sync::Arc;

use super::super::{STACK_FORMATS, stack_format};
use super::*;

/// Frames leaf first, as in a snapshot.
fn stack(comm: &str, context: Option<&'static str>, frames: &[&str], cut: usize) -> Stack {
    Stack {
        function: Arc::from("cpu"),
        pid: 7,
        comm: Arc::from(comm),
        weight: 5_025_125.6,
        unit: "ns",
        samples: 1,
        stage: None,
        direction: None,
        context,
        cut,
        frames: frames.iter().map(|frame| Arc::from(*frame)).collect(),
    }
}

fn hits(comm: &str, weight: f64, frames: &[&str]) -> Stack {
    Stack {
        unit: "hits",
        weight,
        ..stack(comm, None, frames, usize::MAX)
    }
}

fn profile(stacks: &[Stack]) -> Profile<'_> {
    Profile {
        title: "edge-12: CPU time".to_owned(),
        subtitle: "6.8.0".to_owned(),
        stacks,
        lines: const { &BTreeMap::new() },
        at: 0,
        seconds: 1.0,
    }
}

fn written(name: &str, stacks: &[Stack]) -> Option<String> {
    let bytes = (stack_format(name).expect("a format").write)(&profile(stacks))?;
    Some(String::from_utf8(bytes).expect("text"))
}

#[test]
fn cpu_time_is_microseconds_from_the_root_of_its_context_to_the_leaf() {
    let stacks = [
        stack(
            "kafka",
            Some("softirq"),
            &["tcp_ack", "net_rx_action", "__do_softirq", "main (kafka)"],
            2,
        ),
        stack("kafka", Some("process"), &["tcp_ack", "main (kafka)"], 2),
        stack("kafka", Some("process"), &["tcp_ack", "main (kafka)"], 2),
        stack("ksoftirqd/2", Some("ksoftirqd"), &["net_rx_action"], 1),
        stack("napi/eth0-12", Some("napi thread"), &["net_rx_action"], 1),
        stack("–", Some("process"), &[], 0),
    ];
    let text = written("folded", &stacks).expect("there is something");
    assert_eq!(
        text,
        "kafka;main (kafka);tcp_ack 10050\n\
         ksoftirqd;net_rx_action 5025\n\
         napi/eth0-12;net_rx_action 5025\n\
         softirq;net_rx_action;tcp_ack 5025\n\
         unnamed process 5025\n"
    );
}

#[test]
fn hits_are_whole_numbers_and_what_rounds_to_none_is_left_out() {
    let stacks = [
        hits("a", 0.3, &["f"]),
        hits("a", 0.3, &["f"]),
        hits("b", 0.4, &["f"]),
        hits("c", 31.5, &["f", "g"]),
    ];
    assert_eq!(profile(&stacks).lines(), ["a;f 1", "c;g;f 32"]);
    assert_eq!(profile(&stacks).unit(), "hits");
    assert_eq!(written("folded", &stacks[2..3]), None);
    for format in STACK_FORMATS {
        assert_eq!((format.write)(&profile(&[])), None, "{}", format.name);
    }
}

#[test]
fn no_name_can_break_a_line_steer_a_terminal_or_pass_for_a_weight() {
    for (name, safe) in [
        ("a;b", "a:b"),
        ("a\nb\t\x1b[31m\u{202e}\u{ffff}", "a?b??[31m??"),
        ("jit 12", "jit_12"),
        ("jit 1 2.5", "jit 1_2.5"),
        ("# jit", "? jit"),
        ("  ", "?"),
        ("", "?"),
        ("12", "12"),
        ("foo (a b.so)", "foo (a b.so)"),
        ("naïve::<T>", "naïve::<T>"),
    ] {
        assert_eq!(frame(name), safe, "{name:?}");
    }
    let hostile = [hits("# 5", 2.0, &["x 7\n;y 9", " ;"])];
    assert_eq!(profile(&hostile).lines(), ["?_5;:;x 7?:y_9 2"]);
}

#[test]
fn a_picture_is_the_same_each_time_and_holds_every_name_as_text() {
    let stacks = [
        hits("<script>alert(1)</script>", 40.0, &["f<&>\"'", "main"]),
        hits("kafka", 60.0, &["tcp_ack", "main"]),
    ];
    let svg = written("svg", &stacks).expect("there is something");
    assert_eq!(written("svg", &stacks), Some(svg.clone()));
    for said in ["edge-12: CPU time", "6.8.0", "tcp_ack (60 hits, 60.00%)"] {
        assert!(svg.contains(said), "no {said}");
    }
    assert!(!svg.contains("alert(1)</script>"));
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt; (40 hits"));
    assert!(svg.contains("f&lt;&amp;&gt;"));
    assert!(svg.ends_with("</svg>\n"));
}

#[test]
fn a_picture_of_deep_and_of_many_stacks_is_made() {
    let deep: Vec<String> = (0..2000).map(|depth| format!("f{depth}")).collect();
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    let mut stacks = vec![hits("deep", 1e6, &deep)];
    let names: Vec<String> = (0..4000).map(|n| format!("f{n}")).collect();
    stacks.extend(names.iter().map(|name| hits("many", 1e3, &[name, "g"])));
    let svg = written("svg", &stacks).expect("there is something");
    assert!(svg.contains("f1999 (1,000,000 hits, 20.00%)"));
}

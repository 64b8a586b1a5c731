//! Who watches: nothing again, netop in several ways, and the peers.

use crate::net::Net;

/// Tracepoints that every peer is told to watch: the ones of netop's path that a packet hits.
const EVENTS: [(&str, &str); 4] = [
    ("net", "net_dev_queue"),
    ("net", "netif_receive_skb"),
    ("napi", "napi_poll"),
    ("net", "napi_gro_receive_entry"),
];

pub struct Watcher {
    pub name: String,
    /// Nothing runs if it is empty.
    pub command: Vec<String>,
    /// Typed at its terminal once it is up.
    pub keys: &'static str,
    /// It must hold events to be what it says; netop may have let them go for its budget.
    pub must_attach: bool,
}

pub fn all(net: &Net) -> Vec<Watcher> {
    let mut all = vec![Watcher {
        name: "nothing, again".to_owned(),
        command: Vec::new(),
        keys: "",
        must_attach: false,
    }];
    all.extend(
        [
            ("", ""),
            (" --counting bpf", ""),
            (" --counting perf", ""),
            (" --max-overhead 2", ""),
            // Counts all, samples all, and draws the flame graph of it.
            (" --max-overhead 100", "5f"),
            (" --counting proc", ""),
            (" --latency", ""),
        ]
        .map(|(flags, keys)| netop(flags, keys)),
    );
    all.extend(recordings());
    all.extend(peers(net));
    all
}

/// The default events within the budget, and what `perf record` below is told without one.
fn recordings() -> [Watcher; 2] {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/overhead.perf.data");
    let record = |name: &str, flags: &[&str], must_attach| Watcher {
        name: name.to_owned(),
        command: [env!("CARGO_BIN_EXE_netop"), "record", "-o", file]
            .iter()
            .chain(flags)
            .map(|&word| word.to_owned())
            .collect(),
        keys: "",
        must_attach,
    };
    let list = named_events();
    [
        record("`netop record`", &[], false),
        record(
            "`netop record -e`, the events of perf",
            &["-e", &list, "-F", "0", "--max-overhead", "100"],
            true,
        ),
    ]
}

fn named_events() -> String {
    EVENTS
        .map(|(system, name)| format!("{system}:{name}"))
        .join(",")
}

fn netop(flags: &str, keys: &'static str) -> Watcher {
    let program = [env!("CARGO_BIN_EXE_netop")].into_iter();
    let shown = if keys.is_empty() { "" } else { ", flame graph" };
    Watcher {
        name: format!("`netop{flags}`{shown}"),
        command: program
            .chain(flags.split_whitespace())
            .map(str::to_owned)
            .collect(),
        keys,
        must_attach: false,
    }
}

fn peers(net: &Net) -> [Watcher; 7] {
    let list = named_events();
    let script: String = EVENTS
        .map(|(system, name)| format!("tracepoint:{system}:{name} {{ @{name} = count(); }} "))
        .concat();
    let Net { b, vb, .. } = net;
    // Its device is in the namespace, whose /sys lacks the tracing file system.
    let netqtop = format!("mount -t debugfs none /sys/kernel/debug; exec netqtop-bpfcc -n {vb}");
    let perf = |words: &'static str| -> Vec<String> {
        let words = words.split(' ').chain(["-e", &list]);
        words.map(str::to_owned).collect()
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    [
        ("`perf stat -a`", perf("perf stat -a")),
        ("`perf record -a`", perf("perf record -o /dev/null -a")),
        (
            "`perf record -a -g`",
            perf("perf record -o /dev/null -a -g"),
        ),
        ("`perf top`", perf("perf top --stdio -a")),
        ("`bpftrace`, count()", words(&["bpftrace", "-e", &script])),
        (
            "`netqtop-bpfcc`",
            words(&["ip", "netns", "exec", b, "sh", "-c", &netqtop]),
        ),
        ("`softirqs-bpfcc 1`", words(&["softirqs-bpfcc", "1"])),
    ]
    .map(|(name, command)| Watcher {
        name: name.to_owned(),
        command,
        keys: "",
        must_attach: true,
    })
}

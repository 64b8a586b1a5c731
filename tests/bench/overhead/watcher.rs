//! Who watches: nothing again, netop in several ways, and the peers; and when they are looked at.

use std::time::Duration;

use crate::net::Net;

pub const NOTHING: &str = "nothing, again";

/// Tracepoints that the peers are told to watch: the ones of netop's path that a packet hits.
const EVENTS: [(&str, &str); 4] = [
    ("net", "net_dev_queue"),
    ("net", "netif_receive_skb"),
    ("napi", "napi_poll"),
    ("net", "napi_gro_receive_entry"),
];

/// What netop's 13 rows count, as `perf stat` is told it.
const ROWS: &str = "-e irq:softirq_entry --filter vec==3 -e irq:softirq_entry --filter vec==2 \
-e net:napi_gro_receive_entry,net:napi_gro_frags_entry,net:net_dev_queue,napi:napi_poll,\
net:netif_receive_skb,net:netif_rx,sock:sock_recv_length,sock:sock_send_length,\
net:net_dev_start_xmit,skb:kfree_skb,skb:consume_skb,tcp:tcp_retransmit_skb";

/// When a watcher is looked at.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    /// In its first second, start and all.
    First,
    /// In its first three seconds.
    Three,
    /// After its budget has settled.
    Settled,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::First => "first",
            State::Three => "three",
            State::Settled => "settled",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            State::First => "first second",
            State::Three => "first 3 s",
            State::Settled => "settled",
        }
    }
}

/// Where what it prints goes.
#[derive(Clone, Copy, PartialEq)]
pub enum Output {
    Screen,
    /// Lines of JSON into a pipe, which the bench reads.
    Json,
}

pub struct Watcher {
    pub name: String,
    /// Nothing runs if it is empty.
    pub command: Vec<String>,
    pub output: Output,
    /// Typed at its terminal once it is up.
    pub keys: &'static str,
    /// It must hold events to be what it says; netop may have let them go for its budget.
    pub must_attach: bool,
    /// Watched if nobody is named.
    pub usual: bool,
    pub settle: Duration,
}

pub fn all(net: &Net) -> Vec<Watcher> {
    let mut all = vec![Watcher {
        settle: Duration::from_secs(2),
        ..watcher(NOTHING, Vec::new(), true)
    }];
    all.extend([
        netop("", "", true),
        Watcher {
            output: Output::Json,
            ..netop(" -b -d 1 --format json", "", true)
        },
        netop(" --max-overhead 2", "", true),
        netop(" --max-overhead 100", "", true),
        // Counts all, samples all, and draws the flame graph of it.
        netop(" --max-overhead 100", "5f", false),
        netop(" --counting bpf", "", false),
        netop(" --counting perf", "", false),
        netop(" --counting proc", "", false),
        netop(" --latency", "", false),
    ]);
    all.extend(recordings());
    all.extend(peers(net));
    all
}

pub fn netop(flags: &str, keys: &'static str, usual: bool) -> Watcher {
    let program = [env!("CARGO_BIN_EXE_netop")].into_iter();
    let shown = if keys.is_empty() { "" } else { ", flame graph" };
    let command = program.chain(flags.split_whitespace()).map(str::to_owned);
    Watcher {
        keys,
        ..watcher(&format!("`netop{flags}`{shown}"), command.collect(), usual)
    }
}

/// On a screen and with netop's time to settle.
fn watcher(name: &str, command: Vec<String>, usual: bool) -> Watcher {
    Watcher {
        name: name.to_owned(),
        command,
        output: Output::Screen,
        keys: "",
        must_attach: false,
        usual,
        settle: Duration::from_secs(7),
    }
}

/// The default events within the budget, and what `perf record` below is told without one.
fn recordings() -> [Watcher; 2] {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/overhead.perf.data");
    let record = |name: &str, flags: &[&str]| {
        let program = [env!("CARGO_BIN_EXE_netop"), "record", "-o", file];
        let command = program.iter().chain(flags).map(|&word| word.to_owned());
        watcher(name, command.collect(), false)
    };
    let list = named_events();
    [
        record("`netop record`", &[]),
        Watcher {
            must_attach: true,
            ..record(
                "`netop record -e`, the events of perf",
                &["-e", &list, "-F", "0", "--max-overhead", "100"],
            )
        },
    ]
}

fn named_events() -> String {
    EVENTS
        .map(|(system, name)| format!("{system}:{name}"))
        .join(",")
}

fn peers(net: &Net) -> [Watcher; 8] {
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
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|&w| w.to_owned()).collect() };
    let rows = ["perf", "stat", "-a"].into_iter().chain(ROWS.split(' '));
    [
        ("`perf stat -a`, 4 events", perf("perf stat -a"), true),
        (
            "`perf stat -a`, what netop's 13 rows count",
            words(&rows.collect::<Vec<_>>()),
            true,
        ),
        (
            "`bpftrace`, count() of 4",
            words(&["bpftrace", "-e", &script]),
            true,
        ),
        (
            "`perf record -a`",
            perf("perf record -o /dev/null -a"),
            true,
        ),
        ("`perf top`", perf("perf top --stdio -a"), true),
        (
            "`perf record -a -g`",
            perf("perf record -o /dev/null -a -g"),
            false,
        ),
        (
            "`netqtop-bpfcc`",
            words(&["ip", "netns", "exec", b, "sh", "-c", &netqtop]),
            false,
        ),
        ("`softirqs-bpfcc 1`", words(&["softirqs-bpfcc", "1"]), false),
    ]
    .map(|(name, command, usual)| Watcher {
        must_attach: true,
        settle: Duration::from_secs(2),
        ..watcher(name, command, usual)
    })
}

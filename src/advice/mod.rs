//! Advice: pure rules over the last snapshots. A rule says what it saw, what it checked, and the
//! command to type; nothing here changes anything. One file per family, [`RULES`] is the list.
//! Knows the model only.

mod card;
mod cost;
mod limits;
mod path;
mod receive;
mod sockets;
mod transmit;
mod window;

use std::collections::BTreeMap;

use self::window::{Past, Window};
use crate::model::{Finding, Snapshot};

pub use self::limits::{LIMITS, Limits};

/// What a rule needs to be judged at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// CPU samples.
    CpuTime,
    /// Drop reasons (events).
    Reasons,
    /// Counters of /proc.
    Counters,
}

pub struct Rule {
    pub id: &'static str,
    /// What is checked, for the list of what is fine.
    pub checks: &'static str,
    pub needs: Signal,
    judge: fn(&Window<'_>, &Limits) -> Vec<Finding>,
}

macro_rules! one {
    ($judge:path) => {
        |window, limits| $judge(window, limits).into_iter().collect()
    };
}

/// In the order of signals.md 5.
pub static RULES: &[Rule] = &[
    Rule {
        id: "A01",
        checks: "softirqs finish their work",
        needs: Signal::Counters,
        judge: receive::squeeze,
    },
    Rule {
        id: "A02",
        checks: "the CPUs' backlogs have room",
        needs: Signal::Counters,
        judge: one!(receive::backlog),
    },
    Rule {
        id: "A03",
        checks: "packets are spread over the CPUs",
        needs: Signal::Counters,
        judge: one!(receive::one_cpu),
    },
    Rule {
        id: "A14",
        checks: "checksums are not computed by the CPU",
        needs: Signal::CpuTime,
        judge: one!(cost::checksum),
    },
    Rule {
        id: "A16",
        checks: "receive rings have room",
        needs: Signal::Counters,
        judge: transmit::ring,
    },
    Rule {
        id: "A17",
        checks: "the cloud instance's allowances hold",
        needs: Signal::Counters,
        judge: transmit::allowance,
    },
    Rule {
        id: "A23",
        checks: "qdiscs have room",
        needs: Signal::Counters,
        judge: transmit::qdisc,
    },
    Rule {
        id: "A27",
        checks: "UDP receive buffers have room",
        needs: Signal::Counters,
        judge: sockets::udp_buffer,
    },
    Rule {
        id: "A28",
        checks: "TCP receivers have room",
        needs: Signal::Counters,
        judge: one!(sockets::tcp_buffer),
    },
    Rule {
        id: "A29",
        checks: "locked TCP sockets have room",
        needs: Signal::Counters,
        judge: one!(sockets::tcp_backlog),
    },
    Rule {
        id: "A30",
        checks: "servers accept fast enough",
        needs: Signal::Counters,
        judge: one!(sockets::listen),
    },
    Rule {
        id: "A31",
        checks: "SYN queues have room",
        needs: Signal::Counters,
        judge: one!(sockets::syn_queue),
    },
    Rule {
        id: "A32",
        checks: "TCP sends little again",
        needs: Signal::Counters,
        judge: one!(transmit::retransmit),
    },
    Rule {
        id: "A34",
        checks: "softirqs do not run on others' time",
        needs: Signal::CpuTime,
        judge: cost::stolen,
    },
    Rule {
        id: "A37",
        checks: "netfilter is cheap and its table has room",
        needs: Signal::Counters,
        judge: cost::netfilter,
    },
    Rule {
        id: "A39",
        checks: "copies do not dominate",
        needs: Signal::CpuTime,
        judge: one!(cost::copy),
    },
    Rule {
        id: "A40",
        checks: "no capture clones the traffic",
        needs: Signal::CpuTime,
        judge: one!(cost::capture),
    },
    Rule {
        id: "A42",
        checks: "neighbours answer",
        needs: Signal::Reasons,
        judge: one!(path::neighbour),
    },
    Rule {
        id: "A43",
        checks: "the reverse path filter refuses nothing",
        needs: Signal::Reasons,
        judge: one!(path::reverse_path),
    },
    Rule {
        id: "A44",
        checks: "no frames that nobody wants",
        needs: Signal::Reasons,
        judge: one!(path::unwanted),
    },
    Rule {
        id: "A45",
        checks: "observers are cheap",
        needs: Signal::CpuTime,
        judge: one!(cost::observers),
    },
];

/// Seconds between two looks; three in a row confirm a finding, six without end it.
const LOOK_S: f64 = 2.0;
const CONFIRMED: u32 = 3;
const GONE: u32 = 6;

struct Held {
    finding: Finding,
    seen: u32,
    missed: u32,
}

/// Looks at each snapshot and remembers what it found.
#[derive(Default)]
pub struct Adviser {
    limits: Limits,
    past: Past,
    held: BTreeMap<(&'static str, String), Held>,
    looked: Option<f64>,
}

impl Adviser {
    pub fn new(limits: Limits) -> Adviser {
        Adviser {
            limits,
            ..Adviser::default()
        }
    }

    /// The findings as of this snapshot: gravest first, then by rule.
    pub fn take(&mut self, snapshot: &Snapshot) -> Vec<Finding> {
        self.past.push(snapshot);
        let due = self
            .looked
            .is_none_or(|last| snapshot.elapsed_s - last >= LOOK_S * 0.99);
        let window = Window::new(snapshot, &self.past);
        if due && window.is_full() {
            self.looked = Some(snapshot.elapsed_s);
            let mut found = Vec::new();
            // What is lost in the rings of netop itself may be what a rule would need.
            if window.lost_pct() <= self.limits.get("lost_pct") {
                for rule in RULES {
                    found.extend((rule.judge)(&window, &self.limits));
                }
            }
            self.hold(found, snapshot.at);
        }
        let mut findings: Vec<Finding> = self
            .held
            .values()
            .map(|held| held.finding.clone())
            .collect();
        findings.sort_by(|a, b| {
            (!a.confirmed, a.severity, a.rule, &a.subject).cmp(&(
                !b.confirmed,
                b.severity,
                b.rule,
                &b.subject,
            ))
        });
        findings
    }

    fn hold(&mut self, found: Vec<Finding>, at: u64) {
        for held in self.held.values_mut() {
            held.missed += 1;
        }
        for mut finding in found {
            let key = (finding.rule, finding.subject.clone());
            let before = self.held.remove(&key);
            let seen = before.as_ref().map_or(1, |held| held.seen + 1);
            finding.since = before.as_ref().map_or(at, |held| held.finding.since);
            finding.confirmed =
                seen >= CONFIRMED || before.is_some_and(|held| held.finding.confirmed);
            self.held.insert(
                key,
                Held {
                    finding,
                    seen,
                    missed: 0,
                },
            );
        }
        // A suspicion ends at once, what was confirmed after six looks without.
        self.held
            .retain(|_, held| held.missed < if held.finding.confirmed { GONE } else { 1 });
    }
}

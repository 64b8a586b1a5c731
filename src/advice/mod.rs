//! Advice: pure rules over the last snapshots. A rule says what it saw, what it checked, and the
//! command to type; nothing here changes anything. One file per family, [`RULES`] is the list.
//! Knows the model only.

mod card;
mod cost;
mod limits;
mod offloads;
mod path;
mod queues;
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
    /// How the devices are set up.
    Devices,
}

impl Signal {
    /// Why it cannot be had; `None`: it is here.
    fn missing(self, snapshot: &Snapshot) -> Option<&'static str> {
        let rows = &snapshot.functions;
        match self {
            Signal::CpuTime if snapshot.summary.net_cores.is_none() => {
                Some("CPU time is not sampled")
            }
            Signal::Reasons
                if rows
                    .iter()
                    .any(|f| &*f.name == "kfree_skb" && f.rate.is_none()) =>
            {
                Some("kfree_skb is not counted")
            }
            Signal::Counters if snapshot.cpus.is_empty() => {
                Some("the counters of /proc cannot be read")
            }
            Signal::Devices if snapshot.devices.iter().all(|d| d.setup.is_none()) => {
                Some("the devices' setup cannot be read")
            }
            Signal::CpuTime | Signal::Reasons | Signal::Counters | Signal::Devices => None,
        }
    }
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
        id: "A04",
        checks: "busy queues do not share a CPU",
        needs: Signal::Devices,
        judge: queues::affinity,
    },
    Rule {
        id: "A05",
        checks: "receive queues have about the same load",
        needs: Signal::Devices,
        judge: queues::skew,
    },
    Rule {
        id: "A06",
        checks: "an interrupt serves several packets",
        needs: Signal::Devices,
        judge: queues::coalesce,
    },
    Rule {
        id: "A08",
        checks: "polls take what is there",
        needs: Signal::Devices,
        judge: queues::saturated,
    },
    Rule {
        id: "A10",
        checks: "NICs merge what they receive",
        needs: Signal::Devices,
        judge: offloads::gro_off,
    },
    Rule {
        id: "A11",
        checks: "segmented traffic on veth is merged",
        needs: Signal::Devices,
        judge: offloads::veth_gro,
    },
    Rule {
        id: "A12",
        checks: "GRO finds something to merge",
        needs: Signal::Devices,
        judge: offloads::gro_ratio,
    },
    Rule {
        id: "A14",
        checks: "checksums are not computed by the CPU",
        needs: Signal::CpuTime,
        judge: one!(cost::checksum),
    },
    Rule {
        id: "A15",
        checks: "packets are cut by the device",
        needs: Signal::Devices,
        judge: offloads::tso_off,
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
        id: "A18",
        checks: "receive buffers can be allocated",
        needs: Signal::Devices,
        judge: transmit::no_memory,
    },
    Rule {
        id: "A20",
        checks: "interrupts stay on the device's NUMA node",
        needs: Signal::Devices,
        judge: queues::numa,
    },
    Rule {
        id: "A22",
        checks: "virtio has queues enough",
        needs: Signal::Devices,
        judge: queues::virtio,
    },
    Rule {
        id: "A23",
        checks: "qdiscs have room",
        needs: Signal::Counters,
        judge: transmit::qdisc,
    },
    Rule {
        id: "A24",
        checks: "transmit rings have room",
        needs: Signal::Devices,
        judge: transmit::stopped,
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

    /// Fills in what is to be said of this snapshot: findings, gravest first, then by rule; what was
    /// looked at and is fine; what could not be judged.
    pub fn take(&mut self, snapshot: &mut Snapshot) {
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
            let key = |f: &Finding| (!f.confirmed, f.severity, f.rule, f.subject.clone());
            key(a).cmp(&key(b))
        });
        for rule in RULES.iter().filter(|_| self.looked.is_some()) {
            match rule.needs.missing(snapshot) {
                Some(why) => snapshot
                    .unjudged
                    .push(format!("{} ({}): {why}", rule.id, rule.checks)),
                None if findings.iter().all(|f| f.rule != rule.id) => {
                    snapshot.checked.push(rule.checks);
                }
                None => {}
            }
        }
        snapshot.findings = findings;
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

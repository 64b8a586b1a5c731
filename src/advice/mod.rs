//! Advice: pure rules over the last snapshots. A rule says what it saw, what it checked, and the
//! command to type; nothing here changes anything. One file per family, [`RULES`] is the list,
//! [`LIMITS`] what they compare with.
//! Knows the model only.

mod card;
mod cost;
mod hardware;
mod limits;
mod offloads;
mod page;
mod path;
mod polling;
mod queues;
mod receive;
mod rules;
mod signal;
mod sockets;
mod transmit;
mod window;

use std::collections::BTreeMap;

use self::signal::{Hindrance, hindrance};
use self::window::{Past, Window};
use crate::model::{Finding, Snapshot};

pub use self::limits::{LIMITS, Limits};
pub use self::page::markdown;
pub use self::rules::{RULES, Rule};
pub use self::signal::Signal;

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
    hindrance: Hindrance,
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
    pub fn ingest(&mut self, snapshot: &mut Snapshot) {
        self.past.push(snapshot);
        let due = self
            .looked
            .is_none_or(|last| snapshot.elapsed_s - last >= LOOK_S * 0.99);
        let window = Window::new(snapshot, &self.past);
        if due && window.is_full() {
            self.looked = Some(snapshot.elapsed_s);
            self.hindrance = hindrance(&window, &self.limits);
            let mut found = Vec::new();
            for rule in RULES.iter().filter(|rule| self.hindrance.lets(rule)) {
                found.extend((rule.judge)(&window, &self.limits));
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
            let why = (rule.needs.missing(snapshot)).map(str::to_owned);
            match why.or_else(|| self.hindrance.why(rule)) {
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

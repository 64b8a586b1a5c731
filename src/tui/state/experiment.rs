//! Whether a piece of advice helped: `d` on a finding marks what was, netop sees the setting change
//! and holds the finding's own figures and the cost per packet of then and now against each other.

use std::sync::Arc;

use super::baseline::Baseline;
use crate::model::compare::{Comparison, Load, Verdict};
use crate::model::{Changed, Evidence, Finding, Settings, Snapshot, Tried, changed, settings};

/// Seconds after the change that a rule's window needs to hold nothing of the time before it.
const SETTLED_S: f64 = 12.0;

/// Drops come in bursts: a count is called different only when it is so many of its own standard
/// deviations away.
const SURE: f64 = 3.0;

#[derive(Debug)]
pub struct Experiment {
    finding: Finding,
    settings: Settings,
    /// What was changed, and when that was seen (`Snapshot::elapsed_s`).
    done: Option<(Vec<Changed>, f64)>,
    /// The same finding, time and number of the last snapshot.
    now: Option<Finding>,
    elapsed_s: f64,
    sequence: u64,
    marked_s: f64,
}

impl Experiment {
    pub fn new(finding: Finding, snapshot: &Snapshot) -> Experiment {
        Experiment {
            now: Some(finding.clone()),
            finding,
            settings: settings(snapshot),
            done: None,
            elapsed_s: snapshot.elapsed_s,
            sequence: snapshot.sequence,
            marked_s: snapshot.elapsed_s,
        }
    }

    /// No change was seen yet.
    pub fn waits(&self) -> bool {
        self.done.is_none()
    }

    /// The user has changed what netop does not see: a program, another host.
    pub fn told(&mut self, baseline: &mut Baseline) {
        baseline.begin_after(self.sequence);
        self.done = Some((Vec::new(), self.elapsed_s));
    }

    pub fn tried(&self, comparison: Option<&Comparison>) -> Tried {
        let done = self.done.as_ref();
        Tried {
            before: self.finding.clone(),
            changed: done.map(|(changed, _)| changed.clone()).unwrap_or_default(),
            changed_after_s: done.map(|(_, at)| at - self.marked_s),
            after: self.now.clone(),
            verdict: self.verdict(comparison),
        }
    }

    pub fn see(&mut self, newest: &Arc<Snapshot>, baseline: &mut Baseline) {
        self.elapsed_s = newest.elapsed_s;
        self.sequence = newest.sequence;
        let same =
            |f: &&Finding| (f.rule, &f.subject) == (self.finding.rule, &self.finding.subject);
        self.now = newest.findings.iter().find(same).cloned();
        if self.done.is_none() {
            let changed = changed(&self.settings, &settings(newest));
            if !changed.is_empty() {
                // Only what comes from now on was measured under the new setting.
                baseline.begin_after(newest.sequence);
                self.done = Some((changed, newest.elapsed_s));
            }
        }
    }

    /// `A27: net.core.rmem_max 212992 → 8388608 · datagrams lost 200/s → none · …`
    pub fn verdict(&self, comparison: Option<&Comparison>) -> String {
        let rule = self.finding.rule;
        let Some((changed, at)) = &self.done else {
            return format!(
                "{rule}: marked; netop waits until it sees a setting change (sysctl, qdisc, ethtool, sysfs); d says that something else was changed"
            );
        };
        let what: Vec<String> = (changed.iter().take(3))
            .map(|c| format!("{} {} → {}", c.name, c.before, c.after))
            .collect();
        let what = if what.is_empty() {
            "changed, as you said".to_owned()
        } else {
            what.join(", ")
        };
        let passed = self.elapsed_s - at;
        if passed < SETTLED_S {
            return format!("{rule}: {what} · measuring, {passed:.0} of {SETTLED_S:.0} s");
        }
        let load = comparison.map(|c| c.load);
        if load == Some(Load::Differs) {
            return format!(
                "{rule}: {what} · load differs, not comparable: {}",
                self.figures()
            );
        }
        format!("{rule}: {what} · {} · {}", self.figures(), cost(comparison))
    }

    fn figures(&self) -> String {
        let rates = (self.finding.evidence.iter()).filter(|e| e.window_s > 0.0);
        let Some(before) = rates.into_iter().next() else {
            return if self.now.is_some() {
                "the finding holds"
            } else {
                "the finding is gone"
            }
            .to_owned();
        };
        let after = self
            .now
            .as_ref()
            .and_then(|now| now.evidence.iter().find(|e| e.name == before.name));
        let said = |e: &Evidence| match e.unit {
            "/s" => format!("{:.0}/s", e.value),
            unit if unit.starts_with('%') => format!("{:.1}%", e.value),
            unit => format!("{:.0} {unit}", e.value),
        };
        match after {
            None => format!("{} {} → the finding is gone", before.name, said(before)),
            Some(after) => {
                let judged = if before.unit == "/s" && sure(before, after) {
                    ""
                } else if before.unit == "/s" {
                    " (no significant change)"
                } else {
                    " (not judged)"
                };
                format!("{} {} → {}{judged}", before.name, said(before), said(after))
            }
        }
    }
}

/// More than counts of two windows differ by chance.
fn sure(before: &Evidence, after: &Evidence) -> bool {
    let count = |e: &Evidence| e.value * e.window_s;
    let (a, b) = (count(before), count(after));
    (a - b).abs() >= SURE * (a + b).max(1.0).sqrt()
}

fn cost(comparison: Option<&Comparison>) -> String {
    let Some(comparison) = comparison else {
        return "cost per packet is not known yet".to_owned();
    };
    let change = comparison.ns_per_packet;
    match (change.verdict, change.before, change.after) {
        (Verdict::Different, Some(before), Some(after)) => {
            let p = change.p.map_or(String::new(), |p| format!(", p {p:.3}"));
            let pct = change.change_pct.unwrap_or(0.0);
            format!("cost per packet {before:.0} → {after:.0} ns ({pct:+.0}%{p})")
        }
        (Verdict::WithinChance, Some(before), Some(after)) => {
            let least = comparison.detectable_pct.map_or(String::new(), |pct| {
                format!(", less than {pct:.0}% would not be seen")
            });
            format!(
                "no significant change of the cost per packet ({before:.0} → {after:.0} ns{least})"
            )
        }
        (Verdict::NotComparable, ..) => "cost per packet: load differs, not comparable".to_owned(),
        _ => "cost per packet: too few seconds or samples to say".to_owned(),
    }
}

#[cfg(test)]
#[path = "experiment_test.rs"]
mod tests;

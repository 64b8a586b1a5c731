//! Writing a finding down.

use crate::model::{Evidence, Finding, Guard, Severity};

use super::window::WINDOW_S;

/// What a rule is, before it is about anything.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub rule: &'static str,
    pub name: &'static str,
    pub source: &'static str,
}

/// A finding in the making. A guard that fails silences it.
pub struct Card {
    finding: Finding,
    silenced: bool,
}

impl About {
    pub fn card(
        self,
        severity: Severity,
        subject: impl Into<String>,
        title: impl Into<String>,
    ) -> Card {
        Card {
            finding: Finding {
                rule: self.rule,
                name: self.name,
                subject: subject.into(),
                severity,
                title: title.into(),
                source: self.source,
                ..Finding::default()
            },
            silenced: false,
        }
    }
}

impl Card {
    pub fn why(mut self, why: impl Into<String>) -> Card {
        self.finding.why = why.into();
        self
    }

    /// A mean or a sum over the window.
    pub fn saw(mut self, name: &str, value: f64, unit: &'static str) -> Card {
        self.finding.evidence.push(Evidence {
            name: name.to_owned(),
            value,
            unit,
            window_s: WINDOW_S,
        });
        self
    }

    /// A state; nothing where it is not known.
    pub fn state(mut self, name: &str, value: Option<f64>, unit: &'static str) -> Card {
        self.finding.evidence.extend(value.map(|value| Evidence {
            name: name.to_owned(),
            value,
            unit,
            window_s: 0.0,
        }));
        self
    }

    /// What else it could be, and what that looked like; `passed`: it is not that.
    pub fn guard(mut self, name: &str, value: impl Into<String>, passed: bool) -> Card {
        self.silenced |= !passed;
        self.finding.guards.push(Guard {
            name: name.to_owned(),
            value: value.into(),
            passed,
        });
        self
    }

    pub fn check(mut self, command: impl Into<String>) -> Card {
        self.finding.check = command.into();
        self
    }

    pub fn attempt(mut self, command: impl Into<String>, revert: impl Into<String>) -> Card {
        self.finding.attempt = command.into();
        self.finding.revert = revert.into();
        self
    }

    /// `None`: a guard has silenced it.
    pub fn done(self) -> Option<Finding> {
        (!self.silenced).then_some(self.finding)
    }
}

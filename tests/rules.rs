//! The rules of the advice against `tests/rules/RULE.toml`: what fires each one, what lies just
//! below its limits, and what each of its guards silences. A case is what fires with its own values
//! laid over; the figures hold for fifteen seconds.

use std::collections::BTreeMap;
use std::path::Path;

use netop::advice::{Adviser, Limits, RULES};
use netop::model::Finding;
use toml::{Table, Value};

#[path = "rules/state.rs"]
mod state;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules");

/// A fixture file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    fires: Table,
    expect: Expected,
    /// By what is a little less.
    below: BTreeMap<String, Table>,
    /// By the guard's name.
    #[serde(default)]
    guards: BTreeMap<String, Table>,
    /// Guards that only tell which of two things it is.
    #[serde(default)]
    telling: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    severity: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    r#try: String,
    #[serde(default)]
    revert: String,
}

fn laid_over(base: &Table, over: &Table) -> Table {
    let mut all = base.clone();
    for (key, value) in over {
        match (all.get_mut(key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => *under = laid_over(under, over),
            _ => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
    all
}

/// What this rule finds.
fn found(rule: &str, figures: Table, case: &str) -> Vec<Finding> {
    let figures: state::Figures = (Value::Table(figures).try_into())
        .unwrap_or_else(|error| panic!("{rule}.toml, {case}: {error}"));
    let mut adviser = Adviser::new(Limits::default());
    let mut findings = Vec::new();
    for second in 1..=15 {
        let mut snapshot = state::snapshot(&figures, second);
        adviser.take(&mut snapshot);
        findings = snapshot.findings;
    }
    findings.retain(|finding| finding.rule == rule);
    findings
}

fn read(rule: &str) -> Fixture {
    let file = Path::new(FOLDER).join(format!("{rule}.toml"));
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{rule}.toml: {error}"))
}

#[test]
fn every_rule_fires_above_its_limits_and_not_below_them() {
    for rule in RULES {
        let fixture = read(rule.id);
        let findings = found(rule.id, fixture.fires.clone(), "fires");
        let [finding] = &findings[..] else {
            panic!("{} fires {} times: {findings:?}", rule.id, findings.len());
        };
        assert!(finding.confirmed, "{}", rule.id);
        let expect = &fixture.expect;
        let said = (
            finding.severity.name(),
            &finding.subject,
            &finding.attempt,
            &finding.revert,
        );
        let wanted = (
            &*expect.severity,
            &expect.subject,
            &expect.r#try,
            &expect.revert,
        );
        assert_eq!(said, wanted, "{}", rule.id);
        assert!(
            !finding.why.is_empty() && !finding.evidence.is_empty() && !finding.check.is_empty()
        );
        assert!(!fixture.below.is_empty(), "{} has no case below", rule.id);
        for (case, over) in &fixture.below {
            let findings = found(rule.id, laid_over(&fixture.fires, over), case);
            assert!(findings.is_empty(), "{}, {case}: {findings:?}", rule.id);
        }
    }
}

#[test]
fn every_guard_silences_its_rule_or_only_tells() {
    for rule in RULES {
        let fixture = read(rule.id);
        let findings = found(rule.id, fixture.fires.clone(), "fires");
        let shown = findings.iter().flat_map(|finding| &finding.guards);
        let mut shown: Vec<&str> = shown.map(|guard| &*guard.name).collect();
        let mut known: Vec<&str> = fixture.guards.keys().map(String::as_str).collect();
        known.extend(fixture.telling.iter().map(String::as_str));
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(
            shown, known,
            "{}: the card's guards and those of the fixture",
            rule.id
        );
        for (guard, over) in &fixture.guards {
            let findings = found(rule.id, laid_over(&fixture.fires, over), guard);
            assert!(findings.is_empty(), "{}, {guard}: {findings:?}", rule.id);
        }
    }
}

#[test]
fn a_mostly_idle_host_gives_no_finding_for_ten_minutes() {
    let mut adviser = Adviser::new(Limits::default());
    let figures = state::Figures::default();
    for second in 1..=600 {
        let mut snapshot = state::snapshot(&figures, second);
        adviser.take(&mut snapshot);
        assert!(
            snapshot.findings.is_empty(),
            "{second} s: {:?}",
            snapshot.findings
        );
    }
}

#[test]
fn every_fixture_is_of_a_rule() {
    for entry in std::fs::read_dir(FOLDER).expect("the fixtures") {
        let name = entry.expect("a file").file_name();
        let name = name.to_str().expect("plain names");
        let of_rule = |id: &str| name == format!("{id}.toml");
        assert!(
            name == "state.rs" || RULES.iter().any(|rule| of_rule(rule.id)),
            "{name}"
        );
    }
}

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
    /// What else may be proposed: by what is different then, laid over, with its own commands.
    #[serde(default)]
    instead: BTreeMap<String, Table>,
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
        adviser.ingest(&mut snapshot);
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
fn what_is_proposed_follows_what_the_host_has() {
    let mut proposals = 0;
    for rule in RULES {
        let fixture = read(rule.id);
        for (case, over) in &fixture.instead {
            let mut over = over.clone();
            let mut text = |key: &str| match over.remove(key) {
                Some(Value::String(text)) => text,
                other => panic!("{}, {case}: {key} is {other:?}", rule.id),
            };
            let wanted = (text("try"), text("revert"));
            let findings = found(rule.id, laid_over(&fixture.fires, &over), case);
            let [finding] = &findings[..] else {
                panic!("{}, {case}: {findings:?}", rule.id);
            };
            let said = (finding.attempt.clone(), finding.revert.clone());
            assert_eq!(said, wanted, "{}, {case}", rule.id);
            proposals += 1;
        }
    }
    assert!(proposals >= 5, "{proposals}");
}

#[test]
fn rules_that_cannot_see_say_what_is_missing_and_are_not_called_fine() {
    let unjudged = |figures: &state::Figures, samples: (u64, u64)| {
        let mut adviser = Adviser::new(Limits::default());
        let mut last = state::snapshot(figures, 0);
        for second in 1..=15 {
            last = state::snapshot(figures, second);
            (last.health.samples, last.health.lost) = samples;
            adviser.ingest(&mut last);
        }
        (last.unjudged, last.checked)
    };
    let of = |table: &str| -> state::Figures { toml::from_str(table).expect("figures") };
    let plain = of("net_cores = 0.5\ncpus.0 = { packets = 10 }\ndevices.eth0 = {}");
    let (missing, fine) = unjudged(&plain, (1000, 1));
    for (rule, why) in [
        ("A04", "interrupt"),
        ("A05", "no driver here tells"),
        ("A08", "no poll"),
        ("A12", "GRO"),
        ("A21", "view 7"),
    ] {
        let said = |text: &&String| text.starts_with(rule) && text.contains(why);
        assert!(
            missing.iter().any(|text| said(&text)),
            "{rule}: {missing:?}"
        );
    }
    assert!(fine.contains(&"copies do not dominate"), "{fine:?}");
    // One sample in fifty was lost: nothing is called fine.
    let (missing, fine) = unjudged(&plain, (980, 20));
    assert!(fine.is_empty() && missing.len() == RULES.len(), "{fine:?}");
    // The hypervisor takes CPU time: only what rests on CPU samples is not judged.
    let stolen = of("net_cores = 0.5\ncpus.0 = { packets = 10, steal = 15.0 }\ndevices.eth0 = {}");
    let (missing, fine) = unjudged(&stolen, (1000, 0));
    let away = |text: &&String| text.contains("the hypervisor takes 15% of cpu0 away");
    assert!(missing.iter().any(|text| away(&text)), "{missing:?}");
    assert!(!fine.contains(&"copies do not dominate") && fine.contains(&"qdiscs have room"));
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
        adviser.ingest(&mut snapshot);
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

//! The verdict on a change: too early, gone, less, as before, under another load.

use super::*;
use crate::model::{Facts, Severity};
use crate::tui::fixture::second;
use crate::tui::state::history::History;

fn finding(rate: f64) -> Finding {
    Finding {
        rule: "A27",
        name: "udp-rcvbuf",
        subject: "socket buffer (UDP)".to_owned(),
        severity: Severity::Drop,
        title: String::new(),
        evidence: vec![Evidence {
            name: "datagrams lost".to_owned(),
            value: rate,
            unit: "/s",
            window_s: 10.0,
        }],
        confirmed: true,
        ..Finding::default()
    }
}

/// A second with `pps` packets, this rmem_max and this rate of the finding; 0: it is gone.
fn moment(sequence: u64, pps: f64, rmem: &str, rate: f64) -> Arc<Snapshot> {
    let name = "net.core.rmem_max".to_owned();
    let mut snapshot = second(sequence, pps);
    snapshot.elapsed_s = sequence as f64;
    snapshot.facts = Facts {
        sysctls: Arc::new([(name, rmem.to_owned())].into()),
        ..Facts::default()
    };
    snapshot
        .findings
        .extend((rate > 0.0).then(|| finding(rate)));
    Arc::new(snapshot)
}

/// Twenty seconds, the mark, the change, and so many seconds after it.
fn verdict(after: u64, changes: bool, pps: f64, rate: f64) -> String {
    let (mut history, mut baseline) = (History::default(), Baseline::default());
    for sequence in 1..=20 {
        history.push(moment(sequence, 1000.0, "212992", 200.0));
    }
    let mark = Arc::clone(history.latest().expect("pushed"));
    baseline.mark(&history, &mark);
    let mut experiment = Experiment::new(finding(200.0), &mark);
    for sequence in 21..=21 + after {
        let rmem = if changes { "8388608" } else { "212992" };
        history.push(moment(sequence, pps, rmem, rate));
        let latest = Arc::clone(history.latest().expect("pushed"));
        experiment.see(&latest, &mut baseline);
        baseline.refresh(&history, &latest);
    }
    experiment.verdict(baseline.comparison())
}

#[test]
fn nothing_is_said_before_a_setting_changes_and_the_window_has_passed() {
    assert!(verdict(20, false, 1000.0, 200.0).contains("waits until it sees"));
    let early = verdict(5, true, 1000.0, 200.0);
    assert!(
        early.contains("rmem_max 212992 → 8388608 · measuring, 5 of 12 s"),
        "{early}"
    );
}

#[test]
fn a_finding_that_is_gone_one_that_stays_and_one_that_is_less() {
    let gone = verdict(20, true, 1000.0, 0.0);
    assert!(
        gone.contains("datagrams lost 200/s → the finding is gone"),
        "{gone}"
    );
    let stays = verdict(20, true, 1000.0, 201.0);
    assert!(
        stays.contains("200/s → 201/s (no significant change)"),
        "{stays}"
    );
    let less = verdict(20, true, 1000.0, 90.0);
    assert!(less.contains("200/s → 90/s ·"), "{less}");
    assert!(less.contains("cost per packet"), "{less}");
}

#[test]
fn another_load_is_not_compared() {
    let other = verdict(20, true, 3000.0, 90.0);
    assert!(other.contains("load differs, not comparable"), "{other}");
}

#[test]
fn what_netop_does_not_see_the_user_may_say_and_the_pair_is_kept() {
    let (mut history, mut baseline) = (History::default(), Baseline::default());
    for sequence in 1..=20 {
        history.push(moment(sequence, 1000.0, "212992", 200.0));
    }
    let mark = Arc::clone(history.latest().expect("pushed"));
    baseline.mark(&history, &mark);
    let mut experiment = Experiment::new(finding(200.0), &mark);
    assert!(experiment.waits() && experiment.tried(None).changed_after_s.is_none());
    for sequence in 21..=40 {
        history.push(moment(sequence, 1000.0, "212992", 90.0));
        let latest = Arc::clone(history.latest().expect("pushed"));
        experiment.see(&latest, &mut baseline);
        if sequence == 25 {
            experiment.told(&mut baseline);
        }
        baseline.refresh(&history, &latest);
    }
    let tried = experiment.tried(baseline.comparison());
    assert!(!experiment.waits() && tried.changed.is_empty());
    assert_eq!(tried.changed_after_s, Some(5.0));
    let rates = [Some(&tried.before), tried.after.as_ref()];
    assert_eq!(
        rates.map(|f| f.map(|f| f.evidence[0].value)),
        [Some(200.0), Some(90.0)]
    );
    let said = "A27: changed, as you said · datagrams lost 200/s → 90/s · ";
    assert!(tried.verdict.starts_with(said), "{}", tried.verdict);
}

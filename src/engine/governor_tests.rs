//! The governor's decisions on made-up loads.

use super::*;
use crate::decode::{Costs, Event, Host, SourceKind};

pub fn session(registry: &Registry) -> Session {
    Session {
        costs: Costs::default(),
        no_gate: None,
        host: Host {
            hostname: "h".into(),
            kernel: "k".into(),
            arch: "a".into(),
            cpus: vec![0, 1],
            clock: None,
        },
        source: SourceKind::Live,
        events: registry
            .specs()
            .into_iter()
            .map(|spec| Event {
                spec,
                missing: None,
                gate: false,
                symbols: Vec::new(),
            })
            .collect(),
    }
}

pub const FREE: FreeNow = FreeNow {
    softirqs: true,
    softnet: true,
};

pub fn names<'a>(plan: &Plan, registry: &'a Registry) -> Vec<&'a str> {
    let mut rows: Vec<usize> = plan
        .attached
        .iter()
        .filter_map(|a| registry.row_of(a.event))
        .collect();
    rows.dedup();
    rows.into_iter()
        .map(|row| registry.rows[row].probe.function())
        .collect()
}

pub fn measured(packets: f64, runs: f64) -> Measured<'static> {
    Measured {
        counts: &[],
        costs: Costs::default(),
        packets: FxHashMap::from_iter([(0, packets), (1, 0.0)]),
        runs: FxHashMap::from_iter([(0, runs), (1, 0.0)]),
        samples: FxHashMap::default(),
        own_pct: 0.0,
        cpus: 2,
        seconds: 1.0,
    }
}

pub fn flood(governor: &mut Governor, packets: f64) -> Cost {
    governor.learn(&measured(packets, 0.0))
}

#[test]
fn a_quiet_host_has_every_row_and_what_proc_serves_is_not_attached() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    flood(&mut governor, 10.0);
    let plan = governor.plan(&Want::default(), &registry, &session(&registry), FREE);
    let attached = names(&plan, &registry);
    assert!(attached.contains(&"dev_queue_xmit") && attached.contains(&"consume_skb"));
    assert!(!attached.contains(&"net_rx_action") && !attached.contains(&"netif_receive_skb"));
    assert_eq!(plan.phrase, "all rows counted");
}

#[test]
fn before_anything_was_measured_only_what_was_asked_for_is_attached() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    let mut want = Want::default();
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert!(plan.attached.is_empty());
    want.exact.insert("kfree_skb".to_owned());
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert_eq!(names(&plan, &registry), ["kfree_skb"]);
}

#[test]
fn a_flood_sheds_rows_from_the_end_of_the_priorities_and_says_so() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    flood(&mut governor, 200_000.0);
    let plan = governor.plan(&Want::default(), &registry, &session(&registry), FREE);
    let attached = names(&plan, &registry);
    assert!(attached.contains(&"dev_queue_xmit") && attached.contains(&"kfree_skb"));
    assert!(!attached.contains(&"consume_skb"), "{attached:?}");
    let consume = registry.row_named("consume_skb").unwrap();
    assert!(
        plan.reasons[consume]
            .as_ref()
            .unwrap()
            .contains("budget is 5%")
    );
    assert!(
        plan.phrase.contains("not counted to save CPU"),
        "{}",
        plan.phrase
    );
}

#[test]
fn with_the_budget_at_100_everything_is_counted_whatever_it_costs() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(100.0, Counting::Auto);
    flood(&mut governor, 5e6);
    let plan = governor.plan(&Want::default(), &registry, &session(&registry), FREE);
    assert!(names(&plan, &registry).contains(&"consume_skb"));
    assert_eq!(plan.phrase, "all rows counted");
}

#[test]
fn a_row_asked_for_comes_first_and_stays_over_budget_with_a_word() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(1.0, Counting::Auto);
    flood(&mut governor, 200_000.0);
    let want = Want {
        exact: ["consume_skb".to_owned()].into(),
        ..Want::default()
    };
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert!(names(&plan, &registry).contains(&"consume_skb"));
    assert!(
        plan.phrase.starts_with("over budget for consume_skb"),
        "{}",
        plan.phrase
    );
}

#[test]
fn stacks_go_before_rows() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    let want = Want {
        drill: Some("dev_queue_xmit".into()),
        ..Want::default()
    };
    flood(&mut governor, 10.0);
    let quiet = governor.plan(&want, &registry, &session(&registry), FREE);
    let rows = names(&quiet, &registry).len();
    // The load rises until counting takes almost the whole budget.
    // Drops and retransmits are not expected to rise with it.
    let counted = quiet.attached.iter().filter(|attach| !attach.every);
    let events = counted.count() as f64 - 2.0;
    flood(
        &mut governor,
        0.049 * 1e9 / Costs::default().hit_ns(false) / events,
    );
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert_eq!(names(&plan, &registry).len(), rows);
    assert!(
        plan.attached
            .iter()
            .all(|a| a.stacks_per_s < DRILL_STACKS / 2)
    );
    assert!(plan.phrase.contains("stacks"), "{}", plan.phrase);
}

#[test]
fn detaching_leaves_only_what_proc_serves() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    let want = Want {
        detached: true,
        ..Want::default()
    };
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert!(plan.attached.is_empty());
    assert!(
        plan.reasons[0].is_none(),
        "net_rx_action is served by /proc/softirqs"
    );
    assert!(plan.reasons[2].as_ref().unwrap().contains("press !"));
}

#[test]
fn a_filter_needs_events_for_every_row_and_a_device_needs_one_that_names_it() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    flood(&mut governor, 10.0);
    let want = Want {
        pids: vec![7],
        ..Want::default()
    };
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert!(names(&plan, &registry).contains(&"net_rx_action"));
    assert!(plan.attached.iter().all(|a| a.per_task || a.every));

    let want = Want {
        device: Some("va".into()),
        ..Want::default()
    };
    let plan = governor.plan(&want, &registry, &session(&registry), FREE);
    assert!(!names(&plan, &registry).contains(&"kfree_skb"));
    let row = registry.row_named("kfree_skb").unwrap();
    assert!(
        plan.reasons[row]
            .as_ref()
            .unwrap()
            .contains("names no device")
    );
}

#[test]
fn cost_is_that_of_the_busiest_cpu_and_own_time_is_shared_out() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto);
    let event = registry.rows[2].events[0];
    let count = |cpu, hits| Counts {
        event,
        cpu: Some(cpu),
        pid: None,
        hits,
        span_ns: 1_000_000_000,
        gate: false,
        spread: None,
    };
    let cost = governor.learn(&Measured {
        counts: &[count(0, 100_000), count(1, 10_000)],
        samples: FxHashMap::from_iter([(0, 1000.0)]),
        own_pct: 1.0,
        ..measured(0.0, 0.0)
    });
    assert_eq!(cost.busiest_cpu, Some(0));
    assert!(
        (cost.busiest_pct - (2.0 + 0.47 + 0.5)).abs() < 1e-9,
        "{cost:?}"
    );
    assert!(
        (cost.all_pct - (2.0 + 0.47 + 0.2 + 1.0)).abs() < 1e-9,
        "{cost:?}"
    );
}

#[test]
fn a_small_budget_takes_fewer_cpu_samples_and_says_so() {
    let registry = Registry::new(Vec::new());
    let hz = |budget: f64| {
        let mut governor = Governor::new(budget, Counting::Auto);
        flood(&mut governor, 10.0);
        let plan = governor.plan(&Want::default(), &registry, &session(&registry), FREE);
        (plan.clock_hz, plan.phrase)
    };
    assert_eq!(hz(5.0).0, 199);
    let (fewer, said) = hz(0.1);
    assert_eq!(fewer, 106);
    assert!(said.contains("106 CPU samples per second"), "{said}");
    let (none, said) = hz(0.01);
    assert_eq!(none, 0);
    assert!(said.contains("no CPU samples"), "{said}");
}

#[test]
fn softirqs_are_timed_one_by_one_only_where_they_are_few() {
    let registry = Registry::new(Vec::new());
    let timed = |runs: f64, want: &Want| {
        let mut governor = Governor::new(5.0, Counting::Auto);
        governor.learn(&measured(10.0, runs));
        let plan = governor.plan(want, &registry, &session(&registry), FREE);
        plan.attached.iter().filter(|attach| attach.every).count()
    };
    assert_eq!(timed(1_000.0, &Want::default()), 2);
    assert_eq!(timed(100_000.0, &Want::default()), 0);
    let detached = Want {
        detached: true,
        ..Want::default()
    };
    assert_eq!(timed(10.0, &detached), 0);
}

//! The governor's decisions on made-up loads: who counts what.

use rustc_hash::FxHashMap;

use super::*;
use crate::decode::{Costs, Event, Host, SourceKind};

/// A host of two CPUs. `gate`: netop's BPF programs load.
pub fn session(registry: &Registry, gate: bool) -> Session {
    let events = registry.specs().into_iter().map(|spec| Event {
        gate: gate && spec.group != "sched",
        spec,
        missing: None,
        format: None,
        symbols: Vec::new(),
    });
    Session {
        costs: Costs::default(),
        no_gate: None,
        gate_loading: false,
        host: Host {
            hostname: "h".into(),
            kernel: "k".into(),
            arch: "a".into(),
            cpus: vec![0, 1],
            clock: None,
        },
        source: SourceKind::Live,
        events: events.collect(),
    }
}

pub const FREE: FreeNow = FreeNow {
    softirqs: true,
    softnet: true,
    stand_in: false,
};

fn names<'a>(plan: &Plan, registry: &'a Registry) -> Vec<&'a str> {
    let rows = plan
        .attached
        .iter()
        .filter_map(|a| registry.row_of(a.event));
    let mut rows: Vec<usize> = rows.collect();
    rows.dedup();
    let name = |row: usize| registry.rows[row].probe.function();
    rows.into_iter().map(name).collect()
}

/// CPU 0 takes so many packets, nothing was counted.
pub fn flooded(packets: f64) -> Load {
    Load {
        rx: FxHashMap::from_iter([(0, packets), (1, 0.0)]),
        ..Load::default()
    }
}

static NOT_TOLD: FxHashMap<u32, f64> = FxHashMap::with_hasher(rustc_hash::FxBuildHasher);

pub fn spent<'a>(
    counts: &'a [crate::decode::Counts],
    samples: &'a FxHashMap<u32, f64>,
) -> Spent<'a> {
    Spent {
        prices: Prices {
            probes: &[],
            costs: Costs::default(),
            pids: false,
        },
        counts,
        samples_per_s: samples,
        own_pct: 0.0,
        own_per_cpu: &[],
        busy: &NOT_TOLD,
        factor: super::live_price::Factor {
            value: 1.0,
            bound: 0.0,
            windows: 0,
        },
        online: &[0, 1],
        interval_ns: 1_000_000_000,
        by_process: false,
        timing_ns: &[],
    }
}

/// The plan after an interval of that load.
fn planned(
    budget: f64,
    counting: Counting,
    packets: f64,
    want: &Want,
    gate: bool,
) -> (Plan, Registry) {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(budget, counting, &registry);
    let none = FxHashMap::default();
    governor.learn(&spent(&[], &none), flooded(packets), true);
    let plan = governor.plan(want, &registry, &session(&registry, gate), FREE);
    (plan, registry)
}

#[test]
fn a_quiet_host_has_every_row_and_what_proc_serves_is_not_attached() {
    let (plan, registry) = planned(5.0, Counting::Auto, 10.0, &Want::default(), false);
    let attached = names(&plan, &registry);
    assert!(attached.contains(&"dev_queue_xmit") && attached.contains(&"consume_skb"));
    assert!(!attached.contains(&"net_rx_action") && !attached.contains(&"netif_receive_skb"));
    assert_eq!(plan.phrase, "all rows counted");
}

#[test]
fn before_anything_was_measured_nothing_is_opened_but_what_was_asked_for() {
    let registry = Registry::new(Vec::new());
    let mut governor = Governor::new(5.0, Counting::Auto, &registry);
    let want = Want {
        exact: ["napi_poll".to_owned()].into(),
        ..Want::default()
    };
    let plan = governor.plan(&want, &registry, &session(&registry, true), FREE);
    assert_eq!(names(&plan, &registry), ["napi_poll"]);
    assert_eq!(plan.phrase, "measuring the load first");
}

#[test]
fn the_gate_counts_where_it_is_there_and_perf_where_not_or_where_it_is_told_to() {
    let by = |counting, gate| {
        let (plan, _) = planned(5.0, counting, 10.0, &Want::default(), gate);
        let rows = plan.attached.iter().filter(|a| !a.every);
        rows.map(|a| a.gate)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(by(Counting::Auto, true), [true].into());
    assert_eq!(by(Counting::Bpf, true), [true].into());
    assert_eq!(by(Counting::Auto, false), [false].into());
    assert_eq!(by(Counting::Perf, true), [false].into());
    assert!(by(Counting::Bpf, false).is_empty(), "perf never steps in");
}

#[test]
fn with_bpf_alone_a_row_without_a_program_says_who_would_count_it() {
    let (plan, registry) = planned(5.0, Counting::Bpf, 10.0, &Want::default(), false);
    let row = registry.row_named("dev_queue_xmit").unwrap();
    let why = plan.reasons[row].as_ref().unwrap();
    assert!(
        why.contains("no BPF program") && why.contains("--counting auto"),
        "{why}"
    );
}

#[test]
fn forked_children_are_followed_by_perf_events() {
    let want = Want {
        pids: vec![7],
        children: true,
        ..Want::default()
    };
    let (plan, _) = planned(5.0, Counting::Auto, 10.0, &want, true);
    let mut rows = plan.attached.iter().filter(|a| !a.every);
    assert!(rows.all(|a| !a.gate && a.per_task));
    let (plan, _) = planned(
        5.0,
        Counting::Auto,
        10.0,
        &Want {
            children: false,
            ..want
        },
        true,
    );
    assert!(plan.attached.iter().filter(|a| a.per_task).all(|a| a.gate));
}

#[test]
fn what_devices_sent_is_sampled_for_everyone() {
    let (plan, registry) = planned(5.0, Counting::Auto, 10.0, &Want::default(), true);
    for attach in plan.attached.iter().filter(|a| a.everyone) {
        let row = registry.row_of(attach.event).unwrap();
        assert_eq!(registry.rows[row].probe.function(), "net_dev_start_xmit");
    }
    assert!(plan.attached.iter().any(|a| a.everyone));
}

#[test]
fn processes_are_counted_exactly_while_their_table_is_looked_at_and_it_fits() {
    let by_process = |processes, packets, pids: Vec<u32>| {
        let want = Want {
            pids,
            processes,
            ..Want::default()
        };
        let (plan, _) = planned(5.0, Counting::Auto, packets, &want, true);
        (plan.by_process, plan.phrase)
    };
    assert!(by_process(true, 1_000.0, vec![]).0);
    assert!(!by_process(false, 1_000.0, vec![]).0);
    assert!(
        !by_process(true, 1_000.0, vec![7]).0,
        "a filter's are counted anyway"
    );
    let (exact, said) = by_process(true, 60_000.0, vec![]);
    assert!(!exact && said.contains("processes estimated"), "{said}");
}

#[test]
fn with_the_budget_at_100_everything_is_counted_whatever_it_costs() {
    let (plan, registry) = planned(100.0, Counting::Auto, 5e6, &Want::default(), false);
    assert!(names(&plan, &registry).contains(&"consume_skb"));
    assert!(plan.attached.iter().all(|a| a.duty_permille == ALWAYS));
    assert_eq!(plan.phrase, "all rows counted");
}

#[test]
fn a_row_asked_for_comes_first_and_stays_exact_over_budget_with_a_word() {
    let want = Want {
        exact: ["consume_skb".to_owned()].into(),
        ..Want::default()
    };
    let (plan, registry) = planned(1.0, Counting::Auto, 200_000.0, &want, false);
    let row = registry.row_named("consume_skb").unwrap();
    let event = registry.rows[row].events[0];
    let attach = plan.attached.iter().find(|a| a.event == event).unwrap();
    assert_eq!(attach.duty_permille, ALWAYS);
    assert!(
        plan.phrase.starts_with("over budget for consume_skb"),
        "{}",
        plan.phrase
    );
    assert!(plan.reasons[row].is_none());
}

#[test]
fn a_recording_keeps_the_stacks_of_what_was_asked_for_over_budget() {
    let want = Want {
        exact: ["napi_poll".to_owned()].into(),
        ..Want::default()
    };
    let stacks = |counting| {
        let (plan, registry) = planned(1.0, counting, 900_000.0, &want, false);
        let napi_poll = registry.row_named("napi_poll");
        let mut attached = plan.attached.iter();
        let of = attached.find(|a| registry.row_of(a.event) == napi_poll);
        of.expect("it is asked for").stacks_per_s
    };
    assert_eq!(stacks(Counting::Perf), 0);
    assert_eq!(stacks(Counting::Record), super::wanted::STACKS);
}

#[test]
fn a_row_counted_part_of_the_time_says_so_in_the_header_and_in_its_reason() {
    let (plan, registry) = planned(5.0, Counting::Auto, 28_000.0, &Want::default(), false);
    let row = registry.row_named("consume_skb").unwrap();
    let why = plan.reasons[row].as_ref().unwrap();
    assert!(why.contains("of the time") && why.contains("5%"), "{why}");
    assert!(
        plan.phrase.contains("counted part of the time: "),
        "{}",
        plan.phrase
    );
    let part = plan
        .attached
        .iter()
        .find(|a| registry.row_of(a.event) == Some(row));
    assert!(part.unwrap().duty_permille < ALWAYS);
    let head = registry.row_named("dev_queue_xmit").unwrap();
    let head = plan
        .attached
        .iter()
        .find(|a| registry.row_of(a.event) == Some(head));
    assert_eq!(head.unwrap().duty_permille, ALWAYS);
}

#[test]
fn detaching_leaves_only_what_proc_serves() {
    let want = Want {
        detached: true,
        ..Want::default()
    };
    let (plan, _) = planned(5.0, Counting::Auto, 10.0, &want, true);
    assert!(plan.attached.is_empty());
    assert!(
        plan.reasons[0].is_none(),
        "net_rx_action is served by /proc/softirqs"
    );
    assert!(plan.reasons[2].as_ref().unwrap().contains("press !"));
}

#[test]
fn a_filter_needs_events_for_every_row_and_a_device_needs_one_that_names_it() {
    let want = Want {
        pids: vec![7],
        by_owner: false,
        ..Want::default()
    };
    let (plan, registry) = planned(5.0, Counting::Auto, 10.0, &want, false);
    assert!(names(&plan, &registry).contains(&"net_rx_action"));
    assert!(
        plan.attached
            .iter()
            .filter(|a| !a.every)
            .all(|a| a.per_task)
    );

    let want = Want {
        device: Some("va".into()),
        ..Want::default()
    };
    let (plan, registry) = planned(5.0, Counting::Auto, 10.0, &want, false);
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
fn a_filter_by_owner_counts_the_callers_and_what_has_a_socket() {
    let want = Want {
        pids: vec![7],
        ..Want::default()
    };
    let (plan, registry) = planned(5.0, Counting::Auto, 10.0, &want, false);
    let reason = |name: &str| {
        let row = registry.row_named(name).unwrap();
        plan.reasons[row].clone().unwrap_or_default().to_string()
    };
    assert!(names(&plan, &registry).contains(&"sock_send_length"));
    assert!(reason("napi_poll").contains("this event names no socket"));
    // perf events do not see whose socket it is.
    assert!(reason("dev_queue_xmit").contains("only a BPF program"));
}

#[test]
fn a_filters_rows_are_counted_always_or_not_at_all() {
    let want = Want {
        pids: vec![7],
        ..Want::default()
    };
    let (plan, registry) = planned(5.0, Counting::Auto, 60_000.0, &want, false);
    assert!(plan.attached.iter().all(|a| a.duty_permille == ALWAYS));
    assert!(!names(&plan, &registry).contains(&"consume_skb"));
    assert!(
        plan.phrase.contains("not counted to save CPU"),
        "{}",
        plan.phrase
    );
}

#[test]
fn a_small_budget_takes_fewer_cpu_samples_and_says_so() {
    let hz = |budget: f64| {
        let (plan, _) = planned(budget, Counting::Auto, 10.0, &Want::default(), false);
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
        let mut governor = Governor::new(5.0, Counting::Auto, &registry);
        let load = Load {
            runs: FxHashMap::from_iter([(0, runs), (1, 0.0)]),
            ..flooded(10.0)
        };
        governor.learn(&spent(&[], &FxHashMap::default()), load, true);
        let plan = governor.plan(want, &registry, &session(&registry, false), FREE);
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

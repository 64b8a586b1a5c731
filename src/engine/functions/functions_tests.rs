//! Rows from made-up counts: who counted, a part of the time or all of it, devices and packets.

use super::duty_cycle_error::DutyCycleError;
use super::*;
use crate::decode::{Attach, Costs, Event, Host, Place, SourceKind, Spread};
use crate::decode::{Carried, DeviceCounts, Session};
use crate::engine::cpu::cpus::Cpus;
use crate::engine::governor::Plan;
use crate::engine::governor::counting::FreeNow;
use crate::model::{Folded, Want};
use crate::model::{Sums, Tagged};
use crate::probe::Added;
use rustc_hash::{FxHashMap, FxHashSet};

const S: u64 = 1_000_000_000;

struct Given {
    registry: Registry,
    session: Session,
    want: Want,
    counts: Vec<Counts>,
    carried: Vec<Carried>,
    devices: Vec<DeviceCounts>,
    folded: Folded,
    free: FreeNow,
    cpus: Cpus,
}

/// A host of one CPU.
fn given() -> Given {
    given_with(Vec::new())
}

fn given_with(added: Vec<Added>) -> Given {
    let registry = Registry::new(added);
    let events = registry.specs().into_iter().map(|spec| Event {
        spec,
        missing: None,
        format: None,
        gate: true,
        symbols: Vec::new(),
    });
    let session = Session {
        host: Host {
            cpus: vec![0],
            ..Host::default()
        },
        source: SourceKind::Live,
        events: events.collect(),
        costs: Costs::default(),
        no_gate: None,
        gate_loading: false,
    };
    Given {
        registry,
        session,
        want: Want::default(),
        counts: Vec::new(),
        carried: Vec::new(),
        devices: Vec::new(),
        folded: Folded::default(),
        free: FreeNow::default(),
        cpus: Cpus::default(),
    }
}

impl Given {
    fn event(&self, function: &str, index: usize) -> EventId {
        let row = self.registry.row_named(function).expect("a row");
        self.registry.rows[row].events[index]
    }

    fn row(&self, function: &str) -> Function {
        self.row_of(function, &Plan::default(), &FxHashSet::default())
    }

    fn row_of(&self, function: &str, plan: &Plan, by_sample: &FxHashSet<EventId>) -> Function {
        let row = self.registry.row_named(function).expect("a row");
        let mut duty_error = DutyCycleError::default();
        duty_error.learn(&self.counts, &[], S, None);
        let interval = Interval {
            by_sample,
            registry: &self.registry,
            session: &self.session,
            want: &self.want,
            plan,
            free: self.free,
            counts: &self.counts,
            duty_error: &duty_error,
            carried: &self.carried,
            devices: &self.devices,
            owned: &[],
            cpus: &self.cpus,
            folded: &self.folded,
            process: &|pid| format!("p{pid}").into(),
            samples: &FxHashMap::default(),
            length_ns: S,
        };
        Functions::new(&self.registry)
            .rows(&interval)
            .swap_remove(row)
    }
}

fn count(event: EventId, hits: u64) -> Counts {
    Counts {
        event,
        cpu: Some(0),
        pid: None,
        hits,
        bytes: 0,
        span_ns: S,
        gate: true,
        spread: None,
    }
}

fn device(event: EventId, netns: u64, name: &str, hits: u64) -> DeviceCounts {
    DeviceCounts {
        event,
        cpu: 0,
        netns,
        ifindex: 1,
        name: name.to_owned(),
        hits,
        packets: 0,
        bytes: 0,
    }
}

fn tagged(event: EventId, kind: &'static str, name: &str, hits: f64) -> Tagged {
    Tagged {
        event: event.0,
        kind,
        name: name.into(),
        hits,
    }
}

#[test]
fn a_row_says_bpf_when_the_gate_counted_all_of_it_and_perf_when_some_of_it_was_dearer() {
    let mut given = given();
    let events = [0, 1].map(|index| given.event("napi_gro_receive", index));
    given.counts = events.map(|event| count(event, 5)).into();
    let row = given.row("napi_gro_receive");
    assert_eq!(
        (row.source, row.calls, &*row.label),
        (Some(Backing::Bpf), Some(10), "bpf")
    );
    given.counts[1].gate = false;
    assert_eq!(given.row("napi_gro_receive").source, Some(Backing::Perf));
}

#[test]
fn hits_of_a_tenth_of_the_time_are_an_estimate_with_its_bound() {
    let mut given = given();
    let seen = Counts {
        span_ns: S / 10,
        spread: Some(Spread {
            windows: 10,
            variance: 100_000_000,
            softnet: None,
        }),
        ..count(given.event("dev_queue_xmit", 0), 5_000)
    };
    given.counts = vec![seen];
    let row = given.row("dev_queue_xmit");
    assert!(row.estimated);
    assert_eq!((row.calls, row.rate), (Some(50_000), Some(50_000.0)));
    assert_eq!((&*row.label, row.per_cpu[0].calls), ("bpf ±14%", 50_000));
    // t of 9 windows' freedom × the standard error × what was not seen.
    let error = 2.262 * 10_000.0 / 10_f64.sqrt() * 0.9_f64.sqrt();
    assert!((row.error.unwrap() - error).abs() < 1.0, "{:?}", row.error);
}

#[test]
fn a_free_counter_stands_in_for_what_events_do_not_count_exactly() {
    let mut given = given();
    let runs = |net_rx_runs| crate::decode::CpuCounters {
        net_rx_runs,
        ..crate::decode::CpuCounters::default()
    };
    given.cpus.ingest(S, &[runs(100)]);
    given.cpus.ingest(S, &[runs(1_100)]);
    given.free = FreeNow {
        softirqs: true,
        softnet: false,
        stand_in: true,
    };
    let who = |given: &Given| {
        let row = given.row("net_rx_action");
        (row.source, row.calls, row.estimated)
    };
    let by_proc = (Some(Backing::Proc), Some(1_000), false);
    assert_eq!(who(&given), by_proc, "no event counts it");
    let exact = count(given.event("net_rx_action", 0), 990);
    given.counts = vec![Counts {
        span_ns: S / 10,
        spread: Some(Spread {
            windows: 10,
            variance: 1,
            softnet: None,
        }),
        ..exact
    }];
    assert_eq!(who(&given), by_proc, "one does a tenth of the time");
    given.counts = vec![exact];
    assert_eq!(who(&given), (Some(Backing::Bpf), Some(990), false));
    given.free.stand_in = false;
    assert_eq!(who(&given), by_proc, "it serves the row");
    assert_eq!(given.row("netif_receive_skb").source, None);
}

#[test]
fn packets_and_bytes_per_hit_are_exact_where_the_gate_counts_them() {
    let mut given = given();
    let event = given.event("net_dev_start_xmit", 0);
    given.counts = vec![count(event, 100)];
    given.carried = vec![Carried {
        event,
        hits: 100,
        packets: 4_000,
        bytes: 6_000,
    }];
    let row = given.row("net_dev_start_xmit");
    assert_eq!(
        (row.packets_per_hit, row.bytes_per_hit),
        (Some(40.0), Some(60.0))
    );
    given.want.pids = vec![7];
    let filtered = given.row("net_dev_start_xmit");
    assert_eq!(filtered.packets_per_hit, None, "those of everybody");
}

#[test]
fn what_an_event_says_and_was_nothing_is_an_exact_zero_and_not_the_mark_of_a_guess() {
    let mut given = given();
    let calls = given.event("sock_send_length", 0);
    let polls = given.event("napi_poll", 0);
    let carried = |event, bytes| Carried {
        event,
        hits: 50,
        packets: 0,
        bytes,
    };
    given.counts = vec![count(calls, 50), count(polls, 50)];
    given.carried = vec![carried(calls, 0), carried(polls, 0)];
    let failed = given.row("sock_send_length");
    assert_eq!(
        (failed.packets_per_hit, failed.bytes_per_hit),
        (None, Some(0.0))
    );
    assert!(failed.bytes_exact);
    let idle = given.row("napi_poll");
    assert_eq!(
        (idle.packets_per_hit, idle.bytes_per_hit),
        (Some(0.0), None)
    );
    given.carried[0].bytes = 5_300;
    assert_eq!(given.row("sock_send_length").bytes_per_hit, Some(106.0));
}

#[test]
fn a_row_that_perf_counts_in_part_keeps_what_its_samples_say() {
    let mut given = given();
    let events = [0, 1].map(|index| given.event("napi_gro_receive", index));
    given.counts = events.map(|event| count(event, 10)).into();
    given.counts[1].gate = false;
    given.carried = vec![Carried {
        event: events[0],
        hits: 10,
        packets: 10,
        bytes: 1_000,
    }];
    given.devices = vec![device(events[0], 4, "va", 10)];
    let sums = Sums {
        weight: 20.0,
        bytes: 30_000.0,
        with_bytes: 20.0,
        ..Sums::default()
    };
    given.folded.per_event.insert(events[1].0, sums);
    given.folded.tags = vec![tagged(events[1], "device", "vb", 20.0)];
    let row = given.row("napi_gro_receive");
    assert_eq!((row.bytes_per_hit, row.bytes_exact), (Some(1_500.0), false));
    let top: Vec<_> = row.top.iter().map(|s| (&*s.name, s.estimated)).collect();
    assert_eq!(top, [("vb", true)]);
    given.counts[1] = count(events[1], 0);
    let row = given.row("napi_gro_receive");
    assert_eq!((row.bytes_per_hit, row.bytes_exact), (Some(100.0), true));
    let top: Vec<_> = row.top.iter().map(|s| (&*s.name, s.estimated)).collect();
    assert_eq!(top, [("va", false)]);
}

#[test]
fn drops_keep_their_sampled_reasons_beside_their_exact_devices() {
    let mut given = given();
    let event = given.event("kfree_skb", 0);
    given.counts = vec![count(event, 12)];
    given.devices = vec![device(event, 4, "va", 9)];
    given.folded.tags = vec![tagged(event, "reason", "NO_SOCKET", 11.0)];
    let row = given.row("kfree_skb");
    let top: Vec<_> = (row.top.iter())
        .map(|s| (s.kind, &*s.name, s.calls, s.estimated))
        .collect();
    assert_eq!(
        top,
        [
            ("reason", "NO_SOCKET", 11.0, true),
            ("device", "va", 9.0, false)
        ]
    );
}

#[test]
fn hits_of_a_breakpoint_are_those_of_the_processes_that_made_them() {
    let place = Place::User {
        file: "/lib/l.so".to_owned(),
        offset: 64,
        returns: false,
        begins: true,
    };
    let added = Added::breakpoint("uprobe:l.so:f", place, "One call of f.".to_owned());
    let mut given = given_with(vec![added]);
    for name in ["uprobe:l.so:f", "net_rx_action"] {
        let event = given.event(name, 0);
        given.counts.push(count(event, 12));
        for (pid, weight) in [(7, 4.0), (8, 8.0), (9, 0.0)] {
            let sums = Sums {
                weight,
                ..Sums::default()
            };
            given.folded.per_process.insert((event.0, pid), sums);
        }
    }
    let top = given.row("uprobe:l.so:f").top;
    let top: Vec<_> = (top.iter())
        .map(|s| (s.kind, &*s.name, s.calls, s.estimated))
        .collect();
    assert_eq!(
        top,
        [
            ("process", "p8(8)", 8.0, true),
            ("process", "p7(7)", 4.0, true)
        ]
    );
    // A softirq ran on whose time it was.
    assert!(given.row("net_rx_action").top.is_empty());
}

#[test]
fn devices_of_one_name_in_two_namespaces_stay_two_and_only_they_are_told_apart() {
    let mut given = given();
    let event = given.event("dev_queue_xmit", 0);
    let device = |netns, name, hits| device(event, netns, name, hits);
    given.counts = vec![count(event, 60)];
    given.devices = vec![
        device(4, "lo", 10),
        device(5, "lo", 30),
        device(4, "va", 15),
        device(4, "va", 5),
    ];
    let row = given.row("dev_queue_xmit");
    let top: Vec<(&str, f64)> = row.top.iter().map(|s| (&*s.name, s.calls)).collect();
    assert_eq!(
        top,
        [("lo (netns 5)", 30.0), ("va", 20.0), ("lo (netns 4)", 10.0)]
    );
}

#[test]
fn a_process_without_hits_has_none_when_the_gate_counts_the_filter() {
    let mut given = given();
    given.want.pids = vec![7];
    let event = given.event("sock_send_length", 0);
    given.counts = vec![count(event, 900)];
    let row = given.row("sock_send_length");
    assert_eq!((row.calls, row.source), (Some(0), Some(Backing::Bpf)));
    let own = Counts {
        cpu: None,
        pid: Some(7),
        ..count(event, 12)
    };
    given.counts.push(own);
    assert_eq!(given.row("sock_send_length").calls, Some(12));
    given.counts[0].gate = false;
    given.counts.pop();
    let row = given.row("sock_send_length");
    assert_eq!(row.calls, None, "perf's per-task counts are still to come");
}

#[test]
fn a_row_whose_sockets_nobody_names_says_what_would_name_them() {
    let given = given();
    let retransmits = given.event("tcp_retransmit_skb", 0);
    let by_sample = FxHashSet::from_iter([retransmits]);
    let reason = |attached: &[EventId]| {
        let plan = Plan {
            attached: attached.iter().copied().map(Attach::wide).collect(),
            ..Plan::default()
        };
        let row = given.row_of("tcp_retransmit_skb", &plan, &by_sample);
        assert_eq!(row.calls, None);
        row.reason.expect("a reason")
    };
    assert_eq!(&*reason(&[retransmits]), NO_CALLS);
    let call = given.event("sock_send_length", 0);
    assert_eq!(&*reason(&[retransmits, call]), UNNAMED);
}

//! What is shed and what comes back, on made-up loads.

use crate::decode::{Attach, Counts, EventId, Session};
use crate::engine::governor::tests::{FREE, flood, measured, names, session};
use crate::engine::governor::{Counting, Governor, Measured, Plan};
use crate::engine::registry::Registry;
use crate::model::Want;

/// A host whose every event is hit once per packet on CPU 0, as long as it is counted.
struct Host {
    registry: Registry,
    session: Session,
    governor: Governor,
    plan: Plan,
}

impl Host {
    fn new(budget: f64, gate: bool) -> Host {
        let registry = Registry::new(Vec::new());
        let mut session = session(&registry);
        for event in &mut session.events {
            event.gate = gate;
        }
        let mut host = Host {
            governor: Governor::new(budget, Counting::Auto),
            plan: Plan::default(),
            registry,
            session,
        };
        host.replan();
        host
    }

    fn replan(&mut self) {
        let want = Want::default();
        self.plan = self
            .governor
            .plan(&want, &self.registry, &self.session, FREE);
    }

    /// A second of so many packets; what netop cost the busiest CPU in it, percent.
    fn second(&mut self, packets: f64) -> f64 {
        let seldom = |event: EventId| {
            let row = self.registry.row_of(event);
            row.is_none_or(|row| self.registry.rows[row].probe.priority() == 1)
        };
        let counts: Vec<Counts> = (self.plan.attached.iter())
            .flat_map(|attach| [0, 1].map(|cpu| (attach, cpu)))
            .filter(|(attach, _)| !attach.every)
            .map(|(attach, cpu)| {
                let part = f64::from(attach.duty_pct) / 100.0;
                let rate = if cpu == 0 && !seldom(attach.event) {
                    packets
                } else {
                    0.0
                };
                Counts {
                    event: attach.event,
                    cpu: Some(cpu),
                    pid: None,
                    hits: (rate * part) as u64,
                    span_ns: (1e9 * part) as u64,
                    gate: attach.gate,
                    spread: None,
                }
            })
            .collect();
        let cost = self.governor.learn(&Measured {
            counts: &counts,
            ..measured(packets, 0.0)
        });
        self.replan();
        cost.busiest_pct
    }

    fn part(&self, function: &str) -> Option<u8> {
        let events = &self.registry.rows[self.registry.row_named(function)?].events;
        let attach = |a: &&Attach| events.contains(&a.event);
        self.plan.attached.iter().find(attach).map(|a| a.duty_pct)
    }
}

#[test]
fn a_hit_is_priced_by_who_counts_it() {
    let attached = |gate| {
        let mut host = Host::new(5.0, gate);
        host.second(30_000.0);
        host.second(30_000.0);
        let whole = host.plan.attached.iter().filter(|a| a.duty_pct == 100);
        whole.count()
    };
    assert!(attached(true) > attached(false));
}

#[test]
fn what_does_not_fit_is_counted_a_part_of_the_time_and_the_headline_rows_longest() {
    let mut host = Host::new(5.0, true);
    for _ in 0..4 {
        host.second(400_000.0);
    }
    assert!(
        host.plan.phrase.contains("of the time"),
        "{}",
        host.plan.phrase
    );
    let (first, last) = (host.part("dev_queue_xmit"), host.part("consume_skb"));
    assert!(first.is_some(), "{}", host.plan.phrase);
    assert!(last.is_none_or(|part| part < 100));
    assert!(
        host.plan
            .attached
            .iter()
            .all(|a| a.duty_pct == 100 || a.stacks_per_s == 0)
    );
    for row in host.plan.parts.iter().map(|(row, _)| *row) {
        assert!(host.plan.reasons[row].is_none(), "it has a figure");
    }
}

#[test]
fn a_load_that_nothing_can_be_counted_of_leaves_the_free_counters() {
    let mut host = Host::new(1.0, false);
    for _ in 0..4 {
        host.second(20_000_000.0);
    }
    let left = names(&host.plan, &host.registry);
    assert_eq!(
        left,
        ["kfree_skb", "tcp_retransmit_skb"],
        "{}",
        host.plan.phrase
    );
}

#[test]
fn a_tenfold_burst_is_over_the_budget_for_two_intervals_at_most() {
    for gate in [false, true] {
        for load in [3_000.0, 20_000.0, 60_000.0] {
            let mut host = Host::new(5.0, gate);
            for _ in 0..6 {
                assert!(host.second(load) < 5.0);
            }
            let over = (0..10).filter(|_| host.second(10.0 * load) > 5.0);
            assert!(over.count() <= 2, "gate {gate}, {load} packets/s");
        }
    }
}

#[test]
fn a_host_that_is_busy_already_never_goes_over_the_budget() {
    for gate in [false, true] {
        let mut host = Host::new(5.0, gate);
        for interval in 0..10 {
            let cost = host.second(1_000_000.0);
            assert!(cost < 5.0, "{cost:.1}% in interval {interval}, gate {gate}");
        }
    }
}

#[test]
fn a_load_at_the_limit_does_not_make_rows_come_and_go() {
    let mut host = Host::new(5.0, true);
    for _ in 0..5 {
        host.second(70_000.0);
    }
    let mut changes = 0;
    let mut before = (
        names(&host.plan, &host.registry).join(" "),
        host.plan.parts.clone(),
    );
    for interval in 0..30 {
        host.second(if interval % 2 == 0 {
            67_000.0
        } else {
            73_000.0
        });
        let now = (
            names(&host.plan, &host.registry).join(" "),
            host.plan.parts.clone(),
        );
        changes += u32::from(now != before);
        before = now;
    }
    assert!(changes <= 1, "{changes} changes");
}

#[test]
fn what_was_shed_comes_back_when_it_has_been_quiet_for_some_intervals() {
    let mut host = Host::new(5.0, true);
    for _ in 0..5 {
        host.second(500_000.0);
    }
    assert_ne!(host.part("consume_skb"), Some(100));
    host.second(100.0);
    assert_ne!(host.part("consume_skb"), Some(100), "not at once");
    for _ in 0..4 {
        host.second(100.0);
    }
    assert_eq!(host.part("consume_skb"), Some(100));
    assert_eq!(host.plan.phrase, "all rows counted");
}

#[test]
fn drops_after_an_attach_let_go_what_was_attached_and_the_row_says_so() {
    let mut host = Host::new(5.0, true);
    flood(&mut host.governor, 10.0);
    host.governor.backoff.learn(Some(3.0));
    host.replan();
    assert_eq!(host.part("consume_skb"), Some(100));
    let said = host.governor.backoff.learn(Some(5_000.0));
    assert!(said.is_some());
    host.replan();
    assert_eq!(host.part("consume_skb"), None);
    let row = host.registry.row_named("consume_skb").unwrap();
    let reason = host.plan.reasons[row].as_deref().unwrap();
    assert!(reason.contains("drops rose"), "{reason}");
}

#[test]
fn a_family_of_processes_is_counted_with_perf_events() {
    let mut host = Host::new(100.0, true);
    let mut gated = |children| {
        let want = Want {
            pids: vec![7],
            children,
            ..Want::default()
        };
        let plan = host
            .governor
            .plan(&want, &host.registry, &host.session, FREE);
        plan.attached.iter().filter(|a| !a.every).any(|a| a.gate)
    };
    assert!(gated(false) && !gated(true));
}

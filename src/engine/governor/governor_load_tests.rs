//! The governor against loads that change: interval by interval, with what it attached counted.

use rustc_hash::FxHashMap;

use super::tests::{FREE, flooded, session, spent};
use super::wanted::STACKS;
use super::*;
use crate::decode::{ALWAYS, Counts, Spread};

/// A host on which every event hits once per packet, on CPU 0.
struct Host {
    governor: Governor,
    registry: Registry,
    session: Session,
    want: Want,
    plan: Plan,
    at: u64,
    /// How busy CPU 0 is, percent; `None`: not told.
    busy: Option<f64>,
}

impl Host {
    fn new(budget: f64, gate: bool) -> Host {
        let registry = Registry::new(Vec::new());
        let mut host = Host {
            governor: Governor::new(budget, Counting::Auto, &registry),
            session: session(&registry, gate),
            registry,
            want: Want::default(),
            plan: Plan::default(),
            at: 0,
            busy: None,
        };
        host.plan();
        host
    }

    fn plan(&mut self) {
        let Host {
            governor,
            want,
            registry,
            session,
            ..
        } = self;
        self.plan = governor.plan(want, registry, session, FREE);
    }

    /// A second of so many packets and losses: what it cost, percent of CPU 0.
    fn second(&mut self, packets: f64, losses: f64) -> f64 {
        self.at += 1_000_000_000;
        let hits = |attach: &Attach, cpu: u32| {
            let seldom = self
                .registry
                .row_of(attach.event)
                .is_none_or(|row| self.registry.rows[row].probe.priority() == 1);
            let rate = if seldom || cpu == 1 { 0.0 } else { packets };
            (rate * f64::from(attach.duty_permille) / 1000.0) as u64
        };
        let count = |attach: &Attach, cpu: u32| Counts {
            event: attach.event,
            cpu: Some(cpu),
            pid: None,
            hits: hits(attach, cpu),
            bytes: 0,
            span_ns: u64::from(attach.duty_permille) * 1_000_000,
            gate: attach.gate,
            spread: (attach.duty_permille < ALWAYS).then_some(Spread {
                windows: u32::from(attach.duty_permille),
                variance: 0,
                softnet: None,
            }),
        };
        let attached = self.plan.attached.iter();
        let counts: Vec<Counts> = attached.flat_map(|a| [count(a, 0), count(a, 1)]).collect();
        let samples = (self.plan.attached.iter())
            .map(|a| hits(a, 0).min(a.stacks_per_s.into()) as f64)
            .sum::<f64>()
            + f64::from(self.plan.clock_hz);
        let samples = FxHashMap::from_iter([(0, samples)]);
        let load = Load {
            rx: FxHashMap::from_iter([(0, packets), (1, 0.0)]),
            runs: FxHashMap::from_iter([(0, packets), (1, 0.0)]),
            busy: self.busy.map(|busy| (0, busy)).into_iter().collect(),
            ..Load::default()
        };
        let spent = spent(&counts, &samples);
        let cost = self.governor.learn(&spent, load, true);
        self.governor
            .learn_losses((self.at, 1.0), losses, &self.registry);
        self.plan();
        cost.busiest_pct
    }

    /// What is counted and how much of it; stacks are left out.
    fn counted(&self) -> Vec<(EventId, u16)> {
        let attached = self.plan.attached.iter();
        attached.map(|a| (a.event, a.duty_permille)).collect()
    }

    fn share(&self, function: &str) -> u16 {
        let row = self.registry.row_named(function).unwrap();
        let event = self.registry.rows[row].events[0];
        let attach = self.plan.attached.iter().find(|a| a.event == event);
        attach.map_or(0, |a| a.duty_permille)
    }
}

/// ±10 %, ever the same.
fn noise(second: u32) -> f64 {
    1.0 + 0.1 * (f64::from(second) * 2.4).sin()
}

#[test]
fn a_host_under_a_million_packets_is_within_the_budget_from_the_first_interval_on() {
    for gate in [true, false] {
        let mut host = Host::new(5.0, gate);
        assert!(host.plan.attached.is_empty());
        for second in 0..10 {
            let cost = host.second(1e6, 0.0);
            assert!(cost <= 5.0, "{cost}% in second {second}, gate: {gate}");
        }
        // Of perf events not even windows fit: between them a hit still costs a fifth.
        assert_eq!(
            host.share("dev_queue_xmit") > 0,
            gate,
            "{}",
            host.plan.phrase
        );
    }
}

#[test]
fn the_budget_is_of_the_time_that_a_cpu_works_and_of_half_of_all_time_at_least() {
    let cost = |budget: f64, busy: Option<f64>| {
        let mut host = Host::new(budget, true);
        host.busy = busy;
        let seconds = (0..20).map(|_| host.second(1e6, 0.0));
        seconds.skip(1).fold(0.0, f64::max)
    };
    for (busy, most) in [
        (None, 5.0),
        (Some(100.0), 5.0),
        (Some(70.0), 3.5),
        (Some(50.0), 2.5),
        (Some(3.0), 2.5),
    ] {
        let cost = cost(5.0, busy);
        assert!(
            cost <= most && cost > 0.6 * most,
            "{cost} where {busy:?} is busy"
        );
    }
    assert!(cost(2.0, Some(50.0)) <= 1.0);
    assert!(cost(100.0, Some(50.0)) > 50.0, "no limit");
    // Busy for one of three intervals is busy: what follows may be.
    let mut host = Host::new(5.0, true);
    let seconds = (0..20).map(|second| {
        host.busy = Some(if second % 3 == 0 { 100.0 } else { 20.0 });
        host.second(1e6, 0.0)
    });
    assert!(seconds.skip(1).all(|cost| cost > 3.0));
    // What the header calls OVER.
    let mut host = Host::new(5.0, true);
    host.busy = Some(60.0);
    host.second(1e6, 0.0);
    for (cpu, limit) in [(None, 5.0), (Some(0), 3.0), (Some(1), 5.0)] {
        assert!(
            (host.governor.limit_pct(cpu) - limit).abs() < 1e-9,
            "{cpu:?}"
        );
    }
}

#[test]
fn a_burst_of_ten_times_the_load_is_over_budget_for_two_intervals_at_most() {
    for gate in [true, false] {
        for quiet in [3_000.0, 10_000.0, 25_000.0] {
            let mut host = Host::new(5.0, gate);
            for second in 0..10 {
                host.second(quiet * noise(second), 0.0);
            }
            // It begins in the middle of a second.
            let mut over = 0;
            for second in 0..30 {
                let packets = if second == 0 {
                    5.5 * quiet
                } else {
                    10.0 * quiet
                };
                over += u32::from(host.second(packets * noise(second), 0.0) > 5.0);
            }
            assert!(over <= 2, "{over} intervals from {quiet}, gate: {gate}");
        }
    }
}

#[test]
fn a_load_right_at_the_limit_changes_what_is_counted_at_most_once() {
    for packets in (10..=200).map(|k| f64::from(k) * 1_000.0) {
        let mut host = Host::new(5.0, false);
        for second in 0..5 {
            host.second(packets * noise(second), 0.0);
        }
        let (mut before, mut changes) = (host.counted(), 0);
        for second in 5..35 {
            host.second(packets * noise(second), 0.0);
            let now = host.counted();
            changes += u32::from(now != before);
            before = now;
        }
        assert!(changes <= 1, "{changes} at {packets}");
    }
}

#[test]
fn what_was_given_up_comes_back_after_three_quiet_intervals_and_not_before() {
    let mut host = Host::new(5.0, false);
    for _ in 0..3 {
        host.second(100_000.0, 0.0);
    }
    assert!(host.share("consume_skb") < ALWAYS, "{}", host.plan.phrase);
    host.second(1_000.0, 0.0);
    host.second(1_000.0, 0.0);
    assert!(host.share("consume_skb") < ALWAYS, "two quiet intervals");
    for _ in 0..3 {
        host.second(1_000.0, 0.0);
    }
    assert_eq!(host.share("consume_skb"), ALWAYS);
    assert_eq!(host.plan.phrase, "all rows counted");
}

#[test]
fn a_change_of_the_question_is_no_quiet_interval() {
    let mut host = Host::new(5.0, false);
    host.second(100_000.0, 0.0);
    host.second(1_000.0, 0.0);
    for _ in 0..5 {
        host.plan();
    }
    assert!(host.share("consume_skb") < ALWAYS);
}

#[test]
fn the_headline_rows_are_let_go_too_when_drops_rise_right_after_they_were_attached() {
    let mut host = Host::new(5.0, true);
    host.second(50_000.0, 10.0);
    assert_eq!(host.share("dev_queue_xmit"), ALWAYS);
    // After one interval of past two have to agree.
    host.second(50_000.0, 4_000.0);
    host.second(50_000.0, 4_000.0);
    assert_eq!(host.share("dev_queue_xmit"), 0);
    let said = &host.plan.phrase;
    assert!(said.contains("detached after drops rose: "), "{said}");
    let row = host.registry.row_named("dev_queue_xmit").unwrap();
    assert!(
        host.plan.reasons[row]
            .as_ref()
            .unwrap()
            .contains("drops rose")
    );
    host.second(50_000.0, 10.0);
    host.second(50_000.0, 10.0);
    assert_eq!(host.share("dev_queue_xmit"), 0, "left alone for minutes");
}

#[test]
fn what_the_user_asked_for_stays_whatever_is_dropped() {
    let mut host = Host::new(5.0, true);
    host.want.exact = ["napi_poll".to_owned()].into();
    host.second(50_000.0, 10.0);
    for _ in 0..3 {
        host.second(50_000.0, 4_000.0);
    }
    assert_eq!(host.share("napi_poll"), ALWAYS);
}

#[test]
fn the_sentence_about_drops_names_the_rows_and_the_rates() {
    let mut host = Host::new(5.0, true);
    for _ in 0..4 {
        host.governor.watch.learn(0, 1.0, 0.0);
    }
    host.governor.watch.attached([1].into_iter());
    let said = host.governor.learn_losses((1, 1.0), 950.0, &host.registry);
    let said = said.unwrap();
    assert!(said.starts_with("drops rose 0/s → 950/s"), "{said}");
    assert!(said.contains("napi_gro_receive"), "{said}");
}

#[test]
fn without_a_limit_no_load_takes_anything_away() {
    let mut host = Host::new(100.0, false);
    for packets in [10.0, 1e6, 2e6] {
        host.second(packets, 0.0);
        let whole = |a: &Attach| a.duty_permille == ALWAYS && (a.every || a.stacks_per_s >= STACKS);
        assert!(host.plan.attached.iter().all(whole));
        assert_eq!(host.plan.phrase, "all rows counted");
    }
}

#[test]
fn what_a_burst_let_go_is_expected_by_the_packets_and_the_rest_as_it_has_risen() {
    let registry = Registry::new(Vec::new());
    let event = |function: &str| registry.rows[registry.row_named(function).unwrap()].events[0];
    let [stayed, went] = ["netif_receive_skb", "dev_queue_xmit"].map(event);
    let count = |event, hits, span_ns| Counts {
        event,
        cpu: Some(0),
        pid: None,
        hits,
        bytes: 0,
        span_ns,
        gate: true,
        spread: None,
    };
    let counts = [
        count(stayed, 60_000, 1_000_000_000),
        count(went, 30, 850_000_000),
    ];
    let expected = |risen| {
        let mut forecast = Forecast::new(&registry);
        let load = Load {
            risen,
            ..flooded(60_000.0)
        };
        forecast.learn(&counts, load, None);
        [stayed, went].map(|event| forecast.rate(event, 0).round() as u64)
    };
    assert_eq!(expected(None), [60_000, 35]);
    assert_eq!(expected(Some(6.0)), [360_000, 360_000]);
}

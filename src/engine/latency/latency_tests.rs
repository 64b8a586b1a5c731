//! Histograms of pairs become rows: quantiles, shares, what is hidden and why.

use super::*;

fn sample(pair: Pair, buckets: Vec<(u16, u32)>) -> LatencySample {
    let matched = buckets.iter().map(|(_, n)| u64::from(*n)).sum();
    LatencySample {
        timing: Some(Latencies::default().timing),
        fates: vec![Fate {
            pair: pair as u8,
            started: matched,
            matched,
            ..Fate::default()
        }],
        histograms: vec![Timed {
            pair: pair as u8,
            id: 3,
            name: "eth0".to_owned(),
            max_ns: 4_000,
            buckets,
            ..Timed::default()
        }],
        ..LatencySample::default()
    }
}

fn terms(want: &Want) -> Terms<'_> {
    Terms {
        want,
        seconds: 1.0,
        budget_pct: 5.0,
        hit_ns: 70.0,
    }
}

fn row(latencies: &Latencies, pair: Pair) -> &Latency {
    let mut rows = latencies.rows.iter();
    rows.find(|row| row.pair == pair.name())
        .expect("every pair has a row")
}

/// 1024 ns and more, 16 buckets per power of two.
const ABOUT_1_US: u16 = 16 * 7;

#[test]
fn a_pair_has_its_quantiles_and_its_device() {
    let mut latencies = Latencies::default();
    let want = Want::default();
    latencies.ingest(
        Some(&sample(Pair::Queue, vec![(ABOUT_1_US, 1000)])),
        &terms(&want),
    );
    let queue = row(&latencies, Pair::Queue);
    assert_eq!(queue.times.p50_ns, Some(1024 + 32));
    assert_eq!(queue.times.max_ns, Some(4_000));
    assert_eq!(queue.device.as_deref(), Some("eth0"));
    assert_eq!(queue.matched_pct, Some(100.0));
    assert_eq!(row(&latencies, Pair::Gro).times.p50_ns, None);
}

#[test]
fn fewer_matched_pairs_than_four_in_five_are_hidden_and_it_is_said_why() {
    let mut latencies = Latencies::default();
    let mut split = sample(Pair::Qdisc, vec![(ABOUT_1_US, 100)]);
    split.fates[0].freed = 26;
    let want = Want::default();
    latencies.ingest(Some(&split), &terms(&want));
    let qdisc = row(&latencies, Pair::Qdisc);
    assert_eq!((qdisc.times.count, qdisc.times.p50_ns), (100, None));
    assert!(
        qdisc
            .reason
            .as_deref()
            .is_some_and(|why| why.contains("segments"))
    );
    assert_eq!(qdisc.recent.count, 0);
    split.fates[0].freed = 24;
    latencies.ingest(Some(&split), &terms(&want));
    assert!(row(&latencies, Pair::Qdisc).times.p50_ns.is_some());
}

#[test]
fn more_packets_mean_that_fewer_of_them_are_followed_and_few_that_all_are() {
    let mut latencies = Latencies::default();
    let want = Want {
        latency: true,
        ..Want::default()
    };
    let before = latencies.wanted(&want).expect("wanted").packets;
    latencies.ingest(
        Some(&sample(Pair::Queue, vec![(ABOUT_1_US, 100_000)])),
        &terms(&want),
    );
    let many = latencies.wanted(&want).expect("wanted").packets;
    assert_eq!(many, before * 8);
    for _ in 0..8 {
        latencies.ingest(
            Some(&sample(Pair::Queue, vec![(ABOUT_1_US, 10)])),
            &terms(&want),
        );
    }
    assert_eq!(latencies.wanted(&want).expect("wanted").packets, 1);
    let detached = Want {
        detached: true,
        ..want
    };
    assert_eq!(latencies.wanted(&detached), None);
}

#[test]
fn what_is_foreseen_to_be_too_dear_is_not_tried_until_it_is_not() {
    let want = Want {
        latency: true,
        ..Want::default()
    };
    let mut latencies = Latencies::default();
    let only_softirqs = |latencies: &Latencies| latencies.wanted(&want).unwrap().softirqs_only;
    let limit = OF_BUDGET * 5.0 * 1e7;
    let foresee = |latencies: &mut Latencies, ns: f64, budget| {
        let expected = Expected {
            cpu: 3,
            packets: ns / 70.0,
            softirqs: 0.0,
        };
        latencies.foresee(&[expected], 70.0, budget)
    };
    assert_eq!(
        foresee(&mut latencies, 1.1 * limit, 5.0),
        Some(vec![(3, 0.0)])
    );
    assert!(only_softirqs(&latencies));
    foresee(&mut latencies, 0.9 * limit, 5.0);
    assert!(only_softirqs(&latencies), "not at the least change");
    let all = foresee(&mut latencies, 0.6 * limit, 5.0).expect("nothing was timed");
    let pairs = 0.6 * limit / 70.0 / HITS_A_PAIR;
    let followed = pairs / f64::from(latencies.timing.packets);
    assert!((all[0].1 - 0.6 * limit - followed * PAIR_NS).abs() < 1.0);
    assert!(!only_softirqs(&latencies));
    // It was tried: what it costs is known.
    latencies.ingest(Some(&sample(Pair::Queue, Vec::new())), &terms(&want));
    assert_eq!(foresee(&mut latencies, 2.0 * limit, 5.0), None);
    assert!(!only_softirqs(&latencies));
    // Looked at again, and without a limit.
    latencies.ingest(None, &terms(&want));
    foresee(&mut latencies, 2.0 * limit, 100.0);
    assert!(!only_softirqs(&latencies));
}

#[test]
fn the_first_runs_of_softirqs_are_chosen_as_many_as_there_will_be() {
    let mut latencies = Latencies::default();
    let busy = |cpu| Expected {
        cpu,
        packets: 0.0,
        softirqs: SOFTIRQ_PROGRAMS * 60_000.0,
    };
    let ns = latencies
        .foresee(&[busy(0), busy(1)], 70.0, 5.0)
        .expect("nothing was timed");
    assert_eq!(latencies.timing.softirqs, 8);
    // 180 000 hits, and 2 of 8 of 60 000 runs are pairs.
    assert!((ns[1].1 - (180_000.0 * 70.0 + 15_000.0 * PAIR_NS)).abs() < 1.0);
}

#[test]
fn of_many_runs_of_softirqs_one_in_some_is_timed() {
    let want = Want {
        latency: true,
        ..Want::default()
    };
    let mut latencies = Latencies::default();
    let mut runs = sample(Pair::RxRun, Vec::new());
    runs.fates[0].started = 120_000;
    latencies.ingest(Some(&runs), &terms(&want));
    assert_eq!(latencies.wanted(&want).unwrap().softirqs, 8);
    runs.timing = latencies.wanted(&want);
    runs.fates[0].started = 15_000;
    latencies.ingest(Some(&runs), &terms(&want));
    assert_eq!(latencies.wanted(&want).unwrap().softirqs, 8);
    assert_eq!(row(&latencies, Pair::RxRun).one_in, 8);
}

#[test]
fn over_the_budget_only_softirqs_are_timed() {
    let mut latencies = Latencies::default();
    let want = Want {
        latency: true,
        ..Want::default()
    };
    let mut busy = sample(Pair::Queue, Vec::new());
    busy.hits = vec![(0, 800_000)];
    for _ in 0..PATIENCE {
        assert!(!latencies.timing.softirqs_only);
        latencies.ingest(Some(&busy), &terms(&want));
    }
    assert!(latencies.timing.softirqs_only);
    assert!((latencies.cost_ns[0].1 - 56e6).abs() < 1.0);
}

#[test]
fn the_last_intervals_are_kept_and_older_ones_go() {
    let mut latencies = Latencies::default();
    let want = Want::default();
    for _ in 0..HISTORY + 5 {
        latencies.ingest(
            Some(&sample(Pair::Queue, vec![(ABOUT_1_US, 10)])),
            &terms(&want),
        );
    }
    let queue = row(&latencies, Pair::Queue);
    assert_eq!(queue.recent.count, 10 * HISTORY as u64);
    assert_eq!(queue.heat.len(), HISTORY);
    assert_eq!(queue.heat[0][3], 10, "2^10 ns is the fourth row");
}

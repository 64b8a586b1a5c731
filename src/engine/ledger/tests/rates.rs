//! How fast is lost, since when, and what of it the governor may look at.

use super::*;

#[test]
fn only_trouble_is_in_the_loss_rate_and_the_worst_is_named() {
    let mut bench = Bench::new();
    bench.host.cpus = vec![backlog(0)];
    bench
        .counters(&[("Udp.RcvbufErrors", 0), ("Udp.NoPorts", 0)])
        .tick("f", &[], 1);
    bench.host.cpus = vec![backlog(3)];
    bench
        .counters(&[("Udp.RcvbufErrors", 100), ("Udp.NoPorts", 4000)])
        .tick("f", &[(74, 50)], 1);
    assert!((bench.ledger.rate().unwrap() - 103.0).abs() < 1e-9);
    assert_eq!(bench.ledger.worst().as_deref(), Some("socket buffer (UDP)"));
    assert_eq!(
        (bench.ledger.since(), bench.ledger.total()),
        (Some(2 * S), Some(103))
    );
    let classes: Vec<Class> = bench.drops().iter().map(|d| d.class).collect();
    assert_eq!(
        classes,
        [Class::Trouble, Class::Trouble, Class::Look, Class::Expected]
    );
}

#[test]
fn what_netop_attaches_does_not_move_the_rate_that_the_governor_watches() {
    let mut bench = Bench::new();
    bench.counters(&[]).tick("ip_forward", &[], 1);
    assert_eq!(bench.ledger.counter_rate(), None, "one reading is no rate");
    bench.counters(&[]).tick("ip_forward", &[(64, 500)], 1);
    assert_eq!(bench.ledger.counter_rate(), Some(0.0));
    assert_eq!(bench.ledger.rate(), Some(500.0));
}

#[test]
fn a_rate_by_counters_stands_until_they_are_read_again() {
    let mut bench = Bench::new();
    bench.counters(&[("Udp.RcvbufErrors", 0)]).tick("f", &[], 1);
    bench
        .counters(&[("Udp.RcvbufErrors", 50)])
        .tick("f", &[], 1);
    bench.tick("f", &[], 1);
    assert_eq!(bench.ledger.rate(), Some(50.0));
    bench
        .counters(&[("Udp.RcvbufErrors", 50)])
        .tick("f", &[], 1);
    assert_eq!(bench.ledger.rate(), Some(0.0));
}

#[test]
fn an_episode_ends_after_ten_quiet_seconds() {
    let mut bench = Bench::new();
    bench.host.cpus = vec![backlog(0)];
    bench.tick("f", &[], 1);
    bench.host.cpus = vec![backlog(9)];
    (0..12).for_each(|_| bench.tick("f", &[], 1));
    assert_eq!(bench.ledger.since(), None);
    bench.host.cpus = vec![backlog(10)];
    bench.tick("f", &[], 1);
    assert_eq!(bench.ledger.since(), Some(14 * S));
}

#[test]
fn a_cpu_that_comes_back_online_brings_no_new_losses() {
    let mut bench = Bench::new();
    let back = CpuCounters {
        cpu: 1,
        ..backlog(19)
    };
    bench.host.cpus = vec![backlog(0), back];
    bench.tick("f", &[], 1);
    bench.host.cpus = vec![backlog(0)];
    bench.tick("f", &[], 1);
    bench.host.cpus = vec![backlog(0), back];
    bench.tick("f", &[], 1);
    assert_eq!(bench.ledger.total(), Some(0));
}

//! The made-up machine keeps its own promises: one seed, one machine; counters and events agree.

use super::load::Flow;
use super::*;
use crate::decode::{Attach, Place, Sample};

mod clock;
mod samples;

/// What the functions of the path are observed by: name, filter, fields, device field.
const SPECS: &[(&str, &str, &[&str])] = &[
    ("irq:softirq_entry", "vec == 3", &["vec"]),
    ("irq:softirq_entry", "vec==2", &["vec"]),
    ("napi:napi_poll", "", &["dev_name", "work", "budget"]),
    ("net:napi_gro_receive_entry", "", &["name", "len"]),
    ("net:napi_gro_frags_entry", "", &["name", "len"]),
    ("net:netif_receive_skb", "", &["name", "len"]),
    ("net:netif_rx", "", &["name", "len"]),
    ("net:net_dev_queue", "", &["name", "len"]),
    ("net:net_dev_start_xmit", "", &["name", "len", "gso_segs"]),
    ("skb:kfree_skb", "", &["reason"]),
    ("skb:consume_skb", "", &[]),
    ("tcp:tcp_retransmit_skb", "", &[]),
    ("sock:sock_send_length", "", &["ret", "flags"]),
    ("sock:sock_recv_length", "", &["ret", "flags"]),
    ("xdp:xdp_exception", "", &[]),
];

fn specs() -> Vec<EventSpec> {
    let spec = |&(full, filter, fields): &(&str, &str, &[&str])| {
        let (group, name) = full.split_once(':').expect("group:name");
        let device = fields.iter().find(|f| f.ends_with("name"));
        EventSpec {
            group: group.to_owned(),
            name: name.to_owned(),
            place: Place::Tracepoint,
            filter: (!filter.is_empty()).then(|| filter.to_owned()),
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            device_field: device.map(|&f| f.to_owned()),
        }
    };
    SPECS.iter().map(spec).collect()
}

fn id(full: &str) -> EventId {
    EventId(
        SPECS
            .iter()
            .position(|spec| spec.0 == full)
            .expect("a known event") as u16,
    )
}

fn demand() -> Demand {
    let attach = |index| Attach {
        event: EventId(index as u16),
        stacks_per_s: 50,
        every: false,
        wide: true,
        per_task: false,
        gate: false,
        everyone: false,
        by_socket: false,
        duty_permille: 1000,
        asked: false,
    };
    Demand {
        interval: Duration::from_secs(1),
        attached: (0..SPECS.len()).map(attach).collect(),
        ..Demand::default()
    }
}

fn demo(seed: u64, demand: &Demand) -> Demo {
    let mut demo = Demo::new(seed, Pace::AsFastAsPossible, specs());
    demo.demand(demand);
    let baseline = demo.step(Duration::ZERO).expect("the demo never fails");
    assert!(
        matches!(baseline, Step::Tick(tick) if tick.interval_ns == 0 && tick.counts.is_empty())
    );
    demo
}

fn interval(demo: &mut Demo) -> (Vec<Batch>, Tick) {
    let mut batches = Vec::new();
    loop {
        match demo.step(Duration::ZERO).expect("a demo cannot fail") {
            Step::Batch(batch) => batches.push(batch),
            Step::Tick(tick) => return (batches, *tick),
            other => panic!("{other:?}"),
        }
    }
}

fn hits(tick: &Tick, event: EventId) -> u64 {
    tick.counts
        .iter()
        .filter(|c| c.event == event)
        .map(|c| c.hits)
        .sum()
}

fn counter(tick: &Tick, name: &str) -> u64 {
    let slow = tick.host.slow.as_ref().expect("every tick has one");
    let counters = &slow.protocols[0].counters;
    counters
        .iter()
        .find(|(n, _)| n == name)
        .expect("a known counter")
        .1
}

#[test]
fn the_same_seed_gives_the_same_machine_and_another_seed_another_one() {
    let run = |seed| {
        let mut demo = demo(seed, &demand());
        (0..3).map(|_| interval(&mut demo)).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7)[0].1, run(8)[0].1);
}

#[test]
fn ticks_come_at_the_demanded_interval_from_a_fixed_date() {
    let mut demo = demo(1, &demand());
    demo.demand(&Demand {
        interval: Duration::from_millis(250),
        ..demand()
    });
    let (_, first) = interval(&mut demo);
    demo.demand(&demand());
    let (_, second) = interval(&mut demo);
    assert_eq!(first.wall_ns, 1_795_362_300_250_000_000);
    assert_eq!(
        (first.interval_ns, second.interval_ns),
        (250_000_000, 1_000_000_000)
    );
    assert_eq!(second.at - first.at, 1_000_000_000);
    assert_eq!(second.wall_ns - first.wall_ns, 1_000_000_000);
}

#[test]
fn counts_agree_with_the_host_counters_on_every_cpu_of_every_interval() {
    let mut demo = demo(3, &demand());
    let (_, mut before) = interval(&mut demo);
    let mut drops = 0;
    for _ in 0..45 {
        let (_, tick) = interval(&mut demo);
        for (old, new) in before.host.cpus.iter().zip(&tick.host.cpus) {
            let on_cpu = |event: EventId| {
                let here = |c: &&Counts| c.event == event && c.cpu == Some(new.cpu);
                tick.counts
                    .iter()
                    .find(here)
                    .expect("counted on every CPU")
                    .hits
            };
            assert_eq!(on_cpu(EventId(0)), new.net_rx_runs - old.net_rx_runs);
            assert_eq!(on_cpu(EventId(1)), new.net_tx_runs - old.net_tx_runs);
            let processed = new.softnet.processed - old.softnet.processed;
            assert_eq!(on_cpu(id("net:netif_receive_skb")), processed);
            assert_eq!(
                on_cpu(id("net:net_dev_queue")),
                on_cpu(id("net:net_dev_start_xmit"))
            );
            let (o, n) = (old.time, new.time);
            let spent = |t: crate::decode::CpuTime| t.user + t.system + t.idle + t.irq + t.softirq;
            assert_eq!(spent(n) - spent(o), tick.interval_ns);
        }
        let grown = |name| counter(&tick, name) - counter(&before, name);
        let dropped = hits(&tick, id("skb:kfree_skb"));
        assert_eq!(dropped, grown("Udp.RcvbufErrors") + grown("Udp.NoPorts"));
        assert_eq!(
            hits(&tick, id("tcp:tcp_retransmit_skb")),
            grown("Tcp.RetransSegs")
        );
        drops += grown("Udp.RcvbufErrors");
        before = tick;
    }
    assert!(
        (30_000..45_000).contains(&drops),
        "20 s of the episode: {drops}"
    );
}

#[test]
fn a_detached_event_is_neither_counted_nor_sampled_and_the_machine_goes_on_as_before() {
    let queue = id("net:net_dev_queue");
    let mut all = demo(5, &demand());
    let mut fewer = demand();
    fewer.attached.retain(|attach| attach.event != queue);
    let mut some = demo(5, &fewer);
    for _ in 0..3 {
        let (_, with) = interval(&mut all);
        let (batches, without) = interval(&mut some);
        assert!(hits(&with, queue) > 0);
        assert!(without.counts.iter().all(|c| c.event != queue));
        assert!(
            batches
                .iter()
                .flat_map(|b| &b.samples)
                .all(|s| s.event != queue)
        );
        assert_eq!(with.host, without.host);
    }
    all.demand(&Demand {
        attached: Vec::new(),
        ..demand()
    });
    let (batches, tick) = interval(&mut all);
    assert!(batches.is_empty() && tick.counts.is_empty());
}

#[test]
fn a_pid_filter_counts_what_ran_in_its_context_and_says_who_is_not_there() {
    let mut wanted = demand();
    wanted.pids = vec![9127, 18211, 4242];
    wanted
        .attached
        .iter_mut()
        .for_each(|a| (a.per_task, a.wide) = (true, true));
    let mut demo = demo(4, &wanted);
    let (_, tick) = interval(&mut demo);
    let of = |pid, event| {
        let here = |c: &&Counts| c.event == event && c.pid == Some(pid) && c.cpu.is_none();
        tick.counts
            .iter()
            .find(here)
            .expect("counted per task")
            .hits
    };
    let sends = id("sock:sock_send_length");
    let lo = id("net:netif_rx");
    assert_eq!(of(9127, sends), counter(&tick, "Udp.OutDatagrams"));
    let on_cpus: u64 = tick
        .counts
        .iter()
        .filter(|c| c.event == lo)
        .filter_map(|c| c.cpu.map(|_| c.hits))
        .sum();
    assert_eq!(of(9127, lo), on_cpus);
    assert!(of(18211, sends) > 0);
    assert_eq!(of(4242, sends), 0);
    assert_eq!(tick.ended, [4242]);
    let tasks = &tick.host.slow.as_ref().expect("every tick has one").tasks;
    assert_eq!(
        tasks.iter().map(|t| t.comm.as_str()).collect::<Vec<_>>(),
        ["statsd", "kafka"]
    );
}

#[test]
fn a_pid_filter_by_owner_has_what_is_for_its_sockets_whoever_ran() {
    let mut wanted = demand();
    wanted.pids = vec![18211];
    let queue = id("net:net_dev_queue");
    for attach in &mut wanted.attached {
        (attach.gate, attach.by_socket) = (true, attach.event == queue);
    }
    let mut demo = demo(4, &wanted);
    let (batches, tick) = interval(&mut demo);
    let its = |c: &&Counts| c.event == queue && c.pid == Some(18211);
    let its = tick.counts.iter().find(its).expect("counted").hits;
    assert_eq!(tick.sockets.len(), 1);
    assert_eq!(
        (tick.sockets[0].hits, tick.sockets[0].socket),
        (its, (1 << 20) + 18211)
    );
    let samples = batches
        .iter()
        .flat_map(|b| &b.samples)
        .filter(|s| s.event == queue);
    let (own, others): (Vec<_>, Vec<_>) = samples.partition(|s| s.pid == 18211);
    assert!(
        !own.is_empty() && !others.is_empty(),
        "acknowledgements leave in softirq"
    );
    assert!(
        own.iter()
            .chain(&others)
            .all(|s: &&Sample| s.owner == tick.sockets[0].socket)
    );
    let everybody: u64 = hits(&tick, queue) - its;
    assert!(its < everybody, "{its} of {everybody}");
}

#[test]
fn a_device_filter_keeps_only_that_device() {
    let mut demo = demo(
        4,
        &Demand {
            device: Some("lo".to_owned()),
            ..demand()
        },
    );
    let (_, tick) = interval(&mut demo);
    assert_eq!(
        hits(&tick, id("net:net_dev_queue")),
        counter(&tick, "Udp.OutDatagrams")
    );
    assert_eq!(hits(&tick, id("net:napi_gro_receive_entry")), 0);
    assert!(
        hits(&tick, id("sock:sock_send_length")) > 0,
        "it names no device"
    );
}

#[test]
fn the_second_cpu_is_hot_and_bursts_come() {
    let mut demo = demo(1, &demand());
    let share = |old: &Tick, new: &Tick, cpu: usize| {
        new.host.cpus[cpu].time.softirq - old.host.cpus[cpu].time.softirq
    };
    let (_, mut before) = interval(&mut demo);
    let mut busiest = 0;
    for _ in 0..20 {
        let (_, tick) = interval(&mut demo);
        let hot = share(&before, &tick, 2);
        assert!((0..CPUS).all(|cpu| cpu == 2 || share(&before, &tick, cpu) < hot / 2));
        busiest = busiest.max(hot);
        before = tick;
    }
    assert!((800_000_000..=980_000_000).contains(&busiest), "{busiest}");
}

#[test]
fn in_real_time_a_step_returns_within_its_patience() {
    let mut demo = Demo::new(1, Pace::RealTime, specs());
    demo.step(Duration::ZERO)
        .expect("the baseline comes at once");
    demo.demand(&Demand {
        interval: Duration::from_millis(200),
        ..Demand::default()
    });
    let begun = Instant::now();
    assert!(matches!(
        demo.step(Duration::from_millis(1)),
        Ok(Step::Idle)
    ));
    assert!(matches!(
        demo.step(Duration::from_secs(5)),
        Ok(Step::Tick(_))
    ));
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(190) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

#[test]
fn events_of_nobody_are_ignored_and_unknown_events_have_a_small_rate() {
    let mut wanted = demand();
    wanted.attached.push(Attach {
        event: EventId(999),
        ..wanted.attached[0]
    });
    let mut demo = demo(1, &wanted);
    let (_, tick) = interval(&mut demo);
    assert_eq!(hits(&tick, EventId(999)), 0);
    assert!((1..200).contains(&hits(&tick, id("xdp:xdp_exception"))));
    assert_eq!(
        load::interval(&mut Rng::new(1), 0, 0.0, 0.0)[0][Flow::GroEth0],
        0
    );
}

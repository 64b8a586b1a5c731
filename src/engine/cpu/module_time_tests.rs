//! Samples in a module and elsewhere, through the window into its rows, stages and stacks.

use super::*;

#[test]
fn of_a_module_stages_rows_and_stacks_are_what_passed_through_it_and_the_host_stays_whole() {
    let registry = Registry::new(Vec::new());
    let (mut time, mut names) = (CpuTime::new(&registry, Some("virtio_net")), names());
    let poll = "tcp_v4_rcv __netif_receive_skb_core virtnet_poll net_rx_action handle_softirqs";
    let probed = "perf_tp_event virtnet_poll net_rx_action handle_softirqs";
    let idle = "mwait_enter default_idle";
    // The module is below what was interrupted, and above it.
    let interrupted = "tcp_v4_rcv net_rx_action handle_softirqs virtnet_poll";
    let chains = [
        (poll, 200),
        ("virtnet_poll net_rx_action handle_softirqs", 100),
        (probed, 50),
        (interrupted, 100),
        (SEND, 300),
        (idle, 250),
    ];
    let mut stacks = Vec::new();
    for _ in 0..3 {
        for (chain_of, ms) in chains {
            let pid = if chain_of == idle { 0 } else { 7 };
            time.fold.push(0, pid, ms * MS, &chain(chain_of));
        }
        stacks = take_whole(&mut time, &mut names);
    }
    assert_eq!(stacks.len(), 2, "polls, but not what a profiler did in one");
    let rows = time.module(false);
    let found: Vec<_> = (rows.iter())
        .map(|f| (&*f.name, f.cpu_pct, f.self_pct))
        .collect();
    let polls = (Some(30.0), Some(10.0));
    assert_eq!(
        found,
        [
            ("[virtio_net]", polls.0, polls.1),
            ("virtnet_poll [virtio_net]", polls.0, polls.1)
        ]
    );
    assert_eq!(rows[0].ns_per_packet, None);
    assert!(rows.iter().all(|f| f.calls.is_none() && f.reason.is_some()));
    let stage = |name| {
        let stages = time.stages(&names, false);
        stages.iter().find(|s| s.stage == name).map(|s| s.cpu_pct)
    };
    close(stage("tcp"), 20.0);
    assert_eq!(stage("xmit"), None, "the sender did not pass through it");
    let mut summary = Summary::default();
    time.summary(&mut summary);
    close(summary.net_cores, 0.7);
}

#[test]
fn a_module_that_no_sample_met_has_one_row_with_a_bound_and_no_stages() {
    let registry = Registry::new(Vec::new());
    let (mut time, mut names) = (CpuTime::new(&registry, Some("veth")), names());
    for _ in 0..5 {
        second(&mut time, &mut names, &[]);
    }
    let rows = time.module(true);
    assert_eq!(rows.len(), 1);
    assert_eq!((&*rows[0].name, rows[0].cpu_pct), ("[veth]", Some(0.0)));
    assert!(rows[0].cpu_error.is_some_and(|error| error > 0.0));
    assert!(time.stages(&names, true).is_empty());
}

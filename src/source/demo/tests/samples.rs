//! Samples of the made-up machine: weights, order, chains, fields.

use super::*;
use crate::decode::Sample;

#[test]
fn weights_of_samples_add_up_to_the_hits_and_keep_to_the_wanted_number() {
    let mut demo = demo(9, &demand());
    for _ in 0..5 {
        let (batches, tick) = interval(&mut demo);
        for count in &tick.counts {
            let of = |s: &&Sample| s.event == count.event && Some(s.cpu) == count.cpu;
            let samples: Vec<_> = batches.iter().flat_map(|b| &b.samples).filter(of).collect();
            let weight: u64 = samples.iter().map(|s| s.period).sum();
            let period = samples.first().map_or(count.hits + 1, |s| s.period);
            assert!(
                weight.abs_diff(count.hits) <= period,
                "{weight} for {count:?}"
            );
            assert!(
                samples.len() <= 51,
                "{} samples of {count:?}",
                samples.len()
            );
        }
    }
}

#[test]
fn samples_are_in_the_order_of_time_within_their_interval() {
    let mut demo = demo(9, &demand());
    interval(&mut demo);
    let (batches, tick) = interval(&mut demo);
    assert_eq!(batches.len(), CPUS);
    for batch in &batches {
        assert!(batch.samples.is_sorted_by_key(|s| s.time));
        let inside = tick.at - tick.interval_ns..tick.at;
        assert!(
            batch
                .samples
                .iter()
                .all(|s| inside.contains(&s.time) && s.cpu == batch.cpu)
        );
    }
}

#[test]
fn chains_lead_from_the_function_through_the_kernel_to_the_program() {
    let mut demo = demo(2, &demand());
    let (batches, _) = interval(&mut demo);
    let statsd = batches.iter().find_map(|batch| {
        let of = |s: &&Sample| s.event == id("net:net_dev_queue") && s.pid == 9127;
        let sample = batch.samples.iter().find(of)?;
        Some(sample.chain.of(&batch.frames).to_vec())
    });
    let statsd = statsd.expect("statsd sends");
    let names: Vec<_> = statsd.iter().map(|&a| symbol(a).unwrap_or("|")).collect();
    assert_eq!(
        names.join(" "),
        "| __dev_queue_xmit ip_finish_output2 ip_output ip_send_skb udp_send_skb udp_sendmsg \
         inet_sendmsg __sys_sendto __x64_sys_sendto do_syscall_64 entry_SYSCALL_64_after_hwframe | \
         __libc_sendto (libc.so.6) flush_metrics (statsd) main (statsd) \
         __libc_start_call_main (libc.so.6)"
    );
    assert_eq!(statsd[0], -128_i64 as u64);
    assert_eq!(statsd[12], -512_i64 as u64);
    for batch in &batches {
        for sample in &batch.samples {
            let chain = sample.chain.of(&batch.frames);
            let nameless = chain.iter().filter(|&&a| symbol(a).is_none());
            let kernel_thread = [0, 25].contains(&sample.pid);
            assert_eq!(
                nameless.count(),
                if kernel_thread { 1 } else { 2 },
                "{chain:x?}"
            );
        }
    }
}

#[test]
fn fields_hold_what_the_event_asks_for() {
    let mut demo = demo(2, &demand());
    let (batches, _) = interval(&mut demo);
    let mut seen = 0;
    for batch in &batches {
        for sample in &batch.samples {
            let (full, _, fields) = SPECS[usize::from(sample.event.0)];
            if full == "net:net_dev_start_xmit" {
                let device = batch.text(sample.values[0]);
                let gso = sample.values[2] > 1;
                assert!([&b"lo"[..], b"eth0", b"eth1"].contains(&device));
                assert_eq!(
                    gso,
                    sample.values[1] > 5000,
                    "{device:?} {:?}",
                    sample.values
                );
                seen += 1;
            } else if full == "napi:napi_poll" {
                assert!((1..=64).contains(&sample.values[1]) && sample.values[2] == 64);
            }
            assert!(sample.values[fields.len()..].iter().all(|v| *v == 0));
        }
    }
    assert!(seen > 0);
}

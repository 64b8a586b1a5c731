//! CPU samples of the made-up machine: how many, when, and of what.

use super::*;
use crate::decode::Sample;

const HZ: u32 = 199;

fn clocked(hz: u32) -> Demand {
    Demand {
        clock_hz: hz,
        ..demand()
    }
}

/// Frames of a sample's chain, markers as `|`.
fn names(batch: &Batch, sample: &Sample) -> Vec<&'static str> {
    let chain = sample.chain.of(&batch.frames).iter();
    chain
        .map(|&address| symbol(address).unwrap_or("|"))
        .collect()
}

/// Which kind of time of /proc/stat a sample was taken in.
fn kind(names: &[&str]) -> &'static str {
    if names.contains(&"__do_softirq") {
        "softirq"
    } else if names.contains(&"common_interrupt") {
        "irq"
    } else if names.contains(&"default_idle") {
        "idle"
    } else if names.contains(&"entry_SYSCALL_64_after_hwframe") {
        "system"
    } else {
        "user"
    }
}

#[test]
fn the_clock_strikes_as_often_as_it_was_asked_to_on_every_cpu() {
    let mut demo = demo(3, &clocked(HZ));
    let mut short = clocked(HZ);
    for ms in [1000, 1000, 250, 250, 250, 250, 1000] {
        short.interval = Duration::from_millis(ms);
        demo.demand(&short);
        let (batches, tick) = interval(&mut demo);
        assert_eq!(batches.len(), CPUS);
        for batch in &batches {
            assert!(batch.samples.is_sorted_by_key(|s| s.time));
            let clock = batch.samples.iter().filter(|s| s.event == EventId::CLOCK);
            let clock: Vec<_> = clock.collect();
            let exact = f64::from(HZ) * ms as f64 / 1e3;
            assert!((clock.len() as f64 - exact).abs() < 1.0, "{}", clock.len());
            if ms == 1000 {
                assert_eq!(clock.len(), HZ as usize);
            }
            let inside = tick.at - tick.interval_ns..tick.at;
            for pair in clock.windows(2) {
                let apart = pair[1].time - pair[0].time;
                assert!(apart.abs_diff(pair[0].period) <= 1, "{apart}");
            }
            for sample in clock {
                assert!(inside.contains(&sample.time) && sample.cpu == batch.cpu);
                assert_eq!(sample.period, 1_000_000_000 / u64::from(HZ));
                assert_eq!((sample.tid, sample.values), (sample.pid, [0; 4]));
            }
        }
    }
}

#[test]
fn no_stroke_is_lost_between_intervals() {
    let mut wanted = clocked(HZ);
    wanted.interval = Duration::from_millis(50);
    let mut demo = demo(3, &wanted);
    let mut strokes = [0; CPUS];
    for _ in 0..20 {
        for batch in interval(&mut demo).0 {
            let clock = batch.samples.iter().filter(|s| s.event == EventId::CLOCK);
            strokes[batch.cpu as usize] += clock.count();
        }
    }
    assert_eq!(strokes, [HZ as usize; CPUS]);
}

#[test]
fn the_clock_changes_no_count_and_no_sample_of_an_event() {
    let mut with = demo(5, &clocked(HZ));
    let mut without = demo(5, &demand());
    for _ in 0..3 {
        let ((sampled, tick), (plain, plain_tick)) = (interval(&mut with), interval(&mut without));
        assert_eq!(tick, plain_tick);
        for (sampled, plain) in sampled.iter().zip(&plain) {
            let events = sampled.samples.iter().filter(|s| s.event != EventId::CLOCK);
            assert!(events.eq(&plain.samples));
            assert_eq!(sampled.frames[..plain.frames.len()], plain.frames);
            assert_eq!(sampled.raw, plain.raw);
        }
    }
}

#[test]
fn shares_of_samples_are_those_of_the_host_counters() {
    // Often enough that chance (half a percent of a CPU) is well below what is allowed.
    const OFTEN: u32 = 10_000;
    let mut demo = demo(1, &clocked(OFTEN));
    let (_, mut before) = interval(&mut demo);
    for _ in 0..3 {
        let (batches, tick) = interval(&mut demo);
        for (batch, (old, new)) in batches
            .iter()
            .zip(before.host.cpus.iter().zip(&tick.host.cpus))
        {
            let clock = batch.samples.iter().filter(|s| s.event == EventId::CLOCK);
            let kinds: Vec<_> = clock.map(|s| kind(&names(batch, s))).collect();
            let (o, n) = (old.time, new.time);
            for (name, ns) in [
                ("user", n.user - o.user),
                ("system", n.system - o.system),
                ("idle", n.idle - o.idle),
                ("irq", n.irq - o.irq),
                ("softirq", n.softirq - o.softirq),
            ] {
                let seen = kinds.iter().filter(|kind| **kind == name).count();
                let (seen, said) = (
                    seen as f64 / kinds.len() as f64,
                    ns as f64 / tick.interval_ns as f64,
                );
                assert!(
                    (seen - said).abs() < 0.02,
                    "CPU {} {name}: {seen} for {said}",
                    batch.cpu
                );
            }
        }
        before = tick;
    }
}

#[test]
fn chains_name_the_running_process_and_what_is_under_them() {
    let mut demo = demo(1, &clocked(5_000));
    let (batches, _) = interval(&mut demo);
    let mut threads = 0;
    for batch in &batches {
        for sample in batch.samples.iter().filter(|s| s.event == EventId::CLOCK) {
            let names = names(batch, sample);
            let user = sample.pid != 0 && sample.pid != 25;
            let nameless = names.iter().filter(|name| **name == "|").count();
            let kind = kind(&names);
            match kind {
                "idle" => assert_eq!(
                    names.join(" "),
                    "| pv_native_safe_halt default_idle arch_cpu_idle default_enter_idle \
                     [cpuidle_haltpoll] cpuidle_enter_state cpuidle_enter do_idle \
                     cpu_startup_entry start_secondary"
                ),
                "user" => assert_eq!((nameless, names[0]), (1, "|"), "{names:?}"),
                _ => assert_eq!(nameless, if user { 2 } else { 1 }, "{names:?}"),
            }
            if matches!(kind, "idle" | "system" | "user") {
                assert_eq!(user, kind != "idle", "{names:?}");
            } else if sample.pid == 0 {
                assert_eq!(names.last(), Some(&"start_secondary"));
            }
            if sample.pid == 25 {
                assert_eq!(batch.cpu, 2);
                assert_eq!(kind, "softirq");
                assert_eq!(names.last(), Some(&"ret_from_fork_asm"));
                threads += 1;
            }
        }
    }
    assert!(threads > 250, "{threads}");
}

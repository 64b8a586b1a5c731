//! Hits in, totals, shares and stacks out.

use super::*;
use proptest::prelude::*;

fn hit(event: u16, cpu: u32, pid: u32, period: u64, chain: &[u64]) -> Hit<'_> {
    Hit {
        event,
        cpu,
        pid,
        period,
        chain,
        tag: None,
        packets: None,
        bytes: None,
    }
}

#[test]
fn weights_add_up_to_the_exact_count_whatever_the_period_was() {
    let mut fold = Fold::default();
    fold.push(&hit(0, 0, 1, 97, &[1, 2]), true);
    fold.push(&hit(0, 0, 1, 101, &[1, 3]), true);
    fold.push(&hit(0, 1, 2, 97, &[1, 2]), true);
    let folded = fold.finish(1.0, 30.0, |_, cpu| Some(if cpu == 0 { 1000 } else { 50 }));
    let total: f64 = folded.stacks.iter().map(|s| s.weight).sum();
    assert!((total - 1050.0).abs() < 1e-6, "{total}");
    assert!((folded.per_event[&0].weight - 1050.0).abs() < 1e-6);
}

#[test]
fn samples_of_others_take_part_in_the_scale_but_not_in_the_figures() {
    let mut fold = Fold::default();
    fold.push(&hit(0, 0, 1, 100, &[1]), true);
    fold.push(&hit(0, 0, 2, 100, &[1]), false);
    let folded = fold.finish(1.0, 30.0, |_, _| Some(400));
    assert_eq!(folded.stacks.len(), 1);
    assert!((folded.stacks[0].weight - 200.0).abs() < 1e-9);
}

#[test]
fn stacks_that_are_not_wanted_go_with_their_chains_and_the_counts_stay() {
    let mut fold = Fold::default();
    fold.push(&hit(0, 0, 1, 100, &[7, 1]), true);
    fold.push(&hit(0, 0, 1, 300, &[8, 1]), true);
    fold.push(&hit(0, 0, 1, 100, &[]), true);
    let wanted = fold.chains.meet(1, &[8, 1]).expect("it is known");
    fold.retain_stacks(|_, chain| chain == wanted);
    assert_eq!(fold.chains.len(), 1);
    let folded = fold.finish(1.0, 30.0, |_, _| Some(1000));
    assert_eq!(folded.stacks.len(), 1);
    assert!(
        (folded.stacks[0].weight - 600.0).abs() < 1e-9,
        "of all hits"
    );
    assert!((folded.per_event[&0].weight - 1000.0).abs() < 1e-9);
}

#[test]
fn the_window_lets_go_of_old_stacks_and_of_their_chains() {
    let mut fold = Fold::default();
    for second in 0..100u64 {
        fold.push(&hit(0, 0, 1, 1, &[second, 1]), true);
        fold.finish(1.0, 30.0, |_, _| None);
    }
    assert_eq!(fold.window(1000).len(), 30);
    assert_eq!(fold.chains.len(), 30);
    fold.forget();
    assert!(fold.chains.is_empty());
}

#[test]
fn a_forgotten_interval_leaves_nothing_of_itself_to_the_next_question() {
    let mut fold = Fold::default();
    let stranger = Hit {
        tag: Some(("device", "old0")),
        ..hit(0, 0, 9, 50, &[7, 8])
    };
    fold.push(&stranger, true);
    fold.forget();
    fold.push(&hit(0, 0, 1, 1, &[1, 2]), true);
    let folded = fold.finish(1.0, 30.0, |_, _| Some(10));
    assert_eq!(folded.stacks.len(), 1);
    assert!(
        (folded.stacks[0].weight - 10.0).abs() < 1e-9,
        "scaled by its own hits alone"
    );
    assert!(folded.tags.is_empty());
    assert_eq!(fold.chains.len(), 1);
}

#[test]
fn means_are_weighted_by_what_the_samples_stand_for() {
    let mut fold = Fold::default();
    fold.push(
        &Hit {
            bytes: Some(100.0),
            ..hit(0, 0, 1, 3, &[1])
        },
        true,
    );
    fold.push(
        &Hit {
            bytes: Some(200.0),
            ..hit(0, 0, 1, 1, &[1])
        },
        true,
    );
    let sums = fold.finish(1.0, 30.0, |_, _| None).per_event[&0];
    assert!((sums.bytes / sums.with_bytes - 125.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn whatever_the_samples_the_parts_add_up_to_the_whole(
        hits in prop::collection::vec((0u16..3, 0u32..4, 0u32..5, 1u64..500, 0u64..6), 1..200),
        exact in 1u64..100_000,
    ) {
        let mut fold = Fold::default();
        for &(event, cpu, pid, period, leaf) in &hits {
            fold.push(&hit(event, cpu, pid, period, &[leaf, 1]), true);
        }
        let folded = fold.finish(1.0, 30.0, |_, _| Some(exact));
        for event in 0..3u16 {
            let cpus: std::collections::BTreeSet<u32> =
                hits.iter().filter(|h| h.0 == event).map(|h| h.1).collect();
            let expected = (cpus.len() as u64 * exact) as f64;
            let stacks: f64 = folded.stacks.iter().filter(|s| s.event == event).map(|s| s.weight).sum();
            let processes: f64 =
                folded.per_process.iter().filter(|(k, _)| k.0 == event).map(|(_, s)| s.weight).sum();
            prop_assert!((stacks - expected).abs() < 1e-6 * expected.max(1.0));
            prop_assert!((processes - expected).abs() < 1e-6 * expected.max(1.0));
        }
        fold.forget();
        prop_assert!(fold.chains.is_empty());
    }
}

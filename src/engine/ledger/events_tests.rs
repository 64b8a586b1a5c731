//! Hits by what they have in common: exact where each was a sample, scaled to the count elsewhere.

use super::*;
use crate::model::{KernelFunction, Name, StageId};

/// Addresses are named by their last digits.
struct Book;

impl Names for Book {
    fn kernel(&mut self, address: u64) -> Name {
        let text = match address & 0xff {
            1 => "sk_skb_reason_drop",
            2 => "udp_queue_rcv_one_skb",
            3 => "bpf_trampoline_6442",
            _ => "0xffff000000000000",
        };
        Name {
            text: text.into(),
            settled: true,
        }
    }

    fn function(&mut self, _: u64) -> Option<KernelFunction> {
        None
    }

    fn stage(&self, _: StageId) -> &'static str {
        ""
    }

    fn user(&mut self, _: u32, _: u64, _: &mut Vec<Arc<str>>) -> bool {
        true
    }
}

const HELPERS: &[&str] = &["sk_skb_reason_drop"];

fn at(frame: u64) -> u64 {
    KERNEL | frame
}

fn hit(events: &mut Events, reason: u64, period: u64) {
    let chain = [MARKERS + 10, at(3), at(1), at(2), at(9)];
    events.push(&Hit {
        cpu: 0,
        reason,
        chain: &chain,
        device: b"eth0",
        owner: 0,
        period,
    });
}

fn finish(events: &mut Events, counted: u64) -> (Vec<Seen>, u64) {
    let counted = [(0, counted)].into_iter().collect();
    let (mut seen, unseen) = events.finish(&counted, HELPERS, &mut Book);
    seen.sort_by_key(|seen| seen.reason);
    (seen, unseen)
}

#[test]
fn the_location_is_the_first_function_that_does_not_free_for_others() {
    let mut events = Events::default();
    hit(&mut events, 6, 1);
    let (seen, _) = finish(&mut events, 1);
    assert_eq!(seen[0].location.as_deref(), Some("udp_queue_rcv_one_skb"));
    assert_eq!(seen[0].device.as_deref(), Some("eth0"));
}

#[test]
fn where_every_hit_is_a_sample_the_reasons_are_exact() {
    let mut events = Events::default();
    (0..20).for_each(|_| hit(&mut events, 3, 1));
    (0..30).for_each(|_| hit(&mut events, 6, 1));
    let (seen, unseen) = finish(&mut events, 50);
    let all: Vec<_> = seen.iter().map(|s| (s.reason, s.hits, s.exact)).collect();
    assert_eq!(all, [(3, 20.0, true), (6, 30.0, true)]);
    assert_eq!(unseen, 0);
}

#[test]
fn thinned_samples_are_scaled_to_the_count_and_say_so() {
    let mut events = Events::default();
    (0..3).for_each(|_| hit(&mut events, 6, 50));
    hit(&mut events, 3, 50);
    let (seen, _) = finish(&mut events, 400);
    let all: Vec<_> = seen.iter().map(|s| (s.reason, s.hits, s.exact)).collect();
    assert_eq!(all, [(3, 100.0, false), (6, 300.0, false)]);
}

#[test]
fn hits_across_the_edge_of_an_interval_stay_exact() {
    let mut events = Events::default();
    (0..98).for_each(|_| hit(&mut events, 6, 1));
    let (first, _) = finish(&mut events, 100);
    (0..52).for_each(|_| hit(&mut events, 6, 1));
    let (second, unseen) = finish(&mut events, 50);
    assert!(first[0].exact && second[0].exact);
    assert!((first[0].hits + second[0].hits - 150.0).abs() < 1e-9);
    assert_eq!(unseen, 0);
}

#[test]
fn what_was_counted_but_never_sampled_is_said() {
    let mut events = Events::default();
    assert_eq!(finish(&mut events, 40).1, 0, "the samples may follow");
    assert_eq!(finish(&mut events, 0).1, 40);
    assert_eq!(finish(&mut events, 0).1, 0);
}

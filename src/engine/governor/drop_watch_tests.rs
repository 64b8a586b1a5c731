//! Losses before, at and after an attach.

use super::*;

const S: u64 = 1_000_000_000;

/// Seconds of these losses, one after the other; what was judged in each.
fn seconds(watch: &mut DropWatch, from: u64, rates: &[f64]) -> Vec<Option<Judged>> {
    (from..)
        .zip(rates)
        .map(|(second, &rate)| watch.learn(second * S, 1.0, rate))
        .collect()
}

#[test]
fn what_was_attached_just_before_drops_jumped_is_let_go_and_left_alone_for_minutes() {
    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[10.0, 12.0, 9.0, 11.0]);
    watch.attached([2, 5].into_iter());
    let judged = seconds(&mut watch, 5, &[900.0]);
    assert_eq!(judged, [Some(Judged::Detached(vec![2, 5], 10.5, 900.0))]);
    assert_eq!(watch.left_alone(), [2, 5]);
    seconds(&mut watch, 6, &[10.0; 170]);
    assert_eq!(watch.left_alone(), [2, 5]);
    seconds(&mut watch, 176, &[10.0; 20]);
    assert!(watch.left_alone().is_empty());
}

#[test]
fn drops_that_were_there_before_or_rise_within_their_noise_accuse_nobody() {
    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[4_000.0, 6_000.0, 5_000.0, 5_500.0]);
    watch.attached([2].into_iter());
    assert_eq!(
        seconds(&mut watch, 5, &[7_000.0, 6_500.0, 9_000.0]),
        [None, None, None]
    );
    assert!(watch.left_alone().is_empty());
}

#[test]
fn drops_that_rise_long_after_an_attach_have_another_cause() {
    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[0.0; 5]);
    watch.attached([2].into_iter());
    let judged = seconds(&mut watch, 6, &[0.0, 0.0, 5_000.0, 5_000.0]);
    assert_eq!(judged, [None, None, None, None]);
}

#[test]
fn with_hardly_a_past_two_intervals_have_to_agree() {
    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[0.0]);
    watch.attached([0].into_iter());
    assert_eq!(seconds(&mut watch, 2, &[500.0]), [None]);
    assert!(matches!(
        seconds(&mut watch, 3, &[700.0])[0],
        Some(Judged::Detached(..))
    ));

    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[0.0]);
    watch.attached([0].into_iter());
    assert_eq!(
        seconds(&mut watch, 2, &[500.0, 0.0, 0.0]),
        [None, None, None]
    );
}

#[test]
fn losses_that_go_on_without_the_rows_clear_them() {
    let mut watch = DropWatch::default();
    seconds(&mut watch, 1, &[0.0; 5]);
    watch.attached([3].into_iter());
    let judged = seconds(&mut watch, 6, &[5_000.0, 5_100.0, 4_900.0]);
    assert!(matches!(judged[0], Some(Judged::Detached(..))));
    assert_eq!(judged[2], Some(Judged::Cleared(vec![3])));
    assert!(watch.left_alone().is_empty());
    watch.attached([3].into_iter());
    assert_eq!(seconds(&mut watch, 9, &[9_000.0, 9_000.0]), [None, None]);
}

#[test]
fn without_an_attach_nothing_is_let_go() {
    let mut watch = DropWatch::default();
    let judged = seconds(&mut watch, 1, &[0.0, 0.0, 0.0, 90_000.0]);
    assert_eq!(judged, [None, None, None, None]);
}

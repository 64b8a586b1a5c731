//! What is given up, and in which order.

use super::*;

/// Rows of one CPU: (priority, asked, ns per second), with as much again for their stacks.
fn ladder(rows: &[(u8, bool, f64)]) -> Ladder {
    let rungs = rows
        .iter()
        .enumerate()
        .map(|(row, &(priority, asked, ns))| Rung {
            row,
            asked,
            priority,
            hits: vec![ns],
            idle: vec![0.0],
            switching: 0.0,
            stacks: vec![ns],
        });
    Ladder {
        rungs: rungs.collect(),
        own_ns: Vec::new(),
        latency_ns: Vec::new(),
        sample_ns: 1.0,
        hz: (100, 20),
        timing: Some(vec![1_000.0]),
        whole: false,
        least_stacks: 0,
        room: Vec::new(),
        cpus: 1,
    }
}

/// `all` down to what fits `limit`: stacks, timed, hz, shares.
fn kept(ladder: &Ladder, limit: f64) -> (u8, bool, u32, Vec<u16>) {
    let kept = ladder.fit(limit);
    assert!(
        ladder.worst(&kept) <= limit || ladder.rungs.iter().any(|r| r.asked),
        "{kept:?}"
    );
    (
        kept.stacks,
        kept.timed,
        kept.hz,
        kept.shares.values().copied().collect(),
    )
}

#[test]
fn stacks_go_first_then_timing_then_cpu_samples_then_hits_of_the_least_important_rows() {
    let ladder = ladder(&[
        (0, false, 10_000.0),
        (3, false, 10_000.0),
        (9, false, 10_000.0),
    ]);
    assert_eq!(kept(&ladder, 62_000.0), (100, true, 100, vec![1000; 3]));
    assert_eq!(kept(&ladder, 50_000.0), (50, true, 100, vec![1000; 3]));
    assert_eq!(kept(&ladder, 32_000.0), (0, true, 100, vec![1000; 3]));
    assert_eq!(kept(&ladder, 30_500.0), (0, false, 100, vec![1000; 3]));
    assert_eq!(kept(&ladder, 30_060.0), (0, false, 50, vec![1000; 3]));
    assert_eq!(kept(&ladder, 30_025.0), (0, false, 25, vec![1000; 3]));
    let (stacks, _, _, shares) = kept(&ladder, 26_100.0);
    assert_eq!((stacks, shares), (10, vec![1000, 1000, 100]));
    assert_eq!(kept(&ladder, 15_100.0).3, [1000, 100, 100]);
    assert_eq!(kept(&ladder, 11_600.0).3, [1000, 100, 50]);
    assert_eq!(kept(&ladder, 10_300.0).3, [1000, 10, 10]);
}

#[test]
fn no_row_is_given_up_and_what_is_lost_is_the_last_to_be_counted_a_part_of_the_time() {
    let mut ladder = ladder(&[
        (0, false, 10_000.0),
        (9, false, 10_000.0),
        (1, false, 10_000.0),
    ]);
    ladder.timing = None;
    ladder.sample_ns = 0.0;
    assert_eq!(kept(&ladder, 20_150.0).3, [1000, 10, 1000]);
    assert_eq!(kept(&ladder, 12_600.0).3, [100, 10, 1000]);
    assert_eq!(kept(&ladder, 10_700.0).3, [50, 10, 1000]);
    assert_eq!(kept(&ladder, 1_700.0).3, [50, 10, 100]);
    assert_eq!(kept(&ladder, 1_080.0).3, [50, 5, 50]);
    assert_eq!(kept(&ladder, 30.0).3, [1, 1, 1]);
    assert_eq!(
        ladder.fit(3.0).shares.into_values().collect::<Vec<_>>(),
        [1, 1, 1]
    );
}

#[test]
fn of_what_costs_between_its_windows_too_a_row_can_be_too_much() {
    let mut ladder = ladder(&[(0, false, 10_000.0), (9, false, 10_000.0)]);
    ladder.timing = None;
    ladder.sample_ns = 0.0;
    for rung in &mut ladder.rungs {
        rung.idle = vec![2_500.0];
    }
    assert_eq!(kept(&ladder, 12_600.0).3, [1000, 10]);
    assert_eq!(kept(&ladder, 12_000.0).3, [1000, 0]);
    assert_eq!(kept(&ladder, 2_000.0).3, [0, 0]);
}

#[test]
fn what_was_asked_for_is_not_given_up() {
    let ladder = ladder(&[(0, false, 10_000.0), (9, true, 10_000.0)]);
    assert_eq!(kept(&ladder, 12_000.0).3, [100, 1000]);
    assert_eq!(kept(&ladder, 100.0).3, [1, 1000]);
}

#[test]
fn stacks_that_a_recording_is_made_for_are_not_given_up() {
    let mut ladder = ladder(&[(0, true, 10_000.0)]);
    assert_eq!(kept(&ladder, 100.0).0, 0);
    ladder.least_stacks = 50;
    assert_eq!(kept(&ladder, 100.0).0, 50);
    assert_eq!(kept(&ladder, 30_000.0).0, 100);
}

#[test]
fn a_row_that_costs_nothing_is_not_given_up_for_nothing() {
    let ladder = ladder(&[(0, false, 10_000.0), (9, false, 1.0)]);
    assert_eq!(kept(&ladder, 6_000.0).3, [100, 1000]);
}

#[test]
fn the_limit_holds_for_the_busiest_cpu() {
    let mut ladder = ladder(&[(1, false, 1_000.0), (2, false, 1_000.0)]);
    ladder.cpus = 2;
    ladder.rungs[0].hits = vec![1_000.0, 0.0];
    ladder.rungs[1].hits = vec![0.0, 9_000.0];
    ladder.timing = None;
    assert_eq!(kept(&ladder, 5_000.0).3, [1000, 100]);
}

#[test]
fn a_cpu_with_less_of_the_limit_keeps_less_and_netops_own_time_is_not_scaled() {
    let mut ladder = ladder(&[(1, false, 1_000.0), (2, false, 1_000.0)]);
    ladder.timing = None;
    ladder.hz = (0, 0);
    ladder.cpus = 2;
    ladder.rungs[0].hits = vec![1_000.0, 0.0];
    ladder.rungs[1].hits = vec![0.0, 1_000.0];
    ladder.room = vec![1.0, 0.5];
    assert_eq!(kept(&ladder, 1_000.0).3, [1000, 100]);
    assert_eq!(kept(&ladder, 2_000.0).3, [1000, 1000]);
    ladder.own_ns = vec![0.0, 1_000.0];
    assert_eq!(kept(&ladder, 2_000.0).3, [1000, 100]);
    assert_eq!(kept(&ladder, 3_000.0).3, [1000, 1000]);
}

#[test]
fn netops_own_time_alone_over_the_limit_leaves_next_to_nothing_else() {
    let mut ladder = ladder(&[(0, false, 1_000.0)]);
    ladder.own_ns = vec![50_000.0];
    let kept = ladder.fit(40_000.0);
    assert_eq!((kept.hz, kept.share(0)), (0, 1));
}

#[test]
fn what_costs_nothing_comes_back_however_little_room_there_is() {
    let mut ladder = ladder(&[(0, false, 10_000.0), (2, false, 10.0), (9, false, 9_000.0)]);
    ladder.timing = None;
    let shed = Allowance {
        shares: [(0, 1000), (1, 50), (2, 500)].into(),
        hz: 20,
        timed: false,
        stacks: 0,
    };
    let raised = ladder.raised(&shed, &ladder.all(), 14_000.0);
    let shares: Vec<u16> = raised.shares.values().copied().collect();
    assert_eq!(
        (shares, raised.hz, raised.stacks),
        (vec![1000, 1000, 500], 100, 0)
    );
}

#[test]
fn windows_that_save_nothing_are_not_opened() {
    let mut ladder = ladder(&[(3, false, 1_000.0)]);
    ladder.timing = None;
    ladder.rungs[0].stacks = vec![0.0];
    assert_eq!(ladder.fit(600.0).share(0), 100);
    ladder.rungs[0].idle = vec![900.0];
    assert_eq!(
        ladder.fit(600.0).share(0),
        0,
        "it costs as much between them"
    );
    ladder.rungs[0].idle = vec![0.0];
    ladder.rungs[0].switching = 20_000.0;
    assert_eq!(ladder.fit(600.0).share(0), 20, "switching costs, too");
}

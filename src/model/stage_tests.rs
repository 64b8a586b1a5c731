//! Chains of made-up frames; chains of real names are in symbol/stage.

use proptest::prelude::*;

use super::*;

fn stage(index: usize) -> Kind {
    Kind {
        stage: StageId::new(index),
        network: true,
        ..Kind::default()
    }
}

fn towards(direction: Direction, index: usize) -> Kind {
    Kind {
        direction,
        ..stage(index)
    }
}

fn boundary(boundary: Boundary) -> Kind {
    Kind {
        boundary: Some(boundary),
        ..Kind::default()
    }
}

fn profiler(index: usize) -> Kind {
    Kind {
        observer: true,
        network: false,
        ..stage(index)
    }
}

fn ids(set: StageSet) -> Vec<usize> {
    set.iter().map(StageId::index).collect()
}

#[test]
fn what_was_interrupted_does_not_count() {
    let chain = [
        Kind::default(),
        stage(3),
        towards(Direction::Rx, 1),
        boundary(Boundary::Softirq),
        towards(Direction::Tx, 7),
        boundary(Boundary::Interrupt),
    ];
    let verdict = judge(&chain, Task::Process);
    assert_eq!(verdict.exclusive, StageId::new(3));
    assert_eq!(ids(verdict.inclusive), [1, 3]);
    assert_eq!(verdict.direction, Direction::Rx);
    assert_eq!(verdict.context, Context::Softirq);
    assert_eq!(verdict.cut, 3);
    assert!(verdict.network);
}

#[test]
fn a_frame_with_a_direction_of_its_own_needs_no_caller() {
    let chain = [towards(Direction::Tx, 2), towards(Direction::Rx, 1)];
    assert_eq!(judge(&chain, Task::Process).direction, Direction::Tx);
    assert_eq!(
        judge(&[stage(2)], Task::Process).direction,
        Direction::Other
    );
}

#[test]
fn what_a_profiler_calls_is_the_profilers() {
    let chain = [stage(9), profiler(0), Kind::default(), stage(4)];
    let verdict = judge(&chain, Task::Process);
    assert_eq!(verdict.exclusive, StageId::new(0));
    assert_eq!(ids(verdict.inclusive), [0, 4]);
    assert_eq!(verdict.direction, Direction::Other);
    assert!(verdict.network, "it profiled the network");
    assert!(!judge(&[stage(9), profiler(0)], Task::Process).network);
}

#[test]
fn a_stage_that_others_run_too_makes_no_network_sample() {
    let copy = Kind {
        network: false,
        ..stage(5)
    };
    let verdict = judge(&[copy], Task::Process);
    assert_eq!(verdict.exclusive, StageId::new(5));
    assert!(!verdict.network);
    assert!(judge(&[copy, stage(6)], Task::Process).network);
}

#[test]
fn contexts() {
    use Boundary::{Interrupt, Softirq};
    let softirq = [stage(1), boundary(Softirq)];
    let interrupt = [stage(1), boundary(Interrupt), boundary(Softirq)];
    for (frames, task, context) in [
        (&softirq[..], Task::Process, Context::Softirq),
        (&softirq[..], Task::Idle, Context::Softirq),
        (&softirq[..], Task::Ksoftirqd, Context::Ksoftirqd),
        (&softirq[..], Task::NapiThread, Context::Softirq),
        (&softirq[..1], Task::NapiThread, Context::NapiThread),
        (&interrupt[..], Task::Ksoftirqd, Context::Interrupt),
        (&interrupt[..], Task::Idle, Context::Interrupt),
        (&softirq[..1], Task::Idle, Context::Interrupt),
        (&[], Task::Idle, Context::Idle),
        (&[], Task::Process, Context::Process),
    ] {
        assert_eq!(
            judge(frames, task).context,
            context,
            "{frames:?} in {task:?}"
        );
    }
}

#[test]
fn kernel_threads_are_known_by_their_loop_and_pid_0_idles() {
    let thread = |task| Kind {
        task: Some(task),
        ..Kind::default()
    };
    let loops = [stage(1), thread(Task::Ksoftirqd), Kind::default()];
    assert_eq!(Task::of(18, &loops), Task::Ksoftirqd);
    assert_eq!(Task::of(0, &loops), Task::Idle);
    assert_eq!(Task::of(19, &[stage(1)]), Task::Process);
    assert_eq!(Task::of(19, &[]), Task::Process);
    assert_eq!(Task::of(0, &[]), Task::Process);
}

#[test]
fn the_leaf_class_is_the_leafs_even_at_the_boundary() {
    let leaf = Kind {
        leaf: Some(Leaf::IrqOff),
        ..boundary(Boundary::Softirq)
    };
    let verdict = judge(&[leaf, stage(1)], Task::Process);
    assert_eq!(verdict.leaf, Some(Leaf::IrqOff));
    assert_eq!((verdict.exclusive, verdict.cut), (None, 0));
    assert_eq!(judge(&[stage(1), leaf], Task::Process).leaf, None);
}

#[test]
fn a_set_holds_the_last_stage_and_an_id_beyond_it_is_none() {
    let last = StageId::new(StageId::MOST - 1).expect("the last one");
    let mut set = StageSet::default();
    assert!(set.is_empty());
    set.insert(last);
    assert_eq!(ids(set), [63]);
    assert_eq!(StageId::new(StageId::MOST), None);
}

fn any_frame() -> impl Strategy<Value = Kind> {
    let directions = prop_oneof![
        Just(Direction::Rx),
        Just(Direction::Tx),
        Just(Direction::Sock),
        Just(Direction::Other),
    ];
    let stage = proptest::option::of(0..StageId::MOST);
    (stage, directions, any::<bool>(), 0..8u8).prop_map(|(stage, direction, network, rare)| Kind {
        task: None,
        stage: stage.and_then(StageId::new),
        direction,
        network,
        observer: rare == 0 && stage.is_some(),
        boundary: (rare == 1).then_some(Boundary::Softirq),
        leaf: (rare == 2).then_some(Leaf::Lock),
    })
}

proptest! {
    #[test]
    fn frames_beyond_the_cut_never_change_the_verdict(
        inside in proptest::collection::vec(any_frame(), 0..12),
        outside in proptest::collection::vec(any_frame(), 0..12),
    ) {
        let mut chain = inside;
        chain.push(boundary(Boundary::Softirq));
        let alone = judge(&chain, Task::Process);
        chain.extend(outside);
        prop_assert_eq!(judge(&chain, Task::Process), alone);
    }

    #[test]
    fn the_exclusive_stage_is_one_of_the_inclusive(
        chain in proptest::collection::vec(any_frame(), 0..24),
    ) {
        let verdict = judge(&chain, Task::Process);
        prop_assert!(verdict.cut <= chain.len());
        match verdict.exclusive {
            Some(stage) => prop_assert!(verdict.inclusive.contains(stage)),
            None => prop_assert!(verdict.inclusive.is_empty()),
        }
    }
}

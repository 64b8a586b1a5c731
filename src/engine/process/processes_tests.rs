//! The process table from made-up counts and samples: which figures are exact, and which are not.

use super::*;
use crate::decode::{SocketCounts, SocketReader, SocketSample, Tick};
use crate::model::Sums;

const S: u64 = 1_000_000_000;
const SEND: EventId = EventId(1);
const RECEIVE: EventId = EventId(2);
const QUEUE: EventId = EventId(3);

fn flow_of(event: EventId) -> Option<Flow> {
    match event {
        SEND => Some(Flow::Tx),
        RECEIVE => Some(Flow::Rx),
        _ => None,
    }
}

struct Given {
    folded: Folded,
    counts: Vec<Counts>,
    everybody: bool,
    filtered: bool,
    overflow: u64,
    charged: Charged,
    attribution: Attribution,
    waits: FxHashMap<u32, f64>,
    slow: SlowSample,
}

/// Process 7 was sampled in two of the 900 hits of its calls that two samples stand for.
fn given() -> Given {
    let mut folded = Folded::default();
    let sums = Sums {
        weight: 900.0,
        samples: 2,
        bytes: 90_000.0,
        with_bytes: 900.0,
        ..Sums::default()
    };
    folded.per_process.insert((SEND.0, 7), sums);
    Given {
        folded,
        counts: Vec::new(),
        everybody: true,
        filtered: false,
        overflow: 0,
        charged: Charged::default(),
        attribution: Attribution::default(),
        waits: FxHashMap::default(),
        slow: SlowSample::default(),
    }
}

impl Given {
    fn rows(&self) -> Vec<Process> {
        let mut processes = Processes::default();
        processes.readers.ingest(&self.slow);
        self.rows_of(&mut processes)
    }

    fn rows_of(&self, processes: &mut Processes) -> Vec<Process> {
        let interval = Interval {
            folded: &self.folded,
            counts: &self.counts,
            everybody: self.everybody,
            filtered: self.filtered,
            overflow: self.overflow,
            length_ns: S,
            ended: &[],
            charged: &self.charged,
            attribution: &self.attribution,
            by_socket: [EventId(4), EventId(5), EventId(6)],
            receives: [EventId(7), EventId(8)],
            waits: &self.waits,
            listed: &|_| true,
        };
        processes.rows(&interval, flow_of)
    }

    fn row(&self, pid: u32) -> Process {
        let mut rows = self.rows().into_iter();
        rows.find(|row| row.pid == pid).expect("a row")
    }
}

fn count(event: EventId, pid: u32, hits: u64) -> Counts {
    Counts {
        event,
        cpu: None,
        pid: Some(pid),
        hits,
        bytes: 64 * hits,
        span_ns: S,
        gate: true,
        spread: None,
    }
}

#[test]
fn without_counts_per_process_samples_say_and_the_row_says_that_it_estimates() {
    let row = given().row(7);
    assert_eq!((row.tx_calls, row.tx_bytes), (Some(900.0), Some(90_000.0)));
    assert_eq!((row.rx_calls, row.context_rate), (None, 900.0));
    assert!(row.estimated && !row.calls_exact);
}

#[test]
fn calls_that_were_counted_replace_the_samples_and_add_nothing_to_them() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 1_000), count(QUEUE, 7, 50)];
    let row = given.row(7);
    assert_eq!((row.tx_calls, row.context_rate), (Some(1_000.0), 1_050.0));
    assert!(row.calls_exact && row.bytes_exact && !row.estimated);
    assert_eq!(row.tx_bytes, Some(64_000.0));
    // perf events count the calls of a task, not what they moved.
    given.counts[0].gate = false;
    given.everybody = false;
    given.filtered = true;
    let row = given.row(7);
    assert_eq!(
        (row.tx_calls, row.tx_bytes),
        (Some(1_000.0), Some(90_000.0))
    );
    assert!(row.estimated && !row.bytes_exact);
}

#[test]
fn a_process_without_any_sample_has_a_row_and_exact_figures() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 990), count(SEND, 8, 3), count(RECEIVE, 8, 4)];
    let row = given.row(8);
    assert_eq!((row.tx_calls, row.rx_calls), (Some(3.0), Some(4.0)));
    assert!((row.context_rate - 7.0).abs() < 1e-9);
    assert!(row.calls_exact && !row.estimated);
}

#[test]
fn who_is_not_among_the_counted_made_no_call_unless_the_table_was_full() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 990), count(RECEIVE, 8, 4)];
    assert_eq!(given.row(7).rx_calls, Some(0.0));
    assert_eq!(given.row(8).tx_calls, Some(0.0));
    // It has a row for its CPU time alone.
    given.charged.pct.insert(9, (5.0, 0.0));
    let idle = given.row(9);
    assert_eq!((idle.tx_calls, idle.calls_exact), (Some(0.0), true));
    given.overflow = 1;
    assert_eq!((given.row(7).rx_calls, given.row(8).tx_calls), (None, None));
}

#[test]
fn what_was_counted_in_a_part_of_the_interval_is_left_to_the_samples() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 20)];
    given.everybody = false;
    assert_eq!(given.row(7).tx_calls, Some(900.0), "the table was opened");
    given.everybody = true;
    given.counts[0].span_ns = S / 2;
    assert_eq!(given.row(7).tx_calls, Some(900.0), "the event was attached");
    assert!(!given.row(7).calls_exact);
}

#[test]
fn counted_receives_do_not_make_sampled_sends_exact() {
    let mut given = given();
    given.counts = vec![count(RECEIVE, 7, 4)];
    let row = given.row(7);
    assert_eq!((row.tx_calls, row.rx_calls), (Some(900.0), Some(4.0)));
    assert!(row.estimated && !row.calls_exact);
}

#[test]
fn a_process_that_the_gate_still_knows_but_that_did_nothing_has_no_row() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 1), count(SEND, 8, 0)];
    assert!(given.rows().iter().all(|row| row.pid != 8));
}

#[test]
fn with_one_event_sampled_the_sum_of_a_process_is_an_estimate() {
    let mut given = given();
    let sums = given.folded.per_process.remove(&(SEND.0, 7)).unwrap();
    given.folded.per_process.insert((QUEUE.0, 7), sums);
    given.counts = vec![count(SEND, 7, 1_000)];
    let row = given.row(7);
    assert_eq!((row.tx_calls, row.context_rate), (Some(1_000.0), 1_900.0));
    assert!(row.estimated && !row.calls_exact);
}

#[test]
fn what_was_counted_in_windows_does_not_count_as_exact() {
    let mut given = given();
    let windows = Counts {
        cpu: Some(0),
        pid: None,
        spread: Some(crate::decode::Spread {
            windows: 5,
            variance: 1,
            softnet: None,
        }),
        ..count(SEND, 0, 60)
    };
    given.counts = vec![windows, count(SEND, 7, 50)];
    assert_eq!(given.row(7).tx_calls, Some(900.0));
    assert!(!given.row(7).calls_exact);
}

#[test]
fn a_forked_child_whose_hits_are_in_its_parents_count_keeps_its_samples() {
    let mut given = given();
    (given.everybody, given.filtered) = (false, true);
    given.counts = vec![Counts {
        gate: false,
        ..count(SEND, 6, 1_000)
    }];
    assert_eq!(
        (given.row(7).tx_calls, given.row(7).calls_exact),
        (Some(900.0), false)
    );
    assert_eq!(
        (given.row(6).tx_calls, given.row(6).rx_calls),
        (Some(1_000.0), None)
    );
}

#[test]
fn the_oldest_data_is_the_longest_wait_that_is_known_and_names_the_limit() {
    let mut given = given();
    assert_eq!(
        (given.row(7).oldest_rx_ms, given.row(7).limit),
        (None, None)
    );
    given.waits.insert(7, 12.5);
    assert_eq!(given.row(7).oldest_rx_ms, Some(12.5));
    let reader = SocketReader {
        oldest_rx_ms: Some(390),
        fullest_pct: Some(98),
        ..SocketReader::of(7)
    };
    given.slow.sockets = Some(Box::new(SocketSample {
        readers: vec![reader],
        ..SocketSample::default()
    }));
    let row = given.row(7);
    assert_eq!(row.oldest_rx_ms, Some(390.0));
    assert_eq!(row.limit.as_deref(), Some("rcvbuf 98%"));
}

#[test]
fn ten_thousand_processes_and_a_hundred_thousand_sockets_stay_within_their_bounds() {
    let began = std::time::Instant::now();
    let mut owners = crate::engine::process::owners::Owners::default();
    let tick = Tick {
        sockets: (1..=100_000)
            .map(|socket| SocketCounts {
                event: QUEUE,
                socket,
                cpu: None,
                hits: 1,
                packets: 1,
                bytes: 64,
            })
            .collect(),
        ..Tick::default()
    };
    let mut processes = Processes::default();
    for interval in 0..5_u32 {
        owners.meet(&tick);
        assert!(owners.ask().len() <= 1024, "some are asked for at a time");
        let mut given = given();
        let pids = (1 + interval * 10_000)..=(10_000 + interval * 10_000);
        for pid in pids.clone() {
            processes.called(pid, "worker");
            given.counts.push(count(SEND, pid, u64::from(pid)));
            owners.used(u64::from(pid), pid);
        }
        let readers = pids.map(SocketReader::of).collect();
        given.slow.sockets = Some(Box::new(SocketSample {
            readers,
            ..SocketSample::default()
        }));
        processes.ingest(Some(&given.slow), &[]);
        let rows = given.rows_of(&mut processes);
        assert_eq!(rows.len(), MOST);
        assert_eq!(rows[0].pid, 10_000 + interval * 10_000, "the heaviest");
        owners.take();
    }
    assert!(
        processes.names.len() <= 17 * MOST,
        "{}",
        processes.names.len()
    );
    // In an unoptimized build.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn nothing_of_the_process_that_had_a_pid_before_is_told_of_the_one_that_has_it_now() {
    let mut given = given();
    given.counts = vec![count(SEND, 7, 1_000)];
    let mut processes = Processes::default();
    let task = |comm: &str, start, runq_ns, container: Option<&str>| SlowSample {
        tasks: vec![TaskCounters {
            pid: 7,
            comm: comm.to_owned(),
            start_ticks: Some(start),
            runq_ns: Some(runq_ns),
            container: container.map(str::to_owned),
            throttled: Some((start, start)),
            ..TaskCounters::default()
        }],
        ..SlowSample::default()
    };
    let mut row = |at, sample: SlowSample| {
        processes.ingest(Some(&SlowSample { at, ..sample }), &[]);
        let mut rows = given.rows_of(&mut processes).into_iter();
        let row = rows.find(|row| row.pid == 7).expect("a row");
        (row.comm, row.start_ticks, row.runq_delay_ms, row.container)
    };
    row(0, task("bash", 500, 0, Some("web")));
    let known = row(S, task("bash", 500, 3_000_000, Some("web")));
    assert_eq!(
        known,
        ("bash".into(), Some(500), Some(3.0), Some("web".into()))
    );
    // It waited longer than the one before ever did: that is not what it waited in this second.
    let another = row(2 * S, task("python3", 900, 9_000_000, None));
    assert_eq!(another, ("python3".into(), Some(900), None, None));
}

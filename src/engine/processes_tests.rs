//! Processes as sampled and as counted.

use super::*;
use crate::model::Sums;

const SEND: EventId = EventId(1);
const OTHER: EventId = EventId(2);

fn sampled(weight: f64, samples: u64) -> Sums {
    Sums {
        weight,
        samples,
        bytes: 100.0 * weight,
        ..Sums::default()
    }
}

fn counted(event: EventId, pid: u32, hits: u64) -> Counts {
    Counts {
        event,
        cpu: None,
        pid: Some(pid),
        hits,
        span_ns: 1_000_000_000,
        gate: true,
        spread: None,
    }
}

fn rows(per_process: &[((u16, u32), Sums)], counts: &[Counts]) -> Vec<Process> {
    let folded = Folded {
        per_process: per_process.iter().copied().collect(),
        ..Folded::default()
    };
    let flow = |event| (event == SEND).then_some(Flow::Tx);
    Processes::default().rows(&folded, counts, flow, 2.0, (&[], &Charged::default()))
}

#[test]
fn calls_that_were_counted_replace_those_that_were_sampled_and_bytes_stay_estimates() {
    let samples = [((1, 7), sampled(900.0, 9)), ((2, 7), sampled(400.0, 4))];
    let counts = [counted(SEND, 7, 1_000), counted(OTHER, 7, 500)];
    let row = &rows(&samples, &counts)[0];
    assert_eq!(
        (row.tx_calls, row.tx_bytes),
        (Some(1_000.0), Some(90_000.0))
    );
    assert!((row.context_rate - 750.0).abs() < 1e-9);
    assert!(row.estimated && row.calls_exact);
}

#[test]
fn a_process_that_no_sample_met_has_its_row_when_it_was_counted() {
    let rows = rows(&[], &[counted(SEND, 9, 3), counted(SEND, 10, 0)]);
    let pids: Vec<u32> = rows.iter().map(|row| row.pid).collect();
    assert_eq!(pids, [9], "the gate still knows 10, which sent nothing");
    assert!(rows[0].calls_exact && !rows[0].estimated);
}

#[test]
fn with_one_event_sampled_the_sum_is_an_estimate() {
    let samples = [((2, 7), sampled(400.0, 4))];
    let row = &rows(&samples, &[counted(SEND, 7, 1_000)])[0];
    assert!((row.context_rate - 700.0).abs() < 1e-9);
    assert!(row.estimated && !row.calls_exact);
}

#[test]
fn what_was_counted_in_windows_does_not_count_as_exact() {
    let windows = Counts {
        cpu: Some(0),
        pid: None,
        spread: Some(crate::decode::Spread {
            windows: 5,
            variance: 1,
        }),
        ..counted(SEND, 0, 60)
    };
    let samples = [((1, 7), sampled(900.0, 9))];
    let row = &rows(&samples, &[windows, counted(SEND, 7, 50)])[0];
    assert_eq!(row.tx_calls, Some(900.0));
    assert!(!row.calls_exact);
}

//! What the bench of overhead makes of figures and words.

#[path = "bench/overhead/said.rs"]
mod said;
#[path = "bench/overhead/statistics.rs"]
mod statistics;

use said::{Report, Said, around, in_json, on_screen, within};
use statistics::{Slot, in_batches, interval, mean, median, percentile};

fn says(busiest: f64) -> Said {
    Said {
        busiest: Some(busiest),
        ..Said::default()
    }
}

#[test]
fn the_header_says_what_the_busiest_cpu_and_all_pay() {
    let line = " vm 6.18 2 cpus LIVE 1s bpf   cost cpu7 0.9% all 0.1%   lost 0   03:12:45";
    let expected = Said {
        busiest: Some(0.9),
        cpu: Some(7),
        all: Some(0.1),
        ..Said::default()
    };
    assert_eq!(on_screen(line), expected);
    let over = on_screen(" cost cpu0 12% all <0.1% OVER 5%   lost 0");
    assert_eq!((over.busiest, over.all), (Some(12.0), Some(0.05)));
}

#[test]
fn a_header_without_a_figure_says_nothing() {
    for line in [
        "",
        " cost ",
        " cost –",
        " cost – all –",
        "cost cpu0",
        " cost cpu0 –",
    ] {
        let said = on_screen(line);
        assert_eq!((said.busiest, said.all), (None, None), "{line:?}");
    }
}

#[test]
fn json_says_the_same_and_more_where_it_has_it() {
    let line = r#"{"interval_s":1.5,"health":{"cost_pct":2.5,"cost_cpu":0,"cost_all_pct":1.25,
        "cost_measured_pct":2.0,"cost_bound_pct":null}}"#;
    let expected = Said {
        busiest: Some(2.5),
        cpu: Some(0),
        all: Some(1.25),
        measured: Some(2.0),
        bound: None,
    };
    assert_eq!(in_json(line), Some((1.5, expected)));
    assert_eq!(in_json("{"), None);
}

#[test]
fn a_window_has_the_snapshots_that_mostly_lie_in_it() {
    let reports = [1.4, 2.4, 3.4, 4.6].map(|at| Report {
        at,
        seconds: 1.0,
        said: says(at),
    });
    assert_eq!(within(&reports, 1.0, 4.0), [says(2.4), says(3.4)]);
}

#[test]
fn a_burst_has_all_that_is_said_of_the_time_around_it() {
    let reports = [(1.0, 9.0), (2.5, 3.0), (3.5, 1.0), (4.5, 9.0)].map(|(at, cost)| Report {
        at,
        seconds: 1.0,
        said: says(cost),
    });
    assert_eq!(around(&reports, 2.0, 3.0, |said| said.busiest), Some(4.0));
    assert_eq!(around(&reports, 2.0, 3.0, |said| said.bound), None);
}

#[test]
fn time_is_counted_in_the_batches_of_its_own_slot() {
    let slot = |ns, batch_ns| Slot { ns, batch_ns };
    let slots = [
        slot(100.0, Some(10.0)),
        slot(400.0, Some(20.0)),
        slot(150.0, None),
    ];
    assert_eq!(in_batches(&slots), Some(40.0));
    assert_eq!(in_batches(&[slot(100.0, None)]), None);
}

#[test]
fn percentiles_of_counts() {
    let counts = [(1, 0), (2, 98), (4, 1), (8, 1)];
    assert_eq!(percentile(&counts, 50), Some(2));
    assert_eq!(percentile(&counts, 99), Some(8));
    assert_eq!(percentile(&[(1, 0)], 99), None);
}

#[test]
fn few_rounds_have_their_extremes_for_an_interval() {
    assert_eq!(interval(&[3.0, 1.0, 2.0]), (1.0, 3.0));
    let many: Vec<f64> = (0..25).map(f64::from).collect();
    assert_eq!(interval(&many), (7.0, 17.0));
    assert_eq!(
        (mean(&[1.0, 2.0, 6.0]), median(&[1.0, 2.0, 6.0])),
        (3.0, 2.0)
    );
}

//! What drivers count: from nothing, and with readings in which they were silent.

use crate::decode::{DriverCounter, LinkCounters, SlowSample, Trouble};

#[test]
fn a_drivers_first_drops_of_a_device_count_and_a_driver_that_was_silent_does_not_begin_anew() {
    let mut counters = super::super::counters::Counters::default();
    let mut grown = |drops: Option<u64>| {
        let trouble = drops.map(|value| DriverCounter {
            name: "rx_queue_0_xdp_drops".to_owned(),
            tells: Trouble::Xdp,
            value,
        });
        let link = LinkCounters {
            name: "veth1".to_owned(),
            driver: Some("veth".to_owned()),
            xdp: Some("drop_all".to_owned()),
            trouble: trouble.into_iter().collect(),
            ..LinkCounters::default()
        };
        let slow = SlowSample {
            links: vec![link],
            ..SlowSample::default()
        };
        let grown = counters.slow(&slow, &rustc_hash::FxHashSet::default());
        grown.iter().map(|grown| grown.by).sum::<u64>()
    };
    let read = [None, Some(40), Some(50), None, Some(55)].map(&mut grown);
    assert_eq!(read, [0, 40, 10, 0, 5]);
}

//! Made-up hits by socket: who gets them, and what is left for nobody.

use super::*;
use crate::decode::{Carried, CpuCounters, HostSample, SocketCounts};

const S: u64 = 1_000_000_000;

struct Given {
    registry: Registry,
    owners: Owners,
    tick: Tick,
    attached: Vec<Attach>,
}

/// Socket 900 is process 7's, 901 process 8's.
fn given() -> Given {
    let registry = Registry::new(Vec::new());
    let mut owners = Owners::default();
    owners.used(900, 7);
    owners.used(901, 8);
    let attach = |event| Attach {
        gate: true,
        by_socket: true,
        ..Attach::wide(event)
    };
    let sends = registry.row_named("net_dev_start_xmit").expect("a row");
    let sends = registry.rows[sends].events[0];
    let events = [sends, registry.receives[0], registry.receives[1]];
    let count = |event| Counts {
        event,
        cpu: Some(0),
        pid: None,
        hits: 0,
        bytes: 0,
        span_ns: S,
        gate: true,
        spread: None,
    };
    Given {
        owners,
        attached: events.map(attach).into(),
        tick: Tick {
            interval_ns: S,
            counts: events.map(count).into(),
            host: HostSample {
                cpus: vec![CpuCounters::default()],
                slow: None,
            },
            ..Tick::default()
        },
        registry,
    }
}

impl Given {
    fn hits(&mut self, event: EventId, socket: u64, hits: u64, packets: u64) {
        let received = self.registry.receives.contains(&event);
        self.tick.sockets.push(SocketCounts {
            event,
            socket,
            cpu: received.then_some(0),
            hits,
            packets,
            bytes: 0,
        });
    }

    fn attribution(&self, processed: Option<u64>) -> Attribution {
        let given = |_| processed;
        Attribution::of(
            &self.tick,
            &self.attached,
            &self.registry,
            &self.owners,
            given,
        )
    }

    fn sends(&self) -> EventId {
        self.attached[0].event
    }
}

/// Percent.
fn share(attribution: &Attribution, pid: u32) -> u64 {
    let of_cpu = attribution.receivers.get(&0).map_or(&[][..], Vec::as_slice);
    of_cpu
        .iter()
        .find(|(p, _)| *p == pid)
        .map_or(0, |(_, share)| (100.0 * share).round() as u64)
}

#[test]
fn a_softirq_worked_for_each_owner_by_its_packets_merged_or_not() {
    let mut given = given();
    let [segments, ready] = given.registry.receives;
    // One list: 10 segments merged of 300 packets, and 100 datagrams.
    given.hits(segments, 900, 10, 300);
    given.hits(ready, 901, 100, 100);
    let attribution = given.attribution(Some(110));
    let shares = [7, 8].map(|pid| share(&attribution, pid));
    assert_eq!(shares, [75, 25]);
    assert_eq!(share(&attribution, NO_SOCKET), 0);
}

#[test]
fn packets_that_came_to_no_socket_are_forwarded_with_their_size() {
    let mut given = given();
    let [_, ready] = given.registry.receives;
    given.hits(ready, 901, 100, 100);
    let attribution = given.attribution(Some(400));
    assert_eq!(
        (share(&attribution, 8), share(&attribution, NO_SOCKET)),
        (25, 75)
    );
    let rest = attribution.moved(given.registry.receives[0], NO_SOCKET);
    assert_eq!(rest.expect("told").packets as u64, 300);
    // Nobody knows how many there were: the sockets share it all.
    assert_eq!(share(&given.attribution(None), 8), 100);
}

#[test]
fn sends_belong_to_the_sockets_process_and_the_rest_to_nobody() {
    let mut given = given();
    let sends = given.sends();
    given.hits(sends, 900, 20, 200);
    given.hits(sends, 555, 1, 1);
    given.tick.carried.push(Carried {
        event: sends,
        hits: 30,
        packets: 300,
        bytes: 0,
    });
    let attribution = given.attribution(None);
    let moved = |pid| attribution.moved(sends, pid).expect("told").packets as u64;
    assert_eq!((moved(7), moved(8), moved(NO_SOCKET)), (200, 0, 100));
    assert!(attribution.receivers.is_empty());
    assert!(!attribution.estimated);
}

#[test]
fn what_was_counted_in_windows_stands_for_the_interval_and_what_came_late_for_nothing() {
    let mut given = given();
    let sends = given.sends();
    given.hits(sends, 900, 20, 20);
    given.tick.counts[0].span_ns = S / 4;
    assert_eq!(given.attribution(None).moved(sends, 7), None);
    given.tick.counts[0].spread = Some(crate::decode::Spread {
        windows: 5,
        variance: 0,
        softnet: None,
    });
    let attribution = given.attribution(None);
    assert_eq!(
        attribution.moved(sends, 7).expect("told").packets as u64,
        80
    );
    assert!(attribution.estimated);
}

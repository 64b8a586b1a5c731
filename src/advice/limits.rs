//! What the rules compare with. One table, which `--rules FILE` (TOML) overrides; where no source
//! is named the number is netop's own judgement (signals.md 5.0).

use std::collections::BTreeMap;

pub struct Limit {
    /// `A27.rate`
    pub key: &'static str,
    pub value: f64,
    pub meaning: &'static str,
}

const fn limit(key: &'static str, value: f64, meaning: &'static str) -> Limit {
    Limit {
        key,
        value,
        meaning,
    }
}

pub static LIMITS: &[Limit] = &[
    limit(
        "net_pct",
        10.0,
        "% of a CPU that the network must use before its cost is advised on",
    ),
    limit(
        "steal_pct",
        10.0,
        "% stolen by the hypervisor above which nothing is advised",
    ),
    limit(
        "lost_pct",
        1.0,
        "% of samples lost above which nothing is advised",
    ),
    limit(
        "A01.squeezes",
        10.0,
        "time_squeeze per second on one CPU (netdata softnet.conf)",
    ),
    limit(
        "A01.share",
        5.0,
        "% of the runs of net_rx_action that were squeezed",
    ),
    limit("A02.drops", 1.0, "backlog drops per second"),
    limit(
        "A03.share",
        80.0,
        "% of the packets that one CPU takes (2 or 3 CPUs)",
    ),
    limit("A03.share_many", 70.0, "the same with 4 CPUs and more"),
    limit("A03.softirq_pct", 60.0, "% softirq of that CPU"),
    limit("A03.idle_pct", 50.0, "% idle of the median of the others"),
    limit("A03.packets", 20_000.0, "packets per second"),
    limit(
        "A04.softirq_pct",
        50.0,
        "% softirq of the CPU that serves several queues",
    ),
    limit("A04.idle_pct", 70.0, "% idle of another CPU"),
    limit("A05.packets", 20_000.0, "packets per second of the device"),
    limit("A05.skew", 3.0, "times the mean queue that the busiest has"),
    limit(
        "A05.flows",
        64.0,
        "sockets, below which few flows explain it",
    ),
    limit(
        "A06.interrupts",
        20_000.0,
        "interrupts per second and queue",
    ),
    limit("A06.packets", 4.0, "packets an interrupt"),
    limit(
        "A07.near",
        10.0,
        "% that the interrupts may be off the timer's limit",
    ),
    limit(
        "A07.round_trips",
        3.0,
        "times the timer that the shortest round trip may be",
    ),
    limit(
        "A07.softirq_pct",
        30.0,
        "% softirq of the busiest CPU, above which fewer interrupts are better",
    ),
    limit("A08.full", 50.0, "% of the polls that used their budget"),
    limit("A08.polls", 1000.0, "polls per second"),
    limit("A08.softirq_pct", 80.0, "% softirq of the CPU that polls"),
    limit("A09.wait_ms", 1.0, "ms that NET_RX waits at p99"),
    limit("A09.pairs", 100.0, "waits that were measured"),
    limit("A09.thread_pct", 20.0, "% of a CPU that ksoftirqd takes"),
    limit(
        "A09.program_pct",
        50.0,
        "% of a CPU that a program beside it takes",
    ),
    limit(
        "A10.packets",
        20_000.0,
        "full packets per second without GRO",
    ),
    limit("A11.packets", 50_000.0, "the same on a veth"),
    limit("A12.packets", 20_000.0, "packets per second with GRO"),
    limit("A12.ratio", 1.3, "packets into GRO for one out of it"),
    limit("A13.forwarded", 50_000.0, "packets forwarded per second"),
    limit(
        "A14.share",
        5.0,
        "% of the network's CPU time that sums bytes",
    ),
    limit(
        "A15.packets",
        50_000.0,
        "full packets per second without TSO",
    ),
    limit("A16.drops", 1.0, "ring drops per second"),
    limit("A17.events", 0.0, "allowance events per second"),
    limit(
        "A18.failures",
        1.0,
        "receive buffers per second that could not be allocated",
    ),
    limit(
        "A19.share",
        20.0,
        "% of the network's CPU time that allocates packet memory",
    ),
    limit("A19.packets", 20_000.0, "packets per second from a wire"),
    limit(
        "A20.share",
        50.0,
        "% of a device's interrupts on CPUs of another node",
    ),
    limit("A20.packets", 20_000.0, "packets per second"),
    limit(
        "A21.crossed_pct",
        60.0,
        "% of the reads on another CPU than the receive",
    ),
    limit("A21.wakes", 5000.0, "reads per second"),
    limit("A22.softirq_pct", 60.0, "% softirq of the busiest CPU"),
    limit("A22.packets", 20_000.0, "packets per second"),
    limit("A23.drops", 1.0, "qdisc drops per second"),
    limit(
        "A24.stops",
        100.0,
        "stops of a transmit queue, or requeues, per second",
    ),
    limit("A26.packets", 50_000.0, "packets sent per second"),
    limit("A26.share", 80.0, "% of them in one queue"),
    limit(
        "A26.lock_pct",
        5.0,
        "% of the network's CPU time that waits for locks",
    ),
    limit("A26.senders", 4.0, "CPUs that send"),
    limit("A27.drops", 1.0, "datagrams lost per second"),
    limit("A27.share", 0.1, "% of the datagrams"),
    limit(
        "A27.throttled_pct",
        10.0,
        "% of the periods in which a quota stopped the reader, above which that is the cause",
    ),
    limit(
        "A28.prunes",
        1.0,
        "prunes and drops for lack of receive memory per second",
    ),
    limit(
        "A28.zero_windows",
        10.0,
        "zero windows advertised per second",
    ),
    limit(
        "A28.rwnd",
        80.0,
        "% of the time that a connection waits for its peer's window",
    ),
    limit("A29.drops", 1.0, "backlog drops per second"),
    limit(
        "A30.overflows",
        1.0,
        "ListenOverflows per second, over 10 s (netdata tcp_listen.conf)",
    ),
    limit(
        "A31.full",
        1.0,
        "full SYN queues per second (netdata tcp_listen.conf)",
    ),
    limit("A32.share", 1.0, "% of the segments sent again"),
    limit("A32.bad", 3.0, "% above which it is a loss"),
    limit("A32.segments", 1000.0, "segments per second"),
    limit(
        "A33.packets",
        20_000.0,
        "packets per second through XDP on a veth",
    ),
    limit("A33.failures", 1.0, "packets per second that XDP loses"),
    limit(
        "A34.stolen_pct",
        10.0,
        "% of a CPU that softirqs take of a process's time",
    ),
    limit("A35.packets", 5000.0, "packets per second of the device"),
    limit(
        "A36.thread_pct",
        90.0,
        "% of a CPU that a polling thread takes",
    ),
    limit("A36.full", 80.0, "% of its polls that used their budget"),
    limit(
        "A37.share",
        15.0,
        "% of the network's CPU time in netfilter",
    ),
    limit("A37.full", 80.0, "% of the connection table"),
    limit("A38.frames", 1.0, "pause frames per second"),
    limit("A39.share", 40.0, "% of the network's CPU time that copies"),
    limit("A39.bytes", 1e9, "bytes per second of sends and receives"),
    limit(
        "A40.share",
        5.0,
        "% of the network's CPU time for capture sockets",
    ),
    limit("A41.found_pct", 1.0, "% of the packets that spinning finds"),
    limit("A41.poll_pct", 5.0, "% of a CPU that polling takes"),
    limit("A42.failures", 1.0, "failed address resolutions per second"),
    limit(
        "A43.drops",
        1.0,
        "packets that rp_filter refused per second",
    ),
    limit("A44.drops", 1.0, "frames that nobody wants per second"),
    limit("A45.observer_pct", 3.0, "% of any CPU for observers"),
];

#[derive(Debug, Default)]
pub struct Limits {
    changed: BTreeMap<String, f64>,
}

impl Limits {
    /// `Err`: a sentence with the key that is not known.
    pub fn with(changed: impl IntoIterator<Item = (String, f64)>) -> Result<Limits, String> {
        let mut limits = Limits::default();
        for (key, value) in changed {
            if LIMITS.iter().all(|limit| limit.key != key) {
                let near = LIMITS.iter().find(|limit| {
                    key.split('.')
                        .next()
                        .is_some_and(|rule| limit.key.starts_with(rule))
                });
                let near = near.map_or("A27.drops", |limit| limit.key);
                return Err(format!("no rule has the limit {key}; there is {near}"));
            }
            limits.changed.insert(key, value);
        }
        Ok(limits)
    }

    pub fn get(&self, key: &str) -> f64 {
        let known = || LIMITS.iter().find(|limit| limit.key == key);
        let changed = self.changed.get(key).copied();
        changed
            .or_else(|| known().map(|limit| limit.value))
            .unwrap_or(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_a_wrong_one_is_answered_with_a_right_one() {
        for (i, limit) in LIMITS.iter().enumerate() {
            assert!(LIMITS[..i].iter().all(|other| other.key != limit.key));
            assert!(!limit.meaning.is_empty());
        }
        let error = Limits::with([("A27.dorps".to_owned(), 1.0)]).expect_err("no such limit");
        assert!(error.contains("A27.drops"), "{error}");
        let limits = Limits::with([("A27.drops".to_owned(), 7.0)]).expect("known");
        assert!(limits.get("A27.drops") > 6.9 && limits.get("A02.drops") < 1.1);
    }
}

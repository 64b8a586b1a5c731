//! The places where packets are lost, from counters that need no event: receive ring, backlog,
//! qdisc, socket buffers, TCP queues. What each counter means: signals.md 4.

use std::collections::BTreeMap;

use crate::decode::{HostSample, LinkCounters, SlowSample};
use crate::model::Drop;

/// (counter of /proc/net/{snmp,snmp6,netstat}, the place it stands for). No two count the same
/// packet (tried): Udp.InErrors holds RcvbufErrors again; a qdisc's drop shows as Udp.SndbufErrors
/// and Ip.OutDiscards too; ListenDrops holds ListenOverflows and TCPReqQFullDrop; RcvPruned comes
/// with TCPRcvQDrop or OfoPruned.
const SOCKET_PLACES: &[(&str, &str)] = &[
    ("Udp.RcvbufErrors", "socket buffer (UDP)"),
    ("Udp6.RcvbufErrors", "socket buffer (UDP)"),
    ("Udp.MemErrors", "udp_mem limit"),
    ("Udp.InCsumErrors", "bad checksum (UDP)"),
    ("TcpExt.ListenDrops", "accept or SYN queue (TCP)"),
    ("TcpExt.TCPBacklogDrop", "socket backlog (TCP)"),
    ("TcpExt.TCPRcvQDrop", "receive memory (TCP)"),
    ("TcpExt.TCPZeroWindowDrop", "zero window (TCP)"),
    ("TcpExt.OfoPruned", "out-of-order queue (TCP)"),
    ("Ip.InDiscards", "ip input"),
];

/// Intervals without a loss after which a new loss begins a new episode.
const EPISODE_NS: u64 = 10_000_000_000;

#[derive(Debug, Default)]
struct Place {
    count: u64,
    total: u64,
}

/// The state between ticks.
#[derive(Debug, Default)]
pub struct Losses {
    /// Drops of each CPU's backlog at the last reading.
    last_backlog: BTreeMap<u32, u64>,
    last: BTreeMap<String, u64>,
    last_slow: Option<u64>,
    places: BTreeMap<String, Place>,
    episode: Option<u64>,
    last_loss: u64,
    rate: Option<f64>,
    worst: Option<String>,
}

impl Losses {
    /// Takes the counters of a tick. Counters are cumulative: the first reading of each is its
    /// baseline, and one that shrinks (a device replaced) starts anew.
    pub fn take(&mut self, at: u64, wall_ns: u64, interval_ns: u64, host: &HostSample) {
        self.places.values_mut().for_each(|place| place.count = 0);
        let mut rates: BTreeMap<String, f64> = BTreeMap::new();
        let mut seen = false;
        if !host.cpus.is_empty() {
            seen |= !self.last_backlog.is_empty();
            // Per CPU: one that comes back online brings its old drops along.
            let mut dropped = 0;
            for cpu in &host.cpus {
                let now = cpu.softnet.dropped;
                let last = self.last_backlog.insert(cpu.cpu, now);
                dropped += last.map_or(0, |last| now.saturating_sub(last));
            }
            self.add("backlog", dropped, interval_ns, &mut rates);
        }
        if let Some(slow) = &host.slow {
            let span = self
                .last_slow
                .map_or(0, |last| slow.at.saturating_sub(last));
            self.last_slow = Some(slow.at);
            seen |= span > 0;
            // Namespaces and devices come and go: only what this reading has is kept.
            let mut last = std::mem::take(&mut self.last);
            for (key, place, value) in counters(slow) {
                if let Some(last) = last.remove(&key) {
                    self.add(&place, value.saturating_sub(last), span, &mut rates);
                }
                self.last.insert(key, value);
            }
        } else {
            // No new reading: the last rate of the slow places stands.
            seen |= self.rate.is_some();
        }
        let lost: f64 = rates.values().fold(0.0, |sum, rate| sum + rate);
        if lost > 0.0 {
            if self.episode.is_none() || at.saturating_sub(self.last_loss) > EPISODE_NS {
                self.episode = Some(wall_ns);
            }
            self.last_loss = at;
        } else if at.saturating_sub(self.last_loss) > EPISODE_NS {
            self.episode = None;
        }
        if seen && (host.slow.is_some() || lost > 0.0 || self.rate.is_none()) {
            self.rate = Some(lost);
            let worst = rates
                .iter()
                .filter(|(_, r)| **r > 0.0)
                .max_by(|a, b| a.1.total_cmp(b.1));
            self.worst = worst.map(|(place, _)| place.clone());
        }
    }

    fn add(&mut self, place: &str, count: u64, span_ns: u64, rates: &mut BTreeMap<String, f64>) {
        if count == 0 {
            return;
        }
        let known = self.places.entry(place.to_owned()).or_default();
        known.count += count;
        known.total += count;
        if span_ns > 0 {
            *rates.entry(place.to_owned()).or_default() += count as f64 * 1e9 / span_ns as f64;
        }
    }

    /// Packets lost per second; `None` before two readings.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    pub fn worst(&self) -> Option<String> {
        self.worst.clone()
    }

    /// When the current run of losses began, wall clock ns.
    pub fn since(&self) -> Option<u64> {
        self.episode
    }

    pub fn total(&self) -> Option<u64> {
        self.rate
            .map(|_| self.places.values().map(|p| p.total).sum())
    }

    /// The places that ever lost something, largest first.
    pub fn rows(&self) -> Vec<Drop> {
        let mut rows: Vec<Drop> = (self.places.iter().filter(|(_, p)| p.total > 0))
            .map(|(place, p)| Drop {
                place: place.clone(),
                reason: None,
                class: "trouble",
                location: None,
                device: None,
                pid: None,
                count: p.count,
                total: p.total,
            })
            .collect();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then(b.total.cmp(&a.total)));
        rows
    }
}

/// Every loss counter of a reading: (identity, place, value).
fn counters(slow: &SlowSample) -> Vec<(String, String, u64)> {
    let own = slow.links.first().map(|l| l.netns);
    let mut all = Vec::new();
    for link in &slow.links {
        let LinkCounters { netns, name, .. } = link;
        if link.physical {
            all.push((
                format!("{netns} {name} missed"),
                format!("NIC ring {name}"),
                link.rx_missed,
            ));
            all.push((
                format!("{netns} {name} tx"),
                format!("driver {name} (tx)"),
                link.tx_dropped,
            ));
        }
        if let Some(drops) = link.qdisc_drops {
            all.push((
                format!("{netns} {name} qdisc"),
                format!("qdisc {name}"),
                drops,
            ));
        }
    }
    for namespace in &slow.protocols {
        for (counter, place) in SOCKET_PLACES {
            if let Some((_, value)) = namespace.counters.iter().find(|(name, _)| name == counter) {
                let foreign = own.is_some_and(|own| own != namespace.netns);
                let place = if foreign {
                    format!("{place} in netns {}", namespace.netns)
                } else {
                    (*place).to_owned()
                };
                all.push((format!("{} {counter}", namespace.netns), place, *value));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::{CpuCounters, ProtocolCounters, Softnet};

    fn host(at: u64, backlog: u64, rcvbuf: u64) -> HostSample {
        let cpu = CpuCounters {
            softnet: Softnet {
                dropped: backlog,
                ..Softnet::default()
            },
            ..CpuCounters::default()
        };
        let slow = SlowSample {
            at,
            links: vec![LinkCounters {
                netns: 1,
                name: "eth0".into(),
                physical: true,
                ..LinkCounters::default()
            }],
            protocols: vec![ProtocolCounters {
                netns: 1,
                counters: vec![("Udp.RcvbufErrors".into(), rcvbuf)],
            }],
            ..SlowSample::default()
        };
        HostSample {
            cpus: vec![cpu],
            slow: Some(Arc::new(slow)),
        }
    }

    const S: u64 = 1_000_000_000;

    #[test]
    fn the_first_reading_is_the_baseline_and_no_loss() {
        let mut losses = Losses::default();
        losses.take(S, S, 0, &host(S, 500, 7000));
        assert_eq!((losses.rate(), losses.total()), (None, None));
        losses.take(2 * S, 2 * S, S, &host(2 * S, 500, 7000));
        assert_eq!((losses.rate(), losses.total()), (Some(0.0), Some(0)));
        assert!(losses.rows().is_empty());
    }

    #[test]
    fn the_place_that_lost_most_is_named_with_when_it_began() {
        let mut losses = Losses::default();
        for second in 1..=5u64 {
            losses.take(
                second * S,
                second * S,
                S,
                &host(second * S, second * 3, second * 100),
            );
        }
        assert_eq!(losses.worst().as_deref(), Some("socket buffer (UDP)"));
        assert!((losses.rate().unwrap() - 103.0).abs() < 1e-9);
        assert_eq!(losses.since(), Some(2 * S));
        assert_eq!(losses.total(), Some(4 * 103));
    }

    #[test]
    fn an_episode_ends_after_ten_quiet_seconds() {
        let mut losses = Losses::default();
        losses.take(S, S, S, &host(S, 0, 0));
        losses.take(2 * S, 2 * S, S, &host(2 * S, 9, 0));
        for second in 3..=13u64 {
            losses.take(second * S, second * S, S, &host(second * S, 9, 0));
        }
        assert_eq!(losses.since(), None);
        losses.take(14 * S, 14 * S, S, &host(14 * S, 10, 0));
        assert_eq!(losses.since(), Some(14 * S));
    }

    #[test]
    fn a_cpu_that_comes_back_online_brings_no_new_losses() {
        let mut losses = Losses::default();
        let mut both = host(S, 0, 0);
        let back = CpuCounters {
            cpu: 1,
            softnet: Softnet {
                dropped: 19,
                ..Softnet::default()
            },
            ..CpuCounters::default()
        };
        both.cpus.push(back);
        losses.take(S, S, S, &both);
        losses.take(2 * S, 2 * S, S, &host(2 * S, 0, 0));
        both.slow = None;
        losses.take(3 * S, 3 * S, S, &both);
        assert_eq!(losses.total(), Some(0));
    }

    #[test]
    fn a_datagram_dropped_by_a_qdisc_is_one_loss_whatever_else_counts_it() {
        let drops = |at: u64, k: u64| {
            let names = ["Udp.SndbufErrors", "Ip.OutDiscards", "Udp.InErrors"];
            let slow = SlowSample {
                at,
                links: vec![LinkCounters {
                    netns: 1,
                    name: "d0".into(),
                    qdisc_drops: Some(k),
                    ..LinkCounters::default()
                }],
                protocols: vec![ProtocolCounters {
                    netns: 1,
                    counters: names.map(|name| (name.to_owned(), k)).into(),
                }],
                ..SlowSample::default()
            };
            HostSample {
                cpus: Vec::new(),
                slow: Some(Arc::new(slow)),
            }
        };
        let mut losses = Losses::default();
        losses.take(S, S, S, &drops(S, 0));
        losses.take(2 * S, 2 * S, S, &drops(2 * S, 992));
        assert_eq!(losses.total(), Some(992));
    }

    #[test]
    fn losses_of_another_namespace_say_which() {
        let slow = SlowSample {
            links: vec![LinkCounters {
                netns: 1,
                ..LinkCounters::default()
            }],
            protocols: vec![ProtocolCounters {
                netns: 77,
                counters: vec![("Udp.RcvbufErrors".into(), 1)],
            }],
            ..SlowSample::default()
        };
        assert!(
            counters(&slow)
                .iter()
                .any(|(_, place, _)| place == "socket buffer (UDP) in netns 77")
        );
    }
}

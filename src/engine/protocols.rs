//! How fast the counters of /proc/net/snmp and netstat grow, over all network namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::decode::{ProtocolCounters, SlowSample};

/// Namespaces remembered, of 50 counters each.
const MOST: usize = 4096;

#[derive(Debug, Default)]
struct Namespace {
    at: u64,
    last: FxHashMap<String, u64>,
    /// Per second, those that moved between its last two readings.
    rates: Vec<(Arc<str>, f64)>,
}

#[derive(Debug, Default)]
pub struct Protocols {
    namespaces: FxHashMap<u64, Namespace>,
    /// Per second, those that moved, as of the last reading.
    pub rates: BTreeMap<Arc<str>, f64>,
}

impl Protocols {
    pub fn ingest(&mut self, slow: Option<&SlowSample>) {
        let Some(slow) = slow else { return };
        let times = slow.times();
        let mut before = std::mem::take(&mut self.namespaces);
        for now in &slow.protocols {
            if self.namespaces.len() < MOST {
                let known = before.remove(&now.netns);
                let namespace = Namespace::read(known, now, times.of(now.netns));
                self.namespaces.insert(now.netns, namespace);
            }
        }
        // What was not read this time stands.
        before.retain(|netns, _| times.unread.contains(netns));
        self.namespaces.extend(before);
        self.rates.clear();
        for (name, rate) in self.namespaces.values().flat_map(|of| &of.rates) {
            *self.rates.entry(Arc::clone(name)).or_default() += rate;
        }
    }
}

impl Namespace {
    fn read(before: Option<Namespace>, now: &ProtocolCounters, at: u64) -> Namespace {
        // A namespace that is new brings its past along.
        let before = before.unwrap_or_default();
        let span = at.saturating_sub(before.at);
        let rate = |(name, value): &(String, u64)| {
            let grown = value.saturating_sub(*before.last.get(name)?);
            let rate = grown as f64 * 1e9 / span as f64;
            (grown > 0 && span > 0).then(|| (name.as_str().into(), rate))
        };
        Namespace {
            at,
            rates: now.counters.iter().filter_map(rate).collect(),
            last: now.counters.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::NetnsReading;

    fn reading(at: u64, values: &[(u64, u64)]) -> SlowSample {
        let of = |&(netns, value): &(u64, u64)| ProtocolCounters {
            netns,
            counters: vec![("Udp.InErrors".to_owned(), value)],
        };
        SlowSample {
            at,
            protocols: values.iter().map(of).collect(),
            ..SlowSample::default()
        }
    }

    #[test]
    fn namespaces_are_added_up_and_a_new_one_has_no_past() {
        let mut protocols = Protocols::default();
        protocols.ingest(Some(&reading(1_000_000_000, &[(1, 100)])));
        assert!(protocols.rates.is_empty());
        protocols.ingest(Some(&reading(3_000_000_000, &[(1, 120), (2, 5000)])));
        assert!((protocols.rates["Udp.InErrors"] - 10.0).abs() < 1e-9);
        protocols.ingest(None);
        protocols.ingest(Some(&reading(4_000_000_000, &[(1, 120), (2, 5007)])));
        assert!((protocols.rates["Udp.InErrors"] - 7.0).abs() < 1e-9);
    }

    #[test]
    fn the_rate_of_a_namespace_whose_turn_has_not_come_stands_and_is_then_over_the_time_since() {
        let second = 1_000_000_000;
        let rate = |protocols: &Protocols| protocols.rates.get("Udp.InErrors").copied();
        let mut protocols = Protocols::default();
        protocols.ingest(Some(&reading(second, &[(1, 100), (2, 100)])));
        protocols.ingest(Some(&reading(2 * second, &[(1, 110), (2, 104)])));
        assert_eq!(rate(&protocols), Some(14.0));
        let mut partly = reading(3 * second, &[(1, 110)]);
        let turn = |netns, at| NetnsReading { netns, at };
        partly.namespaces = vec![turn(1, Some(3 * second)), turn(2, None)];
        protocols.ingest(Some(&partly));
        assert_eq!(rate(&protocols), Some(4.0));
        protocols.ingest(Some(&reading(4 * second, &[(1, 110), (2, 106)])));
        assert_eq!(rate(&protocols), Some(1.0));
    }
}

//! How fast the counters of /proc/net/snmp and netstat grow, over all network namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::decode::SlowSample;

/// Counters remembered: 200 of each of some hundred namespaces.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub struct Protocols {
    last: FxHashMap<(u64, String), u64>,
    at: Option<u64>,
    /// Per second, those that moved, as of the last reading.
    pub rates: BTreeMap<Arc<str>, f64>,
}

impl Protocols {
    pub fn take(&mut self, slow: Option<&SlowSample>) {
        let Some(slow) = slow else { return };
        let span = self
            .at
            .replace(slow.at)
            .map_or(0, |at| slow.at.saturating_sub(at));
        let mut last = std::mem::take(&mut self.last);
        self.rates.clear();
        for namespace in &slow.protocols {
            for (name, value) in &namespace.counters {
                let key = (namespace.netns, name.clone());
                // A namespace that is new brings its past along.
                let before = last.remove(&key).unwrap_or(*value);
                let grown = value.saturating_sub(before);
                if grown > 0 && span > 0 {
                    let rate = grown as f64 * 1e9 / span as f64;
                    *self.rates.entry(name.as_str().into()).or_default() += rate;
                }
                if self.last.len() < MOST {
                    self.last.insert(key, *value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ProtocolCounters;

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
        protocols.take(Some(&reading(1_000_000_000, &[(1, 100)])));
        assert!(protocols.rates.is_empty());
        protocols.take(Some(&reading(3_000_000_000, &[(1, 120), (2, 5000)])));
        assert!((protocols.rates["Udp.InErrors"] - 10.0).abs() < 1e-9);
        protocols.take(None);
        protocols.take(Some(&reading(4_000_000_000, &[(1, 120), (2, 5007)])));
        assert!((protocols.rates["Udp.InErrors"] - 7.0).abs() < 1e-9);
    }
}

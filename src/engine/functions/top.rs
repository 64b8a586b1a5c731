//! What a function's hits were about: devices, drop reasons, owners of sockets, of a
//! breakpoint the processes that hit it; heaviest first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::interval::Interval;
use super::per_hit::all_gated;
use crate::decode::EventId;
use crate::model::Share;

/// Shares shown of a function.
const MOST: usize = 8;

/// Of these at most so many are the processes whose sockets the hits were for.
const OWNERS: usize = 3;

/// The shares of a row: as the gate counted them by device, else as sampled.
pub fn of(events: &[EventId], interval: &Interval<'_>) -> Vec<Share> {
    let counted = by_device(events, interval);
    let sampled = (interval.folded.tags.iter())
        .filter(|tagged| events.iter().any(|e| e.0 == tagged.event))
        .filter(|tagged| counted.is_empty() || tagged.kind != DEVICE)
        .map(|tagged| Share {
            kind: tagged.kind,
            name: Arc::clone(&tagged.name),
            calls: tagged.hits,
            estimated: true,
        });
    // A row's own kind of share first: drops have reasons before they have devices.
    let mut shares: Vec<Share> = sampled.collect();
    shares.extend(counted);
    let owners = (interval.owned.iter())
        .filter(|(event, ..)| events.contains(event))
        .take(OWNERS);
    let owners: Vec<Share> = owners
        .map(|(_, name, weight)| Share {
            kind: "owner",
            name: Arc::clone(name),
            calls: *weight,
            estimated: true,
        })
        .collect();
    shares.truncate(MOST - owners.len());
    shares.extend(owners);
    let breakpoint = |event: &EventId| interval.registry.spec(*event).is_breakpoint();
    if events.iter().all(breakpoint) {
        return by_process(events, interval);
    }
    shares
}

/// Samples weigh what was counted.
fn by_process(events: &[EventId], interval: &Interval<'_>) -> Vec<Share> {
    let sampled = interval.folded.per_process.iter();
    let sampled = sampled.filter(|((event, _), _)| events.iter().any(|e| e.0 == *event));
    let mut hits: BTreeMap<u32, f64> = BTreeMap::new();
    for ((_, pid), sums) in sampled {
        *hits.entry(*pid).or_default() += sums.weight;
    }
    let mut hits: Vec<(u32, f64)> = hits.into_iter().filter(|(_, hits)| *hits > 0.0).collect();
    hits.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shares = hits.into_iter().take(MOST).map(|(pid, calls)| Share {
        kind: "process",
        name: format!("{}({pid})", (interval.process)(pid)).into(),
        calls,
        estimated: true,
    });
    shares.collect()
}

const DEVICE: &str = "device";

/// Exact hits by device; one name in two network namespaces stays two devices. Empty: the
/// gate has not counted all of the row's hits.
fn by_device(events: &[EventId], interval: &Interval<'_>) -> Vec<Share> {
    if !all_gated(events, interval) {
        return Vec::new();
    }
    let mut hits: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for device in interval.devices {
        if events.contains(&device.event) {
            *hits.entry((&device.name, device.netns)).or_default() += device.hits;
        }
    }
    let again = |name: &str| hits.range((name, 0)..=(name, u64::MAX)).count() > 1;
    let mut shares: Vec<Share> = (hits.iter())
        .map(|(&(name, netns), &hits)| Share {
            kind: DEVICE,
            name: if again(name) {
                format!("{name} (netns {netns})").into()
            } else {
                name.into()
            },
            calls: hits as f64,
            estimated: false,
        })
        .collect();
    shares.sort_by(|a, b| b.calls.total_cmp(&a.calls));
    shares
}

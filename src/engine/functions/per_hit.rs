//! What a hit of a row carries on average: as the gate has counted it, else as its samples say.

use super::interval::Interval;
use crate::decode::{Counts, EventId};
use crate::engine::registry::Says;
use crate::model::Sums;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct PerHit {
    pub packets: Option<f64>,
    pub bytes: Option<f64>,
    /// Of all hits, not of those that were sampled.
    pub exact: bool,
}

pub fn of(events: &[EventId], interval: &Interval<'_>) -> PerHit {
    counted(events, interval).unwrap_or_else(|| sampled(events, interval))
}

/// The gate counted all hits of the row: none by another way beside, none in windows only, and no
/// filter asks for those of some processes.
pub fn all_gated(events: &[EventId], interval: &Interval<'_>) -> bool {
    let of_row = |c: &&Counts| events.contains(&c.event);
    let mut counts = interval.counts.iter().filter(of_row);
    interval.want.pids.is_empty() && counts.all(|c| c.hits == 0 || (c.gate && c.spread.is_none()))
}

/// Where no event of the row says packets (or bytes) there are none: `None`, not 0.
fn counted(events: &[EventId], interval: &Interval<'_>) -> Option<PerHit> {
    let (mut hits, mut packets, mut bytes) = (0, 0, 0);
    for carried in interval
        .carried
        .iter()
        .filter(|c| events.contains(&c.event))
    {
        hits += carried.hits;
        packets += carried.packets;
        bytes += carried.bytes;
    }
    if hits == 0 || !all_gated(events, interval) {
        return None;
    }
    let says =
        |what: fn(Says) -> bool| (events.iter()).any(|event| what(interval.registry.says(*event)));
    let per_hit = |sum: u64, said: bool| (said || sum > 0).then(|| sum as f64 / hits as f64);
    Some(PerHit {
        packets: per_hit(packets, says(|says| says.packets)),
        bytes: per_hit(bytes, says(|says| says.bytes)),
        exact: true,
    })
}

fn sampled(events: &[EventId], interval: &Interval<'_>) -> PerHit {
    let sums = (events.iter())
        .filter_map(|e| interval.folded.per_event.get(&e.0))
        .fold(Sums::default(), |mut all, sums| {
            all.packets += sums.packets;
            all.bytes += sums.bytes;
            all.with_packets += sums.with_packets;
            all.with_bytes += sums.with_bytes;
            all
        });
    let mean = |sum: f64, weight: f64| (weight > 0.0).then(|| sum / weight);
    PerHit {
        packets: mean(sums.packets, sums.with_packets),
        bytes: mean(sums.bytes, sums.with_bytes),
        exact: false,
    }
}

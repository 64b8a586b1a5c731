//! How often an event will hit on a CPU: as in the last interval where it was counted, else from the
//! free counters, so that its cost is known before it is opened.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::decode::{Counts, EventId};
use crate::engine::latency::{Expected, SOFTIRQ_PROGRAMS};
use crate::engine::registry::{Registry, Row};
use crate::model::Direction;

/// Drops, retransmits: of so many packets one is expected to be such, until they were counted.
const SELDOM: f64 = 0.05;

/// Counted for less than this, an event has no rate.
const SPAN_NS: u64 = 20_000_000;

/// Intervals of which netop's own least time is budgeted, and of which the busiest says how busy a CPU is.
const INTERVALS: usize = 3;

/// What the free counters say of each CPU, per second.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Packets taken in.
    pub rx: FxHashMap<u32, f64>,
    /// Packets sent; empty where no device was read.
    pub tx: FxHashMap<u32, f64>,
    /// Runs of the network's softirqs.
    pub runs: FxHashMap<u32, f64>,
    /// How busy each CPU was, percent of its time; empty where that is not told.
    pub busy: FxHashMap<u32, f64>,
    /// So many times all of it is to be expected next: a burst began within the interval, and events were
    /// let go.
    pub risen: Option<f64>,
}

impl Load {
    fn of(&self, direction: Direction, cpu: u32) -> f64 {
        let rate = |of: &FxHashMap<u32, f64>| of.get(&cpu).copied().unwrap_or(0.0);
        match direction {
            Direction::Rx => rate(&self.rx),
            Direction::Tx if !self.tx.is_empty() => rate(&self.tx),
            _ => rate(&self.rx).max(rate(&self.tx)),
        }
    }
}

struct Known {
    direction: Direction,
    /// Hits per packet: as last counted, before that one, or hardly any.
    per_packet: f64,
}

pub struct Forecast {
    events: Vec<Known>,
    /// Hits/s of the last interval.
    rates: FxHashMap<(EventId, u32), f64>,
    pub load: Load,
    /// netop's own time of the last intervals, percent of each CPU.
    own: VecDeque<FxHashMap<u32, f64>>,
    /// How busy each CPU was in the last intervals, percent.
    busy: VecDeque<FxHashMap<u32, f64>>,
    /// An interval has been measured; before that there is nothing to forecast from.
    pub learnt: bool,
}

impl Forecast {
    pub fn new(registry: &Registry) -> Forecast {
        let row_of = |event| registry.row_of(event).map(|row| &registry.rows[row].probe);
        let events = (0..registry.specs().len() as u16)
            .map(|event| {
                let probe = row_of(EventId(event));
                if registry.receives.contains(&EventId(event)) {
                    return Known {
                        direction: Direction::Rx,
                        per_packet: 1.0,
                    };
                }
                Known {
                    direction: probe.map_or(Direction::Other, |probe| probe.direction()),
                    per_packet: match probe {
                        Some(probe) if probe.priority() != 1 => 1.0,
                        _ => SELDOM,
                    },
                }
            })
            .collect();
        Forecast {
            events,
            rates: FxHashMap::default(),
            load: Load::default(),
            own: VecDeque::new(),
            busy: VecDeque::new(),
            learnt: false,
        }
    }

    /// `own_pct`: netop's own time by CPU; `None`: not measured, or not its usual one.
    pub fn learn(&mut self, counts: &[Counts], load: Load, own_pct: Option<FxHashMap<u32, f64>>) {
        self.load = load;
        self.learnt = true;
        self.own.extend(own_pct);
        self.busy.push_back(self.load.busy.clone());
        for of in [&mut self.own, &mut self.busy] {
            if of.len() > INTERVALS {
                of.pop_front();
            }
        }
        self.rates.clear();
        let mut all: FxHashMap<EventId, (f64, f64)> = FxHashMap::default();
        // What was let go when a burst began was counted while the host was quiet.
        let all_of_it = match self.load.risen {
            Some(_) => counts.iter().map(|c| c.span_ns).max().unwrap_or(0),
            None => 0,
        };
        for count in counts {
            let Some(cpu) = count.cpu else { continue };
            if count.spread.is_none() && count.span_ns < all_of_it / 100 * 99 {
                continue;
            }
            if count.span_ns == 0 || (count.spread.is_none() && count.span_ns < SPAN_NS) {
                continue;
            }
            let rate = count.hits as f64 * 1e9 / count.span_ns as f64;
            *self.rates.entry((count.event, cpu)).or_default() += rate;
            if let Some(known) = self.events.get(count.event.0 as usize) {
                let sums = all.entry(count.event).or_default();
                sums.0 += rate;
                sums.1 += self.load.of(known.direction, cpu);
            }
        }
        for (event, (hits, packets)) in all {
            if packets >= 1.0 {
                self.events[event.0 as usize].per_packet = hits / packets;
            }
        }
    }

    /// Hits/s to expect of an event on a CPU.
    pub fn rate(&self, event: EventId, cpu: u32) -> f64 {
        let known = self.events.get(event.0 as usize);
        let by_packet = |known: &Known| known.per_packet * self.load.of(known.direction, cpu);
        let rate = self.rates.get(&(event, cpu)).copied();
        self.risen() * rate.unwrap_or_else(|| known.map_or(0.0, by_packet))
    }

    fn risen(&self) -> f64 {
        self.load.risen.unwrap_or(1.0)
    }

    /// What timing would be at on a CPU.
    pub fn timed(&self, cpu: u32, registry: &Registry) -> Expected {
        // What qdiscs do nobody foresees.
        let of_row = |row: &Row| {
            let rates = row.events.iter().map(|e| self.rate(*e, cpu));
            row.probe.timed() * rates.sum::<f64>()
        };
        let [_segments, readies] = registry.receives;
        Expected {
            cpu,
            packets: registry.rows.iter().map(of_row).sum::<f64>() + self.rate(readies, cpu),
            softirqs: SOFTIRQ_PROGRAMS * self.runs(cpu),
        }
    }

    pub fn runs(&self, cpu: u32) -> f64 {
        self.risen() * self.load.runs.get(&cpu).copied().unwrap_or(0.0)
    }

    /// How busy a CPU is to be expected, percent; `None`: not told.
    pub fn busy_pct(&self, cpu: u32) -> Option<f64> {
        if self.load.risen.is_some() {
            return None;
        }
        let there = self.busy.iter().filter_map(|busy| busy.get(&cpu).copied());
        there.reduce(f64::max)
    }

    /// netop's own time, percent of a CPU: reading names is a burst now and then, what it always
    /// takes is the least of some intervals.
    pub fn own_pct(&self, cpu: u32) -> f64 {
        if self.own.len() < INTERVALS {
            return 0.0;
        }
        let there = self.own.iter().map(|own| own.get(&cpu).copied());
        there
            .map(|pct| pct.unwrap_or(0.0))
            .fold(f64::INFINITY, f64::min)
    }
}

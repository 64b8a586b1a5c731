//! What attaching events costs on the live traffic: in a window in which they are attached each
//! CPU's time and packets are held against the stretches right before and after it. Reads free
//! counters only, and seldom enough that reading them costs next to nothing.

use super::Gated;
use super::windows::{Edge, Member};
use crate::decode::{Compared, CpuCounters, Stretch};
use crate::host::{FastCounters, Proc};
use crate::sys::monotonic_ns;

/// Of so much time a millisecond goes to reading the counters …
const OF_READING: u64 = 500;

/// … but for the first windows, without which nothing is known.
const FIRST: u32 = 12;

/// Readings of a window: two at each edge at which events are switched, one at the others.
const READINGS: usize = 6;

#[derive(Default)]
pub struct Meter {
    fast: Option<FastCounters>,
    /// Of the window under way; empty: it is not looked at.
    readings: Vec<Reading>,
    /// CLOCK_MONOTONIC, ns, before which no window is looked at.
    rest_until: u64,
    took_ns: u64,
    /// Windows that were looked at, up to [`FIRST`].
    looked: u32,
    pub compared: Vec<Compared>,
}

struct Reading {
    at: u64,
    cpus: Vec<CpuCounters>,
    /// By the order of `cpus`: hits of what is counted all the time, and of what is in windows.
    always: Vec<u64>,
    windowed: Vec<u64>,
    /// Hits of netif_receive_skb, if that is in windows.
    received: Option<Vec<u64>>,
}

impl Meter {
    pub fn open() -> Meter {
        Meter {
            fast: FastCounters::open(&Proc::host()).ok(),
            ..Meter::default()
        }
    }

    /// Before the edge is carried out, or after it.
    pub fn at(&mut self, edge: Edge, after: bool, gate: Option<&Gated>, chosen: &[Member]) {
        let place = match (edge, after) {
            (Edge::Mark, _) => 0,
            (Edge::Open, false) => 1,
            (Edge::Open, true) => 2,
            (Edge::Close, false) => 3,
            (Edge::Close, true) => 4,
            (Edge::End, _) => 5,
        };
        if place == 0 {
            self.readings.clear();
            self.took_ns = 0;
            if self.looked == FIRST && monotonic_ns() < self.rest_until {
                return;
            }
        }
        if self.readings.len() != place {
            return self.readings.clear();
        }
        let began = monotonic_ns();
        let Some(reading) = self.read(gate, chosen) else {
            return self.readings.clear();
        };
        self.readings.push(reading);
        let ended = monotonic_ns();
        self.took_ns += ended - began;
        if self.readings.len() == READINGS {
            self.compare();
            self.readings.clear();
            self.looked = FIRST.min(self.looked + 1);
            self.rest_until = ended + OF_READING * self.took_ns;
        }
    }

    fn read(&mut self, gate: Option<&Gated>, chosen: &[Member]) -> Option<Reading> {
        let cpus = self.fast.as_mut()?.work().ok()?;
        let at = monotonic_ns();
        let hits = |of: &dyn Fn(&Gated, u32) -> u64| -> Vec<u64> {
            let on = |c: &CpuCounters| gate.map_or(0, |gate| of(gate, c.cpu));
            cpus.iter().map(on).collect()
        };
        let is_softnets = |m: &&Member| gate.is_some_and(|gate| gate.receives_skbs(**m));
        let received = chosen.iter().find(is_softnets).copied();
        Some(Reading {
            at,
            received: received.map(|m| hits(&|gate, cpu| gate.hits_of(&[m], cpu))),
            always: hits(&Gated::sent_always),
            windowed: hits(&|gate, cpu| gate.hits_of(chosen, cpu)),
            cpus,
        })
    }

    fn compare(&mut self) {
        let [mark, opening, opened, closing, closed, end] = &self.readings[..] else {
            return;
        };
        let same = |reading: &Reading| {
            let ids = |r: &Reading| r.cpus.iter().map(|c| c.cpu).collect::<Vec<_>>();
            ids(reading) == ids(mark)
        };
        if !self.readings.iter().all(same) {
            return;
        }
        for (index, cpu) in mark.cpus.iter().enumerate() {
            let (before, after) = (stretch(mark, opening, index), stretch(closed, end, index));
            let without = Stretch {
                busy_ns: before.busy_ns + after.busy_ns,
                packets: before.packets + after.packets,
            };
            let hits = closing.windowed[index].saturating_sub(opened.windowed[index]);
            let softnet = |reading: &Reading| reading.cpus[index].softnet;
            let seen = |reading: &Reading| Some(reading.received.as_ref()?[index]);
            if hits > 0 {
                self.compared.push(Compared {
                    cpu: cpu.cpu,
                    with: stretch(opened, closing, index),
                    without,
                    hits,
                    received: softnet(closing).since(&softnet(opened)).processed,
                    received_seen: seen(closing)
                        .zip(seen(opened))
                        .map(|(b, a)| b.saturating_sub(a)),
                });
            }
        }
    }
}

fn stretch(from: &Reading, to: &Reading, index: usize) -> Stretch {
    let (before, after) = (&from.cpus[index], &to.cpus[index]);
    let unused = |c: &CpuCounters| c.time.idle + c.time.steal;
    let idle = unused(after).saturating_sub(unused(before));
    let packets = after.softnet.since(&before.softnet).processed;
    Stretch {
        busy_ns: (to.at - from.at).saturating_sub(idle),
        packets: packets + to.always[index].saturating_sub(from.always[index]),
    }
}

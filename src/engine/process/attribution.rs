//! For whom packets moved, and for whom each CPU's receive softirq worked: hits by socket, with the
//! sockets' processes. What no socket can be named for is forwarded, or for nobody that is known.

use rustc_hash::FxHashMap;

use super::owners::Owners;
use crate::decode::{Attach, Counts, EventId, Tick};
use crate::engine::registry::Registry;
use crate::model::NO_SOCKET;

/// Hits and wire packets of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moved {
    pub hits: f64,
    pub packets: f64,
}

/// An interval's hits by process; [`NO_SOCKET`] has the rest.
#[derive(Debug, Default)]
pub struct Attribution {
    moved: FxHashMap<EventId, FxHashMap<u32, Moved>>,
    /// By CPU: whose share of its receive softirq is how much, of 1.
    pub receivers: FxHashMap<u32, Vec<(u32, f64)>>,
    /// Some of it was counted a part of the time.
    pub estimated: bool,
}

/// The part of the interval that each CPU counted the event, 0 to 1; `None`: it came or went within
/// the interval.
fn counted(counts: &[Counts], event: EventId, interval_ns: u64) -> Option<f64> {
    let here = |c: &&Counts| c.event == event && c.cpu.is_some();
    let (mut ns, mut cpus, mut windows) = (0, 0, false);
    for count in counts.iter().filter(here) {
        ns += count.span_ns;
        cpus += 1;
        windows |= count.spread.is_some();
    }
    let part = ns as f64 / (cpus * interval_ns.max(1)) as f64;
    (cpus > 0 && part > 0.0 && (windows || part > 0.9)).then(|| part.min(1.0))
}

impl Attribution {
    /// `attached`: what was counted in the interval. `processed`: skbs that a CPU took in; `None`:
    /// nobody knows.
    pub fn of(
        tick: &Tick,
        attached: &[Attach],
        registry: &Registry,
        owners: &Owners,
        processed: impl Fn(u32) -> Option<u64>,
    ) -> Attribution {
        let mut attribution = Attribution::default();
        let mut parts: FxHashMap<EventId, f64> = FxHashMap::default();
        for attach in attached.iter().filter(|a| a.by_socket) {
            if let Some(part) = counted(&tick.counts, attach.event, tick.interval_ns) {
                parts.insert(attach.event, part);
                attribution.estimated |= part < 0.98;
                attribution.moved.entry(attach.event).or_default();
            }
        }
        // By CPU: skbs that came to a socket, and their packets by process.
        let mut received: FxHashMap<u32, (f64, FxHashMap<u32, f64>)> = FxHashMap::default();
        for count in &tick.sockets {
            let Some(part) = parts.get(&count.event) else {
                continue;
            };
            let pid = owners.user(count.socket).unwrap_or(NO_SOCKET);
            let (hits, packets) = (count.hits as f64 / part, count.packets as f64 / part);
            let moved = attribution.moved.entry(count.event).or_default();
            let sum = moved.entry(pid).or_default();
            sum.hits += hits;
            sum.packets += packets;
            if let (Some(cpu), true) = (count.cpu, registry.receives.contains(&count.event)) {
                let (skbs, by_pid) = received.entry(cpu).or_default();
                *skbs += hits;
                *by_pid.entry(pid).or_default() += packets;
            }
        }
        if registry.receives.iter().any(|e| parts.contains_key(e)) {
            for cpu in tick.host.cpus.iter().map(|c| c.cpu) {
                attribution.share(cpu, received.remove(&cpu), processed(cpu), registry);
            }
        }
        attribution.add_rest(tick, &parts, registry);
        attribution
    }

    /// An skb that came to no socket stands for one packet: how many it was merged of is not told.
    fn share(
        &mut self,
        cpu: u32,
        received: Option<(f64, FxHashMap<u32, f64>)>,
        processed: Option<u64>,
        registry: &Registry,
    ) {
        let (skbs, mut by_pid) = received.unwrap_or_default();
        if let Some(processed) = processed {
            let rest = (processed as f64 - skbs).max(0.0);
            // The counts are read at different moments: a difference of some packets is none.
            let rest = if rest > 0.02 * processed as f64 {
                rest
            } else {
                0.0
            };
            *by_pid.entry(NO_SOCKET).or_default() += rest;
            let first = self.moved.entry(registry.receives[0]).or_default();
            first.entry(NO_SOCKET).or_default().packets += rest;
        }
        let all: f64 = by_pid.values().sum();
        if all > 0.0 {
            let shares = by_pid.into_iter().map(|(pid, n)| (pid, n / all));
            self.receivers.insert(cpu, shares.collect());
        }
    }

    /// What the gate counted beyond the sockets' hits.
    fn add_rest(&mut self, tick: &Tick, parts: &FxHashMap<EventId, f64>, registry: &Registry) {
        for carried in &tick.carried {
            let event = carried.event;
            let whole = parts.get(&event).is_some_and(|part| *part >= 0.98);
            if !whole || registry.receives.contains(&event) {
                continue;
            }
            let moved = self.moved.entry(event).or_default();
            let hits: f64 = moved.values().map(|m| m.hits).sum();
            let packets: f64 = moved.values().map(|m| m.packets).sum();
            let rest = moved.entry(NO_SOCKET).or_default();
            rest.hits += (carried.hits as f64 - hits).max(0.0);
            rest.packets += (carried.packets as f64 - packets).max(0.0);
        }
    }

    /// Hits by process from samples that name the socket, of `all` that were counted.
    pub fn sampled(
        &mut self,
        event: EventId,
        owned: impl Iterator<Item = (Option<u32>, f64)>,
        all: u64,
    ) {
        self.estimated = true;
        let moved = self.moved.entry(event).or_default();
        let mut rest = all as f64;
        for (pid, hits) in owned {
            moved.entry(pid.unwrap_or(NO_SOCKET)).or_default().hits += hits;
            rest -= hits;
        }
        moved.entry(NO_SOCKET).or_default().hits += rest.max(0.0);
    }

    /// For whom the CPU's receive softirq worked, by samples of the skbs that came to sockets: each
    /// weighs the same, of however many packets it was merged.
    pub fn received(&mut self, cpu: u32, mut by_pid: FxHashMap<u32, f64>, processed: Option<u64>) {
        let named: f64 = by_pid.values().sum();
        let rest = (processed.unwrap_or(0) as f64 - named).max(0.0);
        *by_pid.entry(NO_SOCKET).or_default() += rest;
        let shares = by_pid.into_iter().map(|(pid, n)| (pid, n / (named + rest)));
        self.receivers.insert(cpu, shares.collect());
    }

    /// What moved for the process; `None`: the event was not counted by socket.
    pub fn moved(&self, event: EventId, pid: u32) -> Option<Moved> {
        let moved = self.moved.get(&event)?;
        Some(moved.get(&pid).copied().unwrap_or_default())
    }

    pub fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        let moved = self.moved.values().flatten();
        moved
            .filter(|(_, m)| m.hits > 0.0 || m.packets > 0.0)
            .map(|(pid, _)| *pid)
    }
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
mod tests;

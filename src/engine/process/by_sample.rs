//! For whom hits were where no gate counts them by socket: samples of events that name the socket,
//! and of the calls on it, say it in shares. Estimates, all of it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::attribution::Attribution;
use super::owners::{Owned, Owners};
use crate::decode::{Counts, EventId, Sample, Session, Tick};
use crate::engine::governor::Plan;
use crate::engine::registry::Registry;
use crate::model::{NO_SOCKET, Want};
use crate::probe::names_socket;

/// Sockets of a CPU and interval that are told apart.
const MOST: usize = 8192;

/// IPPROTO_TCP: of data for TCP's readers each segment has spoken already.
const TCP: u64 = 6;

/// Samples of what came to sockets: their weight by CPU and socket.
#[derive(Debug, Default)]
pub struct Received {
    weights: FxHashMap<(u32, u64), f64>,
}

impl Received {
    /// A segment, or data for a reader: (socket, protocol).
    pub fn hit(&mut self, sample: &Sample) {
        let [socket, protocol, ..] = sample.values;
        let key = (sample.cpu, socket);
        if socket != 0
            && protocol != TCP
            && (self.weights.len() < MOST || self.weights.contains_key(&key))
        {
            *self.weights.entry(key).or_default() += sample.period as f64;
        }
    }

    /// Ends an interval: by CPU the skbs that came for each process.
    pub fn end_interval(&mut self, owners: &Owners) -> FxHashMap<u32, FxHashMap<u32, f64>> {
        let mut received: FxHashMap<u32, FxHashMap<u32, f64>> = FxHashMap::default();
        for ((cpu, socket), weight) in self.weights.drain() {
            let pid = owners.user(socket).unwrap_or(NO_SOCKET);
            *received.entry(cpu).or_default().entry(pid).or_default() += weight;
        }
        received
    }
}

/// What says which events they are.
pub struct BySample<'a> {
    pub plan: &'a Plan,
    pub session: &'a Session,
    pub registry: &'a Registry,
    pub want: &'a Want,
}

impl BySample<'_> {
    /// Events whose hits for a process are known from samples alone.
    fn events(&self) -> impl Iterator<Item = EventId> + '_ {
        let attached = self.plan.attached.iter().filter(|a| !a.gate && a.wide);
        attached.map(|a| a.event).filter(|event| {
            let known = self.session.events.get(event.0 as usize);
            known.is_some_and(names_socket) && self.registry.by_socket.contains(event)
        })
    }

    /// The interval's counts, and the last windows' that stand for it; under a filter that means
    /// owners with what their sockets' samples stand for, of the events that are told.
    pub fn counts(
        &self,
        tick: &Tick,
        standing: &[Counts],
        owned: &[Owned],
    ) -> (Vec<Counts>, FxHashSet<EventId>) {
        let events: FxHashSet<EventId> = if self.want.filters_owners() {
            self.events().collect()
        } else {
            FxHashSet::default()
        };
        let mut counts = [&tick.counts, standing].concat();
        for &event in &events {
            let all = (tick.counts.iter()).filter(|c| c.event == event && c.cpu.is_some());
            let Some(span_ns) = all.clone().map(|c| c.span_ns).min() else {
                continue;
            };
            let counted: u64 = all.map(|c| c.hits).sum();
            let of_event = owned.iter().filter(|owned| owned.0 == event);
            let weights: Vec<_> = of_event.map(|&(_, pid, weight)| (pid, weight)).collect();
            // Without an answer the row has no count.
            let hits = shared(counted, &weights, &self.want.pids).unwrap_or_default();
            counts.extend(hits.into_iter().map(|(pid, hits)| Counts {
                event,
                cpu: None,
                pid: Some(pid),
                hits,
                bytes: 0,
                span_ns,
                gate: false,
                spread: None,
            }));
        }
        (counts, events)
    }

    /// Drops and retransmits by process, and for whom each CPU's softirqs worked. Under a filter
    /// the functions' rows have the former.
    pub fn attribute(
        &self,
        attribution: &mut Attribution,
        tick: &Tick,
        (owners, received): (&Owners, &mut Received),
        owned: &[Owned],
        processed: &dyn Fn(u32) -> Option<u64>,
    ) {
        let events: Vec<EventId> = self
            .events()
            .filter(|_| !self.want.filters_owners())
            .collect();
        for event in events {
            let counts = (tick.counts.iter()).filter(|c| c.event == event && c.cpu.is_some());
            let all: u64 = counts.map(|c| c.hits).sum();
            let its = owned.iter().filter(|owned| owned.0 == event);
            attribution.sampled(event, its.map(|o| (o.1, o.2)), all);
        }
        for (cpu, by_pid) in received.end_interval(owners) {
            attribution.received(cpu, by_pid, processed(cpu));
        }
    }
}

/// How many of the `counted` hits are each process's, by the weights of samples and their owners. `None`:
/// there were hits, and no sample of them names a process that is known.
fn shared(counted: u64, weights: &[(Option<u32>, f64)], pids: &[u32]) -> Option<Vec<(u32, u64)>> {
    if counted > 0 && weights.iter().all(|(pid, _)| pid.is_none()) {
        return None;
    }
    // Hits between the last sample and a new period are in no weight: samples say shares of what was
    // counted.
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let scale = counted as f64 / all.max(1.0);
    let hits = |&pid: &u32| {
        let its = weights.iter().filter(|(owner, _)| *owner == Some(pid));
        let weight: f64 = its.map(|(_, weight)| weight).sum();
        (pid, (weight * scale).round() as u64)
    };
    Some(pids.iter().map(hits).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{FIELDS, Span};

    fn sample(cpu: u32, socket: u64, protocol: u64, period: u64) -> Sample {
        let mut values = [0; FIELDS];
        (values[0], values[1]) = (socket, protocol);
        Sample {
            event: EventId(1),
            cpu,
            pid: 99,
            tid: 99,
            time: 0,
            period,
            chain: Span::default(),
            raw: Span::default(),
            owner: 0,
            values,
        }
    }

    #[test]
    fn what_came_to_sockets_is_their_processes_and_not_who_ran() {
        let mut owners = Owners::default();
        owners.used(0xffff_8881, 7);
        owners.used(0xffff_8882, 8);
        let mut received = Received::default();
        // Segments carry no protocol, datagrams do; TCP's readiness is the segment told again.
        received.hit(&sample(0, 0xffff_8881, 0, 300));
        received.hit(&sample(0, 0xffff_8881, TCP, 300));
        received.hit(&sample(0, 0xffff_8882, 17, 100));
        received.hit(&sample(1, 0xffff_8883, 17, 50));
        received.hit(&sample(1, 0, 17, 50));
        let mut attribution = Attribution::default();
        for (cpu, by_pid) in received.end_interval(&owners) {
            attribution.received(cpu, by_pid, (cpu == 0).then_some(500));
        }
        let mut shares = attribution.receivers[&0].clone();
        shares.sort_by_key(|(pid, _)| *pid);
        assert_eq!(shares, [(7, 0.6), (8, 0.2), (NO_SOCKET, 0.2)]);
        let unknown = attribution.receivers[&1]
            .iter()
            .find(|(_, share)| *share > 0.0);
        assert_eq!(unknown, Some(&(NO_SOCKET, 1.0)));
        assert!(
            received.end_interval(&owners).is_empty(),
            "an interval's are its own"
        );
    }

    #[test]
    fn sampled_hits_are_estimates_and_leave_a_rest_that_is_nobodys() {
        let mut attribution = Attribution::default();
        let owned = [(Some(7), 60.0), (None, 10.0)];
        attribution.sampled(EventId(3), owned.into_iter(), 100);
        let hits = |pid| attribution.moved(EventId(3), pid).map(|moved| moved.hits);
        assert_eq!(hits(7), Some(60.0));
        assert_eq!(hits(8), Some(0.0));
        assert_eq!(hits(NO_SOCKET), Some(40.0));
        assert!(attribution.estimated);
        assert_eq!(attribution.moved(EventId(4), 7), None, "nothing is known");
    }

    #[test]
    fn hits_that_no_sample_names_a_process_of_are_unknown_and_not_none() {
        let two = [(Some(7), 30.0), (Some(8), 10.0), (None, 10.0)];
        assert_eq!(shared(100, &two, &[7, 9]), Some(vec![(7, 60), (9, 0)]));
        assert_eq!(shared(100, &[], &[7]), None);
        assert_eq!(shared(100, &[(None, 50.0)], &[7]), None);
        assert_eq!(shared(0, &[], &[7]), Some(vec![(7, 0)]));
    }
}

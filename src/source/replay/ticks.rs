//! The ticks of netop's own part: with this netop's event ids, and several as one.

use std::sync::Arc;

use crate::decode::{
    Carried, Counts, DeviceCounts, Event, EventId, EventSpec, Session, SlowSample, Tick,
};

/// The ids that the events of a recording have here: another version has other rows.
pub struct Ids {
    /// By recorded id.
    here: Vec<Option<EventId>>,
}

impl Ids {
    pub fn new(recorded: &Session, specs: &[EventSpec]) -> Ids {
        let same = |event: &Event| {
            let same = |spec: &EventSpec| {
                let spec = (&spec.group, &spec.name, &spec.filter);
                spec == (&event.spec.group, &event.spec.name, &event.spec.filter)
            };
            specs.iter().position(same).map(|at| EventId(at as u16))
        };
        Ids {
            here: recorded.events.iter().map(same).collect(),
        }
    }

    pub fn here(&self, recorded: EventId) -> Option<EventId> {
        if recorded == EventId::CLOCK {
            return Some(recorded);
        }
        self.here.get(recorded.0 as usize).copied().flatten()
    }

    /// The recorded session with the events of this netop.
    pub fn session(&self, recorded: &Session, specs: &[EventSpec]) -> Session {
        let event = |(index, spec): (usize, &EventSpec)| {
            let here = Some(EventId(index as u16));
            let recorded = recorded.events.iter().zip(&self.here);
            let known = recorded
                .filter(|(_, id)| **id == here)
                .map(|(event, _)| event);
            match known.clone().next() {
                Some(event) => Event {
                    spec: spec.clone(),
                    ..event.clone()
                },
                None => Event {
                    spec: spec.clone(),
                    missing: Some(format!("{} is not in this recording", spec.full_name())),
                    gate: false,
                    symbols: Vec::new(),
                    format: None,
                },
            }
        };
        Session {
            source: crate::decode::SourceKind::Replay,
            events: specs.iter().enumerate().map(event).collect(),
            ..recorded.clone()
        }
    }

    pub fn translate(&self, tick: &mut Tick) {
        tick.counts.retain_mut(|count| self.moved(&mut count.event));
        tick.devices
            .retain_mut(|device| self.moved(&mut device.event));
        tick.carried
            .retain_mut(|carried| self.moved(&mut carried.event));
    }

    fn moved(&self, event: &mut EventId) -> bool {
        match self.here(*event) {
            Some(here) => {
                *event = here;
                true
            }
            None => false,
        }
    }
}

/// One interval of several.
pub fn join(so_far: &mut Tick, next: Tick) {
    so_far.at = next.at;
    so_far.wall_ns = next.wall_ns;
    so_far.interval_ns = so_far.interval_ns.saturating_add(next.interval_ns);
    next.counts
        .into_iter()
        .for_each(|count| add_count(&mut so_far.counts, count));
    next.devices
        .into_iter()
        .for_each(|device| add_device(&mut so_far.devices, device));
    next.carried
        .into_iter()
        .for_each(|carried| add_carried(&mut so_far.carried, carried));
    so_far.overflow = so_far.overflow.saturating_add(next.overflow);
    if !next.host.cpus.is_empty() {
        so_far.host.cpus = next.host.cpus;
    }
    so_far.host.slow = match (so_far.host.slow.take(), next.host.slow) {
        (Some(before), Some(now)) => Some(Arc::new(with_tasks_of(&before, &now))),
        (before, now) => now.or(before),
    };
    so_far.own.cpu_ns = so_far
        .own
        .cpu_ns
        .zip(next.own.cpu_ns)
        .map(|(a, b)| a.saturating_add(b));
    so_far.own.anon_bytes = next.own.anon_bytes;
    so_far.loss.add(next.loss);
    so_far.ended.extend(next.ended);
    so_far.children = next.children;
    so_far.notes.extend(next.notes);
}

fn add_count(counts: &mut Vec<Counts>, next: Counts) {
    let same = |known: &&mut Counts| {
        (known.event, known.cpu, known.pid, known.gate)
            == (next.event, next.cpu, next.pid, next.gate)
    };
    match counts.iter_mut().find(same) {
        Some(known) => {
            known.hits = known.hits.saturating_add(next.hits);
            known.span_ns = known.span_ns.saturating_add(next.span_ns);
            known.spread = match (known.spread, next.spread) {
                (Some(mut all), Some(more)) => {
                    let windows = u64::from(all.windows) + u64::from(more.windows);
                    let sum = |of: crate::decode::Spread| {
                        u128::from(of.variance) * u128::from(of.windows)
                    };
                    let variance = (sum(all) + sum(more)) / u128::from(windows.max(1));
                    all.variance = u64::try_from(variance).unwrap_or(u64::MAX);
                    all.windows = all.windows.saturating_add(more.windows);
                    Some(all)
                }
                (before, now) => before.or(now),
            };
        }
        None => counts.push(next),
    }
}

fn add_device(devices: &mut Vec<DeviceCounts>, next: DeviceCounts) {
    let same = |known: &&mut DeviceCounts| {
        (known.event, known.cpu, known.netns, known.ifindex)
            == (next.event, next.cpu, next.netns, next.ifindex)
    };
    match devices.iter_mut().find(same) {
        Some(known) => {
            known.hits = known.hits.saturating_add(next.hits);
            known.packets = known.packets.saturating_add(next.packets);
            known.bytes = known.bytes.saturating_add(next.bytes);
        }
        None => devices.push(next),
    }
}

fn add_carried(carried: &mut Vec<Carried>, next: Carried) {
    match carried.iter_mut().find(|known| known.event == next.event) {
        Some(known) => {
            known.hits = known.hits.saturating_add(next.hits);
            known.packets = known.packets.saturating_add(next.packets);
            known.bytes = known.bytes.saturating_add(next.bytes);
        }
        None => carried.push(next),
    }
}

/// The later reading; names of processes that it does not have stay known.
fn with_tasks_of(before: &SlowSample, now: &SlowSample) -> SlowSample {
    let mut slow = now.clone();
    let gone = |task: &&crate::decode::TaskCounters| now.tasks.iter().all(|t| t.pid != task.pid);
    slow.tasks.extend(before.tasks.iter().filter(gone).cloned());
    slow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{HostSample, TaskCounters};

    fn tick(at: u64, hits: u64) -> Tick {
        Tick {
            at,
            interval_ns: 10,
            counts: vec![Counts {
                event: EventId(1),
                cpu: Some(0),
                pid: None,
                hits,
                span_ns: 10,
                gate: false,
                bytes: 0,
                spread: None,
            }],
            host: HostSample {
                slow: Some(Arc::new(SlowSample {
                    at,
                    tasks: vec![TaskCounters {
                        pid: at as u32,
                        ..TaskCounters::default()
                    }],
                    ..SlowSample::default()
                })),
                ..HostSample::default()
            },
            ..Tick::default()
        }
    }

    #[test]
    fn intervals_that_are_joined_add_up_and_end_with_the_last() {
        let mut all = tick(10, 5);
        join(&mut all, tick(20, 7));
        assert_eq!((all.at, all.interval_ns), (20, 20));
        assert_eq!((all.counts[0].hits, all.counts[0].span_ns), (12, 20));
        let slow = all.host.slow.expect("a reading");
        let pids: Vec<u32> = slow.tasks.iter().map(|task| task.pid).collect();
        assert_eq!((slow.at, pids), (20, vec![20, 10]));
    }

    #[test]
    fn events_of_another_netop_have_this_ones_ids_or_leave() {
        let spec = |name: &str| EventSpec {
            place: crate::decode::Place::Tracepoint,
            group: "net".to_owned(),
            name: name.to_owned(),
            filter: None,
            fields: Vec::new(),
            device_field: None,
        };
        let event = |name| Event {
            spec: spec(name),
            missing: None,
            gate: false,
            symbols: Vec::new(),
            format: None,
        };
        let recorded = Session {
            host: crate::decode::Host::default(),
            source: crate::decode::SourceKind::Live,
            events: vec![event("gone"), event("moved")],
            costs: crate::decode::Costs::default(),
            no_gate: None,
        };
        let specs = [spec("new"), spec("new2"), spec("moved")];
        let ids = Ids::new(&recorded, &specs);
        let mut moved = tick(10, 5);
        ids.translate(&mut moved);
        assert_eq!(moved.counts[0].event, EventId(2));
        assert_eq!(ids.here(EventId(0)), None);
        let session = ids.session(&recorded, &specs);
        assert!(session.events[0].missing.is_some() && session.events[2].missing.is_none());
    }
}

//! The ticks of netop's own part with this netop's event ids.

use crate::decode::{Event, EventId, EventSpec, Session, Tick};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Counts;

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
            ..Tick::default()
        }
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
            gate_loading: false,
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

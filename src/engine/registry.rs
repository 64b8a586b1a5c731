//! The rows of this run: each function's probe and the ids of its events.

use std::ops::Deref;

use crate::decode::{Batch, EventId, EventSpec, FIELDS, Sample, Span};
use crate::model::Role;
use crate::probe::{Added, Fields, Flow, PROBES, Probe, receives, softirq_times};

/// A probe of the list, or one the user added.
pub enum Observer {
    Listed(&'static dyn Probe),
    Added(Box<Added>),
}

impl Deref for Observer {
    type Target = dyn Probe;

    fn deref(&self) -> &Self::Target {
        match self {
            Observer::Listed(probe) => *probe,
            Observer::Added(added) => added.as_ref(),
        }
    }
}

pub struct Row {
    pub probe: Observer,
    pub events: Vec<EventId>,
}

/// What each hit of an event says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Says {
    /// Which direction its hits are system calls in.
    pub flow: Option<Flow>,
    pub packets: bool,
    pub bytes: bool,
}

pub struct Registry {
    /// In the order of the screen.
    pub rows: Vec<Row>,
    specs: Vec<EventSpec>,
    /// Which row an event belongs to.
    row_of: Vec<usize>,
    /// By event.
    says: Vec<Says>,
    /// The network softirqs' beginning and end, which belong to no row.
    pub softirq: [EventId; 2],
    /// What says for whose socket a softirq worked; of no row either.
    pub receives: [EventId; 2],
    /// What the table of processes counts by socket: sent packets, drops, retransmits.
    pub by_socket: [EventId; 3],
}

impl Registry {
    /// The rows of [`PROBES`], then the added ones.
    pub fn new(added: Vec<Added>) -> Registry {
        let listed = PROBES.iter().map(|&probe| Observer::Listed(probe));
        let mut registry = Registry {
            rows: Vec::new(),
            specs: Vec::new(),
            row_of: Vec::new(),
            says: Vec::new(),
            softirq: [EventId(0); 2],
            receives: [EventId(0); 2],
            by_socket: [EventId(0); 3],
        };
        for probe in listed.chain(added.into_iter().map(|a| Observer::Added(Box::new(a)))) {
            let mut events = Vec::new();
            for spec in probe.events() {
                events.push(EventId(registry.specs.len() as u16));
                registry.row_of.push(registry.rows.len());
                registry.says.push(says(&*probe));
                registry.specs.push(spec);
            }
            registry.rows.push(Row { probe, events });
        }
        registry.by_socket = [Role::Sends, Role::Drops, Role::Retransmits].map(|role| {
            let row = registry.row_with(role).map(|row| &registry.rows[row]);
            // The list has them, each with one event.
            row.map_or(EventId(0), |row| row.events[0])
        });
        registry.softirq = softirq_times().map(|spec| registry.say(spec));
        registry.receives = receives().map(|spec| registry.say(spec));
        registry
    }

    /// One more event, of no row.
    fn say(&mut self, spec: EventSpec) -> EventId {
        self.specs.push(spec);
        EventId(self.specs.len() as u16 - 1)
    }

    /// What a source has to know: every event of every row, indexed by [`EventId`].
    pub fn specs(&self) -> Vec<EventSpec> {
        self.specs.clone()
    }

    pub fn spec(&self, event: EventId) -> &EventSpec {
        &self.specs[event.0 as usize]
    }

    pub fn row_of(&self, event: EventId) -> Option<usize> {
        self.row_of.get(event.0 as usize).copied()
    }

    pub fn says(&self, event: EventId) -> Says {
        self.says.get(event.0 as usize).copied().unwrap_or_default()
    }

    /// The event of dropped packets, and the functions that free for others.
    pub fn drops(&self) -> Option<(EventId, &'static [&'static str])> {
        let row = &self.rows[self.row_with(Role::Drops)?];
        row.events
            .first()
            .map(|&event| (event, row.probe.symbols()))
    }

    pub fn row_with(&self, role: Role) -> Option<usize> {
        (self.rows.iter()).position(|row| row.probe.role() == Some(role))
    }

    pub fn row_named(&self, function: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| row.probe.function() == function)
    }
}

/// What a hit says does not depend on its values: a blank one tells.
fn says(probe: &dyn Probe) -> Says {
    let sample = Sample {
        event: EventId(0),
        cpu: 0,
        pid: 0,
        tid: 0,
        time: 0,
        period: 1,
        chain: Span::default(),
        raw: Span::default(),
        owner: 0,
        values: [0; FIELDS],
    };
    let batch = Batch::default();
    let blank = Fields {
        sample: &sample,
        batch: &batch,
    };
    let what = probe.decode(blank);
    Says {
        flow: what.flow,
        packets: what.packets.is_some(),
        bytes: what.bytes.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_says_is_known_before_its_first_sample() {
        let registry = Registry::new(Vec::new());
        let says = |function| {
            let row = &registry.rows[registry.row_named(function).unwrap()];
            registry.says(row.events[0])
        };
        let call = |flow| Says {
            flow: Some(flow),
            packets: false,
            bytes: true,
        };
        assert_eq!(says("sock_send_length"), call(Flow::Tx));
        assert_eq!(says("sock_recv_length"), call(Flow::Rx));
        assert_eq!(says("consume_skb"), Says::default());
        let sent = says("net_dev_start_xmit");
        assert!(sent.packets && sent.bytes && sent.flow.is_none());
    }

    #[test]
    fn every_event_knows_its_row() {
        let registry = Registry::new(Vec::new());
        for (index, row) in registry.rows.iter().enumerate() {
            for &event in &row.events {
                assert_eq!(registry.row_of(event), Some(index));
            }
        }
        assert_eq!(registry.row_of(EventId(registry.specs.len() as u16)), None);
    }
}

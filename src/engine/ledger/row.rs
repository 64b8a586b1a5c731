//! One row of the ledger: a loss with everything that counted it. The total is what its exact
//! witnesses agree on at least; samples count only where no counter does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Class, Drop, Layer, Series, Share, Witness};

/// Shares kept of each kind, and shown.
const KEPT: usize = 32;
const SHOWN: usize = 4;

/// A counter has a witness per network namespace, of which there may be many.
const WITNESSES: usize = 64;

/// What a row is about.
#[derive(Debug, Clone)]
pub struct Head {
    pub key: Arc<str>,
    pub place: String,
    pub layer: Layer,
    pub unit: &'static str,
    pub class: Class,
    pub reason: Option<String>,
    pub meaning: &'static str,
    pub next: &'static str,
    /// Of a loss on a device.
    pub device: Option<String>,
}

impl Head {
    /// With a place of its own, which is its identity.
    pub fn at(place: String, layer: Layer, unit: &'static str) -> Head {
        Head {
            key: place.as_str().into(),
            place,
            layer,
            unit,
            class: Class::Look,
            reason: None,
            meaning: "",
            next: "",
            device: None,
        }
    }
}

#[derive(Debug)]
pub struct Row {
    pub head: Head,
    /// Sum of its own counters; `None`: no counter has ever seen it.
    pub counter: Option<u64>,
    /// Counted by kfree_skb, every hit a sample; and from samples.
    pub exact: f64,
    pub sampled: f64,
    /// By name: how much, whether it counts other losses too, whether it is estimated.
    witnesses: BTreeMap<String, (f64, bool, bool)>,
    /// What its counter holds too but has a row of its own.
    elsewhere: f64,
    /// Devices, functions, owners, by weight since the start.
    by: Vec<(&'static str, Arc<str>, f64)>,
    /// Network namespaces that its counters grew in; `None`: netop's own.
    namespaces: BTreeSet<Option<Arc<str>>>,
    reported: u64,
    /// Of this interval.
    count: u64,
    pub rate: Option<f64>,
    /// The rate by its counters, until they are read again.
    held: f64,
    /// kfree_skb saw it in this interval.
    event_now: bool,
    series: Series,
}

impl Row {
    pub fn new(head: Head) -> Row {
        Row {
            head,
            counter: None,
            exact: 0.0,
            sampled: 0.0,
            witnesses: BTreeMap::new(),
            elsewhere: 0.0,
            by: Vec::new(),
            namespaces: BTreeSet::new(),
            reported: 0,
            count: 0,
            rate: None,
            held: 0.0,
            event_now: false,
            series: Series::default(),
        }
    }

    /// A counter of this loss has grown.
    pub fn counted(
        &mut self,
        name: &str,
        netns: Option<&Arc<str>>,
        by: u64,
        includes_others: bool,
    ) {
        self.counter = Some(self.counter.unwrap_or(0) + by);
        if self.namespaces.len() < WITNESSES {
            self.namespaces.insert(netns.cloned());
        }
        self.witness(name, netns, by, includes_others);
        self.head.reason.get_or_insert_with(|| name.to_owned());
    }

    /// A counter that holds this loss and others has grown, or one that is taken off it.
    pub fn witness(
        &mut self,
        name: &str,
        netns: Option<&Arc<str>>,
        by: u64,
        includes_others: bool,
    ) {
        let name = match netns {
            Some(netns) => format!("{name} in netns {netns}"),
            None => name.to_owned(),
        };
        if self.witnesses.len() >= WITNESSES && !self.witnesses.contains_key(&name) {
            return;
        }
        let witness = self.witnesses.entry(name).or_default();
        witness.0 += by as f64;
        witness.1 = includes_others;
    }

    /// What its counter has grown by belongs to another row.
    pub fn take_off(&mut self, by: f64) {
        self.elsewhere += by;
    }

    /// kfree_skb has seen it.
    pub fn seen(&mut self, reason: &str, hits: f64, exact: bool) {
        if exact {
            self.exact += hits;
        } else {
            self.sampled += hits;
        }
        self.event_now = true;
        let witness = self
            .witnesses
            .entry(format!("kfree_skb {reason}"))
            .or_default();
        witness.0 += hits;
        witness.2 |= !exact;
        self.head.reason.get_or_insert_with(|| reason.to_owned());
    }

    /// Something that these packets had in common.
    pub fn share(&mut self, kind: &'static str, name: &Arc<str>, hits: f64) {
        let mut of_kind = 0;
        for (k, known, sum) in &mut self.by {
            if *k == kind && known == name {
                *sum += hits;
                return;
            }
            of_kind += usize::from(*k == kind);
        }
        if of_kind < KEPT {
            self.by.push((kind, Arc::clone(name), hits));
        }
    }

    pub fn total(&self) -> u64 {
        match self.counter {
            Some(counter) => {
                let own = counter.saturating_sub(self.elsewhere.round() as u64);
                own.max(self.exact.round() as u64)
            }
            None => (self.exact + self.sampled).round() as u64,
        }
    }

    fn estimated(&self) -> bool {
        self.counter.is_none() && self.sampled > 0.0
    }

    /// Ends an interval. `slow_ns`: its counters were read, so long after the last time.
    pub fn end_interval(&mut self, interval_ns: u64, slow_ns: Option<u64>, shown: bool) {
        let total = self.total();
        // An estimate is taken back when a counter is read for the first time.
        self.count = total.saturating_sub(self.reported);
        self.reported = total;
        let per_s = |ns: u64| self.count as f64 * 1e9 / ns.max(1) as f64;
        let by_events = self.event_now || self.counter.is_none();
        let rate = match slow_ns {
            // The backlog's counter is read at every tick.
            _ if by_events || self.head.layer == Layer::Backlog => per_s(interval_ns),
            Some(span) => per_s(span),
            None => self.held,
        };
        if slow_ns.is_some() {
            self.held = if by_events { 0.0 } else { rate };
        }
        self.event_now = false;
        self.rate = Some(rate);
        if shown {
            self.series.push(Some(rate), Some(self.count));
        }
    }

    /// Where it is, with the namespace when it was only ever in one that is not netop's own.
    pub fn place(&self) -> String {
        match self.namespaces.iter().next() {
            Some(Some(netns)) if self.namespaces.len() == 1 => {
                format!("{} in netns {netns}", self.head.place)
            }
            _ => self.head.place.clone(),
        }
    }

    fn heaviest(&self, kind: &'static str) -> Option<&Arc<str>> {
        let of_kind = self.by.iter().filter(|(k, ..)| *k == kind);
        of_kind
            .max_by(|a, b| a.2.total_cmp(&b.2))
            .map(|(_, name, _)| name)
    }

    /// `named`: a process's name. `seen_s`: seconds in which kfree_skb was counted, where that was not
    /// always.
    pub fn drop(&self, named: impl Fn(u32) -> Arc<str>, seen_s: Option<f64>) -> Drop {
        let pid = self.heaviest(OWNER).and_then(|pid| pid.parse().ok());
        let text = |kind| self.heaviest(kind).map(ToString::to_string);
        let mut by = Vec::new();
        for kind in [DEVICE, FUNCTION, OWNER] {
            let mut shares: Vec<Share> = (self.by.iter())
                .filter(|(k, ..)| *k == kind)
                .map(|(kind, name, hits)| Share {
                    kind,
                    name: match name.parse() {
                        Ok(pid) if *kind == OWNER => format!("{}({pid})", named(pid)).into(),
                        _ => Arc::clone(name),
                    },
                    calls: *hits,
                    estimated: self.sampled > 0.0,
                })
                .collect();
            shares.sort_by(|a, b| b.calls.total_cmp(&a.calls).then(a.name.cmp(&b.name)));
            shares.truncate(SHOWN);
            by.extend(shares);
        }
        let witnesses = (self.witnesses.iter()).map(|(name, (count, others, estimated))| Witness {
            name: name.clone(),
            count: count.round() as u64,
            includes_others: *others,
            estimated: *estimated,
        });
        let mut witnesses: Vec<Witness> = witnesses.collect();
        witnesses.sort_by_key(|w| w.includes_others);
        Drop {
            place: self.place(),
            reason: self.head.reason.clone(),
            location: text(FUNCTION),
            device: self.head.device.clone().or_else(|| text(DEVICE)),
            pid,
            comm: pid.map(|pid| named(pid).to_string()),
            count: self.count,
            rate: self.rate,
            total: self.total(),
            estimated: self.estimated(),
            counted_s: seen_s.filter(|_| self.counter.is_none()),
            witnesses,
            by,
            key: Arc::clone(&self.head.key),
            history: self.series.history(),
            meaning: self.head.meaning,
            next: self.head.next,
            ..Drop::at(
                String::new(),
                self.head.class,
                self.head.layer,
                self.head.unit,
            )
        }
    }
}

/// Kinds of shares; owners by their pid.
pub const DEVICE: &str = "device";
pub const FUNCTION: &str = "function";
pub const OWNER: &str = "owner";

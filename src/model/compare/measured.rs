//! One side of a comparison: a series of seconds, bounded however long the file was.

use std::collections::BTreeSet;

use super::second::{Cell, Key, Origin, Second, Window};

/// Shorter intervals are put together until they are about a second.
const PART_S: f64 = 0.95;

/// With more parts than this, neighbours are put together.
const MOST_PARTS: usize = 2048;

/// A host has fewer functions, stages, devices and names of busy processes.
const MOST_ROWS: usize = 10_000;

/// More rows than any host has.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Of the last snapshot.
    pub origin: Origin,
    /// Begin of the first interval, ns since 1970 UTC.
    pub from: u64,
    pub snapshots: usize,
    /// Its times are no clock's but those of a file: they do not say when it was measured.
    pub undated: bool,
    /// CPU samples whose kernel functions have no names: for whom they were is not known.
    pub unnamed_samples: u64,
    /// What the last snapshot's window says.
    pub window: Option<Window>,
    parts: Vec<Second>,
    /// Every row of any part.
    known: BTreeSet<Key>,
}

impl Measured {
    /// Kernel functions of so many CPU samples have no names, and of `samples` in all these are most: the few
    /// intervals that say something of the network say nothing of the whole.
    pub fn leave_unnamed(&mut self, unnamed: u64, samples: u64) {
        if 2 * unnamed <= samples || unnamed == 0 {
            return;
        }
        self.unnamed_samples = unnamed;
        self.window = None;
        for part in &mut self.parts {
            part.net_ns = None;
        }
    }

    pub fn push(
        &mut self,
        origin: Origin,
        second: Second,
        window: Option<Window>,
    ) -> Result<(), TooMany> {
        if self.snapshots == 0 {
            let length = (second.seconds.max(0.0) * 1e9) as u64;
            self.from = origin.at.saturating_sub(length);
        }
        self.snapshots += 1;
        self.origin = origin;
        self.window = window.or(self.window.take());
        for key in second.rows.keys() {
            if !self.known.contains(key) {
                self.known.insert(key.clone());
            }
        }
        if self.known.len() > MOST_ROWS {
            return Err(TooMany);
        }
        match self.parts.last_mut() {
            Some(last) if last.seconds < PART_S => last.merge(&second),
            _ => self.parts.push(second),
        }
        if self.parts.len() > MOST_PARTS {
            self.halve();
        }
        Ok(())
    }

    fn halve(&mut self) {
        let mut parts = std::mem::take(&mut self.parts).into_iter();
        while let Some(mut first) = parts.next() {
            if let Some(second) = parts.next() {
                first.merge(&second);
            }
            self.parts.push(first);
        }
    }

    pub fn parts(&self) -> &[Second] {
        &self.parts
    }

    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.known.iter()
    }

    pub fn seconds(&self) -> f64 {
        self.parts.iter().map(|part| part.seconds).sum()
    }

    /// What a CPU sample stands for, ns.
    pub fn grain(&self) -> f64 {
        let grains = self.parts.iter().map(|part| part.sample_ns);
        grains.fold(0.0, f64::max)
    }
}

impl Second {
    /// The row in this second. What CPU samples did not meet took no time; a process or a device
    /// that is not listed had no calls.
    pub fn row(&self, key: &Key) -> Cell {
        let mut cell = self.rows.get(key).copied().unwrap_or_default();
        let idle = || self.net_ns.map(|_| 0.0);
        match key {
            Key::Stage { direction, .. } => {
                cell.ns = cell.ns.or_else(idle);
                cell.packets = self.wire.map(|wire| wire.of(direction));
            }
            Key::Process { .. } => {
                cell.ns = cell.ns.or_else(idle);
                cell.packets = self.wire.map(|wire| wire.all);
                cell.calls = cell.calls.or(Some(0.0));
            }
            Key::Function { .. } | Key::Device { .. } => {}
        }
        cell
    }

    fn merge(&mut self, later: &Second) {
        let mut keys: Vec<Key> = later.rows.keys().cloned().collect();
        keys.extend(self.rows.keys().cloned());
        keys.sort_unstable();
        keys.dedup();
        let rows = keys.into_iter().map(|key| {
            let (a, b) = (self.row(&key), later.row(&key));
            let sum = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
            let cell = Cell {
                calls: sum(a.calls, b.calls),
                estimated: a.estimated || b.estimated,
                ns: sum(a.ns, b.ns),
                packets: sum(a.packets, b.packets),
            };
            (key, cell)
        });
        let rows = rows.collect();
        self.rows = rows;
        self.seconds += later.seconds;
        self.sample_ns = self.sample_ns.max(later.sample_ns);
        self.net_ns = self.net_ns.zip(later.net_ns).map(|(a, b)| a + b);
        self.wire = self.wire.zip(later.wire).map(|(mut a, b)| {
            a.rx += b.rx;
            a.tx += b.tx;
            a.all += b.all;
            a
        });
    }
}

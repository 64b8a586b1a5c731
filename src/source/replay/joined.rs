//! Which ticks become which intervals: several as one, behind a first reading of every counter.

use super::Cut;
use super::outlet::{Closed, Outlet};
use crate::decode::{Tick, join};

pub struct Joined {
    cut: Cut,
    /// Of the interval to come, of several ticks.
    so_far: Option<Tick>,
    /// The newest before what is shown: where cumulative counters begin.
    baseline: Option<Tick>,
    /// For the next interval.
    pub notes: Vec<String>,
}

impl Joined {
    pub fn new(cut: Cut, notes: Vec<String>) -> Joined {
        Joined {
            cut,
            so_far: None,
            baseline: None,
            notes,
        }
    }

    /// Each once: what cannot be read is met again with every round.
    pub fn note(&mut self, note: String) {
        if self.notes.last() != Some(&note) {
            self.notes.push(note);
        }
    }

    /// It is before what is shown.
    pub fn before(&mut self, mut tick: Tick) {
        let slow = self.baseline.take().and_then(|before| before.host.slow);
        tick.host.slow = tick.host.slow.or(slow);
        self.baseline = Some(tick);
    }

    pub fn shown(&mut self, tick: Tick, outlet: &Outlet) -> Result<(), Closed> {
        if let Some(before) = self.baseline.take() {
            outlet.tick(baseline(before))?;
        }
        match &mut self.so_far {
            Some(so_far) => join(so_far, tick),
            None => self.so_far = Some(tick),
        }
        let length = self.so_far.as_ref().map_or(0, |joined| joined.interval_ns);
        let full = match self.cut {
            Cut::Whole => false,
            // Ticks come some time before or after they are due.
            Cut::Every(ns) => length.saturating_add(ns / 20) >= ns,
            Cut::Recorded => true,
        };
        if full { self.finish(outlet) } else { Ok(()) }
    }

    pub fn finish(&mut self, outlet: &Outlet) -> Result<(), Closed> {
        let Some(mut tick) = self.so_far.take() else {
            return Ok(());
        };
        tick.notes.append(&mut self.notes);
        outlet.tick(tick)
    }
}

/// The first reading of every counter, before what is shown.
fn baseline(before: Tick) -> Tick {
    Tick {
        at: before.at,
        wall_ns: before.wall_ns,
        host: before.host,
        children: before.children,
        ..Tick::default()
    }
}

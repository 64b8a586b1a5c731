//! Where batches come from; every source is pulled by the engine. Threads live in `live`, and one in `replay` that reads ahead.
//! Knows no probe, no model, no screen.

mod cpu_filter;
pub mod demo;
pub mod live;
pub mod replay;

use std::time::Duration;

pub use self::cpu_filter::narrowed;
use crossbeam_channel::Receiver;

use crate::decode::{Batch, Demand, Session, Tick};
use crate::error::Error;

/// What one step gave.
#[derive(Debug)]
pub enum Step {
    /// Samples of one CPU. Within an interval batches of different CPUs come in any order.
    Batch(Batch),
    /// The interval is over; every sample of it has been given. The first tick has no length:
    /// it is the baseline of the cumulative counters.
    Tick(Box<Tick>),
    /// Nothing within the patience.
    Idle,
    /// A clean end (a recording was read to its end).
    End,
}

pub trait Source: Send {
    fn session(&self) -> &Session;

    /// The next batch or tick, waiting at most `patience`.
    fn step(&mut self, patience: Duration) -> Result<Step, Error>;

    /// From now on [`step`](Source::step) returns when something comes here. `false`: it does not, so that
    /// its caller must not wait long.
    fn wake_by(&mut self, _wake: Receiver<()>) -> bool {
        false
    }

    /// What is wanted from now on. Cheap when nothing changed.
    fn demand(&mut self, demand: &Demand);

    /// An emptied batch comes back for reuse.
    fn recycle(&mut self, _batch: Batch) {}
}

//! Who listens in between the source and the engine: a recording.

use crate::decode::{Batch, Session, Tick};
use crate::error::Error;
use crate::model::Names;

pub trait Tap {
    fn batch(
        &mut self,
        session: &Session,
        batch: &Batch,
        names: &mut dyn Names,
    ) -> Result<(), Error>;

    /// `shown`: the interval that ends here leads to a snapshot (the baseline and the first
    /// intervals, in which events are attached, do not).
    fn tick(
        &mut self,
        session: &Session,
        tick: &Tick,
        shown: bool,
        names: &mut dyn Names,
    ) -> Result<(), Error>;
}

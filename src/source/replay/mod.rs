//! A recording as a source: a thread reads and decodes, the engine folds meanwhile. Of netop's own
//! files the batches and ticks come back as they were; of perf's a tick ends each interval of the
//! samples' time, and counts are the sums of their weights.

mod counts;
mod decoder;
mod events;
mod flight;
mod interval;
mod joined;
mod opened;
mod outlet;
mod part;
mod perf_file;
mod recorded;
mod ticks;

use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

pub use self::flight::Flight;
pub use self::opened::{FileEvent, Opened};
pub use self::part::{Moment, Part};

use self::outlet::{Message, Outlet};
use super::{Source, Step};
use crate::decode::{Batch, Demand, EventSpec, Session};
use crate::error::Error;

/// Batches that wait for the engine.
const AHEAD: usize = 8;

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Every event of every row, indexed by `EventId`.
    pub specs: Vec<EventSpec>,
    pub cut: Cut,
    pub part: Part,
    /// Processes whose hits are counted apart; empty: all together.
    pub pids: Vec<u32>,
    /// Only hits that name this device, or that name none.
    pub device: Option<String>,
}

/// Where ticks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// One, at the end.
    #[default]
    Whole,
    /// Whenever so many ns have passed.
    Every(u64),
    /// As the recording's own engine had them: its first ones are not shown.
    Recorded,
}

impl Cut {
    /// Of an interval where the file has none of its own, ns.
    fn length(self) -> Option<u64> {
        match self {
            Cut::Whole => None,
            Cut::Every(ns) => Some(ns.max(1)),
            Cut::Recorded => Some(1_000_000_000),
        }
    }
}

pub struct Replay {
    session: Session,
    messages: Receiver<Message>,
    empty: Sender<Batch>,
    /// `None`: its end was told.
    reader: Option<JoinHandle<Option<String>>>,
}

impl Replay {
    /// Starts reading.
    pub fn start(mut opened: Opened, options: Options) -> Result<Replay, Error> {
        let (sender, messages) = bounded(AHEAD);
        let (empty, emptied) = unbounded();
        let outlet = Outlet::new(sender, emptied);
        let (session, run): (Session, Box<dyn FnOnce() -> Option<String> + Send>) =
            if let Some((trailer, recorded)) = opened.take_own() {
                let reader = recorded::Reader::new(opened, &recorded, trailer, options, outlet);
                (reader.session(), Box::new(|| reader.run()))
            } else {
                let reader = perf_file::Reader::new(opened, options, outlet);
                (reader.session(), Box::new(|| reader.run()))
            };
        Replay::reading(session, messages, empty, run)
    }

    /// Starts reading a flight recorder's ring.
    pub fn of_flight(flight: Flight, options: Options) -> Result<Replay, Error> {
        let (sender, messages) = bounded(AHEAD);
        let (empty, emptied) = unbounded();
        let outlet = Outlet::new(sender, emptied);
        let reader = flight::Reader::new(flight, options, outlet);
        Replay::reading(reader.session(), messages, empty, Box::new(|| reader.run()))
    }

    fn reading(
        session: Session,
        messages: Receiver<Message>,
        empty: Sender<Batch>,
        run: Box<dyn FnOnce() -> Option<String> + Send>,
    ) -> Result<Replay, Error> {
        let reader = thread::Builder::new()
            .name("replay".to_owned())
            .spawn(run)
            .map_err(|e| Error::no_thread(&e))?;
        Ok(Replay {
            session,
            messages,
            empty,
            reader: Some(reader),
        })
    }
}

impl Replay {
    /// The reader has ended: well, or by a fault of its own.
    fn end(&mut self) -> Result<Step, Error> {
        match self.reader.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::failed(
                "reading the recording ended by a fault of netop",
                "perf report, and tell us of the file",
            )),
            Some(Ok(Some(why))) => Err(Error::failed(why, "ulimit -a")),
            Some(Ok(None)) | None => Ok(Step::End),
        }
    }
}

impl Source for Replay {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, patience: Duration) -> Result<Step, Error> {
        loop {
            match self.messages.recv_timeout(patience) {
                Ok(Message::Step(step)) => return Ok(*step),
                Ok(Message::Session(session)) => self.session = *session,
                Err(RecvTimeoutError::Timeout) => return Ok(Step::Idle),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
    }

    /// What was recorded is recorded.
    fn demand(&mut self, _demand: &Demand) {}

    fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        // The reader may have ended.
        let _nobody_needs_it = self.empty.send(batch);
    }
}

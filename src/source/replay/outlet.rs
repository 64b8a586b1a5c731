//! From the reading thread to the engine.

use crossbeam_channel::{Receiver, Sender};

use super::super::Step;
use crate::decode::{Batch, Session, Tick};

pub enum Message {
    Step(Box<Step>),
    /// It changed; what follows is of this one.
    Session(Box<Session>),
}

pub struct Outlet {
    to: Sender<Message>,
    emptied: Receiver<Batch>,
}

/// Nobody takes steps any more.
#[derive(Debug)]
pub struct Closed;

impl Outlet {
    pub fn new(to: Sender<Message>, emptied: Receiver<Batch>) -> Outlet {
        Outlet { to, emptied }
    }

    /// A batch to fill, one that was used before if there is one.
    pub fn empty(&self) -> Batch {
        self.emptied.try_recv().unwrap_or_default()
    }

    pub fn batch(&self, batch: Batch) -> Result<(), Closed> {
        self.send(Message::Step(Box::new(Step::Batch(batch))))
    }

    pub fn tick(&self, tick: Tick) -> Result<(), Closed> {
        self.send(Message::Step(Box::new(Step::Tick(Box::new(tick)))))
    }

    pub fn session(&self, session: &Session) -> Result<(), Closed> {
        self.send(Message::Session(Box::new(session.clone())))
    }

    fn send(&self, message: Message) -> Result<(), Closed> {
        self.to.send(message).map_err(|_| Closed)
    }
}

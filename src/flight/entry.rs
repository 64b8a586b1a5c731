//! What a segment's lines are.

use serde::{Deserialize, Serialize};

use crate::decode::{Session, Tick};
use crate::perfdata::Run;

pub const MAGIC: [u8; 8] = *b"NETOPFLY";
pub const VERSION: u32 = 1;

/// Of MAGIC, version, 0.
pub const HEAD: usize = 16;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Begin(Box<Begin>),
    /// Again whenever it changed.
    Session(Box<Session>),
    /// Without a length it is where the counters begin: the recorder was started.
    Tick(Box<Tick>),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub run: Run,
    pub session: Session,
    /// The kernel's counters go on from one segment to the next while this is the same.
    pub boot: String,
}

//! Why a file cannot be read on: where, and what was expected there.

use std::fmt;
use std::io;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of the file, bytes.
    pub offset: u64,
    pub what: String,
}

impl Fault {
    pub fn new(offset: u64, what: impl Into<String>) -> Fault {
        Fault {
            offset,
            what: what.into(),
        }
    }

    pub fn io(offset: u64, error: &io::Error) -> Fault {
        Fault::new(offset, error.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the file as a whole there is no place to say.
        match self.offset {
            0 => f.write_str(&self.what),
            offset => write!(f, "at byte {offset}: {}", self.what),
        }
    }
}

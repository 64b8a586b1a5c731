//! What a thread that names addresses says: the frames of one address, or why there are none.

/// What the worker and its threads tell.
pub enum Message {
    Answer(Answer),
    /// Everything said of this life of a process.
    Forget {
        pid: u32,
        life: u64,
    },
    /// A sentence: what is missing, and why.
    GaveUp(String),
}

pub struct Answer {
    pub pid: u32,
    pub life: u64,
    pub address: u64,
    /// Innermost first; `None`: ask again later.
    pub frames: Option<Vec<Named>>,
    pub extent: Extent,
}

pub struct Named {
    pub text: String,
    pub place: Option<(String, u32)>,
}

impl Named {
    pub fn only(text: String) -> Named {
        Named { text, place: None }
    }
}

/// How much an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that the file and its debug information know.
    Whole,
    /// What the table of symbols knows; the debug information is not read now ([`Shared::dwarf`]).
    Table,
    /// The same, and it is enough.
    Enough,
}

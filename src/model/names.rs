//! How the model asks for the names of addresses, without knowing who finds them.

use std::sync::Arc;

/// One answer; `settled` is false while somebody is still looking (ask again at the next tick).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: Arc<str>,
    pub settled: bool,
}

pub trait Names: Send {
    /// `name` or `name [module]`; an address nobody knows is itself in hex.
    fn kernel(&mut self, address: u64) -> Name;

    /// `name (file)` of a frame of process `pid`.
    fn user(&mut self, pid: u32, address: u64) -> Name;
}

//! Wiring only: who drives the engine and where output goes. One file per command.

pub mod completions;
pub mod man;

//! Processes: for whom packets and hits were, what they cost, and what holds them up.

pub mod attribution;
pub mod by_sample;
pub mod limit;
pub mod owners;
pub mod processes;
pub mod readers;

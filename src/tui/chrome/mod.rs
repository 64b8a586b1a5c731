//! The lines around every view: header, losses and load above it, keys and help.

pub mod events_line;
pub mod footer;
pub mod header;
pub mod limits;
pub mod net_line;

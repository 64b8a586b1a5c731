//! Which hits of which tracepoint one thing that happens makes, in whose context, with what in the
//! event's fields and with which chain. One row each.

use super::chains::{Path, SOFTIRQ};
use super::load::Flow;
use super::process::{Frames, Process};
use super::{rx, tx};
use crate::decode::EventSpec;

/// Drop reasons as 6.18 numbers them; the event carries their names, as a real one does.
pub const NO_SOCKET: u64 = 3;
pub const SOCKET_RCVBUFF: u64 = 6;

#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub event: &'static str,
    /// `vec==3`; empty: the event needs none.
    filter: &'static str,
    pub flow: Flow,
    /// `None`: in softirq, in whoever was interrupted.
    pub process: Option<&'static Process>,
    pub device: &'static str,
    /// Bytes, or packets of a poll; jittered by up to a tenth.
    pub size: u64,
    pub segs: u64,
    /// `reason` or `vec`.
    pub kind: u64,
    /// Kernel segments, leaf first, ending where the context's own frames begin.
    pub path: Path,
    pub user: Frames,
}

const BLANK: Row = Row {
    event: "",
    filter: "",
    flow: Flow::Other,
    process: None,
    device: "",
    size: 0,
    segs: 1,
    kind: 0,
    path: &[],
    user: &[],
};

pub const fn soft(
    event: &'static str,
    flow: Flow,
    device: &'static str,
    size: u64,
    path: Path,
) -> Row {
    Row {
        event,
        flow,
        device,
        size,
        path,
        ..BLANK
    }
}

pub const fn by(process: &'static Process, user: Frames, row: Row) -> Row {
    Row {
        process: Some(process),
        user,
        ..row
    }
}

pub const fn segs(segs: u64, row: Row) -> Row {
    Row { segs, ..row }
}

pub const fn kind(kind: u64, filter: &'static str, row: Row) -> Row {
    Row {
        filter,
        kind,
        ..row
    }
}

/// What an event hits that this machine has no story for.
pub static OTHER: Row = soft("", Flow::Other, "eth0", 128, &[&["net_rx_action"], SOFTIRQ]);

/// Every row with a story.
pub fn all() -> impl Iterator<Item = &'static Row> {
    rx::ROWS.iter().chain(tx::ROWS)
}

/// The rows of an event; one row without a story for an event that no row names.
pub fn rows(spec: &EventSpec) -> Vec<&'static Row> {
    let name = spec.full_name();
    let filter = spec.filter.as_deref().unwrap_or("");
    let filter: String = filter.split_whitespace().collect();
    let of_event: Vec<_> = all().filter(|row| row.event == name).collect();
    if of_event.is_empty() {
        return vec![&OTHER];
    }
    of_event
        .into_iter()
        .filter(|row| filter.is_empty() || row.filter.is_empty() || row.filter == filter)
        .collect()
}

//! What the machine's CPUs spend their time on: the chains of one thing that happens, with their
//! share of its cost. The host counters say how much time there is; this says on what.

mod calls;
mod softirq;

pub use calls::{IN_CALLS, IN_PROGRAMS};
pub use softirq::{IN_INTERRUPT, IN_SOFTIRQ};

use super::chains::{Path, Segment};
use super::load::Flow;
use super::process::{Frames, Process};

#[derive(Debug)]
pub struct Work {
    pub flow: Flow,
    /// `None`: in whoever was interrupted.
    pub process: Option<&'static Process>,
    pub user: Frames,
    /// Kernel segments that all its chains lead from.
    pub base: Path,
    /// About what one of the flow takes, ns, and the frames on the base, leaf first. The parts of
    /// a kind of time are scaled together to what the host counters say.
    pub parts: &'static [(u64, Segment)],
}

const fn soft(flow: Flow, base: Path, parts: &'static [(u64, Segment)]) -> Work {
    Work {
        flow,
        process: None,
        user: &[],
        base,
        parts,
    }
}

const fn by(
    (process, user): (&'static Process, Frames),
    flow: Flow,
    base: Path,
    parts: &'static [(u64, Segment)],
) -> Work {
    Work {
        process: Some(process),
        user,
        ..soft(flow, base, parts)
    }
}

/// All of it, for the names.
pub fn all() -> impl Iterator<Item = &'static Work> {
    [IN_SOFTIRQ, IN_INTERRUPT, IN_CALLS, IN_PROGRAMS]
        .into_iter()
        .flatten()
}

//! Breakpoints in user space that the gate counts: all share two programs (a call's and a
//! return's), the cookie of the attachment says which slot a hit belongs to. Since Linux 5.15.

use aya::programs::uprobe::UProbeLinkId;

/// Slots for breakpoints, behind those of the programs (`EVENTS` of gate.bpf.c).
pub const BREAKPOINTS: usize = 16;

pub struct Uprobe {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) returns: bool,
    pub(super) link: Option<UProbeLinkId>,
}

impl Uprobe {
    pub(super) fn program(&self) -> &'static str {
        if self.returns {
            "netop_return"
        } else {
            "netop_call"
        }
    }
}

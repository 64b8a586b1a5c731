//! Breakpoints in user space that the gate counts: all share two programs (a call's and a
//! return's), the cookie of the attachment says which slot a hit belongs to. Since Linux 5.15.

use std::io;

use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLinkId, UProbeScope};

use super::{Gate, into_io, reason};

/// Slots for breakpoints, behind those of the programs (`EVENTS` of gate.bpf.c).
pub const BREAKPOINTS: usize = 16;

pub struct Uprobe {
    file: String,
    offset: u64,
    returns: bool,
    link: Option<UProbeLinkId>,
}

impl Uprobe {
    fn program(&self) -> &'static str {
        if self.returns {
            "netop_return"
        } else {
            "netop_call"
        }
    }
}

impl Gate {
    /// Makes a breakpoint known; its number serves like a program's. `Err`: a sentence why it is to
    /// be counted otherwise.
    pub fn add_breakpoint(
        &mut self,
        file: &str,
        offset: u64,
        returns: bool,
    ) -> Result<usize, String> {
        if self.uprobes.len() >= BREAKPOINTS {
            return Err(format!("more than {BREAKPOINTS} breakpoints"));
        }
        let number = self.names.len() + self.uprobes.len();
        let uprobe = Uprobe {
            file: file.to_owned(),
            offset,
            returns,
            link: None,
        };
        let first = self.uprobes.iter().all(|s| s.returns != returns);
        if first {
            let program = self.uprobe(uprobe.program()).map_err(|e| e.to_string())?;
            program.load().map_err(|error| reason(&error))?;
        }
        self.uprobes.push(uprobe);
        Ok(number)
    }

    fn uprobe(&mut self, name: &str) -> io::Result<&mut UProbe> {
        let found = self.ebpf.program_mut(name);
        found
            .and_then(|p| p.try_into().ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    pub(super) fn attach_breakpoint(&mut self, number: usize) -> io::Result<()> {
        let index = number - self.names.len();
        let Some(uprobe) = self.uprobes.get(index).filter(|s| s.link.is_none()) else {
            return Ok(());
        };
        let (name, offset, file) = (uprobe.program(), uprobe.offset, uprobe.file.clone());
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset),
            cookie: Some(index as u64),
        };
        let program = self.uprobe(name)?;
        let link = program.attach(point, file, UProbeScope::AllProcesses);
        self.uprobes[index].link = Some(link.map_err(into_io)?);
        Ok(())
    }

    pub(super) fn detach_breakpoint(&mut self, number: usize) {
        let uprobe = self.uprobes.get_mut(number - self.names.len());
        if let Some((name, link)) = uprobe.and_then(|s| Some((s.program(), s.link.take()?))) {
            // Only a link that is not there cannot be detached.
            let _detached = self.uprobe(name).map(|p| p.detach(link));
        }
    }
}

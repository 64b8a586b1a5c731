//! What happens to processes: to the names of addresses and of processes.

use super::Engine;
use crate::decode::{Happened, MappedFile, SideBand};
use crate::model::Mapped;

impl Engine {
    pub(super) fn side_band(&mut self, side: &[SideBand]) {
        for happened in side {
            match &happened.what {
                Happened::Mapped(mapping) => self.names.mapped(&Mapped {
                    pid: (!mapping.kernel).then_some(happened.pid),
                    start: mapping.start,
                    len: mapping.len,
                    offset: mapping.offset,
                    path: &mapping.path,
                    build_id: match &mapping.file {
                        MappedFile::BuildId(id) => Some(id),
                        MappedFile::Unknown | MappedFile::Inode { .. } => None,
                    },
                }),
                Happened::Named { comm, exec } => {
                    if *exec {
                        self.names.executed(happened.pid);
                    }
                    if happened.pid == happened.tid {
                        self.processes.called(happened.pid, comm);
                    }
                }
                Happened::Forked { parent, .. } if *parent != happened.pid => {
                    self.names.forked(*parent, happened.pid);
                    self.processes.forked(*parent, happened.pid);
                }
                Happened::Forked { .. } | Happened::Ended => {}
            }
        }
    }
}
